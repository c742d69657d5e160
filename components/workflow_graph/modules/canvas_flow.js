// Between what we know and what Vue Flow draws: nodes, links and groups go in, moves come out.
import { markRaw } from "vue";
import { handleOf, socketOf } from "orchestrator-graph/graph_state.js";

const FIT = { padding: 0.12, maxZoom: 1 };
const FAR = 0.35; // below it heads and ports are enough
const MANY = 100;
const FEW = 60; // nodes that can be drawn whole down to half of that
const HEAD_PX = 28;
const LEGIBLE = 0.3;
const MARGIN_PX = 16;
const GLIDE_MS = 200;
const ZOOM_MS = 120;
const EMPTY = { x: 40, y: 40, zoom: 1 };
const pace = (ms) => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : ms);
const groupId = (id) => `g:${id}`;
const isGroup = (id) => id.startsWith("g:");

// The place of a node is where its body begins, as in ComfyUI; the head is above it.
const rise = (node) => (["reroute", "entry", "exit"].includes(node.kind) ? 0 : HEAD_PX);
const cornerOf = (node) => [node.pos[0], node.pos[1] - rise(node)];

const flowNode = (node) => ({ id: node.id, type: "node", position: { x: node.pos[0], y: node.pos[1] - rise(node) }, data: markRaw({}) });
const flowGroup = (group) => ({
  id: groupId(group.id), type: "group", position: { x: group.box[0], y: group.box[1] }, data: markRaw({}), dragHandle: ".o-wg-group-head", zIndex: -10, connectable: false,
});
const named = (graph, [id, index], side) => {
  const node = graph.nodes[id];
  const socket = socketOf(graph, id, side, index);
  return [node.title || node.name, socket?.label || socket?.name].filter(Boolean).join(" ");
};
const linkLabel = (graph, link) => `${named(graph, link.from, "out")} → ${named(graph, link.to, "in")}`;
const flowEdge = (graph, id, link) => ({
  ariaLabel: linkLabel(graph, link),
  id: String(id), type: "link", source: link.from[0], target: link.to[0], sourceHandle: handleOf("out", link.from[1]), targetHandle: handleOf("in", link.to[1]), updatable: false,
});

