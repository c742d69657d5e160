import backends from "orchestrator-diagnostics/backends.js";
import charts from "orchestrator-diagnostics/charts.js";
import drill from "orchestrator-diagnostics/drill.js";
import hooks from "orchestrator-diagnostics/hooks.js";
import incidents from "orchestrator-diagnostics/incidents.js";
import jobs from "orchestrator-diagnostics/jobs.js";
import log from "orchestrator-diagnostics/log.js";
import matrix from "orchestrator-diagnostics/matrix.js";
import quarantine from "orchestrator-diagnostics/quarantine.js";
import setup from "orchestrator-diagnostics/setup.js";
import tiles from "orchestrator-diagnostics/tiles.js";
import { nameUnits } from "orchestrator-diagnostics/words.js";
import { speaker } from "orchestrator/i18n.js";
import { watchClock } from "orchestrator/time.js";
import { reactive } from "vue";

const MAX_SAMPLES = 720;
const MAX_LINES = 1000;

// The diagnostics page: its parts share one board, which the server fills and keeps up to date.
export default {
  components: { backends, charts, drill, hooks, incidents, jobs, log, matrix, quarantine, setup, tiles },
  props: { texts: Object },
  emits: ["action"],
  template: `
    <div class="o-dg" data-testid="diagnostics" :data-ready="board.ready || null">
      <template v-if="board.ready"><tiles /><drill /><backends /><incidents /><quarantine /><charts /><matrix /><log /><div class="o-dg-side"><jobs /><hooks /></div><setup /></template>
      <template v-else><div v-for="n in 5" :key="n" class="o-panel o-dg-wait" aria-hidden="true"></div></template>
    </div>`,
  provide() {
    return { words: this.words, board: this.board, act: (verb, args = {}) => this.$emit("action", { verb, ...args }) };
  },
  beforeCreate() {
    this.board = reactive({ ready: false, progress: {}, history: [], backends: [], incidents: [], quarantines: [], samples: [], log: [], deliveries: [], selfTest: null });
  },
  data() {
    this.words = speaker(this.texts);
    nameUnits(this.words.t);
    return {};
  },
  mounted() {
    this.stop = watchClock();
  },
  unmounted() {
    this.stop();
  },
  methods: {
    snapshot(all) {
      Object.assign(this.board, all, { ready: true });
    },
    apply({ samples, log, progress, backends, ...parts }) {
      const { board } = this;
      Object.assign(board, parts);
      if (samples) board.samples = [...board.samples, ...samples].slice(-MAX_SAMPLES);
      if (log) board.log = [...board.log, ...log].slice(-MAX_LINES);
      if (progress) Object.assign(board.progress, progress);
      if (backends) board.backends = this.merged(backends);
    },
    merged(changed) {
      const kept = this.board.backends.filter((each) => changed[each.id] !== null).map((each) => changed[each.id] ?? each);
      const known = new Set(kept.map((each) => each.id));
      const added = Object.entries(changed).filter(([id, each]) => each && !known.has(id)).map(([, each]) => each);
      const running = new Set([...kept, ...added].flatMap((each) => each.runningJobs));
      for (const id of Object.keys(this.board.progress)) if (!running.has(id)) delete this.board.progress[id];
      return [...kept, ...added];
    },
    finished({ verb, id }) {
      this.board.onDone?.(verb, id);
    },
  },
};
