import { speaker } from "orchestrator/i18n.js";
import { apply, snapshot, state } from "orchestrator/jobs.js";

const FEW = 100;
const SAID_AT_ONCE = 3;
const WORDS = { created: "Held", queued: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };

// Takes what the server tells of the jobs and keeps it for the other components. It shows nothing,
// but tells screen readers of every start, half, end and change: the one such region of the page.
export default {
  props: { texts: Object, kept: String },
  emits: ["visible", "refill"],
  template: `<div class="o-vh" role="status" aria-live="polite" data-testid="job-news">{{ news }}</div>`,
  data() {
    return { news: "" };
  },
  created() {
    Object.assign(this, speaker(this.texts), { known: new Map() });
    state.kept = this.kept ?? null;
    // Of a long queue only the front is told; when that has run down, the next part is due.
    this.$watch(
      () => {
        const known = [...state.jobs.values()].filter((job) => job.status === "queued").length;
        return state.loaded && known < FEW && known < state.queue.queued;
      },
      (due) => due && this.$emit("refill"),
    );
    this.$watch(
      () => [...state.jobs.values()].map((job) => job.id + this.stageOf(job)).join(),
      this.tell,
    );
    this.$watch(
      () => state.queue.paused,
      (paused) => this.isReady && (this.news = paused ? this.t("Queue paused") : this.t("Queue resumed")),
    );
  },
  mounted() {
    this.onVisibility = () => this.$emit("visible", !document.hidden);
    document.addEventListener("visibilitychange", this.onVisibility);
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.onVisibility);
  },
  methods: {
    apply,
    snapshot(everything) {
      const isFirst = !state.loaded || !this.known.size;
      snapshot(everything);
      if (isFirst) this.remember();
      this.$nextTick(() => (this.isReady = true));
    },
    stageOf(job) {
      return job.status === "running" && job.progress?.fraction >= 0.5 ? "half" : job.status;
    },
    remember() {
      this.known = new Map([...state.jobs.values()].map((job) => [job.id, this.stageOf(job)]));
    },
    tell() {
      const changed = [...state.jobs.values()].filter((job) => this.known.get(job.id) !== this.stageOf(job));
      this.remember();
      if (!changed.length) return;
      const lines = changed.slice(0, SAID_AT_ONCE).map((job) => `${this.wordOf(job)}: ${job.prompt.slice(0, 80)}`);
      const more = changed.length - lines.length;
      this.news = [...lines, more ? this.tn("and {n} more", more) : ""].filter(Boolean).join(". ");
    },
    wordOf(job) {
      const stage = this.stageOf(job);
      return stage === "half" ? this.t("{n} % done", { n: Math.round(job.progress.fraction * 100) }) : this.t(WORDS[stage]);
    },
  },
};
