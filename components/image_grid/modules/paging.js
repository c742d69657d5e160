/**
 * A long list of pictures as it was at one moment, read page by page.
 *
 * The outline gives the total and a cursor before every page, so any page can be fetched without
 * the ones above it. Pages are plain frozen arrays, kept outside Vue's reactivity.
 */

const SETTLE_MS = 60;
const KEPT_PAGES = 40;

/** An answer of the API that is not 2xx. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail || `HTTP ${status}`);
    this.status = status;
  }
}

export async function getJson(url, { signal } = {}) {
  const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new ApiError(response.status, problem.detail);
  }
  return JSON.parse(exactSeeds(await response.text()));
}

/** Seeds go up to 2⁶⁴−1, numbers are exact only to 2⁵³: long ones become texts. */
function exactSeeds(json) {
  return json.replace(/("seed":\s*)(\d{16,})/g, '$1"$2"');
}

export class Snapshot {
  /** `onPage` is called after a page has arrived, `onError` when one could not be fetched. */
  constructor(params, { onPage = () => {}, onError = () => {} } = {}) {
    this.params = params;
    this.onPage = onPage;
    this.onError = onError;
    this.outline = null;
    this.skip = 0; // pictures at the top that came later and are not shown yet
    this.pages = new Map(); // oldest use first
    this.loading = new Map();
    this.wanted = new Set();
    this.timer = null;
    this.closed = new AbortController();
  }

  /** Read the outline; until then `total` is null. */
  async open() {
    const signal = this.closed.signal;
    const outline = await getJson(`/api/images/outline?${this.params}`, { signal });
    // Cursors travel as texts; here they are compared.
    const anchors = outline.anchors.map((anchor) => (anchor === null ? Infinity : Number(anchor)));
    this.outline = Object.freeze({ ...outline, anchors });
    return this;
  }

  get total() {
    return this.outline ? Math.max(0, this.outline.total - this.skip) : null;
  }

  /** The picture at a place of the list, null while its page is not here. */
  item(index) {
    if (!this.outline || index < 0 || index >= this.total) return null;
    const place = index + this.skip;
    const page = this.pages.get(Math.floor(place / this.outline.step));
    return page?.[place % this.outline.step] ?? null;
  }

  /** Say what is on screen: fetches what is missing, aborts what has been flown over. */
  want(first, last) {
    if (!this.outline || !this.total) return;
    const step = this.outline.step;
    const from = Math.floor((Math.max(0, first) + this.skip) / step);
    const to = Math.floor((Math.min(this.total - 1, last) + this.skip) / step);
    this.wanted = new Set();
    for (let page = from; page <= to; page += 1) this.wanted.add(page);
    for (const [page, load] of this.loading) {
      if (!load.pinned && !this.wanted.has(page)) load.control.abort();
    }
    for (const page of this.wanted) this.touch(page);
    const missing = [...this.wanted].filter((p) => !this.pages.has(p) && !this.loading.has(p));
    clearTimeout(this.timer);
    if (missing.length) this.timer = setTimeout(() => this.fetchWanted(), SETTLE_MS);
  }

  fetchWanted() {
    for (const page of this.wanted) {
      if (this.pages.has(page) || this.loading.has(page)) continue;
      this.load(page, { pinned: false }).catch((error) => {
        if (error.name !== "AbortError") this.onError(error);
      });
    }
  }

  /** Have a page, fetched if need be; a pinned one is not aborted by scrolling on. */
  load(page, { pinned = true } = {}) {
    const here = this.pages.get(page);
    if (here) return Promise.resolve(here);
    const under = this.loading.get(page);
    if (under && !under.control.signal.aborted) {
      under.pinned ||= pinned;
      return under.promise;
    }
    const control = new AbortController();
    const load = { control, pinned };
    this.loading.set(page, load);
    load.promise = this.fetchPage(page, control.signal).finally(() => {
      if (this.loading.get(page) === load) this.loading.delete(page);
    });
    return load.promise;
  }

  async fetchPage(page, signal) {
    const { step, anchors } = this.outline;
    const params = new URLSearchParams(this.params);
    params.set("limit", String(step));
    if (anchors[page] !== Infinity) params.set("cursor", String(anchors[page]));
    const both = AbortSignal.any([signal, this.closed.signal]);
    const answer = await getJson(`/api/images?${params}`, { signal: both });
    // What was deleted since the outline lets the next page spill into this one.
    const floor = anchors[page + 1] ?? -Infinity;
    const items = answer.images.filter((image) => image.cursor >= floor).map(Object.freeze);
    this.pages.set(page, Object.freeze(items));
    this.forget();
    this.onPage(page);
    return items;
  }

  touch(page) {
    const items = this.pages.get(page);
    if (!items) return;
    this.pages.delete(page);
    this.pages.set(page, items);
  }

  forget() {
    for (const page of this.pages.keys()) {
      if (this.pages.size <= KEPT_PAGES) return;
      if (!this.wanted.has(page)) this.pages.delete(page);
    }
  }

  /** Which page holds, or would hold, the picture with this cursor. */
  pageOf(cursor) {
    const { anchors } = this.outline;
    let low = 0;
    let high = anchors.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (anchors[middle] > cursor) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** How many pictures shown are newer than the cursor; null while that page is not here. */
  rankNow(cursor) {
    if (!this.outline) return null;
    if (cursor === Infinity) return 0;
    if (cursor === -Infinity || !this.outline.total) return this.total;
    const page = this.pageOf(cursor);
    const items = this.pages.get(page);
    if (!items) return null;
    const newer = items.findIndex((image) => image.cursor <= cursor);
    const within = newer < 0 ? items.length : newer;
    return Math.max(0, page * this.outline.step + within - this.skip);
  }

  /** The same, fetching the page if need be: the place of a picture in the list. */
  async rank(cursor) {
    const now = this.rankNow(cursor);
    if (now !== null || !this.outline) return now;
    await this.load(this.pageOf(cursor));
    return this.rankNow(cursor) ?? 0;
  }

  /** The picture at a place, fetched if need be. */
  async fetchItem(index) {
    if (!this.outline || index < 0 || index >= this.total) return null;
    await this.load(Math.floor((index + this.skip) / this.outline.step));
    return this.item(index);
  }

  /** Stop every request. */
  close() {
    clearTimeout(this.timer);
    this.closed.abort();
  }
}
