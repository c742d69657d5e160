/**
 * Which pictures are selected, as ranges of cursors.
 *
 * Cursors are whole numbers that never change, so a selection of 100,000 pictures is one range
 * and survives arrivals and deletions around it.
 */

export class Selection {
  constructor() {
    this.ranges = []; // [low, high) each, ascending, apart from each other
  }

  get isEmpty() {
    return this.ranges.length === 0;
  }

  has(cursor) {
    return this.ranges.some(([low, high]) => low <= cursor && cursor < high);
  }

  clear() {
    this.ranges = [];
  }

  /** Everything between the two cursors, both included. */
  add(one, other) {
    let low = Math.min(one, other);
    let high = Math.max(one, other) + 1;
    const apart = [];
    for (const range of this.ranges) {
      if (range[1] < low || range[0] > high) apart.push(range);
      else {
        low = Math.min(low, range[0]);
        high = Math.max(high, range[1]);
      }
    }
    this.ranges = [...apart, [low, high]].sort((a, b) => a[0] - b[0]);
  }

  /** Take everything between the two cursors out, both included. */
  remove(one, other) {
    const low = Math.min(one, other);
    const high = Math.max(one, other) + 1;
    this.ranges = this.ranges.flatMap(([from, to]) =>
      [
        [from, Math.min(to, low)],
        [Math.max(from, high), to],
      ].filter(([a, b]) => a < b),
    );
  }

  toggle(cursor) {
    if (this.has(cursor)) this.remove(cursor, cursor);
    else this.add(cursor, cursor);
  }

  /** All that match now; what arrives later is not among them. */
  all(newest) {
    this.ranges = [[-Infinity, newest + 1]];
  }

  copy() {
    const twin = new Selection();
    twin.ranges = this.ranges.map((range) => [...range]);
    return twin;
  }

  /** How many pictures of the list are selected. */
  async count(list) {
    let sum = 0;
    for (const [low, high] of this.ranges) {
      sum += (await list.rank(low - 1)) - (await list.rank(high - 1));
    }
    return sum;
  }

  /** The same without waiting; null while a page that decides it is not here. */
  countNow(list) {
    let sum = 0;
    for (const [low, high] of this.ranges) {
      const until = list.rankNow(low - 1);
      const from = list.rankNow(high - 1);
      if (until === null || from === null) return null;
      sum += until - from;
    }
    return sum;
  }

  /** The ids selected, newest first, one page at a time. */
  async *ids(list) {
    for (const [low, high] of [...this.ranges].reverse()) {
      const from = await list.rank(high - 1);
      const until = await list.rank(low - 1);
      for (let index = from; index < until; index += 1) {
        const image = list.item(index) ?? (await list.fetchItem(index));
        if (image) yield image.id;
      }
    }
  }

  /** For the wire: open ends are null. */
  toJSON() {
    const plain = (edge) => (Number.isFinite(edge) ? edge : null);
    return this.ranges.map(([low, high]) => [plain(low), plain(high)]);
  }
}
