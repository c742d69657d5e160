import { areOn, choose, endings } from "./endings.js";
import { state } from "./jobs.js";
import { clock, secondsBetween } from "./time.js";

const STATES = { all: "All", running: "Running", queued: "Waiting", created: "Held", done: "Done", failed: "Failed", cancelled: "Cancelled" };
const LONG_S = 20;

// The head of the queue board: what there is, pause, the filter, what is done with many jobs.
export const BoardHead = {
  props: { t: Function, tn: Function, summary: String, filter: Object, backends: Object, finished: Array },
  emits: ["act", "filter", "select"],
  template: `
    <div class="o-panel-head">
      <h2>{{ t("Queue") }}</h2>
      <span class="o-count o-trunc" data-testid="queue-count">{{ summary }}</span>
      <span class="o-grow"></span>
      <button class="o-btn o-btn-quiet o-btn-compact" data-testid="queue-pause" :aria-pressed="state.queue.paused"
              @click="$emit('act', state.queue.paused ? 'resume' : 'pause')">
        <svg class="o-i o-i-s" aria-hidden="true"><use :href="state.queue.paused ? '#o-i-play' : '#o-i-pause'" /></svg>
        {{ state.queue.paused ? t("Resume") : t("Pause") }}
      </button>
      <div class="o-pop" @keydown.esc.stop.prevent="close" @focusout="leave">
        <button ref="filter" class="o-icon-btn o-icon-btn-compact" data-testid="queue-filter" :title="t('Filter')" :aria-label="t('Filter')"
                aria-haspopup="dialog" :aria-expanded="open === 'filter'" :data-on="isOn" @click="toggle('filter')">
          <svg class="o-i" aria-hidden="true"><use href="#o-i-filter" /></svg>
        </button>
        <div v-if="open === 'filter'" class="o-menu o-filter" role="dialog" :aria-label="t('Filter')">
          <input ref="words" class="o-filter-words" type="search" data-testid="queue-filter-words" :value="filter.words" :placeholder="t('Words in the prompt')"
                 :aria-label="t('Words in the prompt')" @input="$emit('filter', { words: $event.target.value.trim() })" @keydown.enter="close" />
          <div role="radiogroup" :aria-label="t('State')" @keydown="roam">
            <button v-for="(word, name) in states" :key="name" role="radio" :aria-checked="filter.status === name"
                    :data-testid="'queue-filter-' + name" @click="choose({ status: name })">
              <svg class="o-i o-i-s" aria-hidden="true"><use v-if="filter.status === name" href="#o-i-check" /></svg>{{ t(word) }}
            </button>
          </div>
          <div v-if="Object.keys(backends).length > 1 || filter.backend" role="radiogroup" :aria-label="t('Backend')" @keydown="roam">
            <button v-for="(name, id) in { '': t('All backends'), ...backends }" :key="id" role="radio" :aria-checked="filter.backend === id"
                    :data-testid="'queue-filter-backend-' + (id || 'all')" @click="choose({ backend: id })">
              <svg class="o-i o-i-s" aria-hidden="true"><use v-if="filter.backend === id" href="#o-i-check" /></svg>{{ name }}
            </button>
          </div>
        </div>
      </div>
      <div class="o-pop" @keydown.esc.stop.prevent="close" @focusout="leave">
        <button ref="more" class="o-icon-btn o-icon-btn-compact" data-testid="queue-more" :title="t('More')" :aria-label="t('More')"
                aria-haspopup="menu" :aria-expanded="open === 'more'" @click="toggle('more')">
          <svg class="o-i" aria-hidden="true"><use href="#o-i-dots" /></svg>
        </button>
        <div v-if="open === 'more'" class="o-menu" role="menu" @keydown="roam">
          <button v-for="item in items" :key="item.testid" role="menuitem" :data-testid="item.testid" :disabled="item.off" @click="perform(item.run)">
            <svg class="o-i o-i-s" aria-hidden="true"><use :href="'#o-i-' + item.icon" /></svg>{{ item.title }}
          </button>
          <button role="menuitemcheckbox" class="o-menu-last" data-testid="queue-notify" :aria-checked="notifies" :disabled="!mayNotify"
                  :title="mayNotify ? null : t('The browser does not allow notifications from this page.')" @click="perform(() => choice(!notifies))">
            <svg class="o-i o-i-s" aria-hidden="true"><use v-if="notifies" href="#o-i-check" /></svg>{{ t("Notify me when a long job ends") }}
          </button>
        </div>
      </div>
    </div>
    <p v-if="asks" class="o-paused o-asks" data-testid="notify-offer">
      <span class="o-grow">{{ t("Get a notification when a job like this ends?") }}</span>
      <button class="o-btn o-btn-compact" data-testid="notify-yes" @click="choice(true)">{{ t("Yes") }}</button>
      <button class="o-btn o-btn-quiet o-btn-compact" data-testid="notify-no" @click="choice(false)">{{ t("No") }}</button>
    </p>`,
  data() {
    return { state, endings, open: null, states: STATES };
  },
  computed: {
    isOn() {
      return this.filter.status !== "all" || Boolean(this.filter.words || this.filter.backend);
    },
    notifies() {
      return areOn();
    },
    mayNotify() {
      return this.notifies || ["default", "granted"].includes(endings.permission);
    },
    // Asked once, when there is a job that shows what for.
    asks() {
      const isLong = (job) => job.status === "running" && job.startedAt && secondsBetween(job.startedAt, clock.now) > LONG_S;
      return endings.choice === null && endings.permission === "default" && [...state.jobs.values()].some(isLong);
    },
    items() {
      const { t } = this;
      const act = (verb) => () => this.$emit("act", verb);
      const failed = this.finished.some((job) => job.status === "failed");
      return [
        { testid: "queue-select", icon: "done", title: t("Select jobs"), off: !state.jobs.size, run: () => this.$emit("select") },
        { testid: "queue-retry-failed", icon: "retry", title: t("Retry all failed"), off: !failed && !state.moreFinished, run: act("retry_failed") },
        { testid: "queue-cancel-waiting", icon: "stop", title: t("Cancel all waiting"), off: !state.queue.queued, run: act("cancel_waiting") },
        { testid: "queue-clear-finished", icon: "x", title: t("Clear finished"), off: !this.finished.length, run: act("clear") },
      ];
    },
  },
  methods: {
    async toggle(name) {
      this.open = this.open === name ? null : name;
      await this.$nextTick();
      if (this.open === "filter" && matchMedia("(pointer: fine)").matches) this.$refs.words.focus();
      if (this.open === "more") this.$refs.more.nextElementSibling.querySelector("button:enabled")?.focus();
    },
    close() {
      const opener = this.$refs[this.open];
      this.open = null;
      opener?.focus();
    },
    leave(event) {
      if (!event.currentTarget.contains(event.relatedTarget)) this.open = null;
    },
    perform(run) {
      this.close();
      run();
    },
    choose(change) {
      this.$emit("filter", change);
      this.close();
    },
    choice(wanted) {
      return choose(wanted);
    },
    roam(event) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const buttons = [...event.currentTarget.querySelectorAll("button:enabled")];
      buttons.at((buttons.indexOf(document.activeElement) + by) % buttons.length)?.focus();
    },
  },
};
