import { speaker } from "orchestrator/i18n.js";

// The line under the graph: whether it is valid, how large it is, and how the test run is doing.
export default {
  props: { texts: Object },
  emits: ["show", "needs"],
  template: `
    <div class="o-bs" data-testid="builder-status" role="status">
      <span v-if="!state.checked" class="o-mut">{{ t("Checking…") }}</span>
      <span v-else-if="!state.errors" class="o-bs-ok" data-testid="status-valid"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-done" /></svg>{{ t("Valid") }}</span>
      <span v-else class="o-bs-bad" data-testid="status-errors"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-fail" /></svg>{{ tn("{n} error", state.errors) }}</span>
      <span v-if="state.first" class="o-trunc" :class="state.first.severity === 'error' ? 'o-bs-bad' : 'o-bs-warn'" :title="first" dir="auto"><svg v-if="!state.errors" class="o-i o-i-s" aria-hidden="true"><use href="#o-i-alert" /></svg><template v-if="state.warnings && !state.errors">{{ tn("{n} warning", state.warnings) }}: </template>{{ first }}</span>
      <button v-if="state.first && state.first.node" type="button" class="o-link" data-testid="status-show" @click="$emit('show', state.first.node)">{{ t("Show node") }}</button>
      <span class="o-grow"></span>
      <button v-if="state.runs" type="button" class="o-bs-runs o-wide" data-testid="status-runs" @click="$emit('needs')">{{ state.runs }}</button>
      <span class="o-num o-mut o-wide" data-testid="status-counts">{{ tn("{n} node", state.nodes) }} · {{ tn("{n} link", state.links) }}<template v-if="state.selected"> · {{ tn("{n} selected", state.selected) }}</template></span>
      <a v-if="state.test" class="o-bs-test o-trunc" :data-st="state.test.state" :href="'/jobs/' + state.test.jobId" data-testid="status-test" dir="auto">{{ state.test.text }}</a>
    </div>`,
  data: () => ({ state: { checked: false, errors: 0, warnings: 0, first: null, nodes: 0, links: 0, selected: 0, runs: "", test: null } }),
  created() {
    Object.assign(this, speaker(this.texts));
  },
  computed: {
    first() {
      const { where, message } = this.state.first;
      return where && !message.includes(where) ? `${where}: ${message}` : message;
    },
  },
  methods: {
    apply(part) {
      Object.assign(this.state, part);
    },
  },
};
