/**
 * The cells on screen, kept as plain DOM: rows that leave are reused for rows that come.
 *
 * `host` answers: `item(index)`, `total()`, `isSelected(image)`, `current()`, `isLeaving(image)`,
 * `want(first, last)`, `words`.
 */

import { geometry, rowsInView } from "./geometry.js";
import { fillCard, fillRow, makeCell } from "./cell.js";

const FAST = 1.2; // screens per frame above which pictures are not even asked for
const SETTLE_MS = 90;

export class Tiles {
  constructor({ scroller, canvas, host }) {
    this.scroller = scroller;
    this.canvas = canvas;
    this.host = host;
    this.rows = new Map();
    this.pool = [];
    this.plan = null;
    this.frame = 0;
    this.lastTop = 0;
    this.fast = false;
    this.freshAbove = Infinity; // cursors above it have just arrived
    this.onScroll = () => this.schedule();
    scroller.addEventListener("scroll", this.onScroll, { passive: true });
  }

  close() {
    this.scroller.removeEventListener("scroll", this.onScroll);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.settle);
  }

  /** Draw again on the next frame. */
  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  /** Take a new width, size or view; keeps the same picture at the top. */
  layout({ view, size, keep = true }) {
    const { clientWidth: width, clientHeight: height } = this.scroller;
    if (!width || !height) return;
    const anchor = keep && this.plan ? this.place() : null;
    this.plan = geometry({ width, height, view, size });
    this.canvas.dataset.view = view;
    const { style } = this.scroller.parentElement; // the skeletons beside the scroller need them too
    style.setProperty("--o-columns", String(this.plan.columns));
    style.setProperty("--o-cell-w", `${this.plan.cell}px`);
    style.setProperty("--o-cell-h", `${this.plan.tall}px`);
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.pool = [];
    this.resize();
    if (anchor) this.scrollToPlace(anchor);
    this.render();
  }

  /** Make the canvas as tall as the list. */
  resize() {
    if (!this.plan) return;
    this.canvas.style.height = `${this.plan.edge * 2 + this.rowCount() * this.plan.row}px`;
    this.canvas.setAttribute("aria-rowcount", String(this.rowCount()));
    this.canvas.setAttribute("aria-colcount", String(this.plan.columns));
  }

  rowCount() {
    return Math.ceil(this.host.total() / this.plan.columns);
  }

  render() {
    if (!this.plan) return;
    const top = this.scroller.scrollTop;
    const height = this.scroller.clientHeight;
    this.fast = Math.abs(top - this.lastTop) > height * FAST;
    this.lastTop = top;
    if (this.fast) this.settleSoon();
    const { first, last } = rowsInView(this.plan, { top, height, rows: this.rowCount() });
    for (const [index, row] of this.rows) {
      if (index >= first && index <= last) continue;
      this.rows.delete(index);
      this.pool.push(row);
    }
    for (let index = first; index <= last; index += 1) {
      this.fillRow(this.rows.get(index) ?? this.takeRow(index), index);
    }
    while (this.pool.length > 2) this.pool.pop().remove();
    for (const spare of this.pool) this.empty(spare);
    const { columns } = this.plan;
    this.host.want(first * columns, (last + 1) * columns - 1);
  }

  settleSoon() {
    clearTimeout(this.settle);
    this.settle = setTimeout(() => this.schedule(), SETTLE_MS);
  }

  takeRow(index) {
    const row = this.pool.pop() ?? this.makeRow();
    row.hidden = false;
    row.style.transform = `translate3d(${this.plan.edge}px, ${this.top(index)}px, 0)`;
    row.setAttribute("aria-rowindex", String(index + 1));
    this.rows.set(index, row);
    return row;
  }

  makeRow() {
    const row = document.createElement("div");
    row.className = "o-gal-row";
    row.setAttribute("role", "row");
    row.style.height = `${this.plan.tall}px`;
    for (let column = 0; column < this.plan.columns; column += 1) {
      const cell = makeCell(this.plan.view);
      cell.style.transform = `translateX(${column * (this.plan.cell + this.plan.gap)}px)`;
      cell.setAttribute("aria-colindex", String(column + 1));
      row.append(cell);
    }
    this.canvas.append(row);
    return row;
  }

  /** Out of sight, a cell must not go on passing for the picture it showed before. */
  empty(row) {
    row.hidden = true;
    const fill = this.plan.view === "list" ? fillRow : fillCard;
    for (const cell of row.children) fill(cell, null, { fast: true, words: this.host.words });
  }

  fillRow(row, rowIndex) {
    const { columns, view } = this.plan;
    const total = this.host.total();
    const fill = view === "list" ? fillRow : fillCard;
    for (let column = 0; column < columns; column += 1) {
      const cell = row.children[column];
      const index = rowIndex * columns + column;
      cell.hidden = index >= total;
      cell.index = index;
      const image = cell.hidden ? null : this.host.item(index);
      fill(cell, image, { fast: this.fast, words: this.host.words });
      this.mark(cell, image, index);
    }
  }

  /** Put what changes without the picture changing: selection, focus, arrival, departure. */
  mark(cell, image, index) {
    const selected = Boolean(image) && this.host.isSelected(image);
    cell.setAttribute("aria-selected", String(selected));
    cell.tabIndex = index === this.host.current() ? 0 : -1;
    cell.classList.toggle("o-gal-leaving", Boolean(image) && this.host.isLeaving(image));
    cell.classList.toggle("o-gal-arriving", Boolean(image) && image.cursor > this.freshAbove);
  }

  /** Let pictures newer than the cursor slide in, once. */
  welcome(cursor) {
    this.freshAbove = cursor;
    clearTimeout(this.welcomed);
    this.welcomed = setTimeout(() => {
      this.freshAbove = Infinity;
      this.schedule();
    }, 700);
  }

  top(rowIndex) {
    return this.plan.edge + rowIndex * this.plan.row;
  }

  cell(index) {
    const row = this.rows.get(Math.floor(index / this.plan.columns));
    return row?.children[index % this.plan.columns] ?? null;
  }

  /** The place under a point of the window, clamped to the list. */
  indexAt(x, y) {
    const box = this.scroller.getBoundingClientRect();
    const { columns, cell, gap, row, edge } = this.plan;
    const column = Math.floor((x - box.left - edge) / (cell + gap));
    const line = Math.floor((y - box.top + this.scroller.scrollTop - edge) / row);
    const inside = Math.max(0, Math.min(columns - 1, column));
    return Math.max(0, Math.min(this.host.total() - 1, line * columns + inside));
  }

  /** Scroll no further than needed to have the place on screen. */
  reveal(index) {
    const top = this.top(Math.floor(index / this.plan.columns));
    const { scrollTop, clientHeight } = this.scroller;
    const { edge, row } = this.plan;
    if (top - edge < scrollTop) this.scroller.scrollTop = Math.max(0, top - edge);
    else if (top + row > scrollTop + clientHeight) {
      this.scroller.scrollTop = top + row - clientHeight + edge;
    }
  }

  /** What is at the top left, to come back to: its index and how far it is scrolled away. */
  place() {
    const line = Math.max(0, Math.floor((this.scroller.scrollTop - this.plan.edge) / this.plan.row));
    const index = Math.min(line * this.plan.columns, Math.max(0, this.host.total() - 1));
    return { index, offset: this.scroller.scrollTop - this.top(line) };
  }

  scrollToPlace({ index, offset }) {
    this.scroller.scrollTop = this.top(Math.floor(index / this.plan.columns)) + offset;
    this.lastTop = this.scroller.scrollTop;
  }

  get isAtTop() {
    return !this.plan || this.scroller.scrollTop < this.plan.row / 2;
  }
}
