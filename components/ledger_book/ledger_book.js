import { speaker } from "orchestrator/i18n.js";

const STATES = {
  reserved: { word: "Set aside", icon: "clock", st: "running" },
  spent: { word: "Spent", icon: "done", st: "done" },
  released: { word: "Not charged", icon: "slash", st: "queued" },
  uncertain: { word: "Uncertain", icon: "alert", st: "cancelled" },
};
const NEARLY = 0.8; // of a budget: from here on its bar warns

export default {
  props: { texts: Object, isAllowed: Boolean, prices: Array, pricedOn: String },
  emits: ["more", "resolve"],
  template: `
    <div class="o-book" data-testid="ledger">
      <header class="o-book-head">
        <h1 class="o-h1">{{ t("Ledger") }}</h1>
        <p class="o-sec">{{ t("What the FLUX cloud was paid, and what is left of the budgets.") }}</p>
        <p v-if="!isAllowed" class="o-book-off" data-testid="ledger-off">
          <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-lock" /></svg>
          <span><b>{{ t("Paid generation is switched off.") }}</b> {{ t("Set allow_generation: true in config.yaml, and start the app again.") }}</span>
        </p>
      </header>
      <div class="o-book-budgets">
        <section v-for="(budget, index) in budgets" :key="index" class="o-panel o-book-budget" :data-level="level(budget)" :data-testid="index ? 'budget-total' : 'budget-day'">
          <div class="o-label"><h2>{{ t(budget.name) }}</h2><span class="o-end">{{ t("{left} left", budget) }}</span></div>
          <p class="o-book-sum o-num">{{ t("{spent} of {cap}", budget) }}</p>
          <div class="o-bar" role="progressbar" :aria-label="t(budget.name)" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="Math.round(budget.fraction * 100)">
            <i :style="{ width: budget.fraction * 100 + '%' }"></i>
          </div>
        </section>
      </div>
      <div class="o-book-rest">
        <section class="o-panel o-book-charges" :aria-label="t('Charges')" :aria-busy="!charges">
          <div class="o-panel-head"><h2>{{ t("Charges") }}</h2></div>
          <div v-if="charges && !charges.length" class="o-empty" data-testid="ledger-empty">
            <svg class="o-i o-book-coin" aria-hidden="true"><use href="#o-i-coin" /></svg>
            <h3>{{ t("Nothing was paid for yet.") }}</h3>
            <p>{{ t("Each picture of the FLUX cloud becomes a line here, with what it really cost.") }}</p>
          </div>
          <table v-else class="o-book-table">
            <thead><tr><th>{{ t("Time") }}</th><th>{{ t("Model") }}</th><th>{{ t("Job") }}</th><th class="o-book-price">{{ t("Price") }}</th><th>{{ t("State") }}</th></tr></thead>
            <tbody v-if="!charges"><tr v-for="n in 3" :key="n"><td colspan="5"><span class="o-skeleton o-book-wait"></span></td></tr></tbody>
            <tbody v-for="charge in charges" :key="charge.id" :data-testid="'charge-' + charge.id" :data-state="charge.state">
              <tr>
                <td><time :datetime="charge.createdAt">{{ time(charge.createdAt) }}</time></td>
                <td class="o-book-model" :title="charge.taskId ? t('Task {id}', { id: charge.taskId }) : null">{{ charge.model }}</td>
                <td><a v-if="charge.jobId" :href="'/jobs/' + charge.jobId">{{ t("Open job") }}</a></td>
                <td class="o-book-price o-num">{{ charge.price }}<small v-if="charge.isEstimate && charge.state !== 'released'">{{ t("estimate") }}</small></td>
                <td :data-st="look(charge).st">
                  <span class="o-badge"><svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + look(charge).icon" /></svg>{{ t(look(charge).word) }}</span>
                </td>
              </tr>
              <tr v-if="charge.note && charge.state !== 'spent'" class="o-book-note"><td colspan="5"><div>
                <span class="o-sec" dir="auto">{{ charge.note }}</span>
                <template v-if="charge.state === 'uncertain'">
                  <span class="o-hint">{{ t("Look in your account at the provider, then say what you found.") }}</span>
                  <span class="o-row">
                    <button class="o-btn o-btn-compact" :data-testid="'charged-' + charge.id" @click="$emit('resolve', { id: charge.id, charged: true })">{{ t("It was charged") }}</button>
                    <button class="o-btn o-btn-compact" :data-testid="'not-charged-' + charge.id" @click="$emit('resolve', { id: charge.id, charged: false })">{{ t("It was not charged") }}</button>
                  </span>
                </template>
              </div></td></tr>
            </tbody>
          </table>
          <button v-if="hasMore" class="o-btn o-btn-quiet o-book-more" data-testid="ledger-more" @click="$emit('more')">{{ t("Show more") }}</button>
        </section>
        <section class="o-panel o-book-prices" :aria-label="t('Price list')">
          <div class="o-panel-head"><h2>{{ t("Price list") }}</h2></div>
          <dl><template v-for="each in prices" :key="each.model"><dt>{{ each.model }}</dt><dd class="o-num">{{ each.price }}</dd></template></dl>
          <p class="o-hint">{{ t("As of {date}; an estimate, for a picture or a megapixel.", { date: day(pricedOn) }) }}</p>
        </section>
      </div>
    </div>`,
  data() {
    return { charges: null, hasMore: false, budgets: [] };
  },
  created() {
    Object.assign(this, speaker(this.texts));
    const language = document.documentElement.lang || "en";
    const region = language === "en" ? "en-GB" : language;
    const moment = new Intl.DateTimeFormat(region, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    const date = new Intl.DateTimeFormat(region, { dateStyle: "medium", timeZone: "UTC" });
    this.time = (iso) => moment.format(new Date(iso));
    this.day = (iso) => date.format(new Date(iso));
  },
  methods: {
    snapshot(state) {
      Object.assign(this, state);
    },
    look(charge) {
      return STATES[charge.state];
    },
    level(budget) {
      return budget.fraction >= 1 ? "full" : budget.fraction >= NEARLY ? "nearly" : "fine";
    },
  },
};
