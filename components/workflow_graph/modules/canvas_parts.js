// What lies over the canvas: the way back out of a subgraph, the zoom, messages, and what to do
// when there is nothing yet.
import { t } from "orchestrator-graph/say.js";

const KEYS = [
  ["Tab", "Add a node"],
  ["↵", "Edit a value, open a subgraph"],
  ["Esc", "Deselect, leave a subgraph"],
  ["← ↑ ↓ →", "Move what is selected"],
  ["Alt ← ↑ ↓ →", "Go to the next node"],
  ["C", "Link"],
  ["Del", "Remove"],
  ["M B H", "Mute, bypass, fold"],
  ["G", "Put in a frame"],
  ["Ctrl G", "Make a subgraph"],
  ["F2", "Rename"],
  ["F L", "Show everything, auto-layout"],
  ["Ctrl C X V D", "Copy, cut, paste, duplicate"],
  ["Ctrl Z Y", "Undo, redo"],
  ["Ctrl A F", "Select all, find"],
  ["/", "Find a node"],
  ["Shift Tab", "Leave the graph"],
];

export const CanvasParts = {
  props: { graph: Object, zoom: Number, said: Object, help: Boolean },
  emits: ["enter", "zoom", "act", "hush", "help"],
  setup: () => ({ t, KEYS }),
  template: `
    <nav v-if="graph.crumbs.length > 1" class="o-wg-crumbs" data-testid="graph-crumbs" :aria-label="t('Where you are')">
      <template v-for="(crumb, at) in graph.crumbs" :key="crumb.path">
        <svg v-if="at" class="o-i o-i-xs o-mut" aria-hidden="true"><use href="#o-i-cr" /></svg>
        <b v-if="at === graph.crumbs.length - 1" class="o-trunc" aria-current="page">{{ crumb.name }}</b>
        <button v-else class="o-link o-trunc" :data-testid="'crumb-' + at" @click="$emit('enter', crumb.path)">{{ crumb.name || t("Workflow") }}</button>
      </template>
    </nav>
    <div class="o-wg-zoom" role="toolbar" :aria-label="t('Zoom')">
      <button class="o-icon-btn o-icon-btn-compact" data-testid="zoom-out" :title="t('Zoom out (-)')" :aria-label="t('Zoom out (-)')" @click="$emit('zoom', -1)"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-minus" /></svg></button>
      <button class="o-wg-percent o-num" data-testid="zoom-reset" :title="t('100 % (Ctrl 0)')" @click="$emit('zoom', 0)">{{ zoom }} %</button>
      <button class="o-icon-btn o-icon-btn-compact" data-testid="zoom-in" :title="t('Zoom in (+)')" :aria-label="t('Zoom in (+)')" @click="$emit('zoom', 1)"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-plus" /></svg></button>
      <button class="o-icon-btn o-icon-btn-compact" data-testid="zoom-fit" :title="t('Show everything (F)')" :aria-label="t('Show everything (F)')" @click="$emit('act', 'fit')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-fit" /></svg></button>
    </div>
    <div v-if="said" class="o-wg-said" :data-problem="said.isProblem || null" :role="said.isProblem ? 'alert' : 'status'" data-testid="graph-said">
      <svg class="o-i o-i-s" aria-hidden="true"><use :href="said.isProblem ? '#o-i-alert' : '#o-i-info'" /></svg><span>{{ said.text }}</span>
      <button class="o-icon-btn o-icon-btn-compact" :title="t('Close')" :aria-label="t('Close')" @click="$emit('hush')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-x" /></svg></button>
    </div>
    <section v-if="help" ref="help" class="o-wg-help" role="dialog" tabindex="-1" data-testid="graph-help" :aria-label="t('Keys of the graph')" @keydown.stop="onHelpKey" @focusout="$emit('help', false)">
      <h2>{{ t("Keys of the graph") }}</h2>
      <dl><template v-for="[keys, words] in KEYS" :key="keys"><dt><kbd>{{ keys }}</kbd></dt><dd>{{ t(words) }}</dd></template></dl>
      <p class="o-hint">{{ t("Shift and drag: select in a box. Ctrl and click: select more.") }}</p>
    </section>
    <div v-if="graph.loaded && !Object.keys(graph.nodes).length" class="o-wg-empty" data-testid="graph-empty">
      <svg class="o-i o-mut" aria-hidden="true"><use href="#o-i-layers" /></svg>
      <strong>{{ t("Nothing here yet") }}</strong>
      <template v-if="!graph.readonly">
        <p class="o-hint">{{ t("Press Tab or double-click to add a node, or drag one from the list.") }}</p>
        <button class="o-btn o-btn-compact" data-testid="graph-add-first" @click="$emit('act', 'add')">{{ t("Add a node") }}</button>
      </template>
    </div>`,
  watch: {
    help(isOpen) {
      if (isOpen) this.$nextTick(() => this.$refs.help?.focus());
    },
  },
  methods: {
    onHelpKey(event) {
      if (["Escape", "?", "Enter"].includes(event.key)) {
        event.preventDefault();
        this.$emit("help", false);
        this.$emit("act", "focus");
      }
    },
  },
};
