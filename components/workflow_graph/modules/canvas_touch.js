// A finger that rests opens the menu, as the right button does: Safari sends no `contextmenu`.
const HOLD_MS = 450;
const SLACK_PX = 8;

export const touchMethods = {
  onFinger(event) {
    this.liftFinger();
    this.held = false;
    if (event.pointerType !== "touch" || !event.isPrimary || event.target.closest(".nodrag, .o-wg-menu, .o-wg-port")) return;
    const { clientX, clientY, target } = event;
    this.finger = { clientX, clientY, timer: setTimeout(() => this.hold(target, { clientX, clientY }), HOLD_MS) };
  },
  moveFinger({ clientX, clientY }) {
    if (this.finger && Math.hypot(clientX - this.finger.clientX, clientY - this.finger.clientY) > SLACK_PX) this.liftFinger();
  },
  // Also when a second one comes down: they zoom.
  liftFinger() {
    clearTimeout(this.finger?.timer);
    this.finger = null;
  },
  hold(target, point) {
    this.finger = null;
    this.held = true;
    navigator.vibrate?.(10);
    const node = this.flow.findNode(target.closest(".vue-flow__node")?.dataset.id);
    const edge = this.flow.findEdge(target.closest(".vue-flow__edge")?.dataset.id);
    this.openMenu({ event: point, node, edge }, node ? "node" : edge ? "link" : "pane");
  },
  // What browsers make of the finger going up would close the menu, or open it once more.
  afterHold(event) {
    if (!this.held) return;
    event.preventDefault();
    event.stopPropagation();
  },
};
