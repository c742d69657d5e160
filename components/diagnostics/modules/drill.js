import { milliseconds } from "./words.js";

const NAMES = {
  submitted: "Submitted", claimed: "Given to the backend", accepted: "Accepted there", progress: "First progress", preview: "First preview",
  finished: "Finished there", stored: "Picture fetched and stored", done: "Written down as done", page: "Shown on this page",
};

export default {
  inject: ["words", "board", "act"],
  template: `
    <section v-if="test" class="o-panel o-dg-test" data-testid="self-test" :data-state="test.state" :aria-label="t('Self-test')">
      <div class="o-panel-head"><h2>{{ t("Self-test") }}</h2>
        <span class="o-badge" role="status" :data-st="mark[0]" data-testid="self-test-state"><svg class="o-i" :class="{ 'o-spin': test.state === 'running' }" aria-hidden="true"><use :href="'#o-i-' + mark[1]" /></svg>{{ t(mark[2]) }}</span>
        <span v-if="test.totalMs !== null" class="o-count">{{ milliseconds(test.totalMs) }}</span><span class="o-grow"></span>
        <button class="o-icon-btn" type="button" data-testid="self-test-close" :title="t('Close')" :aria-label="t('Close')" @click="close"><svg class="o-i" aria-hidden="true"><use href="#o-i-x" /></svg></button></div>
      <p v-if="test.error" class="o-dg-why o-dg-pad o-dg-bad">{{ test.error }} {{ test.fix }}</p>
      <ol class="o-dg-legs"><li v-for="leg in legs" :key="leg.name" :data-testid="'leg-' + leg.name" :data-reached="leg.ms !== null || null">
        <svg class="o-i o-i-s" aria-hidden="true"><use :href="leg.ms === null ? '#o-i-clock' : '#o-i-done'" /></svg><span class="o-trunc">{{ t(leg.word) }}</span>
        <span class="o-dg-leg"><i :style="{ width: leg.share + '%' }"></i></span><span class="o-num">{{ leg.ms === null ? "–" : milliseconds(leg.ms, leg.ms < 10 ? 1 : 0) }}</span></li></ol>
    </section>`,
  data() {
    return { closed: null };
  },
  created() {
    // An earlier one is over and done with; it does not stand in the way again.
    if (this.board.selfTest?.state !== "running") this.closed = this.board.selfTest?.startedAt ?? null;
    Object.assign(this, { t: this.words.t, milliseconds });
  },
  methods: {
    // The button goes with what it closes; the keys must go on working.
    close() {
      document.querySelector("[data-testid=self-test-run]")?.focus({ preventScroll: true });
      this.closed = this.test.startedAt;
    },
  },
  computed: {
    test() {
      const test = this.board.selfTest;
      return test && test.startedAt !== this.closed ? test : null;
    },
    mark() {
      return { running: ["running", "run", "Running"], passed: ["done", "done", "Passed"], failed: ["failed", "fail", "Failed"] }[this.test.state];
    },
    legs() {
      const most = Math.max(1, ...this.test.legs.map((leg) => leg.ms ?? 0));
      return this.test.legs.map((leg) => ({ ...leg, word: NAMES[leg.name], share: ((leg.ms ?? 0) / most) * 100 }));
    },
  },
  watch: {
    // Only the page that asked says when it has shown the end.
    "board.selfTest.state"(state) {
      if (state === "passed" && this.test.legs.at(-1).ms === null) this.$nextTick(() => this.act("seen"));
    },
  },
};
