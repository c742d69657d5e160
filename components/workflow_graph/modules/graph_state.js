// What the canvas knows: one level of the workflow as the server last said it, and what is said of
// it (findings, run, marks). Node and link objects are replaced, never changed, so that only the
// nodes concerned are drawn anew.
import { computed, reactive, shallowReactive } from "vue";
import { typesFit } from "orchestrator-graph/port_types.js";

export const ENTRY = "-10";
export const EXIT = "-20";
export const isBoundary = (id) => id === ENTRY || id === EXIT;

export function createGraph() {
  const links = shallowReactive({});
  return reactive({
    rev: -1,
    path: "",
    crumbs: [],
    nodes: shallowReactive({}),
    links,
    ends: computed(() => endsOf(links)), // found once per change, asked by every port
    groups: shallowReactive({}),
    specs: shallowReactive({}),
    findings: shallowReactive({}),
    run: shallowReactive({ state: null, nodes: shallowReactive({}) }),
    marks: shallowReactive({}),
    canUndo: false,
    canRedo: false,
    dirty: false,
    readonly: false,
    light: false, // far away: heads and ports only
    connecting: null, // {node, index, side, type} while a link is being drawn
    lifted: null, // the link whose end is being moved
    renaming: null,
    loaded: false,
  });
}

const byId = (groups) => Object.fromEntries(groups.map((group) => [String(group.id), group]));

function replaceAll(target, source) {
  for (const key of Object.keys(target)) if (!(key in source)) delete target[key];
  Object.assign(target, source);
}

const noted = (graph, message) => {
  for (const key of ["canUndo", "canRedo", "dirty"]) if (key in message) graph[key] = message[key];
};

export function takeView(graph, view) {
  graph.rev = view.rev;
  graph.path = view.path ?? "";
  graph.crumbs = view.crumbs ?? [];
  replaceAll(graph.specs, view.specs ?? {});
  replaceAll(graph.nodes, view.nodes ?? {});
  replaceAll(graph.links, view.links ?? {});
  replaceAll(graph.groups, byId(view.groups ?? []));
  noted(graph, view);
  graph.loaded = true;
}

// Returns what changed, for the drawing; null where the patch is of another level or too old.
export function takePatch(graph, patch) {
  if ((patch.path ?? "") !== graph.path || patch.rev < graph.rev) return null;
  graph.rev = patch.rev;
  noted(graph, patch);
  if (patch.crumbs) graph.crumbs = patch.crumbs;
  Object.assign(graph.specs, patch.specs ?? {});
  for (const kind of ["nodes", "links"]) {
    for (const [id, value] of Object.entries(patch[kind] ?? {})) {
      if (value === null) delete graph[kind][id];
      else graph[kind][id] = value;
    }
  }
  if (patch.groups) replaceAll(graph.groups, byId(patch.groups));
  return { nodes: patch.nodes ?? {}, links: patch.links ?? {}, groups: Boolean(patch.groups) };
}

function endsOf(links) {
  const into = new Map();
  const outOf = new Set();
  for (const link of Object.values(links)) {
    into.set(link.to.join(), link);
    outOf.add(link.from.join());
  }
  return { into, outOf };
}

export const linkInto = (graph, node, index) => graph.ends.into.get(`${node},${index}`) ?? null;
export const isSource = (graph, node, index) => graph.ends.outOf.has(`${node},${index}`);

export const socketOf = (graph, node, side, index) =>
  graph.nodes[node]?.[side === "in" ? "inputs" : "outputs"]?.find((socket) => socket.index === index);

// "in-3" and "out-0", as the handles are called.
export const handleOf = (side, index) => `${side}-${index}`;
export function readHandle(handle) {
  const [side, index] = String(handle).split("-");
  return { side, index: Number(index) };
}

export function mayConnect(graph, { source, sourceHandle, target, targetHandle }) {
  if (!source || !target || source === target || graph.readonly) return false;
  const output = socketOf(graph, source, "out", readHandle(sourceHandle).index);
  const input = socketOf(graph, target, "in", readHandle(targetHandle).index);
  return Boolean(output && input && typesFit(output.type, input.type) && !reaches(graph, target, source));
}

// Whether something flows from one node to another: a link back would make a circle.
export function reaches(graph, from, to) {
  const next = new Map();
  for (const link of Object.values(graph.links)) {
    if (isBoundary(link.from[0]) || isBoundary(link.to[0])) continue;
    if (!next.has(link.from[0])) next.set(link.from[0], []);
    next.get(link.from[0]).push(link.to[0]);
  }
  const open = [from];
  const seen = new Set(open);
  while (open.length) {
    const id = open.pop();
    if (id === to) return true;
    for (const each of next.get(id) ?? []) {
      if (!seen.has(each)) {
        seen.add(each);
        open.push(each);
      }
    }
  }
  return false;
}

// Where on a node a link that was dropped on it could end: what is free first, then the first.
export function placeFor(graph, from, nodeId) {
  const node = graph.nodes[nodeId];
  if (!node || nodeId === from.node) return null;
  if (from.side === "out") {
    const fitting = node.inputs.filter((input) => typesFit(from.type, input.type));
    const free = fitting.find((input) => !input.widget && !linkInto(graph, nodeId, input.index));
    const input = free ?? fitting.find((each) => !each.widget) ?? fitting[0];
    return input ? { from: [from.node, from.index], to: [nodeId, input.name] } : null;
  }
  const output = node.outputs.find((each) => typesFit(each.type, from.type));
  return output ? { from: [nodeId, output.index], to: [from.node, from.name] } : null;
}

// Strongest first: a node with an error and a hint shows the error.
export function worstOf(findings) {
  const order = ["error", "warning", "info"];
  return order.find((severity) => findings?.some((finding) => finding.severity === severity)) ?? null;
}
