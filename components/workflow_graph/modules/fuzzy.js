// Finding by a few letters: every word of the query must be found, the better placed the earlier.

const LONG = 80;
const BOUNDARY = /[\s/\\_.()[\]+:-]/;

// How well a word fits a text; 0 is not at all. Whole beats start, start of a word beats inside,
// and letters in order but apart count least. `lower` is the text in small letters.
function fit(word, text, lower) {
  const at = lower.indexOf(word);
  if (at === 0) return lower.length === word.length ? 100 : 80;
  if (at > 0) return startsWord(text, at) || startsAnywhere(word, text, lower, at) ? 60 : 40;
  return scattered(word, text, lower);
}

function startsWord(text, at) {
  if (BOUNDARY.test(text[at - 1])) return true;
  return /[A-Z]/.test(text[at]) && /[a-z0-9]/.test(text[at - 1]);
}

function startsAnywhere(word, text, lower, after) {
  for (let at = lower.indexOf(word, after + 1); at > 0; at = lower.indexOf(word, at + 1)) if (startsWord(text, at)) return true;
  return false;
}

// "ksad" in "KSampler (Advanced)": in order, and every gap ends at the start of a word.
function scattered(word, text, lower) {
  if (word.length < 2 || lower.length > LONG) return 0; // in long text anything can be found
  let from = 0;
  let last = -1;
  for (const letter of word) {
    let at = lower.indexOf(letter, from);
    while (at > 0 && at !== last + 1 && !startsWord(text, at)) at = lower.indexOf(letter, at + 1);
    if (at < 0) return abbreviated(word, text, lower);
    last = at;
    from = at + 1;
  }
  return 20;
}

// "ckpt" in "Load Checkpoint": in order within one word, from its start.
function abbreviated(word, text, lower) {
  if (word.length < 3) return 0;
  for (let start = lower.indexOf(word[0]); start >= 0; start = lower.indexOf(word[0], start + 1)) {
    if (start > 0 && !startsWord(text, start)) continue;
    let at = start;
    let n = 1;
    while (n < word.length && ++at < lower.length && !BOUNDARY.test(text[at])) if (lower[at] === word[n]) n += 1;
    if (n === word.length) return 10;
  }
  return 0;
}

export const wordsOf = (query) => query.toLowerCase().split(/\s+/).filter(Boolean);

// The score of a thing with several texts, each with a weight: `[["KSampler", 3], ["sampling", 1]]`.
export function score(words, texts) {
  let total = 0;
  for (const word of words) {
    let best = 0;
    for (const [text, weight] of texts) best = Math.max(best, fit(word, text, text.toLowerCase()) * weight);
    if (!best) return 0;
    total += best;
  }
  return total - Math.min(texts[0][0].length, 60) / 20; // of equals, the shorter name
}

// The things that fit, best first; equals stay in their order.
export function rank(query, things, textsOf, { limit = Infinity } = {}) {
  const words = wordsOf(query);
  if (!words.length) return things.slice(0, limit);
  const found = [];
  for (const thing of things) {
    const points = score(words, textsOf(thing));
    if (points > 0) found.push([points, thing]);
  }
  return found.sort((a, b) => b[0] - a[0]).slice(0, limit).map(([, thing]) => thing);
}
