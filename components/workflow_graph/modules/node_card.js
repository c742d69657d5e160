// A node: head with its state, ports, widgets, and what a run made in it.
import { computed, h, inject, markRaw } from "vue";
import { GraphPort } from "orchestrator-graph/graph_port.js";
import { isBoundary, linkInto, worstOf } from "orchestrator-graph/graph_state.js";
import { NodeHead } from "orchestrator-graph/node_head.js";
import { NodeOutcome } from "orchestrator-graph/node_outcome.js";
import { NodeWidgets } from "orchestrator-graph/widgets.js";
import { NoteNode } from "orchestrator-graph/note_node.js";
import { resizing } from "orchestrator-graph/resizing.js";
import { runOf } from "orchestrator-graph/run_state.js";
import { t } from "orchestrator-graph/say.js";

const WIDTH_PX = 220;
const TEXT_WIDTH_PX = 300; // of a node with long text in it
const TEXT_PX = 84;
const ROW_PX = 28; // a widget and the gap below it
const LEAST_PX = [140, 40];
const HEAD_PX = 28; // the size of a node is that of its body

export const NodeCard = {
  components: { GraphPort, NodeHead, NodeOutcome, NodeWidgets, NoteNode },
  inheritAttrs: false,
  props: { id: String, selected: Boolean },
  setup(props) {
    const graph = inject("graph");
    const node = computed(() => graph.nodes[props.id]);
    const path = computed(() => node.value?.path ?? props.id);
    return {
      graph, node, path, canvas: inject("canvas"),
      run: computed(() => runOf(graph, path.value, node.value?.kind === "subgraph")),
      findings: computed(() => graph.findings[path.value] ?? []),
      mark: computed(() => graph.marks[path.value] ?? null),
    };
  },
  template: `
    <article v-if="node" ref="card" class="o-wg-node" :class="'o-wg-' + node.kind" tabindex="-1" role="group" :style="style" :data-testid="'node-' + id" :data-node="path" :aria-label="label"
             :data-selected="selected || null" :data-mode="node.mode" :data-state="run?.state" :data-severity="severity" :data-mark="mark" :data-unknown="!node.known || null" :data-collapsed="isFolded || null"
             @dblclick.stop="onDouble">
      <NodeHead :node="node" :run="run" :findings="findings" />
      <i v-if="run?.state === 'running'" class="o-wg-bar" role="progressbar" :aria-valuenow="percent" aria-valuemin="0" aria-valuemax="100" :aria-label="t('Progress')"><i :style="{ width: percent + '%' }"></i></i>
      <template v-if="isFolded">
        <GraphPort v-for="socket in node.inputs" :key="'i' + socket.index" :node="id" side="in" :socket="socket" :top="14" hidden />
        <GraphPort v-for="socket in node.outputs" :key="'o' + socket.index" :node="id" side="out" :socket="socket" :top="14" hidden />
      </template>
      <template v-else>
        <div v-for="row in rows" :key="row.key" class="o-wg-row">
          <template v-if="row.input"><GraphPort :key="'i' + row.input.index" :node="id" side="in" :socket="row.input" /><span class="o-trunc o-wg-in">{{ nameOf(row.input) }}</span></template>
          <span class="o-grow"></span>
          <template v-if="row.output"><span class="o-trunc o-wg-out">{{ nameOf(row.output) }}</span><GraphPort :key="'o' + row.output.index" :node="id" side="out" :socket="row.output" /></template>
        </div>
        <div ref="body" class="o-wg-body" :style="graph.light ? { height: height + 'px' } : null">
          <template v-if="!graph.light">
            <NoteNode v-if="node.kind === 'note'" ref="widgets" :node="node" :disabled="graph.readonly" @value="setValue" />
            <NodeWidgets v-else-if="node.widgets.length" :node="node" :specs="graph.specs" :disabled="graph.readonly" :findings="findings" :links="sources" ref="widgets" @value="setValue" @expose="expose" />
          </template>
        </div>
        <GraphPort v-for="place in widgetPorts" :key="'w' + place.socket.index" :node="id" side="in" :socket="place.socket" :top="place.top" hidden />
        <NodeOutcome v-if="run && !graph.light" :run="run" :title="node.title" />
        <i v-if="!graph.readonly && !isFixed" class="o-wg-corner nodrag" aria-hidden="true" @pointerdown.stop.prevent="resize"></i>
      </template>
    </article>`,
  data: () => ({ size: null, tops: markRaw({}), height: 0 }),
  created() {
    this.t = t;
    if (this.graph.light && this.node) this.height = this.roughHeight();
  },
  mounted() {
    this.watcher = new ResizeObserver(() => this.measure());
    if (this.$refs.body) this.watcher.observe(this.$refs.body);
    this.measure();
    this.canvas.cards.set(this.id, this);
  },
  updated() {
    // The body comes and goes with folding.
    this.watcher.disconnect();
    if (this.$refs.body) this.watcher.observe(this.$refs.body);
    else this.canvas.remeasure(this.id);
  },
  beforeUnmount() {
    this.watcher.disconnect();
    this.canvas.cards.delete(this.id);
  },
  watch: {
    "node.size"() {
      this.size = null;
    },
    // Ports that came, went or moved: their places are read again once they are drawn.
    shape() {
      this.$nextTick(() => this.measure(true));
    },
  },
  computed: {
    isFixed() {
      return this.node.kind === "reroute" || isBoundary(this.id);
    },
    isFolded() {
      return this.node.collapsed;
    },
    usualWidth() {
      const isLong = this.node.kind === "note" || this.node.widgets.some((each) => this.graph.specs[each.spec]?.kind === "multiline");
      return isLong ? TEXT_WIDTH_PX : WIDTH_PX;
    },
    style() {
      const [width, height] = this.size ?? this.node.size ?? [this.usualWidth, 0];
      const least = this.isFolded || this.isFixed ? {} : { minHeight: `${height + HEAD_PX}px` };
      return { ...(this.isFixed ? {} : { width: `${Math.max(width, LEAST_PX[0])}px` }), ...least, ...(this.node.color ? { "--head": this.node.color } : {}) };
    },
    label() {
      const state = this.run?.state ? `, ${this.canvas.stateWord(this.run.state)}` : "";
      const wrong = this.findings.map((finding) => finding.message).join(" ");
      const mode = this.node.mode === "active" ? "" : `, ${this.canvas.modeWord(this.node.mode)}`;
      return `${this.node.title || this.node.name} #${this.id}${mode}${state}. ${wrong}`.trim();
    },
    percent() {
      return this.run?.max ? Math.round((100 * this.run.value) / this.run.max) : 0;
    },
    severity() {
      return worstOf(this.findings);
    },
    rows() {
      const inputs = this.node.inputs.filter((input) => !input.widget);
      const { outputs } = this.node;
      return Array.from({ length: Math.max(inputs.length, outputs.length) }, (_, at) => ({
        key: `${inputs[at]?.name ?? ""}/${outputs[at]?.index ?? ""}`, input: inputs[at], output: outputs[at],
      }));
    },
    widgetPorts() {
      const last = this.tops[" "] ?? 14;
      return this.node.inputs.filter((input) => input.widget).map((socket) => ({ socket, top: this.tops[socket.name] ?? last }));
    },
    // What feeds the widgets that a link has taken over, by name.
    sources() {
      const found = {};
      for (const input of this.node.inputs.filter((each) => each.widget)) {
        const link = linkInto(this.graph, this.id, input.index);
        const from = link && this.graph.nodes[link.from[0]];
        const output = from?.outputs.find((each) => each.index === link.from[1]);
        if (from) found[input.name] = [from.title || from.name, output?.label || output?.name].filter(Boolean).join(" · ");
      }
      return found;
    },
    shape() {
      const { inputs, outputs, widgets, collapsed } = this.node;
      return [collapsed, ...inputs.map((each) => each.name + each.widget), "|", ...outputs.map((each) => each.name), "|", ...widgets.map((each) => each.name)].join();
    },
  },
  methods: {
    measure(always = false) {
      const { body, card } = this.$refs;
      if (!body || this.graph.light) return;
      this.height = body.offsetHeight;
      const tops = { " ": body.offsetTop + 12 };
      if (this.node?.inputs.some((input) => input.widget)) {
        for (const row of body.querySelectorAll("[data-widget]")) tops[row.dataset.widget] = this.topOf(row, card);
      }
      const same = Object.keys(tops).length === Object.keys(this.tops).length && Object.entries(tops).every(([name, top]) => this.tops[name] === top);
      if (!same) this.tops = markRaw(tops);
      if (always || !same) this.$nextTick(() => this.canvas.remeasure(this.id));
    },
    // Until the widgets are made.
    roughHeight() {
      if (this.node.kind === "note") return TEXT_PX;
      const isText = (widget) => this.graph.specs[widget.spec]?.kind === "multiline";
      return this.node.widgets.reduce((sum, widget) => sum + (isText(widget) ? TEXT_PX : ROW_PX), 0);
    },
    topOf(row, card) {
      let top = Math.min(row.offsetHeight, 24) / 2;
      for (let element = row; element && element !== card; element = element.offsetParent) top += element.offsetTop;
      return top;
    },
    // The free place at an end of a subgraph takes a link to make a new input or output.
    nameOf(socket) {
      return socket.label || socket.name || (isBoundary(this.id) ? "+" : "");
    },
    setValue({ name, value }) {
      this.canvas.setValue(this.id, name, value);
    },
    expose({ name, exposed }) {
      this.canvas.expose(this.node, name, exposed);
    },
    edit() {
      return this.$refs.widgets?.edit?.() ?? false;
    },
    onDouble(event) {
      if (event.target.closest(".nodrag, .o-wg-head")) return;
      if (this.node.kind === "subgraph") this.canvas.enter(this.path);
    },
    resize(event) {
      const card = this.$refs.card;
      const height = this.node.size?.[1] ?? 0;
      resizing(event, {
        from: [card.offsetWidth, Math.max(height, card.offsetHeight - HEAD_PX)], least: LEAST_PX, zoom: this.canvas.zoom(),
        move: (size) => (this.size = size),
        done: (size) => this.canvas.ops({ op: "resize", id: this.id, size }),
      });
    },
  },
};

// Vue Flow tells a node its place with every move; the card itself has no use for it.
export const nodeType = markRaw(Object.assign((props) => h(NodeCard, { id: props.id, selected: props.selected }), { inheritAttrs: false, props: ["id", "selected"] }));
