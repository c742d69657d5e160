import { isTyping, letter } from "orchestrator/board_keys.js";
import { speaker } from "orchestrator/i18n.js";
import { isFinished, newestFirst, secondsLeft, state } from "orchestrator/jobs.js";
import { hasThumbnail, iconOf } from "orchestrator/media.js";
import { clock, span, watchClock } from "orchestrator/time.js";

function asJob({ id, kind, url, thumbnailUrl, prompt, width, height, backend }) {
  const result = { images: [{ id, kind, url, thumbnailUrl, width, height }] };
  return { id, status: "done", prompt, backend, backendId: backend, params: { width, height }, progress: null, steps: [], frame: null, result };
}

export default {
  props: { texts: Object, backends: Object },
  emits: ["cancel"],
  template: `
    <section class="o-panel o-now" :aria-label="t('Now running')" :data-st="job?.status">
      <div class="o-panel-head">
        <h2>{{ running.length ? t("Now running") : t("Latest result") }}</h2>
        <div v-if="running.length > 1" class="o-now-tabs" role="tablist" :aria-label="t('Running jobs')" @keydown="onTabKey">
          <button v-for="other in running" :key="other.id" role="tab" :aria-selected="other.id === job.id" :tabindex="other.id === job.id ? 0 : -1"
                  :title="other.prompt" @click="chosen = other.id">
            <img v-if="other.frame" :src="other.frame.url" alt="" />{{ name(other) }} <span class="o-num">{{ percent(other) }} %</span>
          </button>
        </div>
        <span class="o-grow"></span>
        <a v-if="result" class="o-btn o-btn-quiet o-btn-compact" :href="'/canvas/' + result.id">{{ t("Open") }}</a>
      </div>
      <div class="o-stage" ref="stage" data-testid="live-preview" :data-rev="rev" :style="{ '--ratio': ratio }">
        <template v-if="job">
          <img v-for="layer in layers" :key="layer.src" :src="layer.src" :alt="layer.alt" class="o-layer" :data-in="layer.shown" draggable="false" />
          <video v-if="isVideo" class="o-layer" data-in="true" :src="result.url" :poster="result.thumbnailUrl" :key="result.id" :aria-label="job.prompt"
            autoplay loop muted playsinline :muted.prop="true" data-testid="live-video"></video>
          <a v-else-if="isUnseen" class="o-stage-wait o-stage-file" :href="'/canvas/' + result.id" data-testid="live-file">
            <svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + iconOf(result)" /></svg><span>{{ t("Open") }}</span></a>
          <div v-else-if="!layers.length" class="o-stage-wait">
            <svg class="o-i o-spin" aria-hidden="true"><use href="#o-i-run" /></svg><span>{{ t("Waiting for the first preview") }}</span>
          </div>
          <span v-if="looking" class="o-over o-over-step o-num">{{ t("step {step}", { step: looking.step }) }}</span>
          <span v-else-if="job.status === 'running'" class="o-over o-over-step">
            <svg class="o-i o-i-xs o-spin" aria-hidden="true"><use href="#o-i-run" /></svg><span class="o-num">{{ t("step {step}", { step: job.progress?.step ?? 0 }) }}</span>
          </span>
          <span v-if="isDemo" class="o-over o-over-demo"><svg class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-flask" /></svg>{{ t("Demo — no AI model") }}</span>
          <div v-if="job.status === 'running' && job.steps.length > 1" class="o-strip" :aria-label="t('Earlier steps')" data-testid="step-strip">
            <figure v-for="entry in job.steps" :key="entry.rev" tabindex="0" @mouseenter="looking = entry" @mouseleave="looking = null" @focus="looking = entry" @blur="looking = null">
              <img :src="entry.url" alt="" /><figcaption class="o-num">{{ entry.step }}</figcaption>
            </figure>
          </div>
          <button v-if="canFill" class="o-icon-btn o-over o-over-full" data-testid="live-fullscreen" :title="fullTitle" :aria-label="fullTitle" @click="toggleFull">
            <svg class="o-i" aria-hidden="true"><use :href="full ? '#o-i-x' : '#o-i-expand'" /></svg>
          </button>
        </template>
      </div>
      <div class="o-now-facts">
        <template v-if="job">
          <div class="o-now-line">
            <span class="o-now-title o-num o-trunc" data-testid="live-node">{{ title }}</span>
            <span v-if="job.progress?.phases > 1" class="o-mut o-wide">{{ t("phase {phase} of {phases}", job.progress) }}</span>
            <span class="o-grow"></span>
            <span v-if="elapsed" class="o-num o-sec o-wide">{{ elapsed }}</span>
            <template v-if="left"><span class="o-mut o-wide">·</span><span class="o-num" data-testid="live-left">{{ left }}</span></template>
          </div>
          <div :key="job.id" class="o-bar o-now-bar" role="progressbar" :aria-label="t('Progress')" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="percent(job)"><i :style="{ width: percent(job) + '%' }"></i></div>
          <div class="o-row o-now-foot">
            <span class="o-trunc o-sec o-grow" :title="job.prompt" dir="auto">{{ job.prompt }}</span>
            <button v-if="job.status === 'running'" class="o-btn o-btn-compact" data-testid="now-cancel" :disabled="job.cancelRequested" @click="$emit('cancel', job.id)">
              <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-stop" /></svg>{{ job.cancelRequested ? t("Cancelling") : t("Cancel") }}
            </button>
          </div>
        </template>
      </div>
      <div v-if="state.loaded && state.recent && !job" class="o-empty o-now-empty" data-testid="live-empty">
        <svg class="o-now-art" viewBox="0 0 240 132" aria-hidden="true">
          <g transform="rotate(-8 70 70)"><rect x="18" y="18" width="100" height="100" rx="10" class="o-art-back" /></g>
          <g transform="rotate(8 170 70)"><rect x="122" y="18" width="100" height="100" rx="10" class="o-art-back" /></g>
          <rect x="66" y="12" width="108" height="108" rx="10" class="o-art-front" />
          <circle cx="98" cy="48" r="10" class="o-art-line" /><path d="m72 106 32-32 20 18 22-26 24 26" class="o-art-line" />
        </svg>
        <h2 class="o-h1">{{ t("Make the first picture") }}</h2>
        <p>{{ t("Say what you want to see and press Generate. The picture sharpens here step by step.") }}</p>
        <div class="o-acts"><button class="o-btn o-btn-primary" data-testid="live-start" @click="start">
          <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-wand" /></svg>{{ t("Describe a picture") }}</button></div>
      </div>
    </section>`,
  data() {
    return { state, clock, chosen: null, layers: [], looking: null, rev: 0, full: false };
  },
  created() {
    Object.assign(this, speaker(this.texts));
    this.$watch(() => this.running.length > 0, (busy) => {
      this.unwatch?.();
      this.unwatch = busy ? watchClock() : null;
    }, { immediate: true });
    this.$watch(() => this.source, this.load, { immediate: true });
  },
  mounted() {
    addEventListener("keydown", this.onKey);
    document.addEventListener("fullscreenchange", this.onFull);
  },
  unmounted() {
    removeEventListener("keydown", this.onKey);
    document.removeEventListener("fullscreenchange", this.onFull);
    this.unwatch?.();
  },
  computed: {
    running() {
      return [...state.jobs.values()].filter((job) => job.status === "running").sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
    },
    // The newest picture there is: of a job that just ended, or of one that is off the list by now.
    latest() {
      const shows = (job) => isFinished(job) && job.result?.images?.length && !state.gone.has(job.result.images[0].id);
      const job = [...state.jobs.values()].filter(shows).sort(newestFirst)[0];
      const image = state.recent?.[0];
      if (!image || (job && new Date(job.finishedAt) >= new Date(image.createdAt))) return job;
      return [...state.jobs.values()].find((one) => shows(one) && one.result.images[0].id === image.id) ?? asJob(image);
    },
    job() {
      return this.running.find((job) => job.id === this.chosen) ?? this.running[0] ?? this.latest;
    },
    result() {
      return this.job?.status === "done" ? this.job.result.images[0] : null;
    },
    // What the stage should show: a preview looked back at, the newest preview, or the picture.
    source() {
      const { job, looking, result } = this;
      if (!job) return null;
      if (result) return { job: job.id, src: this.isVideo || this.isUnseen ? null : result.url, rev: -1 };
      const frame = looking ?? job.frame;
      return { job: job.id, src: frame?.url ?? null, rev: frame?.rev ?? 0 };
    },
    isVideo() {
      return this.result?.kind === "video";
    },
    // A sound, a text or another file: there is nothing to see before it is opened.
    isUnseen() {
      return Boolean(this.result) && !hasThumbnail(this.result);
    },
    ratio() {
      if (this.result?.width) return this.result.width / this.result.height;
      return this.job ? this.job.params.width / this.job.params.height : 1.5;
    },
    canFill() {
      return document.fullscreenEnabled && (this.layers.length > 0 || this.isVideo);
    },
    fullTitle() {
      return this.full ? this.t("Leave full screen (F)") : this.t("Full screen (F)");
    },
    isDemo() {
      return (this.job?.backendId ?? this.job?.backend) === "demo";
    },
    title() {
      const { job } = this;
      if (job.status === "done") return this.t("Done");
      if (!job.progress) return this.t("Starting on {name}", { name: this.name(job) });
      const { nodeTitle, step, steps } = job.progress;
      return [nodeTitle ?? this.t("Running"), steps ? `${step} / ${steps}` : ""].join(" ").trim();
    },
    elapsed() {
      const { job } = this;
      const since = job.startedAt ? (clock.now - new Date(job.startedAt)) / 1000 : null;
      if (job.status === "done" && !job.startedAt) return "";
      if (job.status === "done") return this.t("{time} elapsed", { time: span((new Date(job.finishedAt) - new Date(job.startedAt)) / 1000) });
      return since === null ? "" : this.t("{time} elapsed", { time: span(since) });
    },
    left() {
      const left = this.job.status === "running" ? secondsLeft(this.job, clock.now) : null;
      return left === null ? "" : this.t("{time} left", { time: span(left) });
    },
  },
  methods: {
    iconOf,
    name(job) {
      const id = job.backendId ?? job.backend;
      return this.backends[id] ?? id;
    },
    percent(job) {
      return job.status === "done" ? 100 : Math.round((job.progress?.fraction ?? 0) * 100);
    },
    // Shows a frame only once it is decoded, over the one before; frames that come meanwhile are passed over.
    async load() {
      if (this.loading) return;
      this.loading = true;
      while (this.wanted() !== this.current) {
        const source = this.source;
        this.current = this.wanted();
        if (source?.job !== this.owner) this.layers = [];
        this.owner = source?.job;
        if (!source?.src) {
          this.layers = [];
          continue;
        }
        const image = new Image();
        image.src = source.src;
        try {
          await image.decode();
          this.show(source);
        } catch {
          // The run went on and this frame is gone; the next one comes.
        }
      }
      this.loading = false;
    },
    wanted() {
      return this.source ? `${this.source.job} ${this.source.src}` : null;
    },
    show({ src, rev }) {
      const layer = { src, alt: this.job?.prompt ?? "", shown: false };
      this.layers = [...this.layers.filter((other) => other.src !== src).slice(-1), layer];
      this.rev = rev;
      requestAnimationFrame(() => requestAnimationFrame(() => {
        const mine = this.layers.find((other) => other.src === src);
        if (mine) mine.shown = true;
      }));
    },
    onTabKey(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const at = this.running.indexOf(this.job) + step;
      this.chosen = this.running[(at + this.running.length) % this.running.length].id;
      this.$nextTick(() => this.$el.querySelector("[role=tab][aria-selected=true]")?.focus());
    },
    onKey(event) {
      const other = isTyping(event.target) || event.target.closest?.("[role=dialog], [role=menu]");
      if (other || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (letter(event) === "f" && this.job) this.toggleFull();
    },
    onFull() {
      this.full = document.fullscreenElement === this.$refs.stage;
    },
    toggleFull() {
      if (this.full) document.exitFullscreen();
      else this.$refs.stage.requestFullscreen?.();
    },
    start() {
      window.oDashTab?.("create");
      document.querySelector("[data-testid=prompt-input]")?.focus();
    },
  },
};
