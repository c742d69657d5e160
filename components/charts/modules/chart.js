import { timeOfDay } from "orchestrator/time.js";
import { nearest, roundUp, thinned } from "./scale.js";

const HEIGHT = 66;
const FOOT = 1; // pixels below the zero line
const SHORTEST_MS = 5 * 60 * 1000;

// A live chart. `series`: [{name, color, values, dash?, bars?}] over `times` (ms); bars are stacked.
export default {
  props: {
    title: String, sub: String, value: String, times: Array, series: Array,
    top: { type: Number, default: 0 }, join: { type: String, default: "mean" },
    show: { type: Function, default: String }, now: { type: String, default: "now" }, testid: String,
  },
  template: `
    <section class="o-panel o-chart" :data-testid="testid" :aria-label="title">
      <div class="o-chart-head">
        <h3>{{ title }}</h3><span class="o-chart-sub o-trunc">{{ sub }}</span><b>{{ value }}</b>
      </div>
      <div ref="draw" class="o-chart-draw" role="img" :aria-label="title + ': ' + value"
           @pointermove="point" @pointerleave="at = null">
        <svg v-if="width" :viewBox="'0 0 ' + width + ' ' + height" aria-hidden="true">
          <line v-for="y in gridLines" :key="y" class="o-chart-grid" x1="0" :x2="width" :y1="y" :y2="y" />
          <template v-for="one in drawn" :key="one.name">
            <template v-if="one.bars">
              <rect v-for="bar in one.bars" :key="bar.x" :x="bar.x" :y="bar.y" :width="bar.width" :height="bar.height" :fill="one.color" rx="1" />
            </template>
            <template v-else>
              <path v-if="one.area" class="o-chart-area" :d="one.area" :fill="one.color" />
              <path class="o-chart-line" :d="one.path" :stroke="one.color" :stroke-dasharray="one.dash" />
            </template>
          </template>
          <template v-if="hand">
            <line class="o-chart-hand" :x1="hand.x" :x2="hand.x" y1="0" :y2="height - 1" />
            <circle v-for="dot in hand.dots" :key="dot.name" :cx="hand.x" :cy="dot.y" r="2.5" :fill="dot.color" />
          </template>
        </svg>
        <div v-if="hand" class="o-chart-tip" :style="hand.side">
          {{ hand.time }}<div v-for="row in hand.rows" :key="row.name"><i :style="{ '--c': row.color }"></i>{{ row.name }} {{ row.text }}</div>
        </div>
      </div>
      <div class="o-chart-axis"><span>{{ begin }}</span><span>{{ middle }}</span><span>{{ now }}</span></div>
      <div v-if="series.length > 1 && !sub" class="o-chart-key">
        <span v-for="one in series" :key="one.name"><i :style="{ '--c': one.color }"></i>{{ one.name }}</span>
      </div>
    </section>`,
  data() {
    return { width: 0, at: null, height: HEIGHT };
  },
  mounted() {
    this.sizes = new ResizeObserver(([entry]) => (this.width = Math.round(entry.contentRect.width)));
    this.sizes.observe(this.$refs.draw);
  },
  unmounted() {
    this.sizes.disconnect();
  },
  computed: {
    last() {
      return this.times.at(-1) ?? 0;
    },
    first() {
      return Math.min(this.times[0] ?? 0, this.last - SHORTEST_MS);
    },
    highest() {
      if (this.top) return this.top;
      const stacked = this.series.every((one) => one.bars);
      const values = stacked
        ? this.times.map((_, index) => this.series.reduce((sum, one) => sum + (one.values[index] ?? 0), 0))
        : this.series.flatMap((one) => one.values);
      return roundUp(values.reduce((most, value) => Math.max(most, value ?? 0), 0));
    },
    gridLines() {
      return [0.5, Math.round(HEIGHT / 2) + 0.5, HEIGHT - FOOT + 0.5];
    },
    drawn() {
      const below = this.times.map(() => 0);
      return this.series.map((one, index) => (one.bars ? this.bars(one, below) : this.line(one, index === 0)));
    },
    begin() {
      return this.times.length ? timeOfDay(this.first) : "";
    },
    middle() {
      return this.times.length ? timeOfDay((this.first + this.last) / 2) : "";
    },
    hand() {
      if (this.at === null || !this.times.length) return null;
      const index = nearest(this.times, this.at);
      const x = this.x(this.times[index]);
      const known = this.series.filter((one) => one.values[index] !== null && one.values[index] !== undefined);
      return {
        x,
        time: timeOfDay(this.times[index]),
        rows: known.map((one) => ({ name: one.name, color: one.color, text: this.show(one.values[index]) })),
        dots: known.filter((one) => !one.bars).map((one) => ({ ...one, y: this.y(one.values[index]) })),
        side: x > this.width / 2 ? { right: `${this.width - x + 8}px` } : { left: `${x + 8}px` },
      };
    },
  },
  methods: {
    x(time) {
      return ((time - this.first) / Math.max(1, this.last - this.first)) * this.width;
    },
    y(value) {
      return HEIGHT - FOOT - (Math.min(value, this.highest) / this.highest) * (HEIGHT - FOOT - 4);
    },
    line(one, isFirst) {
      const { times, values } = thinned(this.times, one.values, this.width / 3, this.join);
      const parts = [];
      let open = null;
      times.forEach((time, index) => {
        if (values[index] === null || values[index] === undefined) return void (open = null);
        if (!open) parts.push((open = []));
        open.push(`${this.x(time).toFixed(1)} ${this.y(values[index]).toFixed(1)}`);
      });
      const path = parts.map((points) => `M${points.join("L")}`).join("");
      const foot = HEIGHT - FOOT;
      const area = parts.map((points) => `M${points[0].split(" ")[0]} ${foot}L${points.join("L")}L${points.at(-1).split(" ")[0]} ${foot}Z`);
      return { ...one, path, area: isFirst && this.series.length === 1 ? area.join("") : "" };
    },
    bars(one, below) {
      const step = this.width / Math.max(1, this.times.length);
      const bars = one.values.map((value, index) => {
        const under = below[index];
        below[index] += value;
        const y = this.y(under + value);
        return { x: index * step, y, width: Math.max(1, step - 2), height: this.y(under) - y };
      });
      return { ...one, bars: bars.filter((bar) => bar.height > 0) };
    },
    point(event) {
      const box = this.$refs.draw.getBoundingClientRect();
      const share = (event.clientX - box.left) / Math.max(1, box.width);
      this.at = this.first + share * (this.last - this.first);
    },
  },
};
