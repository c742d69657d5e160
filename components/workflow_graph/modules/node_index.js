// Every node class the backends have, for the palette and for quick add: read once per page, and
// again when `refresh` is called because backends have changed.
import { reactive, shallowRef } from "vue";
import { rank } from "./fuzzy.js";
import { typesFit } from "./port_types.js";
import { t } from "./say.js";

const KEY = "o-recent-nodes";
const RECENT = 6;
// What no server has, because it only exists while drawing.
const DRAWN = [
  { class: "Note", name: "Note", category: "utils", inputs: [], widgets: [], outputs: [] },
  { class: "MarkdownNote", name: "Markdown note", category: "utils", inputs: [], widgets: [], outputs: [] },
  { class: "Reroute", name: "Reroute", category: "utils", inputs: ["*"], widgets: [], outputs: ["*"] },
  { class: "PrimitiveNode", name: "Primitive", category: "utils", inputs: [], widgets: [], outputs: ["*"] },
];
const FIRST = ["CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "KSampler", "VAEDecode", "SaveImage", "LoadImage", "LoraLoader"];

const USUAL = new Set(FIRST);
const DRAWN_ONLY = new Set(DRAWN.map((one) => one.class));

export const DRAG_TYPE = "application/x-orchestrator-node";

export const index = reactive({ state: "empty", total: 0, backends: 0, recent: stored(), problem: "" });
const classes = shallowRef([]);
const byClass = shallowRef(new Map());
let asking = null;

function stored() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(0, RECENT) : [];
  } catch {
    return [];
  }
}

// The browser keeps the answer and only asks whether it is still right.
export function refresh() {
  asking ??= read().finally(() => (asking = null));
  return asking;
}

async function read() {
  if (index.state === "empty") index.state = "reading";
  try {
    const answer = await fetch("/api/nodes");
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail);
    const told = await answer.json();
    const named = DRAWN.map((one) => ({ ...one, name: t(one.name), backends: null }));
    classes.value = Object.freeze([...told.nodes, ...named]);
    byClass.value = new Map(classes.value.map((one) => [one.class, one]));
    Object.assign(index, { state: "ready", total: told.nodes.length, backends: told.backends, problem: "" });
  } catch (error) {
    Object.assign(index, { state: classes.value.length ? "ready" : "failed", problem: error.message ?? "" });
  }
}

export const allClasses = () => classes.value;
export const classOf = (name) => byClass.value.get(name);

export function recentClasses() {
  return index.recent.map(classOf).filter(Boolean);
}

export function firstClasses() {
  return FIRST.map(classOf).filter(Boolean);
}

export function remember(name) {
  index.recent = [name, ...index.recent.filter((one) => one !== name)].slice(0, RECENT);
  localStorage.setItem(KEY, JSON.stringify(index.recent));
}

const textsOf = (one) => [[one.name, 4], [one.class, 3], [one.category, 1]];

// The classes that fit the words, best first; the usual ones a little before, old ones behind.
export function find(query, { among = classes.value, limit = 60 } = {}) {
  const bonus = (one) => (USUAL.has(one.class) || index.recent.includes(one.class) ? 6 : 0) - (one.deprecated ? 30 : 0) - (DRAWN_ONLY.has(one.class) ? 3 : 0);
  return rank(query, among, textsOf, { limit: limit * 2 })
    .map((one, n) => [n - bonus(one), one])
    .sort((a, b) => a[0] - b[0])
    .slice(0, limit)
    .map(([, one]) => one);
}

// The classes that a link of that type can go to ("out": it comes from an output) or come from.
// Those with a socket of just that type first, then the recent ones, then those that take anything.
export function fitting(type, side) {
  const recent = new Set(index.recent);
  const points = (one) => {
    const offered = side === "out" ? one.inputs : one.outputs;
    const exact = offered.some((each) => each === type);
    const loose = exact || offered.some((each) => each !== "*" && typesFit(...(side === "out" ? [type, each] : [each, type])));
    const value = side === "out" && one.widgets.some((each) => typesFit(type, each));
    const any = offered.includes("*");
    if (!loose && !value && !any) return 0;
    const fit = exact ? 40 : loose ? 30 : value ? 20 : 10;
    return fit + (recent.has(one.class) ? 5 : 0) + (USUAL.has(one.class) ? 4 : 0) - (one.deprecated ? 15 : 0) - (one.experimental ? 2 : 0) - (one.paid ? 3 : 0);
  };
  return classes.value.map((one) => [points(one), one]).filter(([n]) => n > 0).sort((a, b) => b[0] - a[0]).map(([, one]) => one);
}

// Categories as a tree of `{name, path, folders, classes, count}`, in the order of the alphabet.
export function categories() {
  const root = { path: "", folders: new Map(), classes: [], count: 0 };
  for (const one of classes.value) {
    let at = root;
    for (const name of (one.category || t("Other")).split("/")) {
      const path = at.path ? `${at.path}/${name}` : name;
      if (!at.folders.has(name)) at.folders.set(name, { name, path, folders: new Map(), classes: [], count: 0 });
      at = at.folders.get(name);
      at.count += 1;
    }
    at.classes.push(one);
  }
  return root;
}

export const inOrder = (folders) => [...folders.values()].sort((a, b) => a.name.localeCompare(b.name));
