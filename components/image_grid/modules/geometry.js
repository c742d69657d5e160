/** Where every cell of the grid lies, from the width of the view and the size asked for. */

const MOST_TILES = 130; // on screen at once: keeps the page small on the largest display
const LIST_ROW = 60;
const LIST_ROW_NARROW = 68;

/** The smallest tile that keeps the number on screen in bounds, in CSS pixels. */
export function smallestTile(width, height) {
  return Math.max(88, Math.ceil(Math.sqrt((width * height) / MOST_TILES)));
}

export function geometry({ width, height, view, size }) {
  const narrow = width < 768;
  if (view === "list") {
    const row = narrow ? LIST_ROW_NARROW : LIST_ROW;
    const edge = narrow ? 4 : 12;
    return { columns: 1, gap: 0, edge, cell: width - 2 * edge, row, tall: row, view, narrow };
  }
  const gap = narrow ? 3 : 8;
  const edge = narrow ? 3 : 12;
  const room = width - 2 * edge + gap;
  const wanted = Math.max(size, smallestTile(width, height));
  const columns = narrow
    ? Math.max(2, Math.min(5, Math.round((room / wanted) * 1.55)))
    : Math.max(1, Math.round(room / (wanted + gap)));
  const cell = Math.floor((room / columns - gap) * 100) / 100;
  return { columns, gap, edge, cell, row: cell + gap, tall: cell, view, narrow };
}

/** The rows that must exist for what is on screen, one more at either end. */
export function rowsInView(plan, { top, height, rows }) {
  const first = Math.max(0, Math.floor((top - plan.edge) / plan.row) - 1);
  const last = Math.min(rows - 1, Math.ceil((top + height - plan.edge) / plan.row));
  return { first, last };
}
