import { timeOfDay } from "orchestrator/time.js";
import { when } from "./words.js";

const MARKS = { waiting: ["queued", "clock", "Waiting"], delivered: ["done", "done", "Delivered"], failed: ["failed", "fail", "Given up"] };

// What was told to webhooks, and how that went.
export default {
  inject: ["words", "board", "act"],
  template: `
    <section class="o-panel o-dg-hooks" data-testid="diagnostics-webhooks" :aria-label="t('Webhooks')">
      <div class="o-panel-head"><h2>{{ t("Webhooks") }}</h2><span v-if="open" class="o-count">{{ t("{n} open", { n: open }) }}</span><span class="o-grow"></span>
        <span class="o-hint o-trunc">{{ t("Tried for about a day, with growing pauses.") }}</span></div>
      <div class="o-dg-scroll o-dg-tall o-dg-list" tabindex="0" role="region" :aria-label="t('Webhooks')">
        <article v-for="one in shown" :key="one.id" class="o-dg-inc" :data-testid="'webhook-' + one.id" :data-state="one.state">
          <div class="o-row"><span class="o-badge" :data-st="one.mark[0]" data-testid="webhook-state"><svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + one.mark[1]" /></svg>{{ t(one.mark[2]) }}</span>
            <b class="o-trunc">{{ one.host }}</b>
            <a v-if="one.isJob" class="o-mono" :href="'/jobs/' + one.subject">{{ one.event }}</a><span v-else class="o-mono o-mut">{{ one.event }}</span>
            <time class="o-mut o-dg-time" :datetime="one.createdAt">{{ when(one.createdAt) }}</time>
            <button v-if="one.state !== 'delivered'" class="o-btn o-btn-compact" type="button" :data-testid="'webhook-retry-' + one.id" @click="act('deliver', { id: one.id })">
              <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-retry" /></svg>{{ t("Retry") }}</button></div>
          <p v-if="one.state !== 'delivered' && one.last" class="o-dg-why">{{ answer(one.last) }}<span v-if="one.nextAt" class="o-mut"> · {{ t("Again at {time}", { time: timeOfDay(one.nextAt) }) }}</span></p>
          <details v-if="one.tries.length"><summary>{{ words.tn("{n} try", one.tries.length) }}</summary>
            <ul><li v-for="each in one.tries" :key="each.at"><time class="o-mut" :datetime="each.at">{{ when(each.at) }}</time> {{ answer(each) }}</li></ul></details>
        </article>
        <p v-if="!shown.length" class="o-hint o-dg-pad" data-testid="webhooks-none">{{ t("No webhook has been told anything yet.") }}</p>
      </div>
    </section>`,
  created() {
    Object.assign(this, { t: this.words.t, when, timeOfDay });
  },
  computed: {
    open() {
      return this.board.deliveries.filter((one) => one.state === "waiting").length;
    },
    shown() {
      return this.board.deliveries.map((one) => ({
        ...one,
        mark: MARKS[one.state],
        host: new URL(one.url).host,
        isJob: one.event.startsWith("job."),
        last: one.tries.at(-1),
      }));
    },
  },
  methods: {
    answer({ status, error }) {
      return error ?? this.t("Answered {status}", { status });
    },
  },
};
