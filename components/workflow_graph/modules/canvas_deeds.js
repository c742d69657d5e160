// What can be done to the nodes that are selected, by key, menu or button.
import { isBoundary } from "orchestrator-graph/graph_state.js";
import { t } from "orchestrator-graph/say.js";

const MARGIN_PX = 16;
const HEAD_PX = 28;
const APART_PX = 32;
const NUDGE_MS = 300;
const MARK = "orchestrator-fragment";
const isTyping = (element) => element?.closest?.("input, textarea, select, [contenteditable=true]");

export const deedMethods = {
  // Nodes that can be changed: all that are selected but the ends of a subgraph.
  mine() {
    return this.selected.value.filter((id) => !isBoundary(id));
  },
  remove() {
    const ids = this.mine();
    const groups = this.flow.getSelectedNodes.value.filter((node) => node.type === "group").map((node) => this.graph.groups[node.id.slice(2)]?.id);
    const links = this.flow.getSelectedEdges.value.map((edge) => Number(edge.id));
    const ops = [];
    if (links.length && !ids.length) ops.push({ op: "disconnect", links });
    if (ids.length) ops.push({ op: "remove", ids });
    if (groups.length) ops.push({ op: "group.remove", ids: groups });
    this.ops(...ops);
    this.focus();
  },
  // The same key again takes it back, as in ComfyUI.
  setMode(mode) {
    const ids = this.mine();
    if (!ids.length) return false;
    const isSet = ids.every((id) => this.graph.nodes[id].mode === mode);
    this.ops({ op: "mode", ids, mode: isSet ? "active" : mode });
    return true;
  },
  collapse() {
    const ids = this.mine();
    if (ids.length) this.ops({ op: "collapse", ids, collapsed: !ids.every((id) => this.graph.nodes[id].collapsed) });
  },
  arrange() {
    const ids = this.mine();
    this.ops({ op: "arrange", ...(ids.length > 1 ? { ids } : {}) });
  },
  align(edge) {
    const ids = this.mine();
    if (ids.length > 1) this.ops({ op: "align", ids, edge });
  },
  color(color) {
    const ids = this.mine();
    if (ids.length) this.ops({ op: "color", ids, color });
  },
  group() {
    const box = this.boxAround(this.selected.value);
    if (!box) return false;
    this.ops({ op: "group.add", title: t("Group"), box });
    return true;
  },
  boxAround(ids) {
    const drawn = ids.map((id) => this.flow.findNode(id)).filter(Boolean);
    if (!drawn.length) return null;
    const left = Math.min(...drawn.map((node) => node.position.x)) - MARGIN_PX;
    const top = Math.min(...drawn.map((node) => node.position.y)) - MARGIN_PX - HEAD_PX;
    const right = Math.max(...drawn.map((node) => node.position.x + node.dimensions.width)) + MARGIN_PX;
    const bottom = Math.max(...drawn.map((node) => node.position.y + node.dimensions.height)) + MARGIN_PX;
    return [left, top, right - left, bottom - top].map(Math.round);
  },
  makeSubgraph() {
    const ids = this.mine();
    if (!ids.length) return;
    this.awaiting = true;
    this.ops({ op: "subgraph.make", ids, name: t("Subgraph") });
  },
  unpack() {
    for (const id of this.mine()) if (this.graph.nodes[id].kind === "subgraph") this.ops({ op: "subgraph.unpack", id });
  },
  expose(node, name, exposed) {
    const widget = node.widgets.find((each) => each.name === name);
    if (exposed) this.ops({ op: "expose", id: node.id, name });
    else this.ops({ op: "unexpose", name: typeof widget?.exposed === "string" ? widget.exposed : name });
  },
  selectAll() {
    this.choose(this.flow.nodes.value.map((node) => node.id));
  },
  duplicate() {
    const ids = this.mine();
    if (!ids.length || this.graph.readonly) return;
    this.duplicating = ids;
    this.$emit("copy", { path: this.graph.path, ids });
  },
  // Copies are made by the server, which knows all of a node; it answers with a fragment.
  copy() {
    const ids = this.mine();
    if (ids.length) this.$emit("copy", { path: this.graph.path, ids });
    return ids.length > 0;
  },
  cut() {
    if (this.copy()) this.remove();
  },
  paste(fragment = this.fragment) {
    if (!fragment || this.graph.readonly) return;
    const pos = this.pointer ? this.toGraph(this.pointer) : this.freePlace();
    this.pasteAt(fragment, pos);
  },
  pasteAt(fragment, pos) {
    this.awaiting = true;
    this.ops({ op: "paste", fragment, pos });
  },
  pasteBeside(fragment) {
    const places = this.duplicating.map((id) => this.graph.nodes[id]?.pos).filter(Boolean);
    this.duplicating = null;
    if (places.length) this.pasteAt(fragment, [0, 1].map((axis) => Math.min(...places.map((pos) => pos[axis])) + APART_PX));
  },
  onClipboard(event) {
    if (!this.$refs.stage?.contains(document.activeElement) || isTyping(document.activeElement)) return;
    if (event.type === "paste") {
      const fragment = readFragment(event.clipboardData?.getData("text/plain"));
      if (!fragment && isFile(event.clipboardData)) return; // a workflow of its own: not for here
      event.preventDefault();
      this.paste(fragment ?? undefined);
    } else if (this.mine().length && !String(getSelection() ?? "")) {
      event.preventDefault();
      if (event.type === "cut" && !this.graph.readonly) this.cut();
      else this.copy();
    }
  },
  // Arrow keys: what they add up to is sent once they rest.
  nudge(dx, dy) {
    const chosen = this.flow.getSelectedNodes.value;
    if (!chosen.length || this.graph.readonly) return false;
    if (this.nudged === null) this.takeHold(chosen);
    for (const node of chosen) node.position = { x: node.position.x + dx, y: node.position.y + dy };
    this.onDrag();
    clearTimeout(this.nudged);
    this.nudged = setTimeout(this.flushNudge, NUDGE_MS);
    return true;
  },
  flushNudge() {
    if (this.nudged === null) return;
    clearTimeout(this.nudged);
    this.nudged = null;
    this.onDragStop();
  },
};

function isFile(data) {
  return data?.files.length > 0 || Boolean(data?.getData("text/plain").trimStart().startsWith("{"));
}

function readFragment(text) {
  if (!text?.includes(MARK)) return null;
  try {
    const { [MARK]: mark, ...fragment } = JSON.parse(text);
    return mark ? fragment : null;
  } catch {
    return null;
  }
}
