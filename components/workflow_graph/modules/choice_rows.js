// The rows of a list of choices: files in folders as a tree, everything else, or what a search
// finds, as it is.
import { rank } from "./fuzzy.js";

const MODEL_FILE = /\.(safetensors|sft|ckpt|pth?|bin|gguf)$/i;

export const textOf = (choice) => (typeof choice === "string" ? choice : JSON.stringify(choice));

const sets = new WeakMap(); // lists are long, and many nodes have the same one

// Whether a value is one of the choices, however its folders are separated.
export function isAmong(choices, value) {
  if (!sets.has(choices)) sets.set(choices, new Set(choices.map(withSlashes)));
  return sets.get(choices).has(withSlashes(value));
}

const withSlashes = (choice) => textOf(choice).replaceAll("\\", "/");

const partsOf = (choice) => textOf(choice).split(/[\\/]/);

// "juggernautXL_v9" of "sdxl/juggernautXL_v9.safetensors".
export function shortOf(choice) {
  if (choice === null || choice === undefined) return "";
  return (partsOf(choice).at(-1) || textOf(choice)).replace(MODEL_FILE, "");
}

export const folderOf = (choice) => partsOf(choice).slice(0, -1).join("/");

// Slashes of dates and fractions are no folders; those before the name of a file are.
const hasFolders = (choices) => choices.some((choice) => typeof choice === "string" && /[\\/]/.test(choice) && /\.\w{2,11}$/.test(choice));

export function rowsOf(choices, { query, open }) {
  if (query.trim()) return rank(query, choices, (choice) => [[shortOf(choice), 3], [textOf(choice), 1]]).map((choice) => choiceRow(choice, 0, true));
  return hasFolders(choices) ? treeOf(choices, open) : choices.map((choice) => choiceRow(choice, 0, false));
}

function choiceRow(choice, depth, isFound) {
  return { key: `c:${textOf(choice)}`, choice, text: isFound ? shortOf(choice) : textOf(choice), folder: isFound ? folderOf(choice) : "", depth };
}

function treeOf(choices, open) {
  const root = { folders: new Map(), files: [], path: "", count: 0 };
  for (const choice of choices) {
    let at = root;
    for (const name of partsOf(choice).slice(0, -1)) {
      const path = at.path ? `${at.path}/${name}` : name;
      if (!at.folders.has(name)) at.folders.set(name, { folders: new Map(), files: [], path, name, count: 0 });
      at = at.folders.get(name);
      at.count += 1;
    }
    at.files.push(choice);
  }
  const rows = [];
  addRows(root, { rows, depth: 0, open });
  return rows;
}

function addRows(folder, { rows, depth, open }) {
  for (const inner of folder.folders.values()) {
    const isOpen = open.has(inner.path);
    rows.push({ key: `f:${inner.path}`, path: inner.path, text: inner.name, count: inner.count, isOpen, depth });
    if (isOpen) addRows(inner, { rows, depth: depth + 1, open });
  }
  for (const choice of folder.files) rows.push({ ...choiceRow(choice, depth, false), text: partsOf(choice).at(-1) });
}

// The folders to open so that a choice is seen.
export function foldersAbove(choice) {
  const names = partsOf(choice ?? "").slice(0, -1);
  return names.map((_, n) => names.slice(0, n + 1).join("/"));
}
