/** The part of the gallery that moves the focus, selects, and acts on what is selected. */

import { copyText } from "orchestrator-lightbox/details.js";
import { downloadZip } from "./archive.js";

export const selectingPart = {
  methods: {
    /** What mouse and touch ask for. */
    acts() {
      return {
        open: (index) => this.openAt(index),
        tick: (index) => this.tick(index),
        extend: (index) => this.extend(index),
        focus: (index) => this.focus(index, { scroll: false }),
        hasSelection: () => !this.picked.isEmpty,
        dragFrom: (index, { adding }) => {
          this.dragBase = adding ? this.picked.copy() : null;
          this.dragStart = index;
        },
        dragTo: (index) => this.dragTo(index),
        dragEnd: () => this.recount(),
      };
    },
    focus(index, { scroll = true } = {}) {
      if (!this.snapshot?.total) return;
      this.current = Math.max(0, Math.min(this.snapshot.total - 1, index));
      if (scroll) this.tiles.reveal(this.current);
      this.tiles.render();
      this.tiles.cell(this.current)?.focus({ preventScroll: true });
      this.showCurrent();
    },
    tick(index) {
      const image = this.snapshot.item(index);
      if (!image) return;
      this.picked.toggle(image.cursor);
      this.anchor = image.cursor;
      this.recount();
    },
    /** From where the last range began to here. */
    extend(index) {
      const image = this.snapshot.item(index);
      if (!image) return;
      this.anchor ??= this.snapshot.item(this.current)?.cursor ?? image.cursor;
      this.picked.clear();
      this.picked.add(this.anchor, image.cursor);
      this.recount();
    },
    async dragTo(index) {
      const list = this.snapshot;
      const one = list.item(this.dragStart) ?? (await list.fetchItem(this.dragStart));
      const other = list.item(index) ?? (await list.fetchItem(index));
      if (!one || !other) return;
      const picked = this.dragBase?.copy();
      if (picked) this.picked = picked;
      else this.picked.clear();
      this.picked.add(one.cursor, other.cursor);
      this.anchor = one.cursor;
      this.recount();
    },
    selectAll() {
      if (!this.snapshot?.total) return;
      this.picked.all(this.ceiling);
      this.recount();
    },
    clearSelection() {
      this.picked.clear();
      this.anchor = null;
      this.recount();
    },
    async recount() {
      this.tiles.schedule();
      const { picked, snapshot } = this;
      if (!snapshot?.outline || picked.isEmpty) {
        this.selected = 0;
        return;
      }
      const count = picked.countNow(snapshot) ?? (await picked.count(snapshot).catch(() => null));
      if (count === null || snapshot !== this.snapshot || picked !== this.picked) return;
      if (count !== this.selected && count) this.say(this.words.n("{n} selected", count));
      this.selected = count;
    },
    /** The grid's own keys, as of any grid. */
    gridKey(event) {
      if (!event.target.closest("[role=gridcell]") || event.altKey) return;
      const command = event.ctrlKey || event.metaKey;
      const columns = this.tiles.plan.columns;
      const page = columns * Math.max(1, Math.floor(this.$refs.scroller.clientHeight / this.tiles.plan.row));
      const to = {
        ArrowLeft: this.current - 1,
        ArrowRight: this.current + 1,
        ArrowUp: this.current - columns,
        ArrowDown: this.current + columns,
        PageUp: this.current - page,
        PageDown: this.current + page,
        Home: command ? 0 : this.current - (this.current % columns),
        End: command ? this.total - 1 : this.current - (this.current % columns) + columns - 1,
      }[event.key];
      if (to !== undefined) this.moveFocus(event, to);
      else if (event.key === " ") this.tick(this.current);
      else if (event.key === "Enter") this.openAt(this.current);
      else return;
      event.preventDefault();
    },
    moveFocus(event, to) {
      const inside = Math.max(0, Math.min(this.total - 1, to));
      if (event.shiftKey) {
        this.anchor ??= this.snapshot.item(this.current)?.cursor ?? null;
        this.snapshot.fetchItem(inside).then(() => this.extend(inside));
      }
      this.focus(inside);
    },
    async download() {
      if (this.busy) return;
      const list = this.snapshot;
      if (this.picked.isEmpty) {
        const image = list?.item(this.current);
        if (image && document.activeElement?.index !== undefined) saveOne(image);
        return;
      }
      this.busy = this.t("Packing…");
      try {
        await downloadZip(this.picked.copy().ids(list), {
          onPart: (part) => {
            if (this.selected > 10_000) this.busy = this.t("Packing part {part}…", { part });
          },
          onError: () => this.$emit("failed", this.t("The pictures could not be loaded")),
        });
      } catch (error) {
        this.$emit("failed", error.message);
      } finally {
        this.busy = "";
      }
    },
    removeSelected() {
      if (this.picked.isEmpty) {
        const image = this.snapshot?.item(this.current);
        if (image && document.activeElement?.index !== undefined) this.removeOne(image);
        return;
      }
      this.markLeaving((image) => this.picked.has(image.cursor));
      this.$emit("remove", { ranges: this.picked.toJSON(), filter: this.filterForServer() });
      this.clearSelection();
    },
    removeOne(image) {
      this.leaving.add(image.id);
      this.tiles.schedule();
      this.$emit("remove", { ids: [image.id] });
    },
    filterForServer() {
      return Object.fromEntries(this.snapshot.params);
    },
    /** Fade what is about to go, as far as it is on screen. */
    markLeaving(goes) {
      for (const row of this.tiles.rows.values()) {
        for (const cell of row.children) {
          if (!cell.hidden && cell.image && goes(cell.image)) this.leaving.add(cell.image.id);
        }
      }
      this.tiles.schedule();
    },
    /** Called by the server: the pictures could not be deleted after all. */
    stay() {
      this.leaving.clear();
      this.tiles.schedule();
    },
    async copyPrompt() {
      const image = this.snapshot?.item(this.current);
      if (!image) return;
      await copyText(image.prompt);
      this.say(this.t("Copied"));
    },
    useSettings() {
      const image = this.snapshot?.item(this.current);
      if (image) followLink(`/?use=${image.id}&part=all`);
    },
  },
};

function saveOne(image) {
  const link = document.createElement("a");
  link.href = `${image.url}?download=1`;
  link.download = image.downloadName;
  link.click();
}

/** Go to another page of the app the way a click on a link does. */
function followLink(path) {
  const link = document.createElement("a");
  link.href = path;
  document.body.append(link);
  link.click();
  link.remove();
}
