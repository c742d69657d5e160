// Drawing links, moving their ends, and where a new node goes that one was drawn to.
import { DRAG_TYPE, remember } from "orchestrator-graph/node_index.js";
import { handleOf, placeFor, readHandle, socketOf } from "orchestrator-graph/graph_state.js";
import { typesFit } from "orchestrator-graph/port_types.js";

const pointOf = (event) => event?.changedTouches?.[0] ?? event;

export const linkMethods = {
  onConnectStart({ nodeId, handleId }) {
    const { side, index } = readHandle(handleId);
    const socket = socketOf(this.graph, nodeId, side, index);
    this.joined = false;
    this.graph.connecting = socket ? { node: nodeId, side, index, name: socket.name, type: socket.type } : null;
  },
  onConnect({ source, sourceHandle, target, targetHandle }) {
    this.joined = true;
    this.graph.connecting = null;
    const input = socketOf(this.graph, target, "in", readHandle(targetHandle).index);
    if (input) this.ops({ op: "connect", from: [source, readHandle(sourceHandle).index], to: [target, input.name] });
  },
  onConnectEnd(event) {
    const from = this.graph.connecting;
    this.graph.connecting = null;
    if (!from || this.joined || this.graph.lifted !== null || !event) return;
    this.dropAt(from, pointOf(event));
  },
  // Dropped on no port: on a node the one that fits is meant, on a widget that one, on the empty
  // canvas a new node.
  dropAt(from, point) {
    const below = document.elementFromPoint(point.clientX, point.clientY);
    const start = this.$refs.stage.querySelector(`[data-id="${this.flowId}-${from.node}-${handleOf(from.side, from.index)}-${from.side === "in" ? "target" : "source"}"]`);
    if (!below || start?.contains(below)) return;
    const id = below.closest(".vue-flow__node")?.dataset.id;
    if (id && id in this.graph.nodes) {
      const ends = this.widgetBelow(from, id, below) ?? placeFor(this.graph, from, id);
      if (ends) this.ops({ op: "connect", ...ends });
      return;
    }
    if (!below.closest(".vue-flow__pane, .vue-flow__node-group")) return;
    setTimeout(() => this.openQuick(point, from)); // the click that ends the drag would close it
  },
  widgetBelow(from, id, below) {
    const name = below.closest("[data-widget]")?.dataset.widget;
    const spec = this.graph.specs[this.graph.nodes[id].widgets.find((widget) => widget.name === name)?.spec];
    const fits = spec && from.side === "out" && id !== from.node && typesFit(from.type, spec.type);
    return fits ? { from: [from.node, from.index], to: [id, name] } : null;
  },
  relink(link, { source, sourceHandle, target, targetHandle }) {
    this.joined = true;
    const input = socketOf(this.graph, target, "in", readHandle(targetHandle).index);
    if (!input || (target === link.to[0] && input.index === link.to[1])) return;
    const from = [source, readHandle(sourceHandle).index];
    this.ops({ op: "disconnect", links: [Number(link.id)] }, { op: "connect", from, to: [target, input.name] });
  },
  dropLifted(link, event) {
    const point = pointOf(event);
    const below = document.elementFromPoint(point.clientX, point.clientY);
    const id = below?.closest(".vue-flow__node")?.dataset.id;
    const off = { op: "disconnect", links: [Number(link.id)] };
    if (id === link.to[0]) return;
    const output = socketOf(this.graph, link.from[0], "out", link.from[1]);
    const from = { node: link.from[0], side: "out", index: link.from[1], type: output?.type ?? link.type };
    const ends = id in this.graph.nodes ? this.widgetBelow(from, id, below) ?? placeFor(this.graph, from, id) : null;
    this.ops(...(ends ? [off, { op: "connect", ...ends }] : [off]));
  },
  // A place on the canvas, from one on the screen.
  toGraph(point) {
    const box = this.$refs.stage.getBoundingClientRect();
    const { x, y, zoom } = this.flow.viewport.value;
    return [Math.round((point.clientX - box.left - x) / zoom), Math.round((point.clientY - box.top - y) / zoom)];
  },
  middle() {
    const box = this.$refs.stage.getBoundingClientRect();
    return { clientX: box.left + box.width / 2, clientY: box.top + box.height / 3 };
  },
  openQuick(point = this.middle(), from = null) {
    if (this.graph.readonly) return;
    const box = this.$refs.stage.getBoundingClientRect();
    this.menu = null;
    const at = { x: point.clientX - box.left, y: point.clientY - box.top };
    const ends = from?.side === "out" ? { from: [from.node, from.index] } : { to: from && [from.node, from.name] };
    this.quick = { key: Date.now(), pos: this.toGraph(point), at, type: from?.type, ...(from ? ends : {}) };
  },
  closeQuick(isElsewhere = false) {
    this.quick = null;
    if (!isElsewhere) this.focus();
  },
  addQuick(choice) {
    const { pos, from, to } = this.quick;
    this.addNode(choice.class, pos, from ? { from } : to ? { to } : null);
    this.closeQuick();
  },
  addNode(name, pos, link = null, values = null) {
    this.awaiting = true;
    this.ops({ op: "add", class: name, pos, ...(link ? { link } : {}), ...(values ? { values } : {}) });
  },
  addFromPalette(choice) {
    this.addNode(choice.class, this.freePlace());
    this.focus();
  },
  onDragOver(event) {
    if (this.graph.readonly || !event.dataTransfer.types.includes(DRAG_TYPE)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  },
  onDrop(event) {
    const name = event.dataTransfer.getData(DRAG_TYPE);
    if (!name || this.graph.readonly) return;
    event.preventDefault();
    remember(name);
    this.addNode(name, this.toGraph(event));
    this.focus();
  },
  // The middle of what is seen, beside whatever lies there.
  freePlace() {
    let [x, y] = this.toGraph(this.middle());
    const taken = () => this.flow.nodes.value.some((node) => node.type !== "group" && Math.abs(node.position.x - x) < 24 && Math.abs(node.position.y - y) < 24);
    while (taken()) [x, y] = [x + 32, y + 32];
    return [x, y];
  },
};
