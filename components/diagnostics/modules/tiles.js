import { clock } from "orchestrator/time.js";
import { number } from "orchestrator/i18n.js";
import { duration } from "./words.js";

const USUAL = 3; // workflows need so many pictures before their pace says something

export default {
  inject: ["words", "board", "act"],
  template: `
    <section class="o-dg-tiles" data-testid="diagnostics-tiles" :aria-label="words.t('Figures')">
      <div v-for="tile in tiles" :key="tile.id" :data-testid="'tile-' + tile.id">
        <b>{{ tile.value }} <small v-if="tile.unit">{{ tile.unit }}</small></b><p>{{ tile.text }}</p>
      </div>
      <div class="o-dg-drill">
        <button class="o-btn" type="button" data-testid="self-test-run" :aria-disabled="isTesting || null" @click="isTesting || act('self_test')">
          <svg class="o-i o-i-s" :class="{ 'o-spin': isTesting }" aria-hidden="true"><use :href="isTesting ? '#o-i-run' : '#o-i-flask'" /></svg>{{ words.t("Run self-test") }}
        </button>
      </div>
    </section>`,
  computed: {
    isTesting() {
      return this.board.selfTest?.state === "running";
    },
    tiles() {
      const { t } = this.words;
      const { jobs, queue, samples } = this.board;
      const slots = this.board.backends.filter((each) => each.enabled && each.online).reduce((sum, each) => sum + each.maxConcurrentJobs, 0);
      const wait = samples.at(-1)?.oldestWaitSeconds ?? 0;
      const pace = jobs.paces.find((each) => each.count >= USUAL) ?? jobs.paces[0];
      return [
        { id: "running", value: number(queue.running), unit: t("of {n} slots", { n: slots }), text: t("running now") },
        { id: "waiting", value: number(queue.queued), text: queue.queued && wait >= 1 ? t("waiting, oldest {time}", { time: duration(wait) }) : t("waiting") },
        { id: "done", value: number(jobs.doneLately), text: t("done, last 24 h") },
        { id: "failed", value: number(jobs.failedLately), text: t("failed, last 24 h") },
        { id: "success", value: jobs.successRate === null ? "–" : (jobs.successRate * 100).toFixed(1), unit: jobs.successRate === null ? "" : "%", text: t("success, last 24 h") },
        { id: "median", value: pace ? duration(pace.medianSeconds) : "–", text: pace ? t("median, {workflow}", { workflow: pace.workflowName }) : t("median") },
      ];
    },
    now() {
      return clock.now;
    },
  },
};
