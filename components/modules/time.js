// Times for people. `clock.now` moves once a second, while somebody watches it and the server is
// there: what a job has done since it went away nobody knows.
import { reactive } from "vue";
import { connection } from "./connection.js";

export const clock = reactive({ now: Date.now() });
let watchers = 0;
let timer = null;

export function watchClock() {
  tick();
  watchers += 1;
  timer ??= setInterval(tick, 1000);
  return () => {
    watchers -= 1;
    if (watchers === 0) {
      clearInterval(timer);
      timer = null;
    }
  };
}

function tick() {
  if (connection.live) clock.now = Date.now();
}

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function timeOfDay(iso) {
  const language = document.documentElement.lang || "en";
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { hour: "2-digit", minute: "2-digit" }).format(new Date(iso));
}

// A line of a log, which begins with its moment in UTC, by the clock of whoever reads it.
export function logLine(line) {
  const day = (at) => (at.toDateString() === new Date().toDateString() ? "" : `${at.toLocaleDateString("sv")} `);
  return line.replace(/^\S+Z(?= )/, (iso) => day(new Date(iso)) + new Date(iso).toLocaleTimeString("sv"));
}

export function secondsBetween(from, to) {
  return (new Date(to) - new Date(from)) / 1000;
}
