// The keys of the queue board, and which jobs are selected.
import { isRetryable } from "./board_rows.js";
import { isFinished } from "./jobs.js";

// The letter on a key, also where the keyboard writes another alphabet.
export function letter(event) {
  const key = event.key.toLowerCase();
  if (/^[a-z]$/.test(key)) return key;
  return /^Key([A-Z])$/.exec(event.code ?? "")?.[1].toLowerCase() ?? key;
}

export const isTyping = (target) => Boolean(target?.closest?.("input, textarea, select, [contenteditable]"));

const ARROWS = { ArrowUp: -1, ArrowDown: 1 };

// What a key means on a card or on the head of a group: a verb, or nothing.
export function verbOf(event, { job, group }) {
  if (event.key in ARROWS) {
    if (event.altKey) return job ? (ARROWS[event.key] < 0 ? "up" : "down") : null;
    if (event.shiftKey) return ARROWS[event.key] < 0 ? "extend-up" : "extend-down";
    return ARROWS[event.key] < 0 ? "previous" : "next";
  }
  const key = letter(event);
  if ((event.ctrlKey || event.metaKey) && key === "a") return "select-all";
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  return job ? ofCard(key, job) : ofGroup(key, group);
}

function ofCard(key, job) {
  const enter = job.result?.images?.length ? "view" : job.status === "created" && "run";
  return { delete: isFinished(job) ? "remove" : "cancel", r: isRetryable(job) && "retry", l: "log", " ": "select", enter }[key] || null;
}

function ofGroup(key, group) {
  const retry = group.jobs.some(isRetryable) && "retry-group";
  const cancel = group.jobs.some((job) => !isFinished(job)) && "cancel-group";
  return { delete: cancel, r: retry, c: "sheet-group", " ": "fold", enter: "fold", arrowleft: "fold", arrowright: "fold" }[key] || null;
}

// A selection among the jobs on the board: single ones, and ranges from the one picked last.
export class Selection {
  constructor() {
    this.ids = new Set();
    this.anchor = null;
  }

  toggle(id) {
    this.ids.has(id) ? this.ids.delete(id) : this.ids.add(id);
    this.anchor = id;
  }

  extend(id, keys) {
    const [a, b] = [keys.indexOf(this.anchor ?? id), keys.indexOf(id)];
    for (const key of keys.slice(Math.min(a, b), Math.max(a, b) + 1)) this.ids.add(key);
  }

  all(keys) {
    for (const key of keys) this.ids.add(key);
  }

  keep(known) {
    for (const id of this.ids) if (!known.has(id)) this.ids.delete(id);
  }

  clear() {
    this.ids.clear();
    this.anchor = null;
  }
}
