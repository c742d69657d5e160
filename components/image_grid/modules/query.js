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

/** The filter as parameters of `/api/images`. */
export function apiParams(query) {
  const params = new URLSearchParams();
  if (query.q.trim()) params.set("q", query.q.trim());
  if (query.backend) params.set("backend", query.backend);
  for (const field of ["from", "to"]) {
    if (/^\d{4}-\d\d-\d\d$/.test(query[field])) params.set(field, query[field]);
  }
  return params;
}

/** A day as `YYYY-MM-DD`, `back` days ago. */
export function day(back = 0) {
  // The API counts days in UTC.
  return new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
}
