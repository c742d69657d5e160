/**
 * A picture that can be zoomed at the pointer, pinched, panned and swiped away.
 *
 * The frame gets the picture's own size and one transform; nothing else moves.
 */

const MOST = 8;
const SMALL_UP_TO = 2; // small pictures are enlarged no further than this to fit
const SWIPE_PX = 56;
const OWN_HANDS = "button, a, video, audio, pre"; // what is pressed there is not for us

export class Zoom {
  /** `on` answers `change({scale, fitted})`, `swipe(step)`, `dismiss()`. */
  constructor({ stage, frame, on }) {
    this.stage = stage;
    this.frame = frame;
    this.on = on;
    this.size = { width: 1, height: 1 };
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitted = true;
    this.pointers = new Map();
    this.watcher = new ResizeObserver(() => this.fitted && this.fit());
    this.watcher.observe(stage);
    this.listeners = [
      ["wheel", (event) => this.wheel(event)],
      ["dblclick", (event) => this.double(event)],
      ["pointerdown", (event) => this.press(event)],
      ["pointermove", (event) => this.move(event)],
      ["pointerup", (event) => this.release(event)],
      ["pointercancel", (event) => this.release(event)],
      ["dragstart", (event) => event.preventDefault()],
    ];
    for (const [name, listener] of this.listeners) {
      stage.addEventListener(name, listener, { passive: false });
    }
  }

  close() {
    this.watcher.disconnect();
    for (const [name, listener] of this.listeners) this.stage.removeEventListener(name, listener);
  }

  /** Show another picture, fitted. */
  show(width, height) {
    this.size = { width: Math.max(1, width), height: Math.max(1, height) };
    this.frame.style.width = `${this.size.width}px`;
    this.frame.style.height = `${this.size.height}px`;
    this.fit();
  }

  room() {
    const style = getComputedStyle(this.stage);
    const side = Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.paddingRight);
    const ends = Number.parseFloat(style.paddingTop) + Number.parseFloat(style.paddingBottom);
    return {
      width: Math.max(1, this.stage.clientWidth - side),
      height: Math.max(1, this.stage.clientHeight - ends),
    };
  }

  get fitScale() {
    const room = this.room();
    const scale = Math.min(room.width / this.size.width, room.height / this.size.height);
    return Math.min(scale, SMALL_UP_TO);
  }

  fit() {
    this.fitted = true;
    this.scale = this.fitScale;
    this.x = 0;
    this.y = 0;
    this.apply();
  }

  /** Zoom so that the point of the window (default: the middle) stays where it is. */
  to(scale, at) {
    const box = this.stage.getBoundingClientRect();
    const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    const point = at ?? middle;
    const least = Math.min(this.fitScale, 1);
    const next = Math.max(least, Math.min(MOST, scale));
    const ratio = next / this.scale;
    this.x = (point.x - middle.x) * (1 - ratio) + this.x * ratio;
    this.y = (point.y - middle.y) * (1 - ratio) + this.y * ratio;
    this.scale = next;
    this.fitted = Math.abs(next - this.fitScale) < 0.001;
    this.apply();
  }

  apply() {
    const spare = (size, room) => Math.max(0, (size * this.scale - room) / 2);
    const limitX = spare(this.size.width, this.stage.clientWidth);
    const limitY = spare(this.size.height, this.stage.clientHeight);
    this.x = Math.max(-limitX, Math.min(limitX, this.x));
    this.y = Math.max(-limitY, Math.min(limitY, this.y));
    this.frame.style.transform =
      `translate(-50%, -50%) translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.stage.classList.toggle("o-lb-pannable", limitX > 0 || limitY > 0);
    this.frame.classList.toggle("o-lb-pixels", this.scale >= 3);
    this.on.change({ scale: this.scale, fitted: this.fitted });
  }

  wheel(event) {
    if (event.target.closest(OWN_HANDS)) return;
    event.preventDefault();
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    this.to(this.scale * Math.exp(-event.deltaY * speed), { x: event.clientX, y: event.clientY });
  }

  double(event) {
    if (event.target.closest(OWN_HANDS)) return;
    const point = { x: event.clientX, y: event.clientY };
    if (Math.abs(this.scale - 1) < 0.001 && !this.fitted) this.fit();
    else if (this.fitted && Math.abs(this.fitScale - 1) < 0.01) this.to(2, point);
    else this.to(1, point);
  }

  press(event) {
    if (event.button !== 0 || event.target.closest(OWN_HANDS)) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.start = { x: event.clientX, y: event.clientY, pinched: this.pointers.size > 1 };
    if (event.pointerType === "touch") this.tap(event);
  }

  /** Two taps on touch are a double click there. */
  tap(event) {
    const now = performance.now();
    if (this.pointers.size === 1 && now - (this.tapped ?? 0) < 300) this.double(event);
    this.tapped = now;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const after = { x: event.clientX, y: event.clientY };
    if (this.pointers.size === 2) {
      this.pinch(event.pointerId, before, after);
    } else if (!this.fitted || this.overflows()) {
      this.x += after.x - before.x;
      this.y += after.y - before.y;
      this.apply();
    } else if (event.pointerType !== "mouse") {
      this.frame.style.transform =
        `translate(-50%, -50%) translate(${after.x - this.start.x}px, 0) scale(${this.scale})`;
    }
    this.pointers.set(event.pointerId, after);
  }

  overflows() {
    return this.stage.classList.contains("o-lb-pannable");
  }

  pinch(id, before, after) {
    this.start.pinched = true;
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, point]) => point);
    const reach = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    const middle = { x: (after.x + other.x) / 2, y: (after.y + other.y) / 2 };
    this.to((this.scale * reach(after)) / reach(before), middle);
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size) return;
    const { x, y, pinched } = this.start;
    if (!this.fitted || pinched || this.overflows()) return;
    const dx = event.clientX - x;
    const dy = event.clientY - y;
    this.apply();
    if (event.type === "pointercancel" || event.pointerType === "mouse") return;
    if (Math.abs(dx) > SWIPE_PX && Math.abs(dx) > Math.abs(dy)) this.on.swipe(dx < 0 ? 1 : -1);
    else if (dy > SWIPE_PX * 1.5) this.on.dismiss();
  }
}
