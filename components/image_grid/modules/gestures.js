/**
 * Mouse and touch on the grid: open, tick, range, drag across, long press.
 *
 * `act` answers: `open(index)`, `tick(index)`, `extend(index)`, `focus(index)`,
 * `dragFrom(index, {adding})`, `dragTo(index)`, `dragEnd()`, `hasSelection()`.
 */

const DRAG_PX = 6;
const PRESS_MS = 450;
const EDGE_PX = 56;

export class Gestures {
  constructor({ tiles, act }) {
    this.tiles = tiles;
    this.act = act;
    this.down = null;
    this.dragging = false;
    const { scroller } = tiles;
    this.listeners = [
      [scroller, "pointerdown", (event) => this.press(event)],
      [window, "pointermove", (event) => this.move(event)],
      [window, "pointerup", () => this.release()],
      [window, "pointercancel", () => this.cancel()],
      [scroller, "click", (event) => this.click(event)],
      [scroller, "touchmove", (event) => this.dragging && event.preventDefault()],
      [scroller, "contextmenu", (event) => this.down?.touch && event.preventDefault()],
    ];
    for (const [target, name, listener] of this.listeners) {
      target.addEventListener(name, listener, { passive: false });
    }
  }

  close() {
    this.cancel();
    for (const [target, name, listener] of this.listeners) {
      target.removeEventListener(name, listener);
    }
  }

  press(event) {
    if (event.button !== 0 || !this.tiles.plan || isScrollbar(event, this.tiles.scroller)) return;
    const cell = event.target.closest?.("[role=gridcell]");
    if (event.target.closest?.("a, button")) return;
    const touch = event.pointerType !== "mouse";
    this.down = { x: event.clientX, y: event.clientY, cell, touch, held: false };
    this.down.from = this.tiles.indexAt(event.clientX, event.clientY);
    this.down.adding = event.ctrlKey || event.metaKey;
    if (touch && cell) this.pressTimer = setTimeout(() => this.hold(), PRESS_MS);
    else if (!touch) event.preventDefault(); // no text selection, no picture dragging
  }

  /** A long press starts to select, as on every phone. */
  hold() {
    if (!this.down) return;
    this.down.held = true;
    this.dragging = true;
    navigator.vibrate?.(10);
    this.act.dragFrom(this.down.from, { adding: true });
    this.act.dragTo(this.down.from);
  }

  move(event) {
    if (!this.down) return;
    const far = Math.hypot(event.clientX - this.down.x, event.clientY - this.down.y) > DRAG_PX;
    if (!this.dragging) {
      if (!far) return;
      clearTimeout(this.pressTimer);
      if (this.down.touch) {
        this.down = null; // it scrolls
        return;
      }
      this.dragging = true;
      this.act.dragFrom(this.down.from, { adding: this.down.adding });
    }
    this.point = { x: event.clientX, y: event.clientY };
    this.act.dragTo(this.tiles.indexAt(event.clientX, event.clientY));
    this.glide();
  }

  /** Scroll on while the pointer is held near an edge. */
  glide() {
    if (this.gliding) return;
    const step = () => {
      this.gliding = 0;
      if (!this.dragging || !this.point) return;
      const box = this.tiles.scroller.getBoundingClientRect();
      const over = this.point.y - (box.bottom - EDGE_PX);
      const under = box.top + EDGE_PX - this.point.y;
      const speed = over > 0 ? over : under > 0 ? -under : 0;
      if (!speed) return;
      this.tiles.scroller.scrollTop += speed / 3;
      this.act.dragTo(this.tiles.indexAt(this.point.x, this.point.y));
      this.gliding = requestAnimationFrame(step);
    };
    this.gliding = requestAnimationFrame(step);
  }

  release() {
    clearTimeout(this.pressTimer);
    this.touched = this.down?.touch ?? false;
    this.down = null;
    if (!this.dragging) return;
    this.dragging = false;
    this.act.dragEnd();
    // The browser still sends a click for the place where the drag ended.
    this.deaf = true;
    setTimeout(() => (this.deaf = false), 0);
  }

  click(event) {
    const cell = event.target.closest?.("[role=gridcell]");
    if (this.deaf || !cell || event.target.closest("a, button")) return;
    const index = cell.index;
    this.act.focus(index);
    if (event.shiftKey) this.act.extend(index);
    else if (event.ctrlKey || event.metaKey || onCircle(event, cell)) this.act.tick(index);
    else if (this.touched && this.act.hasSelection()) this.act.tick(index);
    else this.act.open(index);
  }

  cancel() {
    clearTimeout(this.pressTimer);
    this.down = null;
    if (this.dragging) this.act.dragEnd();
    this.dragging = false;
  }
}

/** The circle in the corner is drawn by the cell itself, so its place decides. */
function onCircle(event, cell) {
  const box = cell.getBoundingClientRect();
  const reach = Number.parseFloat(getComputedStyle(cell).getPropertyValue("--o-circle")) || 34;
  return event.clientX - box.left < reach && event.clientY - box.top < reach;
}

function isScrollbar(event, scroller) {
  return event.clientX - scroller.getBoundingClientRect().left > scroller.clientWidth;
}
