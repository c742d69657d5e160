/** The part of the gallery that reads the list, keeps the place in it, and takes in changes. */

import { Snapshot, getJson } from "./paging.js";
import { apiParams, isFiltered } from "./query.js";

const SYNC_MS = 250;
const PLACE_MS = 200;

export const listPart = {
  methods: {
    makeSnapshot() {
      return new Snapshot(apiParams(this.query), {
        onPage: () => this.pageArrived(),
        onError: (error) => this.fail(error),
      });
    },
    /** Read the list for the current filter, and go to the place remembered, or to the top. */
    async reopen({ place = null }) {
      this.snapshot?.close();
      const next = this.makeSnapshot();
      this.snapshot = next;
      this.ceiling = null;
      this.total = null;
      this.fresh = 0;
      this.problem = "";
      this.$refs.scroller.scrollTop = 0;
      this.tiles.resize();
      this.tiles.schedule();
      this.reading = true;
      try {
        await next.open();
        if (next !== this.snapshot) return;
        // What arrived while we were away keeps waiting, so that the columns are the same.
        if (place && next.total) next.skip = this.fresh = await next.rank(place.ceiling);
        const index = place ? await next.rank(place.cursor) : 0;
        await next.fetchItem(0);
        if (next !== this.snapshot) return;
        this.ceiling = next.item(0)?.cursor ?? 0;
        this.current = Math.min(index, Math.max(0, next.total - 1));
        this.takeTotal();
        this.tiles.resize();
        this.relayout();
        if (place) this.tiles.scrollToPlace({ index, offset: place.offset });
        this.tiles.render();
        this.showCurrent();
        this.relocateLarge();
      } catch (error) {
        this.fail(error);
      } finally {
        if (next === this.snapshot) this.reading = false;
      }
    },
    retry() {
      this.reopen({ place: this.address.read().place });
    },
    fail(error) {
      if (error.name === "AbortError") return;
      this.problem = this.t("The server did not answer. Is it still running?");
    },
    takeTotal() {
      this.problem = "";
      this.total = this.snapshot.total;
      if (!isFiltered(this.query)) this.all = this.total;
      else if (this.all === null) this.countAll();
    },
    async countAll() {
      try {
        this.all = (await getJson("/api/images/outline")).total;
      } catch {
        // Only the "of 12 480" stays away.
      }
    },
    pageArrived() {
      this.tiles.schedule();
      if (this.large) this.relocateLarge();
      if (!this.shown) this.showCurrent();
    },
    syncSoon() {
      clearTimeout(this.syncTimer);
      this.syncTimer = setTimeout(() => this.sync(), SYNC_MS);
    },
    /**
     * Read the list again without moving what is looked at: pictures newer than the newest one
     * shown wait behind the button, unless the view is at the top.
     */
    async sync({ admit = this.tiles.isAtTop && !this.large } = {}) {
      if (this.reading) return this.syncSoon();
      this.reading = true;
      const before = this.snapshot;
      const next = this.makeSnapshot();
      try {
        await next.open();
        await this.takeOver(before, next, admit);
      } catch (error) {
        next.close();
        if (before === this.snapshot) this.fail(error);
      } finally {
        this.reading = false;
      }
      return undefined;
    },
    async takeOver(before, next, admit) {
      const wasEmpty = !before.total;
      const take = admit || wasEmpty;
      const newer = await this.countNewer(next);
      const old = this.ceiling ?? 0;
      next.skip = take ? 0 : newer;
      const place = this.markPlace(before);
      const index = place && !take ? await next.rank(place.cursor) : 0;
      await this.warm(next, index);
      if (before !== this.snapshot) {
        next.close();
        return;
      }
      const focused = before.item(this.current)?.cursor;
      before.close();
      this.snapshot = next;
      if (take) {
        this.ceiling = next.item(0)?.cursor ?? this.ceiling;
        if (newer) this.tiles.welcome(old);
      }
      this.fresh = take ? 0 : newer;
      this.leaving.clear();
      this.takeTotal();
      this.current = Math.min(
        (focused === undefined ? null : next.rankNow(focused)) ?? this.current,
        Math.max(0, next.total - 1),
      );
      this.tiles.resize();
      if (wasEmpty) this.relayout();
      if (place && !take) this.tiles.scrollToPlace({ index, offset: place.offset });
      this.tiles.render();
      this.showCurrent();
      this.recount();
      this.relocateLarge();
      if (newer) this.say(this.words.n("{n} new image", newer));
    },
    /** How many pictures of the list are newer than the newest one shown. */
    async countNewer(next) {
      if (this.ceiling === null || !next.outline.total) return 0;
      return next.rank(this.ceiling);
    },
    /** Have what will be on screen, so that nothing flickers when the lists are exchanged. */
    async warm(next, index) {
      if (!next.total) return;
      const rows = this.tiles.plan
        ? Math.ceil(this.$refs.scroller.clientHeight / this.tiles.plan.row) + 2
        : 1;
      const last = Math.min(next.total - 1, index + rows * (this.tiles.plan?.columns ?? 1));
      await next.fetchItem(Math.min(index, next.total - 1));
      await next.fetchItem(last);
    },
    /** The first picture on screen that stays, and how far it is from the top. */
    markPlace(list) {
      if (!this.tiles.plan || !list.total) return null;
      const { index, offset } = this.tiles.place();
      for (let at = index; at < Math.min(list.total, index + 60); at += 1) {
        const image = list.item(at);
        if (image && !this.leaving.has(image.id)) return { cursor: image.cursor, offset };
      }
      return null;
    },
    showFresh() {
      this.$refs.scroller.scrollTop = 0;
      this.sync({ admit: true });
    },
    /** Remember where we are, so that Back returns there. */
    scrolled() {
      clearTimeout(this.placeTimer);
      this.placeTimer = setTimeout(() => {
        if (this.large || this.reading || !this.snapshot?.total) return;
        const place = this.tiles.isAtTop ? null : this.markPlace(this.snapshot);
        this.address.keepPlace(place && { ...place, ceiling: this.ceiling });
        if (this.tiles.isAtTop && this.fresh > 0) this.sync({ admit: true });
      }, PLACE_MS);
    },
    showCurrent() {
      this.shown = this.snapshot?.item(this.current) ?? null;
    },
  },
};
