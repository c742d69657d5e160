/** What the gallery shows, as the address bar says it and as the API wants it. */

export const FIELDS = ["q", "backend", "from", "to"];

/** The filter of an address: `{q, backend, from, to}`, empty strings for what is not set. */
export function readQuery(search) {
  const given = new URLSearchParams(search);
  return Object.fromEntries(FIELDS.map((field) => [field, given.get(field) ?? ""]));
}

/** The filter as the tail of an address, `""` when nothing is set. */
export function writeQuery(query) {
  const params = new URLSearchParams();
  for (const field of FIELDS) if (query[field]) params.set(field, query[field]);
  const text = params.toString();
  return text ? `?${text}` : "";
}

export function isFiltered(query) {
  return FIELDS.some((field) => Boolean(query[field]));
}

/** The filter as parameters of `/api/images`: whole local days become instants. */
export function apiParams(query) {
  const params = new URLSearchParams();
  if (query.q.trim()) params.set("q", query.q.trim());
  if (query.backend) params.set("backend", query.backend);
  const from = instant(query.from, 0);
  const to = instant(query.to, 1);
  if (from) params.set("from", from);
  if (to) params.set("to", to);
  return params;
}

/** Midnight at the start (`plus` 0) or the end (`plus` 1) of a day written `YYYY-MM-DD`. */
function instant(day, plus) {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (!parts) return null;
  const date = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + plus);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** A day as `YYYY-MM-DD`, `back` days ago, by the reader's own clock. */
export function day(back = 0) {
  const date = new Date();
  date.setDate(date.getDate() - back);
  const two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
