import { number } from "orchestrator/i18n.js";
import { duration, nameOf } from "./words.js";

const STATES = ["created", "queued", "running", "done", "failed", "cancelled"];
const WORDS = { created: "Held", queued: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export default {
  inject: ["words", "board"],
  template: `
    <section class="o-panel o-dg-jobs" data-testid="diagnostics-jobs" :aria-label="t('Jobs')">
      <div class="o-panel-head"><h2>{{ t("Jobs") }}</h2><span class="o-count">{{ t("{n} on the list", { n: total }) }}</span></div>
      <dl class="o-dg-states"><div v-for="each in states" :key="each.state" :data-st="each.state" :data-testid="'jobs-' + each.state"><dt>{{ t(each.word) }}</dt><dd>{{ each.count }}</dd></div></dl>
      <div class="o-dg-scroll o-dg-tall" tabindex="0" role="region" :aria-label="t('Durations')">
      <table class="o-dg-table"><thead><tr><th>{{ t("Workflow") }}</th><th>{{ t("Backend") }}</th><th class="n">{{ t("Jobs") }}</th><th class="n">{{ t("Median") }}</th><th class="n">{{ t("Longest") }}</th></tr></thead>
        <tbody><tr v-for="each in board.jobs.paces" :key="each.backendId + each.workflowId"><td class="o-trunc">{{ each.workflowName }}</td><td class="o-sec o-trunc">{{ nameOf(each.backendId, board.backends) }}</td><td class="n">{{ each.count }}</td><td class="n">{{ duration(each.medianSeconds) }}</td><td class="n">{{ duration(each.longestSeconds) }}</td></tr></tbody></table>
      <p v-if="!board.jobs.paces.length" class="o-hint o-dg-pad">{{ t("No job has finished yet.") }}</p></div>
    </section>`,
  created() {
    Object.assign(this, { t: this.words.t, duration, nameOf });
  },
  computed: {
    total() {
      return number(this.board.jobs.total);
    },
    states() {
      return STATES.map((state) => ({ state, word: WORDS[state], count: number(this.board.jobs.byState[state]) }));
    },
  },
};
