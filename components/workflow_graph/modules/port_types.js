// The colours of data types, and which output fits which input. The server decides; this is so
// that a link that would be refused cannot be dropped in the first place.
const KNOWN = new Set(["MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CONTROL_NET", "INT", "FLOAT", "STRING"]);
const ANY = new Set(["*", "", "ANY", "COMFY_MATCHTYPE_V3"]);
const cache = new Map();

const parts = (type) => String(type ?? "*").split(",").map((each) => each.trim().toUpperCase());
const isAny = (type) => parts(type).some((each) => ANY.has(each));

// A hue of its own for each type that has no token; the same one every time.
function hueOf(name) {
  let hash = 2166136261;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return (hash >>> 0) % 360;
}

export function typeColor(type) {
  let color = cache.get(type);
  if (!color) {
    const [first] = parts(type);
    if (KNOWN.has(first)) color = `var(--t-${first})`;
    else color = isAny(type) ? "var(--t-any)" : `oklch(var(--wg-port-l) .11 ${hueOf(first)})`;
    cache.set(type, color);
  }
  return color;
}

export function typesFit(output, input) {
  if (isAny(output) || isAny(input)) return true;
  const wanted = parts(input);
  if (parts(output).some((each) => wanted.includes(each))) return true;
  // A choice takes text where a node gives it; whether the text is one of the choices shows later.
  return [output, input].every((type) => parts(type).some((each) => each === "COMBO" || each === "STRING"));
}

export function typeName(type) {
  return isAny(type) ? "*" : parts(type).join(" / ");
}
