// The head of a node: its title, what is wrong with it, and how its run is doing.
import { inject } from "vue";
import { isBoundary, worstOf } from "orchestrator-graph/graph_state.js";
import { t } from "orchestrator-graph/say.js";

const MARKS = { done: "check", cached: "check", failed: "fail", waiting: "clock" };

export const NodeHead = {
  props: { node: Object, run: Object, findings: Array },
  setup: () => ({ graph: inject("graph"), canvas: inject("canvas"), t }),
  template: `
    <header class="o-wg-head" @dblclick.stop="onDouble">
      <svg v-if="node.mode !== 'active'" class="o-i o-i-xs o-mut" aria-hidden="true"><use :href="node.mode === 'muted' ? '#o-i-mute' : '#o-i-slash'" /></svg>
      <input v-if="draft !== null" ref="field" v-model="draft" class="o-wg-rename nodrag" data-testid="node-title" maxlength="500" :aria-label="t('Title')" @keydown.stop="onKey" @blur="commit" @pointerdown.stop>
      <b v-else class="o-trunc o-wg-title" :title="hint">{{ shown }}</b>
      <span class="o-grow"></span>
      <button v-if="node.kind === 'subgraph'" class="o-wg-head-btn nodrag" :data-testid="'enter-' + node.id" :title="t('Open the subgraph')" :aria-label="t('Open the subgraph')" @click.stop="canvas.enter(node.path)">
        <svg class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-expand" /></svg>
      </button>
      <button v-if="findings.length" class="o-wg-head-btn o-wg-finding nodrag" :data-severity="severity" :data-testid="'finding-' + node.id" :title="words" :aria-label="words" :aria-expanded="open" @click.stop="open = !open" @blur="open = false" @keydown.esc="open = false">
        <svg class="o-i o-i-xs" aria-hidden="true"><use :href="severity === 'info' ? '#o-i-info' : '#o-i-alert'" /></svg>
      </button>
      <span v-if="steps" class="o-wg-id o-num o-wg-steps">{{ steps }}</span>
      <span v-else-if="icon" class="o-wg-id o-wg-mark" :title="canvas.stateWord(run.state)"><svg class="o-i o-i-xs" aria-hidden="true"><use :href="'#o-i-' + icon" /></svg></span>
      <span v-else-if="!isBoundary(node.id)" class="o-wg-id o-num">#{{ node.id }}</span>
      <div v-if="open" class="o-wg-popover" role="status">
        <p v-for="(finding, at) in findings" :key="at"><b>{{ finding.message }}</b> {{ finding.fix }}</p>
      </div>
    </header>`,
  data: () => ({ draft: null, open: false }),
  created() {
    this.isBoundary = isBoundary;
  },
  computed: {
    shown() {
      if (this.node.kind === "entry") return t("Inputs");
      if (this.node.kind === "exit") return t("Outputs");
      return this.node.title || this.node.name;
    },
    severity() {
      return worstOf(this.findings);
    },
    words() {
      return this.findings.map((finding) => [finding.message, finding.fix].filter(Boolean).join(" ")).join("\n");
    },
    hint() {
      const { title, name, known } = this.node;
      const what = known ? name : t("{name}: no backend has this node", { name: this.node.class });
      return title && title !== name ? `${title} (${what})` : what;
    },
    steps() {
      return this.run?.state === "running" && this.run.max > 1 ? `${this.run.value} / ${this.run.max}` : null;
    },
    icon() {
      return MARKS[this.run?.state] ?? (this.run?.state === "running" ? "run" : null);
    },
    wanted() {
      return this.graph.renaming === this.node.id;
    },
  },
  watch: {
    wanted(wanted) {
      if (wanted) this.rename();
    },
  },
  methods: {
    onDouble() {
      if (this.node.kind === "subgraph") this.canvas.enter(this.node.path);
      else this.rename();
    },
    rename() {
      this.graph.renaming = null;
      if (this.graph.readonly || isBoundary(this.node.id)) return;
      this.draft = this.node.title || this.node.name;
      this.$nextTick(() => this.$refs.field?.select());
    },
    onKey(event) {
      if (event.key === "Escape") this.draft = null;
      if (event.key === "Enter" && !event.isComposing) this.commit();
      if (["Escape", "Enter"].includes(event.key)) this.canvas.focus();
    },
    commit() {
      const title = this.draft?.trim();
      const shown = this.node.title || this.node.name;
      if (this.draft !== null && title !== shown) this.canvas.ops({ op: "title", id: this.node.id, title: title || null });
      this.draft = null;
    },
  },
};
