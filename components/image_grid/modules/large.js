/** The part of the gallery that shows one picture large and steps through the list. */

import { REACH } from "orchestrator-lightbox/lightbox.js";
import { getJson } from "./paging.js";

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

export const lightboxPart = {
  methods: {
    openAt(index) {
      const image = this.snapshot?.item(index);
      if (!image) return;
      this.current = index;
      this.address.push(this.query, image.id, { oOpened: true });
      this.showLarge(image, index);
    },
    /** A deep link, Back or Forward: the picture may be far down, or gone. */
    async openById(id) {
      if (this.large?.image?.id === id) return;
      const here = this.findOnScreen(id);
      if (here) {
        this.showLarge(here.image, here.index);
        return;
      }
      this.large = { image: null, index: null, near: [], problem: "", id };
      if (!UUID.test(id)) {
        this.large.problem = this.t("There is no picture at this address.");
        return;
      }
      try {
        const image = await getJson(`/api/images/${encodeURIComponent(id)}`);
        if (this.large?.id !== id) return;
        if (image.deletedAt) this.large = { ...this.large, problem: this.t("This picture was deleted.") };
        else this.showLarge(Object.freeze(image), null);
      } catch (error) {
        if (this.large?.id !== id) return;
        const problem = error.status === 404
          ? this.t("There is no picture at this address.")
          : this.t("The server did not answer. Is it still running?");
        this.large = { ...this.large, problem };
      }
    },
    findOnScreen(id) {
      for (const row of this.tiles.rows.values()) {
        for (const cell of row.children) {
          if (!cell.hidden && cell.image?.id === id) return { image: cell.image, index: cell.index };
        }
      }
      return null;
    },
    showLarge(image, index) {
      this.large = { image, index, near: this.nearOf(index), problem: "", id: image.id };
      this.relocateLarge();
    },
    nearOf(index) {
      if (index === null || !this.snapshot?.total) return [];
      const from = Math.max(0, Math.min(index - REACH, this.snapshot.total - 2 * REACH - 1));
      const to = Math.min(this.snapshot.total - 1, from + 2 * REACH);
      this.snapshot.want(from, to);
      const near = [];
      for (let at = from; at <= to; at += 1) near.push({ index: at, image: this.snapshot.item(at) });
      return near;
    },
    /** Find the place of the picture shown in the list as it is now. */
    async relocateLarge() {
      const image = this.large?.image;
      const list = this.snapshot;
      if (!image || !list?.outline || !list.total) return;
      const index = await list.rank(image.cursor).catch(() => null);
      if (this.large?.image !== image || list !== this.snapshot || index === null) return;
      if (list.item(index)?.id !== image.id) {
        // Not among what the filter shows, or newer than it: shown without a place.
        this.large = { ...this.large, index: null, near: [] };
        return;
      }
      this.large = { ...this.large, index, near: this.nearOf(index) };
      if (this.current === index) return;
      this.current = index;
      this.tiles.reveal(index);
      this.tiles.schedule();
    },
    stepLarge(step) {
      if (this.large?.index === null || this.large?.index === undefined) return;
      this.gotoLarge(this.large.index + step);
    },
    async gotoLarge(index) {
      const list = this.snapshot;
      if (index < 0 || index >= list.total) return;
      this.wantedLarge = index;
      const image = list.item(index) ?? (await list.fetchItem(index).catch(() => null));
      if (!image || !this.large || this.wantedLarge !== index) return;
      this.address.replace(this.query, image.id);
      this.showLarge(image, index);
    },
    closeLarge() {
      if (this.address.openedHere) {
        history.back();
        return;
      }
      this.address.replace(this.query, null);
      this.dropLarge();
    },
    dropLarge() {
      this.large = null;
      this.$nextTick(() => this.focus(this.current));
      if (this.tiles.isAtTop && this.fresh) this.sync();
    },
    /** The file could not be shown: ask whether it is gone. */
    async checkLarge() {
      const { image } = this.large;
      const known = await getJson(`/api/images/${image.id}`).catch(() => null);
      if (known?.missing && this.large?.image === image) {
        this.large = { ...this.large, image: Object.freeze(known) };
      }
    },
    /** Delete the picture shown and go on with the next one. */
    async removeLarge() {
      const { image, index } = this.large;
      if (!image) return;
      this.removeOne(image);
      const list = this.snapshot;
      const known = index !== null && list.total > 1;
      const beside = known ? (index + 1 < list.total ? index + 1 : index - 1) : null;
      const next = beside === null ? null : await list.fetchItem(beside).catch(() => null);
      if (!next) {
        this.closeLarge();
        return;
      }
      this.address.replace(this.query, next.id);
      this.showLarge(next, beside);
    },
  },
};
