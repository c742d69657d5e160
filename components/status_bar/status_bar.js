import { isTyping, letter } from "orchestrator/board_keys.js";
import { connection } from "orchestrator/connection.js";
import { announceEnding } from "orchestrator/endings.js";
import { speaker } from "orchestrator/i18n.js";
import { showProgress } from "orchestrator/progress_mark.js";

const PAGES = { d: "/", c: "/canvas", b: "/builder", s: "/settings", i: "/diagnostics" };

// Whether the server is there, how much it has to do, and the keys that work on every page.
export default {
  props: { texts: Object },
  emits: ["help"],
  template: `
    <div class="o-status">
      <a v-if="queue" class="o-pill" href="/" data-testid="queue-pill" :data-busy="queue.running > 0" :title="t('Queue')">
        <svg class="o-i o-i-s" :class="{ 'o-spin': queue.running }" aria-hidden="true"><use :href="icon" /></svg>
        <span>{{ words }}</span>
      </a>
      <div class="o-live" role="status" data-testid="connection-state" :data-state="live ? 'live' : 'away'" :title="live ? t('Live') : t('Reconnecting…')">
        <span class="o-dot"></span><span class="o-word">{{ live ? t("Live") : t("Reconnecting…") }}</span>
      </div>
    </div>`,
  data() {
    return { queue: null };
  },
  created() {
    Object.assign(this, speaker(this.texts));
    this.prefix = 0;
  },
  mounted() {
    addEventListener("keydown", this.onKey);
  },
  unmounted() {
    removeEventListener("keydown", this.onKey);
  },
  computed: {
    live() {
      return connection.live;
    },
    icon() {
      if (this.queue.paused) return "#o-i-pause";
      return this.queue.running ? "#o-i-run" : "#o-i-layers";
    },
    words() {
      const { running, queued, paused } = this.queue;
      const parts = [paused && this.t("Paused"), running && this.tn("{n} running", running), queued && this.tn("{n} waiting", queued)];
      return parts.filter(Boolean).join(" · ") || this.t("Idle");
    },
  },
  methods: {
    snapshot(queue) {
      this.queue = queue;
      showProgress(queue.running ? (queue.percent ?? 0) : null);
    },
    ended(jobs) {
      for (const { status, prompt, ...job } of jobs) {
        announceEnding({ ...job, title: status === "done" ? this.t("Done") : this.t("Failed"), body: prompt });
      }
    },
    onKey(event) {
      if (isTyping(event.target) || event.target.closest?.("[role=dialog]")) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const key = letter(event);
      const second = Date.now() - this.prefix < 1200;
      this.prefix = key === "g" ? Date.now() : 0;
      if (event.key === "?") this.$emit("help");
      else if (second && PAGES[key]) window.emitEvent("sub_pages_navigate", PAGES[key]);
    },
  },
};
