import { apply, snapshot } from "orchestrator/jobs.js";

// Shows nothing: takes what the server tells of the jobs and keeps it for the other components.
export default {
  emits: ["visible"],
  template: `<span hidden></span>`,
  mounted() {
    this.onVisibility = () => this.$emit("visible", !document.hidden);
    document.addEventListener("visibilitychange", this.onVisibility);
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.onVisibility);
  },
  methods: { apply, snapshot },
};
