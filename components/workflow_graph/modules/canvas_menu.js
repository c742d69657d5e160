// The context menus, and the list that keyboards link with: one of their items runs on Enter.
import { isBoundary } from "orchestrator-graph/graph_state.js";
import { COLORS } from "orchestrator/node_colors.js";
import { typeColor } from "orchestrator-graph/port_types.js";
import { t } from "orchestrator-graph/say.js";


export const CanvasMenu = {
  props: { at: Object, title: String, items: Array },
  emits: ["close"],
  template: `
    <div ref="box" class="o-wg-menu nowheel" role="menu" tabindex="-1" data-testid="graph-menu" :aria-label="title || t('Actions')" :style="place" @keydown.stop="onKey" @focusout="onLeave" @contextmenu.prevent @pointerdown.stop @mousedown.stop @dblclick.stop @wheel.stop>
      <p v-if="title" class="o-wg-menu-title">{{ title }}</p>
      <template v-for="(item, n) in items" :key="n">
        <i v-if="item.line" class="o-wg-menu-line"></i>
        <div v-else-if="item.colors" class="o-wg-swatches">
          <button v-for="color in item.colors" :key="color" role="menuitem" tabindex="-1" class="o-wg-swatch" :style="{ background: color || 'var(--bg-4)' }" :aria-label="color ? t('Colour {color}', { color }) : t('No colour')" :title="color ? '' : t('No colour')" @click="run(() => item.run(color))"></button>
        </div>
        <button v-else role="menuitem" tabindex="-1" :class="{ 'o-wg-menu-danger': item.danger }" :disabled="item.disabled" :data-testid="item.name ? 'menu-' + item.name : null" @click="run(item.run)" @pointermove="$event.currentTarget.focus()">
          <i v-if="item.type" class="o-wg-dot" :style="{ background: dot(item.type) }"></i><span class="o-trunc">{{ item.label }}</span><span class="o-grow"></span><span v-if="item.hint" class="o-mut o-trunc">{{ item.hint }}</span><kbd v-if="item.key">{{ item.key }}</kbd>
        </button>
      </template>
    </div>`,
  data: () => ({ place: {} }),
  mounted() {
    const frame = this.$el.parentElement.getBoundingClientRect();
    const own = this.$el.getBoundingClientRect();
    this.place = { left: `${Math.max(4, Math.min(this.at.x, frame.width - own.width - 4))}px`, top: `${Math.max(4, Math.min(this.at.y, frame.height - own.height - 4))}px` };
    this.$nextTick(() => (this.buttons()[0] ?? this.$el).focus({ preventScroll: true }));
  },
  methods: {
    t,
    dot: typeColor,
    buttons() {
      return [...this.$refs.box.querySelectorAll("button:enabled")];
    },
    run(deed) {
      this.$emit("close");
      deed();
    },
    onLeave(event) {
      if (!this.$refs.box?.contains(event.relatedTarget)) this.$emit("close");
    },
    onKey(event) {
      const buttons = this.buttons();
      const at = buttons.indexOf(document.activeElement);
      const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to !== undefined) buttons[(to + buttons.length) % buttons.length]?.focus();
      else if (event.key === "Escape" || event.key === "Tab") this.$emit("close");
      else if (event.key.length === 1 && event.key !== " ") this.jump(event.key, buttons, at);
      else return;
      event.preventDefault();
    },
    // To the next item that begins with the letter.
    jump(letter, buttons, at) {
      const turned = [...buttons.slice(at + 1), ...buttons.slice(0, at + 1)];
      turned.find((button) => button.textContent.trim().toLowerCase().startsWith(letter.toLowerCase()))?.focus();
    },
  },
};

