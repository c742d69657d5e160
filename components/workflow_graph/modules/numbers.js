// Numbers in nodes: as people read them, as they type them, and in steps. Whole numbers beyond
// 2**53 are text on the wire, because a number of the browser cannot hold them.

const GAP = "\u2009";
const MAX_DECIMALS = 8;

export const isWhole = (spec) => spec.kind === "int";

export function decimalsOf(value) {
  const text = String(value ?? "");
  const small = /e-(\d+)$/.exec(text);
  if (small) return Math.min(MAX_DECIMALS, Number(small[1]));
  return Math.min(MAX_DECIMALS, text.split(".")[1]?.length ?? 0);
}

// As it is shown while nobody types: 12 480, and 6.0 where the step says tenths.
export function pretty(value, spec) {
  if (value === null || value === undefined || value === "") return "";
  if (isWhole(spec) || !isFinite(value)) return grouped(String(value));
  const decimals = Math.max(decimalsOf(spec.step ?? 0.01), decimalsOf(value));
  return Number(value).toFixed(Math.max(1, Math.min(decimals, MAX_DECIMALS)));
}

function grouped(text) {
  return text.replace(/\d+/, (digits) => (digits.length > 4 ? digits.replace(/\B(?=(\d{3})+$)/g, GAP) : digits));
}

// What was typed, as the wire wants it; null where it is no such number.
export function parse(text, spec) {
  const plain = text.replace(/[\s\u2009\u00a0_]/g, "").replace(",", ".");
  if (isWhole(spec)) return /^[-+]?\d+$/.test(plain) ? ofBig(BigInt(plain)) : null;
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain)) return null;
  const value = Number(plain);
  return isFinite(value) ? value : null;
}

const ofBig = (big) => (big >= Number.MIN_SAFE_INTEGER && big <= Number.MAX_SAFE_INTEGER ? Number(big) : String(big));

// The limit of a spec as a BigInt. Beyond 2**53 JSON rounds 2**64 - 1 up to 2**64.
function bound(limit) {
  if (typeof limit === "string") return BigInt(limit);
  const big = BigInt(Math.trunc(limit));
  return Number.isSafeInteger(limit) ? big : big > 0n ? big - 1n : big;
}

// Some files keep 20.0 where a whole number belongs.
const whole = (value) => BigInt(typeof value === "number" ? Math.round(value) : value);
const has = (limit) => limit !== null && limit !== undefined;

export function clamp(value, spec) {
  if (isWhole(spec)) {
    let big = whole(value);
    if (has(spec.max) && big > bound(spec.max)) big = bound(spec.max);
    if (has(spec.min) && big < bound(spec.min)) big = bound(spec.min);
    return ofBig(big);
  }
  return Math.max(has(spec.min) ? spec.min : -Infinity, Math.min(has(spec.max) ? spec.max : Infinity, value));
}

export function isOutside(value, spec) {
  try {
    const [number, limited] = isWhole(spec) ? [whole(value), BigInt(clamp(value, spec))] : [Number(value), clamp(Number(value), spec)];
    return number < limited || number > limited;
  } catch {
    return false; // no number at all, which is another mistake
  }
}

// The value some steps away, within its limits, without the dust of binary fractions.
export function stepped(value, steps, spec) {
  if (isWhole(spec)) {
    const step = BigInt(Math.max(1, Math.trunc(spec.step ?? 1)));
    return clamp(whole(value ?? 0) + step * BigInt(Math.trunc(steps)), spec);
  }
  const step = spec.step || 0.01;
  const decimals = Math.max(decimalsOf(step), decimalsOf(value));
  return clamp(Number((Number(value ?? 0) + step * steps).toFixed(decimals)), spec);
}

// A number by chance for a seed, never beyond what a number of the browser can hold.
export function rolled(spec) {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  const max = has(spec.max) ? Math.min(Number(spec.max), 2 ** 50) : 2 ** 50;
  const min = has(spec.min) ? Math.max(Number(spec.min), 0) : 0;
  const chance = (high * 2 ** 20 + (low >>> 12)) / 2 ** 52;
  return min + Math.floor(chance * (max - min));
}
