import { clock } from "orchestrator/time.js";
import { ago, when } from "./words.js";

const MARKS = { error: ["failed", "fail"], warning: ["cancelled", "alert"], info: ["queued", "info"] };

export default {
  inject: ["words", "board", "act"],
  template: `
    <section class="o-panel o-dg-incidents" data-testid="diagnostics-incidents" :aria-label="t('Incidents')">
      <div class="o-panel-head"><h2>{{ t("Incidents") }}</h2><span class="o-count">{{ t("{n} open", { n: board.incidents.length }) }}</span><span class="o-grow"></span>
        <button class="o-btn o-btn-quiet o-btn-compact" type="button" data-testid="incidents-history" :aria-pressed="isHistory" @click="toggle">{{ isHistory ? t("Open") : t("History") }}</button></div>
      <div ref="list" class="o-dg-scroll o-dg-list" tabindex="0" role="region" :aria-label="t('Incidents')">
        <article v-for="one in shown" :key="one.id" class="o-dg-inc" :data-testid="'incident-' + one.id" :data-code="one.code" :data-over="one.resolvedAt !== null || null">
          <div class="o-row"><span class="o-badge" :data-st="one.mark[0]"><svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + one.mark[1]" /></svg>{{ one.title }}</span>
            <b class="o-trunc">{{ one.about }}</b><span v-if="one.count > 1" class="o-mut o-num">×{{ one.count }}</span>
            <time class="o-mut o-dg-time" :datetime="one.firstAt" :title="when(one.firstAt)">{{ one.age }}</time></div>
          <p class="o-dg-why">{{ one.cause }} <span class="o-mut">{{ one.fix }}</span></p>
          <div class="o-row o-dg-links">
            <a v-for="job in one.jobs" :key="job" class="o-mono" :href="'/jobs/' + job" :title="t('Job {id}', { id: job })">{{ job.slice(-6) }}</a>
            <a v-if="one.backendId" :href="'#backend-' + one.backendId">{{ t("Backend") }}</a>
            <span class="o-grow"></span>
            <button v-if="!one.resolvedAt" class="o-btn o-btn-quiet o-btn-compact" type="button" :data-testid="'incident-resolve-' + one.id" @click="resolve(one.id)">{{ t("Mark as over") }}</button>
            <span v-else class="o-mut">{{ t("over since {time}", { time: when(one.resolvedAt) }) }}</span>
          </div>
        </article>
        <p v-if="!shown.length" class="o-dg-calm" data-testid="incidents-none"><svg class="o-i" aria-hidden="true"><use href="#o-i-done" /></svg>{{ isHistory ? t("Nothing has gone wrong so far.") : t("All is well: nothing is wrong now.") }}</p>
      </div>
    </section>`,
  data() {
    return { isHistory: false };
  },
  created() {
    Object.assign(this, { t: this.words.t, when });
  },
  computed: {
    shown() {
      const names = Object.fromEntries(this.board.backends.map((each) => [each.id, each.name]));
      const list = this.isHistory ? this.board.history : this.board.incidents;
      return list.map((one) => ({
        ...one,
        mark: one.resolvedAt ? ["done", "done"] : MARKS[one.severity],
        about: names[one.backendId] ?? one.subject.replace(/^\w+:/, ""),
        jobs: one.jobIds.slice(-4),
        age: one.resolvedAt ? when(one.firstAt) : ago(one.firstAt, clock.now, this.t),
      }));
    },
  },
  methods: {
    resolve(id) {
      this.$refs.list.focus({ preventScroll: true }); // the button goes with the incident
      this.act("resolve", { id });
    },
    toggle() {
      this.isHistory = !this.isHistory;
      if (this.isHistory) this.act("history");
    },
  },
};
