/** Texts, numbers, dates and sizes in the reader's language. */

import { number, speaker } from "orchestrator/i18n.js";

/** `{t, n, number, when, day, bytes, backend, preset, value}` over what the component was handed. */
export function wordsOf(texts, backends, presets = []) {
  const lang = document.documentElement.lang || "en";
  const place = lang === "en" ? "en-GB" : lang;
  const { t, tn } = speaker(texts);
  const dated = new Intl.DateTimeFormat(place, { dateStyle: "medium", timeStyle: "short" });
  const days = new Intl.DateTimeFormat(place, { day: "numeric", month: "short", year: "numeric" });
  const short = new Intl.NumberFormat(place, { maximumFractionDigits: 1 });

  const spelled = (values) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        typeof value === "number" ? number(value) : value,
      ]),
    );

  return {
    t: (text, values = {}) => t(text, spelled(values)),
    n: (singular, count, values = {}) => tn(singular, count, spelled(values)),
    number,
    /** Where a picture was made, as the filter calls it. */
    backend: (image) => backends.find((one) => one.id === image.backend)?.name ?? image.backendName ?? "",
    /** The preset `{name, fields, options}` with that id; undefined for one that is gone. */
    preset: (id) => presets.find((one) => one.id === id?.split("@")[0]), // of a saved workflow: any version
    /** A value of an option. */
    value: (value) => (value === true ? t("Yes") : value === false ? t("No") : String(value)),
    when: (iso) => (iso ? dated.format(new Date(iso)) : ""),
    /** A day written `YYYY-MM-DD`, for people. */
    day: (text) => days.format(new Date(`${text}T12:00:00`)),
    bytes: (size) =>
      size < 1_000_000
        ? `${short.format(Math.max(1, Math.round(size / 1000)))} ${t("kB")}`
        : `${short.format(size / 1_000_000)} ${t("MB")}`,
  };
}
