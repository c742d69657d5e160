// Figures and states as people read them; `words` is the speaker of the page.
import { span, timeOfDay } from "orchestrator/time.js";

const GIB = 2 ** 30;
const units = { gigabytes: "GB", milliseconds: "ms", seconds: "s" };

// The page says once how units are called in its language.
export function nameUnits(t) {
  Object.assign(units, { gigabytes: t("GB"), milliseconds: t("ms"), seconds: t("s") });
}

export function inGigabytes(bytes) {
  return `${gigabytes(bytes)} ${units.gigabytes}`;
}

export function milliseconds(ms, digits = 0) {
  return `${ms.toFixed(digits)} ${units.milliseconds}`;
}
export const LOW_VRAM = 0.88;

export function gigabytes(bytes) {
  const value = bytes / GIB;
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

export function share(used, total) {
  return total ? Math.min(1, used / total) : 0;
}

export function duration(seconds) {
  if (seconds < 1) return milliseconds(seconds * 1000);
  return seconds < 100 ? `${seconds.toFixed(1)} ${units.seconds}` : span(seconds);
}

// "14 min", "3 h", "2 d": how long ago, short enough for a table.
export function ago(iso, now, t) {
  const seconds = Math.max(0, (now - new Date(iso)) / 1000);
  if (seconds < 60) return t("{n} s", { n: Math.round(seconds) });
  if (seconds < 5400) return t("{n} min", { n: Math.round(seconds / 60) });
  return seconds < 172800 ? t("{n} h", { n: Math.round(seconds / 3600) }) : t("{n} d", { n: Math.round(seconds / 86400) });
}

export function when(iso) {
  const at = new Date(iso);
  const language = document.documentElement.lang || "en";
  const day = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { day: "numeric", month: "short" });
  return new Date().toDateString() === at.toDateString() ? timeOfDay(iso) : `${day.format(at)}, ${timeOfDay(iso)}`;
}

export function nameOf(id, backends) {
  return backends.find((each) => each.id === id)?.name ?? id;
}

// The state of a backend: its word, icon and colour.
export function stateOf(backend) {
  if (!backend.enabled) return { word: "Disabled", icon: "slash", tone: "mut" };
  if (!backend.online) return { word: "Offline", icon: "fail", tone: "bad" };
  if (backend.circuit === "open") return { word: "Resting", icon: "pause", tone: "warn" };
  if (backend.circuit === "half_open") return { word: "Trying", icon: "hold", tone: "warn" };
  const { vramTotal: total, vramFree: free } = backend;
  if (total && free !== null && share(total - free, total) > LOW_VRAM) return { word: "Low VRAM", icon: "alert", tone: "warn" };
  if (backend.runningJobs.length) return { word: "Running", icon: "run", tone: "ok" };
  return { word: "Ready", icon: "done", tone: "ok" };
}
