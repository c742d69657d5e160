import chart from "orchestrator-charts/chart.js";
import { perMinute } from "orchestrator-charts/scale.js";
import { duration, gigabytes, inGigabytes, milliseconds } from "./words.js";

const MINUTES = 60;
const MAX_BACKENDS = 4; // lines in one chart that can be told apart
const LINES = [
  { color: "var(--accent)" },
  { color: "var(--warn)", dash: "4 3" },
  { color: "var(--st-done)", dash: "1 3" },
  { color: "var(--t-MODEL)", dash: "7 3" },
];
const GIB = 2 ** 30;

export default {
  components: { chart },
  inject: ["words", "board"],
  template: `
    <div class="o-dg-charts" data-testid="diagnostics-charts">
      <chart v-for="one in charts" :key="one.testid" v-bind="one" :times="one.times ?? times" :now="words.t('now')" />
    </div>`,
  computed: {
    times() {
      return this.board.samples.map((each) => new Date(each.at).getTime());
    },
    charts() {
      return [this.queue, this.throughput, this.wait, this.lag, this.cpu, this.ram, this.disk, ...this.vram];
    },
    last() {
      return this.board.samples.at(-1);
    },
    queue() {
      const { t } = this.words;
      const values = this.of((each) => each.waiting + each.running);
      return { testid: "chart-queue", title: t("Queue"), sub: t("jobs"), value: String(values.at(-1) ?? 0), series: [{ name: t("jobs"), values, color: "var(--accent)" }], show: (value) => String(Math.round(value)) };
    },
    throughput() {
      const { t } = this.words;
      const now = this.times.at(-1) ?? 0;
      const counted = (read) => perMinute(this.times, this.of(read), MINUTES, now);
      const done = counted((each) => each.done);
      const failed = counted((each) => each.failed);
      const times = done.map((_, index) => now - (MINUTES - 1 - index) * 60000);
      return {
        testid: "chart-throughput", title: t("Throughput"), sub: t("per minute, failed on top"), value: String(done.at(-1) ?? 0), times,
        series: [{ name: t("done"), values: done, color: "var(--accent)", bars: true }, { name: t("failed"), values: failed, color: "var(--st-failed)", bars: true }],
      };
    },
    wait() {
      const { t } = this.words;
      const values = this.of((each) => each.oldestWaitSeconds);
      return { testid: "chart-wait", title: t("Wait"), sub: t("of the oldest in the queue"), value: duration(values.at(-1) ?? 0), join: "max", series: [{ name: t("Wait"), values, color: "var(--accent)" }], show: duration };
    },
    lag() {
      const { t } = this.words;
      const values = this.of((each) => each.lagMs);
      const sorted = [...values].sort((a, b) => a - b);
      const p95 = sorted[Math.floor(sorted.length * 0.95)] ?? 0;
      return { testid: "chart-lag", title: t("Event-loop lag"), sub: t("p95 {ms} ms", { ms: p95.toFixed(0) }), value: milliseconds(values.at(-1) ?? 0), join: "max", series: [{ name: t("Lag"), values, color: "var(--accent)" }], show: (value) => milliseconds(value, 1) };
    },
    cpu() {
      const { t } = this.words;
      const all = this.of((each) => each.cpuPercent);
      const own = this.of((each) => each.ownCpuPercent);
      return { testid: "chart-cpu", title: t("CPU"), sub: t("machine; this app {n} % of a core", { n: Math.round(own.at(-1) ?? 0) }), value: `${Math.round(all.at(-1) ?? 0)} %`, top: 100, series: [{ name: t("machine"), values: all, color: "var(--accent)" }], show: (value) => `${value.toFixed(0)} %` };
    },
    ram() {
      const { t } = this.words;
      const total = this.last?.ramTotal ?? 0;
      return { testid: "chart-ram", title: t("RAM"), sub: t("of {total} GB; this app {own} GB", { total: gigabytes(total), own: gigabytes(this.last?.ownRam ?? 0) }), value: inGigabytes(this.last?.ramUsed ?? 0), top: total / GIB, series: [{ name: t("used"), values: this.of((each) => each.ramUsed / GIB), color: "var(--accent)" }], show: (value) => inGigabytes(value * GIB) };
    },
    disk() {
      const { t } = this.words;
      const total = this.last?.diskTotal ?? 0;
      const used = (each) => (each.diskTotal === null ? null : (each.diskTotal - each.diskFree) / GIB);
      return { testid: "chart-disk", title: t("Disk"), sub: t("used of {total} GB", { total: gigabytes(total) }), value: t("{n} GB free", { n: gigabytes(this.last?.diskFree ?? 0) }), top: total / GIB, series: [{ name: t("used"), values: this.of(used), color: "var(--accent)" }], show: (value) => inGigabytes(value * GIB) };
    },
    vram() {
      const { t } = this.words;
      const known = this.board.backends.filter((each) => this.board.samples.some((one) => one.vram[each.id] !== undefined));
      const groups = [];
      for (let start = 0; start < known.length; start += MAX_BACKENDS) groups.push(known.slice(start, start + MAX_BACKENDS));
      return groups.map((group, place) => ({
        testid: `chart-vram-${place}`,
        title: t("VRAM"),
        sub: group.length === 1 ? group[0].name : "",
        value: group.length === 1 ? this.gigabytesOf(group[0]) : "",
        top: Math.max(...group.map((each) => each.vramTotal ?? 0)) / GIB,
        series: group.map((each, index) => ({ name: each.name, values: this.of((one) => (one.vram[each.id] === undefined ? null : one.vram[each.id] / GIB)), ...LINES[index] })),
        show: (value) => inGigabytes(value * GIB),
      }));
    },
  },
  methods: {
    of(read) {
      return this.board.samples.map(read);
    },
    gigabytesOf(backend) {
      const used = this.last?.vram[backend.id];
      return used === undefined ? "–" : inGigabytes(used);
    },
  },
};
