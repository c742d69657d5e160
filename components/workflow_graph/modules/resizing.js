// Pulling at a corner: tells the new size as the pointer moves, and once when it is let go.
const GRID_PX = 2;

export function resizing(event, { from, least, zoom, move, done }) {
  const corner = event.currentTarget;
  const start = [event.clientX, event.clientY];
  let size = from;
  const follow = (next) => {
    const delta = [next.clientX - start[0], next.clientY - start[1]];
    size = from.map((length, axis) => Math.max(least[axis], Math.round((length + delta[axis] / zoom) / GRID_PX) * GRID_PX));
    move(size);
  };
  const end = () => {
    corner.removeEventListener("pointermove", follow);
    corner.removeEventListener("pointerup", end);
    corner.removeEventListener("pointercancel", end);
    if (size[0] !== from[0] || size[1] !== from[1]) done(size);
  };
  corner.setPointerCapture(event.pointerId);
  corner.addEventListener("pointermove", follow);
  corner.addEventListener("pointerup", end);
  corner.addEventListener("pointercancel", end);
}
