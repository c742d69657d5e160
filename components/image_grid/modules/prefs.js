/** What a reader likes in the gallery, remembered in this browser. */

const KEY = "orchestrator.canvas";
const DEFAULTS = { view: "grid", size: 190, contain: false, info: true, details: true };

export function loadPrefs() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const known = Object.entries(DEFAULTS).map(([name, value]) => [
      name,
      typeof kept[name] === typeof value ? kept[name] : value,
    ]);
    return Object.fromEntries(known);
  } catch {
    return { ...DEFAULTS };
  }
}

export function savePrefs(prefs) {
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // Private windows may refuse; the choice then lasts until the page goes.
  }
}