export const flowMethods = {
  leaveLevel() {
    if (this.graph.loaded) this.viewports.set(this.graph.path, { ...this.flow.viewport.value });
    this.menu = this.quick = null;
  },
  drawAll(isOther) {
    const { nodes, groups, links } = this.graph;
    const chosen = isOther ? new Set() : new Set([...this.flow.getSelectedNodes.value.map((node) => node.id)]);
    const known = (link) => link.from[0] in nodes && link.to[0] in nodes;
    const before = isOther ? this.viewports.get(this.graph.path) : null;
    // Seen all at once they are far away: widgets that nobody could read need not be made first.
    if (isOther && !before && !this.pendingShow && Object.keys(nodes).length > MANY) this.graph.light = true;
    this.flow.setEdges([]);
    this.flow.setNodes([...Object.values(groups).map(flowGroup), ...Object.values(nodes).map(flowNode)].map((node) => ({ ...node, selected: chosen.has(node.id) })));
    this.flow.setEdges(Object.entries(links).filter(([, link]) => known(link)).map(([id, link]) => flowEdge(this.graph, id, link)));
    if (!isOther) return;
    if (before) this.flow.setViewport(before);
    else if (!Object.keys(nodes).length) this.flow.setViewport(EMPTY);
    this.pendingFit = !before && Object.keys(nodes).length > 0;
    if (this.pendingShow) this.$nextTick(this.showPending);
  },
  drawChanged({ nodes, links, groups }) {
    const { flow, graph } = this;
    const gone = Object.keys(nodes).filter((id) => nodes[id] === null);
    // A node may come back under the same id with other ports, so links go first and come last.
    const goneLinks = Object.keys(links).filter((id) => links[id] === null || flow.findEdge(id));
    if (goneLinks.length) flow.removeEdges(goneLinks);
    if (gone.length) flow.removeNodes(gone, false);
    const fresh = [];
    for (const [id, node] of Object.entries(nodes)) {
      if (!node) continue;
      const drawn = flow.findNode(id);
      if (!drawn) fresh.push(flowNode(node));
      else if (!this.dragged.has(id)) this.place(drawn, cornerOf(node));
    }
    if (groups) this.drawGroups(fresh);
    if (fresh.length) flow.addNodes(fresh);
    const edges = Object.entries(links).filter(([, link]) => link && link.from[0] in graph.nodes && link.to[0] in graph.nodes);
    if (edges.length) flow.addEdges(edges.map(([id, link]) => flowEdge(this.graph, id, link)));
    for (const edge of flow.edges.value) {
      if (nodes[edge.source] || nodes[edge.target]) edge.ariaLabel = linkLabel(graph, graph.links[edge.id]);
    }
    if (this.awaiting) this.chooseNew(fresh.map((node) => node.id));
  },
  drawGroups(fresh) {
    const wanted = Object.values(this.graph.groups);
    const ids = new Set(wanted.map((group) => groupId(group.id)));
    const gone = this.flow.nodes.value.filter((node) => isGroup(node.id) && !ids.has(node.id));
    if (gone.length) this.flow.removeNodes(gone.map((node) => node.id), false);
    for (const group of wanted) {
      const drawn = this.flow.findNode(groupId(group.id));
      if (!drawn) fresh.push(flowGroup(group));
      else if (!this.dragged.has(drawn.id)) this.place(drawn, group.box);
    }
  },
  place(drawn, [x, y]) {
    if (drawn.position.x !== x || drawn.position.y !== y) drawn.position = { x, y };
  },
  // What was just added or pasted here becomes the selection.
  chooseNew(ids) {
    if (!ids.length) return;
    this.awaiting = false;
    this.choose(ids);
  },
  choose(ids) {
    const wanted = new Set(ids);
    for (const node of this.flow.nodes.value) if (Boolean(node.selected) !== wanted.has(node.id)) node.selected = wanted.has(node.id);
    for (const edge of this.flow.edges.value) if (edge.selected) edge.selected = false;
  },
  // Many nodes ask at once when a level opens; one reading of the page serves them all.
  remeasure(id) {
    if (!this.toMeasure.size) {
      requestAnimationFrame(() => {
        const ids = [...this.toMeasure].filter((each) => this.flow.findNode(each));
        this.toMeasure.clear();
        if (ids.length) this.flow.updateNodeInternals(ids);
      });
    }
    this.toMeasure.add(id);
  },
  onMeasured() {
    if (!this.pendingFit) return;
    this.pendingFit = false;
    this.flow.fitView(FIT);
    this.onViewport(this.flow.viewport.value);
    if (this.count <= FEW && this.flow.viewport.value.zoom < LEGIBLE) this.lookAtStart();
  },
  // A small workflow on a small screen: its beginning, instead of specks.
  lookAtStart() {
    const nodes = this.flow.getNodes.value;
    const [left, top] = ["x", "y"].map((axis) => Math.min(...nodes.map((node) => node.position[axis])));
    const bottom = Math.max(...nodes.map((node) => node.position.y + node.dimensions.height));
    const middle = (this.flow.dimensions.value.height - (bottom - top) * LEGIBLE) / 2;
    this.flow.setViewport({ zoom: LEGIBLE, x: MARGIN_PX - left * LEGIBLE, y: Math.max(MARGIN_PX, middle) - top * LEGIBLE });
  },
  showPending() {
    const path = this.pendingShow;
    const node = path && Object.values(this.graph.nodes).find((each) => each.path === path);
    if (!node) return;
    this.pendingShow = null;
    this.pendingFit = false;
    this.choose([node.id]);
    this.$nextTick(() => this.look(node.id));
  },
  // Bring a node into the middle, at a size at which it can be read.
  look(id) {
    const node = this.flow.findNode(id);
    if (!node) return;
    const { width, height } = node.dimensions;
    const zoom = Math.min(1, Math.max(this.flow.viewport.value.zoom, 0.7));
    this.flow.setCenter(node.position.x + width / 2, node.position.y + height / 2, { zoom, duration: pace(GLIDE_MS) });
    if (!this.searching) this.focusNode(id); // there the next one may be looked for
  },
  onViewport({ zoom }) {
    this.zoomPercent = Math.round(zoom * 100);
    const far = this.count > FEW ? FAR : FAR / 2;
    const light = this.graph.light ? zoom < far + 0.02 : zoom < far;
    if (light !== this.graph.light) this.graph.light = light;
  },
  zoomBy(direction) {
    if (direction === 0) this.flow.zoomTo(1, { duration: pace(ZOOM_MS) });
    else if (direction > 0) this.flow.zoomIn({ duration: pace(ZOOM_MS) });
    else this.flow.zoomOut({ duration: pace(ZOOM_MS) });
  },
  fit() {
    const ids = this.selected.value;
    this.flow.fitView({ ...FIT, duration: pace(GLIDE_MS), ...(ids.length > 1 ? { nodes: ids } : {}) });
  },
  // Moving.
  onDragStart({ nodes }) {
    this.flushNudge();
    this.takeHold(nodes);
  },
  takeHold(nodes) {
    this.dragged = new Set(nodes.map((node) => node.id));
    this.carried = [];
    for (const { id } of nodes.filter((node) => isGroup(node.id))) this.carry(id);
  },
  // What lies inside a group goes along with it.
  carry(id) {
    const [x, y, width, height] = this.graph.groups[id.slice(2)].box;
    const origin = { ...this.flow.findNode(id).position };
    for (const node of this.flow.nodes.value) {
      if (this.dragged.has(node.id)) continue;
      const size = node.dimensions;
      const middle = [node.position.x + size.width / 2, node.position.y + size.height / 2];
      if (middle[0] < x || middle[1] < y || middle[0] > x + width || middle[1] > y + height) continue;
      this.carried.push({ node, by: id, from: { ...node.position }, origin });
    }
    for (const { node } of this.carried) this.dragged.add(node.id);
  },
  onDrag() {
    for (const { node, by, from, origin } of this.carried ?? []) {
      const now = this.flow.findNode(by).position;
      node.position = { x: from.x + now.x - origin.x, y: from.y + now.y - origin.y };
    }
  },
  onDragStop() {
    this.onDrag();
    const places = {};
    const ops = [];
    for (const id of this.dragged) {
      const drawn = this.flow.findNode(id);
      if (!drawn) continue;
      const pos = [Math.round(drawn.position.x), Math.round(drawn.position.y)];
      const node = this.graph.nodes[id];
      if (isGroup(id)) this.noteGroup(id, pos, ops);
      else if (node && this.hasMoved(cornerOf(node), pos)) places[id] = [pos[0], pos[1] + rise(node)];
    }
    this.dragged = new Set();
    this.carried = [];
    if (Object.keys(places).length) ops.push({ op: "move", places });
    this.ops(...ops);
  },
  noteGroup(id, pos, ops) {
    const group = this.graph.groups[id.slice(2)];
    if (group && this.hasMoved(group.box, pos)) ops.push({ op: "group.edit", id: group.id, box: [...pos, group.box[2], group.box[3]] });
  },
  hasMoved: (before, after) => Math.round(before[0]) !== after[0] || Math.round(before[1]) !== after[1],
};
