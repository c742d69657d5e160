// All jobs of one group as pictures: those that are done, those that sharpen, those that wait.
// The board fills it once with every job of the group; from then on the page's feed moves it.
import { letter } from "orchestrator/board_keys.js";
import { isRetryable } from "orchestrator/board_rows.js";
import { isFinished, state } from "orchestrator/jobs.js";
import { thumbnailOf } from "orchestrator/media.js";

const ICONS = { created: "hold", queued: "clock", running: "run", done: "done", failed: "fail", cancelled: "slash" };
const WORDS = { created: "Held", queued: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

export const ContactSheet = {
  props: { group: String, known: Map, t: Function, tn: Function, backends: Object },
  emits: ["close", "act"],
  template: `
    <div class="o-sheet" ref="dialog" role="dialog" aria-modal="true" :aria-label="t('Contact sheet')" data-testid="contact-sheet" tabindex="-1" @keydown="onKey">
      <header class="o-sheet-head">
        <div class="o-sheet-name">
          <h2 class="o-trunc" dir="auto" :title="prompt" data-testid="sheet-prompt">{{ prompt }}</h2>
          <p class="o-num o-mut" data-testid="sheet-sum">{{ sum }}</p>
        </div>
        <button v-if="failed.length" class="o-btn o-btn-compact" data-testid="sheet-retry" :title="t('Retry failed')" :aria-label="t('Retry failed')" @click="actOnAll('retry_many', failed)">
          <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-retry" /></svg><span class="o-sheet-word">{{ t("Retry failed") }}</span></button>
        <button v-if="open.length" class="o-btn o-btn-compact" data-testid="sheet-cancel" :title="t('Cancel the rest')" :aria-label="t('Cancel the rest')" @click="actOnAll('cancel_many', open)">
          <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-stop" /></svg><span class="o-sheet-word">{{ t("Cancel the rest") }}</span></button>
        <button class="o-icon-btn" data-testid="sheet-close" :title="t('Close (Esc)')" :aria-label="t('Close (Esc)')" @click="$emit('close')">
          <svg class="o-i" aria-hidden="true"><use href="#o-i-x" /></svg></button>
        <div class="o-bar o-sheet-bar" role="progressbar" :aria-label="t('Progress')" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="percent"
             data-testid="sheet-progress"><i :style="{ width: percent + '%' }"></i></div>
      </header>
      <div class="o-sheet-grid" ref="grid" role="list" :aria-label="t('Pictures of the group')" :style="{ '--ratio': ratio }">
        <div v-for="job in jobs" :key="job.id" role="listitem" class="o-sheet-cell" :data-st="job.status" :data-cell="job.id" :data-testid="'sheet-cell-' + job.id"
                 :tabindex="job.id === focusable ? 0 : -1" :aria-label="spoken(job)" @focus="focused = job.id" @click="onClick($event, job)">
          <div class="o-sheet-pic">
            <img v-if="picture(job)" :src="picture(job)" :alt="job.prompt" draggable="false" :class="{ 'o-sheet-rough': job.status === 'running' }" />
            <svg v-else class="o-i" aria-hidden="true"><use :href="'#o-i-' + icon(job)" /></svg>
            <p v-if="job.status === 'failed'" class="o-sheet-why" dir="auto">{{ job.result?.error }}</p>
            <div v-if="job.status === 'running'" class="o-bar" role="progressbar" :aria-label="t('Progress')" aria-valuemin="0" aria-valuemax="100"
                 :aria-valuenow="percentOf(job)"><i :style="{ width: percentOf(job) + '%' }"></i></div>
            <div class="o-sheet-acts">
              <button v-for="action in actions(job)" :key="action.verb" class="o-icon-btn" :data-testid="'cell-' + action.verb" tabindex="-1"
                      :title="action.title" :aria-label="action.title" :disabled="action.disabled" @click.stop="actOn($event, action.verb, job)">
                <svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + action.icon" /></svg></button>
            </div>
          </div>
          <p class="o-sheet-line">
            <span class="o-badge o-badge-bare" data-testid="sheet-status" :data-status="job.status"><svg class="o-i" :class="{ 'o-spin': job.status === 'running' }" aria-hidden="true"><use :href="'#o-i-' + icon(job)" /></svg>{{ word(job) }}</span>
            <span class="o-trunc o-mut">{{ where(job) }}</span>
            <span class="o-num o-mut o-sheet-seed" :title="t('seed {seed}', { seed: job.params.seed })">{{ job.params.seed }}</span>
          </p>
        </div>
        <i v-if="!known.size" v-for="n in 4" :key="n" class="o-skeleton o-sheet-wait" aria-hidden="true"></i>
      </div>
    </div>`,
  data() {
    return { focused: null };
  },
  created() {
    // A job may leave the page's list while it is on the sheet: what was seen of it is kept.
    this.$watch(
      () => [...state.jobs.values()].filter((job) => job.groupId === this.group),
      (jobs) => jobs.forEach((job) => this.known.set(job.id, job)),
      { immediate: true },
    );
  },
  mounted() {
    this.before = document.activeElement;
    this.$refs.dialog.focus({ preventScroll: true });
  },
  unmounted() {
    this.before?.isConnected && this.before.focus({ preventScroll: true });
  },
  computed: {
    jobs() {
      return [...this.known.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    },
    focusable() {
      return this.known.has(this.focused) ? this.focused : this.jobs[0]?.id;
    },
    prompt() {
      return this.jobs[0]?.metadata?.promptTemplate ?? this.jobs[0]?.prompt ?? "";
    },
    ratio() {
      const { width, height } = this.jobs[0]?.params ?? { width: 1, height: 1 };
      return Math.min(2, Math.max(0.5, width / height));
    },
    done() {
      return this.jobs.filter((job) => job.status === "done").length;
    },
    failed() {
      return this.jobs.filter((job) => job.status === "failed").map((job) => job.id);
    },
    open() {
      return this.jobs.filter((job) => !isFinished(job) && !job.cancelRequested).map((job) => job.id);
    },
    percent() {
      const part = this.jobs.reduce((sum, job) => sum + (isFinished(job) ? 1 : this.percentOf(job) / 100), 0);
      return this.jobs.length ? Math.floor((part / this.jobs.length) * 100) : 0;
    },
    sum() {
      const done = this.t("{done} of {total}", { done: this.done, total: this.jobs.length });
      return [done, `${this.percent} %`, this.failed.length && this.tn("{n} failed", this.failed.length)].filter(Boolean).join(" · ");
    },
  },
  methods: {
    act(verb, extra) {
      this.$emit("act", verb, extra);
    },
    // A button that was pressed may go with what it did; the keys must go on working.
    actOnAll(verb, ids) {
      this.$refs.dialog.focus({ preventScroll: true });
      this.act(verb, { ids });
    },
    actOn(event, verb, job) {
      event.currentTarget.closest("[data-cell]").focus({ preventScroll: true });
      this.act(verb, { id: job.id });
    },
    percentOf(job) {
      return job.status === "running" ? Math.round((job.progress?.fraction ?? 0) * 100) : 0;
    },
    picture(job) {
      return job.status === "running" ? job.frame?.url : thumbnailOf(job.result?.images);
    },
    icon(job) {
      return ICONS[job.status];
    },
    word(job) {
      if (job.status === "running") return job.cancelRequested ? this.t("Cancelling") : `${this.percentOf(job)} %`;
      return this.t(WORDS[job.status]);
    },
    where(job) {
      const id = job.backendId ?? job.aheadOn ?? job.backend;
      const name = this.backends[id] ?? id;
      return job.status === "queued" && job.aheadOn ? `${name}, ${this.t("sent ahead")}` : name;
    },
    spoken(job) {
      const status = job.status === "running" ? this.t("Running") : this.word(job);
      return `${status}, ${this.where(job)}, ${this.t("seed {seed}", { seed: job.params.seed })}`;
    },
    actions(job) {
      if (isRetryable(job)) return [{ verb: "retry", icon: "retry", title: this.t("Retry (R)") }];
      if (!isFinished(job)) return [{ verb: "cancel", icon: "stop", title: this.t("Cancel (Del)"), disabled: job.cancelRequested }];
      return [];
    },
    view(job) {
      const image = job.result?.images?.[0];
      if (image) window.emitEvent("sub_pages_navigate", `/canvas/${image.id}`);
    },
    onClick(event, job) {
      if (!event.target.closest("button")) this.view(job);
    },
    onKey(event) {
      if (event.key === "Tab") return this.trap(event);
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      event.stopPropagation(); // the board behind must not hear of it
      const handled = event.key === "Escape" ? (this.$emit("close"), true) : this.move(event) || this.perform(event);
      if (handled) event.preventDefault();
    },
    perform(event) {
      const job = this.known.get(event.target.closest("[data-cell]")?.dataset.cell);
      if (!job || event.target.closest("button")) return false;
      if (event.key === "Enter") this.view(job);
      else if (event.key === "Delete" && !isFinished(job)) this.act("cancel", { id: job.id });
      else if (letter(event) === "r" && isRetryable(job)) this.act("retry", { id: job.id });
      else return false;
      return true;
    },
    move(event) {
      const cells = [...this.$refs.grid.querySelectorAll("[data-cell]")];
      const at = cells.findIndex((cell) => cell.dataset.cell === this.focusable);
      const columns = Math.max(1, cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length);
      const ends = { Home: -cells.length, End: cells.length };
      const by = STEPS[event.key] ?? { ArrowUp: -columns, ArrowDown: columns }[event.key] ?? ends[event.key];
      if (!by || !cells.length) return false;
      const inside = cells.includes(document.activeElement);
      const next = inside ? Math.min(cells.length - 1, Math.max(0, at + by)) : at;
      cells[next].focus();
      return true;
    },
    trap(event) {
      const stops = [...this.$refs.dialog.querySelectorAll("button, [tabindex='0']")].filter((each) => each.tabIndex >= 0 && each.offsetParent);
      const edge = event.shiftKey ? stops[0] : stops.at(-1);
      const outside = !stops.includes(document.activeElement);
      if (!stops.length || (document.activeElement !== edge && !(outside && event.shiftKey))) return;
      event.preventDefault();
      (event.shiftKey ? stops.at(-1) : stops[0]).focus();
    },
  },
};