export const menuMethods = {
  openMenu({ event, node, edge }, kind) {
    event.preventDefault?.();
    const box = this.$refs.stage.getBoundingClientRect();
    const point = event.touches?.[0] ?? event;
    if (node && !node.selected) this.choose([node.id]);
    if (edge) {
      this.choose([]);
      edge.selected = true;
    }
    this.quick = null;
    this.showMenu({ x: point.clientX - box.left, y: point.clientY - box.top }, this.itemsFor(kind, { node, edge, point }));
  },
  showMenu(at, items, title = "") {
    if (items.length) this.menu = { key: Date.now(), at, items, title };
  },
  closeMenu() {
    this.menu = null;
    this.$nextTick(() => {
      if (!this.quick && !this.searching && !this.menu && this.graph.renaming === null) this.focus();
    });
  },
  // Beside a node, for the keyboard.
  openList(id, title, items) {
    const { x, y, zoom } = this.flow.viewport.value;
    const node = this.flow.findNode(id);
    const at = { x: x + (node.position.x + node.dimensions.width) * zoom + 8, y: y + node.position.y * zoom };
    this.$nextTick(() => this.showMenu(at, items, title));
  },
  menuByKey() {
    const id = this.focused();
    if (!id) this.showMenu({ x: 40, y: 40 }, this.itemsFor("pane", { point: this.middle() }));
    else this.openList(id, "", this.itemsFor("node", { node: this.flow.findNode(id) }));
    return true;
  },
  itemsFor(kind, { node, edge, point }) {
    if (kind === "link") return this.graph.readonly ? [] : [{ name: "disconnect", label: t("Remove the link"), key: "Del", danger: true, run: () => this.ops({ op: "disconnect", links: [Number(edge.id)] }) }];
    if (kind === "pane") return this.paneItems(point);
    return node.type === "group" ? this.groupItems(node) : this.nodeItems(node.id);
  },
  paneItems(point) {
    const view = [
      { name: "fit", label: t("Show everything"), key: "F", run: () => this.act("fit") },
      { name: "search", label: t("Find in the workflow"), key: "Ctrl F", run: () => this.act("search") },
    ];
    if (this.graph.readonly) return view;
    return [
      { name: "add", label: t("Add a node"), key: "Tab", run: () => this.openQuick(point) },
      { name: "paste", label: t("Paste"), key: "Ctrl V", disabled: !this.fragment, run: () => this.pasteAt(this.fragment, this.toGraph(point)) },
      { name: "select-all", label: t("Select all"), key: "Ctrl A", run: () => this.selectAll() },
      { line: true },
      { name: "layout", label: t("Auto-layout"), key: "L", run: () => this.act("layout") },
      ...view,
    ];
  },
  groupItems(node) {
    const group = this.graph.groups[node.id.slice(2)];
    if (this.graph.readonly) return [];
    return [
      { name: "rename", label: t("Rename"), key: "F2", run: () => (this.graph.renaming = node.id) },
      { colors: COLORS, run: (color) => this.ops({ op: "group.edit", id: group.id, color }) },
      { line: true },
      { name: "remove", label: t("Remove the frame"), key: "Del", danger: true, run: () => this.ops({ op: "group.remove", ids: [group.id] }) },
    ];
  },
  nodeItems(id) {
    const node = this.graph.nodes[id];
    const enter = node.kind === "subgraph" ? [{ name: "enter", label: t("Open the subgraph"), key: "↵", run: () => this.enter(node.path) }] : [];
    if (this.graph.readonly || isBoundary(id)) return enter;
    const many = this.mine().length > 1;
    return [
      ...enter,
      { name: "rename", label: t("Rename"), key: "F2", disabled: many, run: () => (this.graph.renaming = id) },
      { name: "connect", label: t("Link"), key: "C", disabled: many, run: () => { this.choose([id]); this.beginWire(); } },
      { name: "duplicate", label: t("Duplicate"), key: "Ctrl D", run: () => this.act("duplicate") },
      { name: "copy", label: t("Copy"), key: "Ctrl C", run: () => this.act("copy") },
      { line: true },
      { name: "mute", label: node.mode === "muted" ? t("Unmute") : t("Mute"), key: "M", run: () => this.act("mute") },
      { name: "bypass", label: node.mode === "bypassed" ? t("Do not bypass") : t("Bypass"), key: "B", run: () => this.act("bypass") },
      { name: "collapse", label: node.collapsed ? t("Unfold") : t("Fold"), key: "H", run: () => this.act("collapse") },
      { colors: [null, ...COLORS], run: (color) => this.color(color) },
      { line: true },
      { name: "group", label: t("Put in a frame"), key: "G", run: () => this.act("group") },
      { name: "subgraph", label: t("Make a subgraph"), key: "Ctrl G", run: () => this.act("subgraph") },
      ...(node.kind === "subgraph" ? [{ name: "unpack", label: t("Unpack the subgraph"), run: () => this.unpack() }] : []),
      ...(many ? this.alignItems() : []),
      { line: true },
      { name: "remove", label: t("Remove"), key: "Del", danger: true, run: () => this.act("remove") },
    ];
  },
  alignItems() {
    const words = { left: t("Align left edges"), top: t("Align top edges"), distribute_x: t("Spread out in a row"), distribute_y: t("Spread out in a column") };
    return Object.entries(words).map(([edge, label]) => ({ name: `align-${edge}`, label, run: () => this.align(edge) }));
  },
};
