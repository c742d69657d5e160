/**
 * The address of the gallery: `/canvas?…` and `/canvas/<id>?…`, kept in the browser's history.
 *
 * The server rebuilds the page when it hears of an address, so moves inside the gallery are kept
 * from it: the page stays, nothing is read again, Back returns to the very same place.
 */

import { readQuery, writeQuery } from "./query.js";

const BASE = "/canvas";

export class Address {
  constructor({ onChange }) {
    this.onChange = onChange;
    this.onPop = (event) => {
      if (!this.isInside(location.pathname)) return;
      event.stopImmediatePropagation();
      this.onChange(this.read());
    };
    this.onClick = (event) => this.follow(event);
    window.addEventListener("popstate", this.onPop, { capture: true });
    document.addEventListener("click", this.onClick, { capture: true });
  }

  close() {
    window.removeEventListener("popstate", this.onPop, { capture: true });
    document.removeEventListener("click", this.onClick, { capture: true });
  }

  get prefix() {
    return window.path_prefix || "";
  }

  isInside(pathname) {
    const path = pathname.slice(this.prefix.length).replace(/\/$/, "");
    return path === BASE || /^\/canvas\/[^/]+$/.test(path);
  }

  /** `{query, imageId, place}` of where we are. */
  read() {
    const { pathname, search } = location;
    return { ...this.parse(pathname.slice(this.prefix.length), search), place: history.state?.oPlace ?? null };
  }

  /**
   * The same of where the page was opened, `/canvas…`: after a move inside the app the browser
   * gets its new address only when the page is there already.
   */
  readStart(page) {
    if (this.isInside(location.pathname)) return this.read();
    const { pathname, search } = new URL(page, location.origin);
    return { ...this.parse(pathname, search), place: null };
  }

  parse(pathname, search) {
    const path = pathname.replace(/\/$/, "");
    const imageId = path === BASE ? null : decodeURIComponent(path.slice(BASE.length + 1));
    return { query: readQuery(search), imageId };
  }

  path(query, imageId) {
    return BASE + (imageId ? `/${encodeURIComponent(imageId)}` : "") + writeQuery(query);
  }

  push(query, imageId, state = {}) {
    const page = this.path(query, imageId);
    history.pushState({ page, ...state }, "", this.prefix + page);
  }

  replace(query, imageId, state = {}) {
    const page = this.path(query, imageId);
    history.replaceState({ ...history.state, page, ...state }, "", this.prefix + page);
  }

  /** Whether Back closes the lightbox, because opening it made this entry. */
  get openedHere() {
    return Boolean(history.state?.oOpened);
  }

  /** Remember the place in the list with this entry of the history. */
  keepPlace(place) {
    history.replaceState({ ...history.state, oPlace: place }, "");
  }

  /** A link to the gallery, clicked while it is shown, changes the filter or the picture only. */
  follow(event) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button) return;
    const link = event.target.closest?.("a[href]");
    if (!link || link.target === "_blank" || link.hasAttribute("download")) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || !this.isInside(url.pathname)) return;
    event.preventDefault();
    event.stopPropagation();
    const page = url.pathname.slice(this.prefix.length) + url.search;
    history.pushState({ page }, "", this.prefix + page);
    this.onChange(this.read());
  }
}
