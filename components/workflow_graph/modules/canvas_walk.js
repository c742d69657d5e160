// Going from node to node without a mouse, and linking them.
import { linkInto } from "orchestrator-graph/graph_state.js";
import { typesFit } from "orchestrator-graph/port_types.js";
import { t } from "orchestrator-graph/say.js";

const NEW_PX = 220; // as wide as most nodes are

const middleOf = (node) => [node.position.x + node.dimensions.width / 2, node.position.y + node.dimensions.height / 2];

// From left to right, and from top to bottom.
const spansOf = ({ position: { x, y }, dimensions: { width, height } }) => [[x, x + width], [y, y + height]];

export const walkMethods = {
  focused() {
    const id = document.activeElement?.closest?.("article[data-node]") && document.activeElement.closest(".vue-flow__node")?.dataset.id;
    return id ?? this.selected.value.at(-1) ?? null;
  },
  focusNode(id) {
    const card = this.$refs.stage.querySelector(`.vue-flow__node[data-id="${CSS.escape(id)}"] article`);
    card?.focus({ preventScroll: true });
  },
  // To the nearest node in that direction; what lies straight ahead is nearer than what is aside.
  walk(dx, dy) {
    const nodes = this.flow.nodes.value.filter((node) => node.type !== "group");
    const from = nodes.find((node) => node.id === this.focused());
    const next = from ? this.neighbour(from, nodes, [dx, dy]) : nodes[0];
    if (!next) return true;
    this.choose([next.id]);
    this.focusNode(next.id);
    this.showIfHidden(next);
    return true;
  },
  neighbour(from, nodes, [dx, dy]) {
    const [along, across, sign] = dx ? [0, 1, dx] : [1, 0, dy];
    const own = spansOf(from);
    const middle = middleOf(from);
    const far = (node) => {
      const spans = spansOf(node);
      const edge = spans[along][sign > 0 ? 0 : 1];
      if ((edge - middle[along]) * sign <= 0) return Infinity; // beside it, in the same column or row
      const gap = Math.max(0, (edge - own[along][sign > 0 ? 1 : 0]) * sign);
      const aside = Math.max(0, spans[across][0] - own[across][1], own[across][0] - spans[across][1]);
      return gap + 2 * aside + Math.abs(middleOf(node)[across] - middle[across]) / 10;
    };
    let best = null;
    let least = Infinity;
    for (const node of nodes) {
      const distance = node === from ? Infinity : far(node);
      if (distance < least) [best, least] = [node, distance];
    }
    return best;
  },
  showIfHidden(node) {
    const { x, y, zoom } = this.flow.viewport.value;
    const stage = this.$refs.stage.getBoundingClientRect();
    const left = node.position.x * zoom + x;
    const top = node.position.y * zoom + y;
    const isSeen = left >= 0 && top >= 0 && left + node.dimensions.width * zoom <= stage.width && top + node.dimensions.height * zoom <= stage.height;
    if (!isSeen) this.look(node.id);
  },
  editNode(event) {
    if (!event.target.matches("article[data-node], .o-wg-stage")) return false;
    const id = this.focused();
    if (!id) return false;
    const node = this.graph.nodes[id];
    if (node.kind === "subgraph") this.enter(node.path);
    else this.cards.get(id)?.edit();
    return true;
  },
  renameFocused() {
    const group = this.flow.getSelectedNodes.value.find((node) => node.type === "group");
    this.graph.renaming = group?.id ?? this.focused();
  },
  // Linking by keyboard: pick a port of the node, then where to.
  beginWire() {
    const id = this.focused();
    if (!id) return false;
    const node = this.graph.nodes[id];
    const items = [
      ...node.outputs.map((socket) => ({ label: socket.label || socket.name, type: socket.type, hint: t("output"), run: () => this.chooseEnd({ node: id, side: "out", ...socket }) })),
      ...node.inputs.map((socket) => ({ label: socket.label || socket.name, type: socket.type, hint: t("input"), run: () => this.chooseEnd({ node: id, side: "in", ...socket }) })),
    ];
    if (items.length) this.openList(id, t("Link from {node}", { node: node.title || node.name }), items);
    return true;
  },
  chooseEnd(from) {
    const ends = this.endsFor(from);
    const items = ends.map(({ node, socket }) => ({
      label: `${node.title || node.name} #${node.id}`, hint: socket.label || socket.name, type: socket.type,
      run: () => this.ops({ op: "connect", ...(from.side === "out" ? { from: [from.node, from.index], to: [node.id, socket.name] } : { from: [node.id, socket.index], to: [from.node, from.name] }) }),
    }));
    const link = from.side === "in" ? linkInto(this.graph, from.node, from.index) : null;
    if (link) items.unshift({ label: t("Remove the link"), run: () => this.ops({ op: "disconnect", links: [Number(link.id)] }) });
    if (!this.graph.readonly) items.push({ label: t("Add a node…"), run: () => this.openQuick(this.besideNode(from), from) });
    this.openList(from.node, t("Link {port} to", { port: from.label || from.name }), items);
  },
  // Everywhere it may end, nearest first.
  endsFor(from) {
    const [x, y] = middleOf(this.flow.findNode(from.node));
    const far = (id) => {
      const [nx, ny] = middleOf(this.flow.findNode(id));
      return Math.hypot(nx - x, ny - y);
    };
    const found = [];
    for (const node of Object.values(this.graph.nodes)) {
      if (node.id === from.node || !this.flow.findNode(node.id)) continue;
      for (const socket of from.side === "out" ? node.inputs : node.outputs) {
        if (from.side === "out" ? typesFit(from.type, socket.type) : typesFit(socket.type, from.type)) found.push({ node, socket, far: far(node.id) });
      }
    }
    return found.sort((one, other) => one.far - other.far);
  },
  besideNode({ node, side }) {
    const drawn = this.flow.findNode(node);
    const { x, y, zoom } = this.flow.viewport.value;
    const box = this.$refs.stage.getBoundingClientRect();
    const left = side === "out" ? drawn.position.x + drawn.dimensions.width + 60 : drawn.position.x - NEW_PX - 60;
    return { clientX: box.left + x + left * zoom, clientY: box.top + y + this.freeBelow(left, drawn.position.y) * zoom };
  },
  // How far down a new node has to go to lie over no other.
  freeBelow(left, top) {
    const inTheWay = this.flow.nodes.value.filter(({ type, position, dimensions }) => type !== "group" && position.x < left + NEW_PX && position.x + dimensions.width > left);
    for (const { position, dimensions } of inTheWay.sort((one, other) => one.position.y - other.position.y)) {
      if (position.y < top + NEW_PX / 2 && position.y + dimensions.height > top) top = position.y + dimensions.height + 32;
    }
    return top;
  },
};
