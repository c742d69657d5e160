import { nameOf, when } from "./words.js";

export default {
  inject: ["words", "board", "act"],
  template: `
    <section v-if="board.quarantines.length" class="o-panel o-dg-quarantine" data-testid="diagnostics-quarantine" :aria-label="t('Quarantine')">
      <div class="o-panel-head"><h2>{{ t("Quarantine") }}</h2><span class="o-count">{{ board.quarantines.length }}</span><span class="o-grow"></span>
        <span class="o-hint o-trunc">{{ t("Gets no more work there until it is lifted.") }}</span></div>
      <div class="o-dg-list">
        <article v-for="one in board.quarantines" :key="one.id" class="o-dg-inc" :data-testid="'quarantine-' + one.id">
          <div class="o-row"><span class="o-badge" data-st="cancelled"><svg class="o-i" aria-hidden="true"><use href="#o-i-lock" /></svg>{{ one.kind === "model" ? t("Model") : t("Workflow") }}</span>
            <b class="o-trunc" :title="one.subject">{{ one.subject }}</b><span class="o-mut">{{ nameOf(one.backendId, board.backends) }}</span>
            <time class="o-mut o-dg-time" :datetime="one.createdAt">{{ when(one.createdAt) }}</time></div>
          <p class="o-dg-why">{{ one.reason }} <span class="o-mut">{{ one.fix }}</span></p>
          <details v-if="one.evidence.length"><summary>{{ words.tn("{n} fault", one.evidence.length) }}</summary>
            <ul><li v-for="each in one.evidence" :key="each.at + each.jobId"><time class="o-mut" :datetime="each.at">{{ when(each.at) }}</time> <a class="o-mono" :href="'/jobs/' + each.jobId">{{ each.jobId.slice(-6) }}</a> {{ each.message }}</li></ul></details>
          <div class="o-row"><span class="o-grow"></span><button class="o-btn o-btn-compact" type="button" :data-testid="'quarantine-lift-' + one.id" @click="lift(one.id)">
            <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-unlock" /></svg>{{ t("Lift") }}</button></div>
        </article>
      </div>
    </section>`,
  methods: {
    lift(id) {
      document.getElementById("main")?.focus({ preventScroll: true }); // the button goes with the quarantine
      this.act("lift", { id });
    },
  },
  created() {
    Object.assign(this, { t: this.words.t, nameOf, when });
  },
};
