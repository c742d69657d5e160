// The canvas of the workflow builder. It draws the level the server sent, and sends what people do
// as operations; the server's patches are what changes it.
import "orchestrator-graph/process_shim.js";
import { VueFlow, useVueFlow } from "@vue-flow/core";
import { Background } from "@vue-flow/background";
import { MiniMap } from "@vue-flow/minimap";
import { computed, markRaw } from "vue";
import { CanvasMenu, menuMethods } from "orchestrator-graph/canvas_menu.js";
import { CanvasParts } from "orchestrator-graph/canvas_parts.js";
import { deedMethods } from "orchestrator-graph/canvas_deeds.js";
import { flowMethods } from "orchestrator-graph/canvas_flow.js";
import { keyMethods } from "orchestrator-graph/canvas_keys.js";
import { linkMethods } from "orchestrator-graph/canvas_links.js";
import { touchMethods } from "orchestrator-graph/canvas_touch.js";
import { walkMethods } from "orchestrator-graph/canvas_walk.js";
import { GraphLink, GraphLinkDraft } from "orchestrator-graph/graph_link.js";
import { connection } from "orchestrator/connection.js";
import { createGraph, takeView, takePatch } from "orchestrator-graph/graph_state.js";
import { GraphSearch } from "orchestrator-graph/graph_search.js";
import { GroupBox } from "orchestrator-graph/group_box.js";
import { nodeType } from "orchestrator-graph/node_card.js";
import { refresh } from "orchestrator-graph/node_index.js";
import { NodePalette } from "orchestrator-graph/palette.js";
import { QuickAdd } from "orchestrator-graph/quick_add.js";
import { keep, runOf, takeRun } from "orchestrator-graph/run_state.js";
import { learn, t, tn } from "orchestrator-graph/say.js";

const SAID_MS = 8000;
let count = 0;

