// The text of a note as elements: headings, lists, rules, bold, code and links of Markdown, nothing
// else. It comes from strangers' files, so it only ever becomes text, and links go to the web only.
import { h } from "vue";

const MAX_LINES = 2000;
const BLOCK = /^(#{1,6})\s+(.*)$|^\s*(?:[-*+]|\d+[.)])\s+(.*)$|^\s*([-*_])(?:\s*\4){2,}\s*$/;
const FENCE = /^\s*(```|~~~)/;
const INLINE = /\*\*(.+?)\*\*|`([^`]+)`|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>)\]"']+)/g;

function link(href, text) {
  return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href, class: "nodrag" }, text);
}

function inline(text) {
  const parts = [];
  let from = 0;
  for (const hit of text.matchAll(INLINE)) {
    if (hit.index > from) parts.push(text.slice(from, hit.index));
    if (hit[1]) parts.push(h("b", hit[1]));
    else if (hit[2]) parts.push(h("code", hit[2]));
    else if (hit[3]) parts.push(link(hit[4], hit[3]));
    else parts.push(link(hit[5], hit[5]));
    from = hit.index + hit[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function line(text) {
  const [, hashes, heading, item, rule] = BLOCK.exec(text) ?? [];
  if (hashes) return h(`h${Math.min(hashes.length, 3)}`, inline(heading));
  if (item !== undefined) return h("li", inline(item));
  if (rule) return h("hr");
  return [...inline(text), "\n"];
}

// Between fences everything is as it is written.
export function marked(text) {
  const parts = [];
  let fenced = null;
  for (const each of text.split("\n").slice(0, MAX_LINES)) {
    if (FENCE.test(each)) {
      if (fenced) parts.push(h("pre", fenced.join("\n")));
      fenced = fenced ? null : [];
    } else if (fenced) fenced.push(each);
    else parts.push(line(each));
  }
  if (fenced?.length) parts.push(h("pre", fenced.join("\n")));
  return parts.flat();
}

export const plain = (text) => [text];
