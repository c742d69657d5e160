import { apply, snapshot, state } from "orchestrator/jobs.js";

const FEW = 100;

// Shows nothing: takes what the server tells of the jobs and keeps it for the other components.
export default {
  emits: ["visible", "refill"],
  template: `<span hidden></span>`,
  created() {
    // Of a long queue only the front is told; when that has run down, the next part is due.
    this.$watch(
      () => {
        const known = [...state.jobs.values()].filter((job) => job.status === "queued").length;
        return state.loaded && known < FEW && known < state.queue.queued;
      },
      (due) => due && this.$emit("refill"),
    );
  },
  mounted() {
    this.onVisibility = () => this.$emit("visible", !document.hidden);
    document.addEventListener("visibilitychange", this.onVisibility);
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.onVisibility);
  },
  methods: { apply, snapshot },
};