export default {
  components: { Background, CanvasMenu, CanvasParts, GraphLinkDraft, GraphSearch, MiniMap, NodePalette, QuickAdd, VueFlow },
  props: { texts: Object, readonly: Boolean },
  emits: ["ops", "undo", "redo", "enter", "select", "copy", "find", "save", "run"],
  template: `
    <div class="o-wg" ref="root" data-testid="workflow-graph" :data-readonly="graph.readonly || null" :data-rev="graph.rev" :data-path="graph.path"
         @keydown="onKey" @keyup="onKeyUp">
      <NodePalette v-if="!graph.readonly" ref="palette" @add="addFromPalette" />
      <div class="o-wg-stage" ref="stage" tabindex="0" role="application" :aria-label="t('Workflow graph')" :data-light="graph.light || null" :data-connecting="graph.connecting ? '' : null"
           @pointerdown.capture="onFinger" @pointerup.capture="liftFinger" @pointercancel.capture="liftFinger" @click.capture="afterHold" @contextmenu.capture="afterHold"
           @pointermove="onPointer" @pointerleave="onPointerGone" @dragover="onDragOver" @drop="onDrop" @dblclick="onDoublePane" @contextmenu.prevent>
        <VueFlow :id="flowId" :node-types="nodeTypes" :edge-types="edgeTypes" :min-zoom=".05" :max-zoom="2.5" :nodes-draggable="!graph.readonly" :nodes-connectable="!graph.readonly"
                 :delete-key-code="null" selection-key-code="Shift" :multi-selection-key-code="['Control', 'Meta']" :pan-on-drag="[0, 1]" :node-drag-threshold="2" :connection-radius="18"
                 :zoom-on-double-click="false" :nodes-focusable="false" :edges-focusable="false" disable-keyboard-a11y elevate-nodes-on-select :default-viewport="{ x: 40, y: 40, zoom: 1 }"
                 @nodes-initialized="onMeasured" @node-drag-start="onDragStart" @node-drag="onDrag" @node-drag-stop="onDragStop" @connect="onConnect" @connect-start="onConnectStart" @connect-end="onConnectEnd"
                 @click-connect-start="onConnectStart" @click-connect-end="graph.connecting = null" @node-context-menu="(event) => openMenu(event, 'node')" @edge-context-menu="(event) => openMenu(event, 'link')"
                 @pane-context-menu="(event) => openMenu({ event }, 'pane')" @pane-click="onPaneClick" @viewport-change="onViewport" @selection-end="onBoxed" @error="() => {}">
          <Background :gap="16" :size="2" color="var(--line-2)" />
          <MiniMap v-if="count > 1" pannable zoomable :width="148" :height="92" :node-class-name="miniClass" :node-border-radius="4" :aria-label="t('Overview')" mask-color="var(--wg-mask)" mask-stroke-color="var(--text-3)" :mask-stroke-width="1" />
          <template #connection-line="line"><GraphLinkDraft v-bind="line" /></template>
        </VueFlow>
        <CanvasParts :graph="graph" :zoom="zoomPercent" :said="said" :help="helping" @help="(isOpen) => (helping = isOpen)" @enter="enter" @zoom="zoomBy" @act="act" @hush="said = null" />
        <QuickAdd v-if="quick" :key="quick.key" :at="quick.at" :pos="quick.pos" :from="quick.from" :to="quick.to" :type="quick.type" @add="addQuick" @close="closeQuick" />
        <GraphSearch v-if="searching" ref="search" :graph="graph" :elsewhere="elsewhere" @find="(event) => $emit('find', event)" @show="showNode" @close="closeSearch" />
        <CanvasMenu v-if="menu" :key="menu.key" :at="menu.at" :title="menu.title" :items="menu.items" @close="closeMenu" />
        <p class="o-vh" role="status" aria-live="polite">{{ spoken }}</p>
      </div>
    </div>`,
  setup(props) {
    learn(props.texts);
    const flowId = `o-wg-${++count}`;
    return { flowId, flow: markRaw(useVueFlow(flowId)), cards: markRaw(new Map()) };
  },
  provide() {
    return {
      graph: this.graph,
      canvas: {
        cards: this.cards, t, ops: this.ops, focus: this.focus, zoom: () => this.flow.viewport.value.zoom, enter: this.enter, remeasure: this.remeasure,
        setValue: (id, name, value) => this.ops({ op: "value", id, name, value }), expose: this.expose, relink: this.relink, dropLifted: this.dropLifted,
        stateWord: (state) => t({ waiting: "Waiting", running: "Running", done: "Done", cached: "Taken from the last run", failed: "Failed" }[state] ?? state),
        modeWord: (mode) => t({ muted: "muted", bypassed: "bypassed" }[mode] ?? mode),
      },
    };
  },
  data() {
    return { graph: createGraph(), zoomPercent: 100, quick: null, searching: false, helping: false, elsewhere: [], menu: null, said: null, spoken: "" };
  },
  created() {
    Object.assign(this, { t, tn, seq: 0, fragment: null, viewports: new Map(), pendingFit: false, pendingShow: null, dragged: new Set(), pointer: null, toMeasure: new Set(), nudged: null, finger: null, held: false });
    this.nodeTypes = { node: nodeType, group: markRaw(GroupBox) };
    this.edgeTypes = { link: markRaw(GraphLink) };
    this.graph.readonly = this.readonly;
    this.selected = computed(() => this.flow.getSelectedNodes.value.filter((node) => node.type !== "group").map((node) => node.id));
    this.$watch(
      () => this.selected.value.join(),
      () => {
        this.flushNudge();
        this.$emit("select", { path: this.graph.path, ids: this.selected.value });
      },
    );
  },
  mounted() {
    for (const kind of ["copy", "cut", "paste"]) document.addEventListener(kind, this.onClipboard);
  },
  beforeUnmount() {
    for (const kind of ["copy", "cut", "paste"]) document.removeEventListener(kind, this.onClipboard);
    clearTimeout(this.hush);
    this.liftFinger();
    this.flushNudge();
  },
  computed: {
    count() {
      return Object.keys(this.graph.nodes).length;
    },
  },
  methods: {
    ...flowMethods,
    ...linkMethods,
    ...deedMethods,
    ...keyMethods,
    ...walkMethods,
    ...touchMethods,
    ...menuMethods,
    t,
    tn,
    // What the server calls.
    setView(view) {
      const isOther = (view.path ?? "") !== this.graph.path || !this.graph.loaded;
      if (isOther) this.leaveLevel();
      takeView(this.graph, view);
      this.drawAll(isOther);
    },
    applyPatch(patch) {
      const changed = takePatch(this.graph, patch);
      if (changed) this.drawChanged(changed);
    },
    refuse({ message, fix }) {
      this.tell([message, fix].filter(Boolean).join(" "), true);
    },
    takeFragment(fragment) {
      if (this.duplicating) return this.pasteBeside(fragment); // what was copied before stays so
      this.fragment = markRaw(fragment);
      const text = JSON.stringify({ "orchestrator-fragment": 1, ...fragment });
      navigator.clipboard?.writeText(text).catch(() => {}); // within this page the fragment is enough
    },
    setFindings(findings) {
      keep(this.graph.findings, findings ?? {});
    },
    setRun(run) {
      takeRun(this.graph, run);
    },
    setMarks(marks) {
      const flat = {};
      for (const [mark, paths] of Object.entries(marks ?? {})) for (const path of paths) flat[path] = mark;
      keep(this.graph.marks, flat);
    },
    setReadonly(readonly) {
      this.graph.readonly = readonly;
    },
    // A picture that was given becomes a node, where it was dropped if that is on the canvas.
    addPicture({ name, point }) {
      const box = this.$refs.stage.getBoundingClientRect();
      const isHere = point && point[0] > box.left && point[0] < box.right && point[1] > box.top && point[1] < box.bottom;
      const pos = isHere ? this.toGraph({ clientX: point[0], clientY: point[1] }) : this.freePlace();
      this.addNode("LoadImage", pos, null, { image: name });
      this.focus();
    },
    refreshNodes() {
      refresh();
    },
    setElsewhere(found) {
      this.elsewhere = found ?? [];
    },
    showNode(path) {
      const parent = path.includes(":") ? path.slice(0, path.lastIndexOf(":")) : "";
      this.pendingShow = path;
      if (parent !== this.graph.path) this.enter(parent);
      else this.$nextTick(this.showPending);
    },
    // What happens here.
    ops(...ops) {
      if (this.graph.readonly || !ops.length) return;
      if (!connection.live) {
        this.drawAll(false); // as it was: nothing could keep what is drawn now
        return this.tell(t("The connection is lost. Go on when it is back."), true);
      }
      this.said = null;
      this.$emit("ops", { seq: ++this.seq, path: this.graph.path, ops });
    },
    tell(text, isProblem = false) {
      this.said = { text, isProblem };
      this.spoken = text;
      clearTimeout(this.hush);
      this.hush = setTimeout(() => (this.said = null), SAID_MS);
    },
    focus() {
      this.$refs.stage?.focus({ preventScroll: true });
    },
    enter(path) {
      this.flushNudge();
      this.$emit("enter", { path });
    },
    // A box chooses nodes; their links would only shine.
    onBoxed() {
      for (const edge of this.flow.getSelectedEdges.value) edge.selected = false;
      this.focus();
    },
    onPaneClick() {
      this.menu = null;
      this.focus();
    },
    onDoublePane(event) {
      if (event.target.closest(".vue-flow__pane")) this.openQuick(event);
    },
    miniClass(node) {
      if (node.type === "group") return "o-wg-mm o-wg-mm-group";
      const own = this.graph.nodes[node.id];
      const state = own && runOf(this.graph, own.path, own.kind === "subgraph")?.state;
      return ["o-wg-mm", state && `o-wg-mm-${state}`, node.selected && "o-wg-mm-selected"].filter(Boolean).join(" ");
    },
  },
};
