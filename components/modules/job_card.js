import { isFinished, secondsLeft, state } from "./jobs.js";
import { thumbnailOf } from "./media.js";
import { clock, logLine, secondsBetween, span, timeOfDay } from "./time.js";

const ICONS = { created: "hold", queued: "clock", waiting: "hold", running: "run", done: "done", failed: "fail", cancelled: "slash" };
const WORDS = { created: "Held", queued: "Queued", waiting: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };

// One job on the board. Renders anew only when this job changes.
export const JobCard = {
  props: { job: Object, t: Function, tn: Function, backends: Object, position: Number, last: Boolean, reorder: Boolean, focusable: Boolean, expanded: Boolean, selected: Boolean },
  emits: ["act", "focus", "drag", "dragend", "pick"],
  template: `
    <article class="o-job" :class="{ 'o-job-small': small, 'o-job-open': unfolded }" :data-selected="selected || null" :data-st="look" :data-job="job.id" :data-waiting="reorder || null"
             :data-testid="'job-card-' + job.id" :tabindex="focusable ? 0 : -1" :draggable="reorder" :aria-label="word + ': ' + job.prompt"
             @focus="$emit('focus')" @dragstart="startDrag" @dragend="$emit('dragend')" @click="onClick">
      <span v-if="reorder" class="o-grip"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-grip" /></svg></span>
      <div class="o-job-pic">
        <img v-if="picture" :src="picture" alt="" draggable="false" @error="broken = picture" />
        <svg v-else class="o-i" aria-hidden="true"><use :href="job.status === 'queued' || small ? '#o-i-image' : '#o-i-' + icon" /></svg>
        <button class="o-pick" role="checkbox" :aria-checked="selected" tabindex="-1" data-testid="job-select" :title="t('Select (Space)')"
                :aria-label="t('Select (Space)')" @click.stop="$emit('pick', $event)"><span><svg class="o-i" aria-hidden="true"><use href="#o-i-check" /></svg></span></button>
      </div>
      <div class="o-job-main">
        <div class="o-job-line">
          <span class="o-trunc o-job-prompt" :title="job.prompt" dir="auto" data-testid="job-prompt">{{ job.prompt || job.workflowName }}</span>
          <span class="o-job-time o-num">{{ time }}</span>
        </div>
        <div class="o-job-meta">
          <span class="o-badge" :class="{ 'o-badge-bare': small }" data-testid="job-status" :data-status="job.status">
            <svg class="o-i" :class="{ 'o-spin': job.status === 'running' }" aria-hidden="true"><use :href="'#o-i-' + icon" /></svg>{{ word }}
          </span>
          <span class="o-job-backend" data-testid="job-backend" :title="job.placement"><svg class="o-i" aria-hidden="true"><use :href="isDemo ? '#o-i-flask' : '#o-i-cpu'" /></svg><b>{{ backend }}</b></span>
          <span v-if="job.notices?.length" class="o-job-noticed" role="img" data-testid="job-noticed" :title="job.notices.join(' ')" :aria-label="job.notices.join(' ')"><svg class="o-i" aria-hidden="true"><use href="#o-i-info" /></svg></span>
          <span class="o-trunc o-num">{{ facts }}</span>
        </div>
        <div v-if="job.status === 'running'" class="o-bar" data-testid="job-progress" role="progressbar" :aria-label="t('Progress')"
             aria-valuemin="0" aria-valuemax="100" :aria-valuenow="percent"><i :style="{ width: percent + '%' }"></i></div>
        <p v-if="why" class="o-job-why" data-testid="job-reason" dir="auto"><b v-if="failure">{{ failure.cause }}</b><template v-else>{{ why }}</template>
          <span v-if="failure?.fix" data-testid="job-fix">{{ " " + failure.fix }}</span></p>
        <template v-if="unfolded">
          <p v-if="job.workflowVersion" class="o-job-why" data-testid="job-version" dir="auto">{{ t("{name}, version {n}", { name: job.workflowName === job.workflowId ? t("Deleted workflow") : job.workflowName, n: job.workflowVersion }) }}</p>
          <p v-if="job.placement" class="o-job-why" data-testid="job-placement" dir="auto">{{ job.placement }}</p>
          <p v-for="notice in job.notices" :key="notice" class="o-job-why" data-testid="job-notice" dir="auto">{{ notice }}</p>
        </template>
        <div v-if="job.status === 'failed' || unfolded || canGoElsewhere" class="o-job-foot">
          <button v-if="canGoElsewhere" class="o-btn o-btn-compact" data-testid="job-elsewhere" @click="act('elsewhere')">
            <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-play" /></svg>{{ t("Run elsewhere") }}</button>
          <button v-if="job.status === 'failed'" class="o-btn o-btn-compact" data-testid="job-retry" @click="act('retry')">
            <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-retry" /></svg>{{ t("Retry") }}</button>
          <button class="o-btn o-btn-quiet o-btn-compact" data-testid="job-log" :aria-expanded="unfolded" @click="toggleLog">
            <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-term" /></svg>{{ t("Log") }}</button>
          <button v-if="unfolded" class="o-btn o-btn-quiet o-btn-compact" data-testid="job-link" @click="copyLink">
            <svg class="o-i o-i-s" aria-hidden="true"><use :href="copied ? '#o-i-check' : '#o-i-copy'" /></svg>{{ copied ? t("Link copied") : t("Copy link") }}</button>
          <a v-if="unfolded" class="o-btn o-btn-quiet o-btn-compact" :href="'/builder?job=' + job.id" data-testid="job-workflow">
            <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-nodes" /></svg>{{ t("Open the workflow") }}</a>
        </div>
        <ol v-if="unfolded" class="o-job-log" data-testid="job-log-lines" tabindex="0">
          <li v-if="!log.length" class="o-mut">…</li><li v-for="(line, i) in log" :key="i">{{ logLine(line) }}</li>
        </ol>
      </div>
      <div class="o-job-acts">
        <button v-for="action in actions" :key="action.verb" class="o-icon-btn o-icon-btn-compact" :data-testid="'job-' + action.verb"
                :title="action.title" :aria-label="action.title" :disabled="action.disabled" tabindex="-1" @click="act(action.verb)">
          <svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + action.icon" /></svg>
        </button>
      </div>
    </article>`,
  data() {
    return { unfolded: false, log: [], broken: null, copied: false };
  },
  mounted() {
    if (this.expanded) {
      this.toggleLog();
      this.$nextTick(() => {
        this.$el.scrollIntoView({ block: "center" });
        this.$el.focus({ preventScroll: true });
      });
    }
  },
  watch: {
    "job.status"() {
      if (this.unfolded) this.readLog();
    },
  },
  computed: {
    small() {
      return (this.job.status === "done" || this.job.status === "cancelled") && !this.unfolded;
    },
    // While the queue is paused the board says so once, not on every card.
    reason() {
      const { status, reason } = this.job;
      return status === "running" || (status === "queued" && !state.queue.paused) ? reason : null;
    },
    look() {
      return this.job.status === "queued" && this.reason ? "waiting" : this.job.status;
    },
    icon() {
      return ICONS[this.look];
    },
    word() {
      if (this.job.status === "running" && this.job.cancelRequested) return this.t("Cancelling");
      return this.t(WORDS[this.look]);
    },
    isDemo() {
      return (this.job.backendId ?? this.job.backend) === "demo";
    },
    backend() {
      const id = this.job.backendId ?? this.job.backend;
      return this.backends[id] ?? id;
    },
    picture() {
      const { job } = this;
      const url = job.status === "running" && job.frame ? job.frame.url : thumbnailOf(job.result?.images);
      return url === this.broken ? null : url;
    },
    percent() {
      return Math.round((this.job.progress?.fraction ?? 0) * 100);
    },
    failure() {
      return this.job.status === "failed" ? this.job.result?.diagnosis : null;
    },
    why() {
      if (this.failure) return this.failure.cause;
      if (this.job.aheadOn) return this.reason ?? this.t("Sent ahead to {name}", { name: this.backends[this.job.aheadOn] ?? this.job.aheadOn });
      return this.reason;
    },
    // Its backend is away, and whoever submitted it wants to be asked.
    canGoElsewhere() {
      const { status, fallback, reason, aheadOn } = this.job;
      return status === "queued" && fallback === "ask" && Boolean(reason) && !aheadOn && !["auto", "demo"].includes(this.job.backend);
    },
    time() {
      const { job } = this;
      if (isFinished(job)) return job.finishedAt ? timeOfDay(job.finishedAt) : "";
      if (job.status === "queued" && job.notBefore) {
        const wait = (new Date(job.notBefore) - clock.now) / 1000;
        return wait > 0 ? this.t("in {time}", { time: span(wait) }) : "";
      }
      const left = job.status === "running" ? secondsLeft(job, clock.now) : null;
      return left === null ? "" : this.t("{time} left", { time: span(left) });
    },
    facts() {
      const { job } = this;
      const { steps, width, height, seed } = job.params;
      if (job.status === "done" && job.startedAt) return this.t("{n} s", { n: secondsBetween(job.startedAt, job.finishedAt).toFixed(1) });
      if (job.status === "cancelled" && job.progress?.step) return this.t("at step {step} of {steps}", { step: job.progress.step, steps: job.progress.steps });
      // The cloud decides itself how many steps it takes.
      const facts = [`${width} × ${height}`, job.workflowId !== "flux" && this.tn("{n} step", steps), this.t("seed {seed}", { seed })];
      return facts.filter(Boolean).join(" · ");
    },
    actions() {
      const { job, t } = this;
      const run = { verb: "run", icon: "play", title: t("Run (↵)") };
      const cancel = { verb: "cancel", icon: "stop", title: t("Cancel (Del)"), disabled: job.cancelRequested };
      const remove = { verb: "remove", icon: "x", title: t("Remove from the list (Del)") };
      const log = { verb: "log", icon: "term", title: t("Log (L)") };
      if (job.status === "created") return [run, cancel];
      if (job.status === "running") return [log, cancel];
      if (job.status === "queued") {
        const up = { verb: "up", icon: "arrow-up", title: t("Move up (Alt ↑)"), disabled: this.position === 0 };
        const down = { verb: "down", icon: "arrow-down", title: t("Move down (Alt ↓)"), disabled: this.last };
        return [up, down, cancel];
      }
      if (job.status === "failed") return [remove];
      if (job.status === "cancelled") return [{ verb: "retry", icon: "retry", title: t("Retry (R)") }, log, remove];
      return [...(job.result?.images?.length ? [{ verb: "view", icon: "eye", title: t("View result (↵)") }] : []), log, remove];
    },
  },
  methods: {
    startDrag(event) {
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", this.job.prompt);
      this.$emit("drag");
    },
    // With a modifier anywhere on the card; while some are selected, any click on it.
    onClick(event) {
      if (event.target.closest("button, a, ol") || String(getSelection())) return;
      const isSelecting = this.$el.closest("[data-selecting]");
      if (event.ctrlKey || event.metaKey || event.shiftKey || isSelecting) this.$emit("pick", event);
    },
    async copyLink() {
      try {
        await navigator.clipboard.writeText(`${location.origin}/jobs/${this.job.id}`);
        this.copied = true;
        setTimeout(() => (this.copied = false), 2000);
      } catch {
        // Only offered by secure pages; elsewhere the address is put where it can be copied from.
        history.replaceState(history.state, "", `/jobs/${this.job.id}`);
      }
    },
    act(verb) {
      if (verb === "log") this.toggleLog();
      else this.$emit("act", verb);
    },
    logLine,
    toggleLog() {
      this.unfolded = !this.unfolded;
      if (this.unfolded) this.readLog();
    },
    async readLog() {
      try {
        const answer = await fetch(`/api/jobs/${this.job.id}`);
        this.log = answer.ok ? ((await answer.json()).logs ?? []) : [this.t("The log could not be read.")];
      } catch {
        this.log = [this.t("The log could not be read.")];
      }
    },
  },
};
