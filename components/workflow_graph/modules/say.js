// The words of the graph for every part of it: the component calls `learn(texts)` once, its parts
// take `t` and `tn` as methods. One page speaks one language, so this needs no passing down.
import { speaker } from "orchestrator/i18n.js";

let spoken = speaker({});

export function learn(texts) {
  spoken = speaker(texts ?? {});
}

export const t = (message, params) => spoken.t(message, params);
export const tn = (message, n, params) => spoken.tn(message, n, params);
