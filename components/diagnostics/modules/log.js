const SHOWN = 300;
const RANK = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };
const SHORT = { debug: "debug", info: "info", warning: "warn", error: "error", critical: "error" };
const UUID = /([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/i;

function clockTime(iso) {
  const at = new Date(iso);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

export default {
  inject: ["words", "board"],
  template: `
    <section class="o-panel o-dg-log" data-testid="diagnostics-log" :aria-label="t('Log')">
      <div class="o-panel-head"><h2>{{ t("Log") }}</h2>
        <div class="o-seg" role="group" :aria-label="t('Level')"><button v-for="each in levels" :key="each.rank" type="button" :aria-pressed="rank === each.rank" :data-testid="'log-level-' + each.id" @click="rank = each.rank">{{ each.word }}</button></div>
        <span class="o-grow"></span>
        <input v-model="text" class="o-dg-field" type="search" data-testid="log-filter" :placeholder="t('job, backend, words')" :aria-label="t('Filter the log')" />
        <button class="o-icon-btn" type="button" data-testid="log-pause" :aria-pressed="held !== null" :title="held ? t('Resume') : t('Pause')" :aria-label="held ? t('Resume') : t('Pause')" @click="held = held ? null : [...board.log]"><svg class="o-i" aria-hidden="true"><use :href="held ? '#o-i-play' : '#o-i-pause'" /></svg></button>
        <a class="o-icon-btn" href="/api/logs?limit=500" download="orchestrator-log.json" data-testid="log-download" :title="t('Download')" :aria-label="t('Download the log')"><svg class="o-i" aria-hidden="true"><use href="#o-i-down" /></svg></a></div>
      <div ref="list" class="o-dg-lines o-dg-tall" tabindex="0" role="log" aria-live="off" :aria-label="t('Log')">
        <div v-for="one in shown" :key="one.number" :data-testid="'log-line-' + one.number" :data-level="one.short" :title="one.trace ?? one.message"><span class="tm">{{ one.time }}</span> <span class="lv">{{ one.short }}</span> {{ one.logger }} <template v-for="(part, index) in one.parts" :key="index"><a v-if="index % 2" :href="'/jobs/' + part">{{ part.slice(-6) }}</a><template v-else>{{ part }}</template></template><pre v-if="one.trace">{{ one.trace }}</pre></div>
        <p v-if="!shown.length" class="o-hint">{{ board.log.length ? t("Nothing matches the filter") : t("Nothing was logged yet.") }}</p>
      </div>
    </section>`,
  data() {
    return { rank: 0, text: "", held: null };
  },
  created() {
    Object.assign(this, { t: this.words.t });
  },
  computed: {
    all() {
      return this.held ?? this.board.log;
    },
    levels() {
      const count = (rank) => this.all.filter((one) => RANK[one.level] >= rank).length;
      return [
        { id: "all", rank: 0, word: this.t("All") },
        { id: "warning", rank: 2, word: `${this.t("Warnings")} ${count(2)}` },
        { id: "error", rank: 3, word: `${this.t("Errors")} ${count(3)}` },
      ];
    },
    shown() {
      const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
      const found = [];
      for (let index = this.all.length - 1; index >= 0 && found.length < SHOWN; index -= 1) {
        const one = this.all[index];
        const line = `${one.logger} ${one.message} ${one.jobId ?? ""} ${one.backendId ?? ""}`.toLowerCase();
        if (RANK[one.level] >= this.rank && words.every((word) => line.includes(word))) {
          const message = one.jobId && !one.message.includes(one.jobId) ? `${one.message} ${one.jobId}` : one.message;
          found.push({ ...one, time: clockTime(one.at), short: SHORT[one.level] ?? one.level, parts: message.split(UUID) });
        }
      }
      return found;
    },
  },
};
