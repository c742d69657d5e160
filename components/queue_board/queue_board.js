import { JobCard } from "orchestrator/job_card.js";
import { number, speaker } from "orchestrator/i18n.js";
import { inQueueOrder, isFinished, newestFirst, state } from "orchestrator/jobs.js";
import { watchClock } from "orchestrator/time.js";

const FILTERS = ["all", "running", "queued", "created", "done", "failed", "cancelled"];
const FOLD_FROM = 4;

export default {
  components: { JobCard },
  props: { texts: Object, backends: Object, expanded: String },
  emits: ["action"],
  template: `
    <section class="o-panel o-queue" data-testid="queue-panel" :aria-label="t('Queue')">
      <div class="o-panel-head">
        <h2>{{ t("Queue") }}</h2>
        <span class="o-count o-trunc" data-testid="queue-count">{{ summary }}</span>
        <span class="o-grow"></span>
        <button class="o-btn o-btn-quiet o-btn-compact" data-testid="queue-pause" :aria-pressed="state.queue.paused"
                @click="act(state.queue.paused ? 'resume' : 'pause')">
          <svg class="o-i o-i-s" aria-hidden="true"><use :href="state.queue.paused ? '#o-i-play' : '#o-i-pause'" /></svg>
          {{ state.queue.paused ? t("Resume") : t("Pause") }}
        </button>
        <div class="o-pop" @keydown.esc.stop="open = null" @focusout="leave">
          <button class="o-icon-btn o-icon-btn-compact" data-testid="queue-filter" :title="t('Filter')" :aria-label="t('Filter')"
                  aria-haspopup="menu" :aria-expanded="open === 'filter'" :data-on="filter !== 'all'" @click="toggle('filter')">
            <svg class="o-i" aria-hidden="true"><use href="#o-i-filter" /></svg>
          </button>
          <div v-if="open === 'filter'" class="o-menu" role="menu">
            <button v-for="name in filters" :key="name" role="menuitemradio" :aria-checked="filter === name"
                    :data-testid="'queue-filter-' + name" @click="choose(name)">
              <svg class="o-i o-i-s" aria-hidden="true"><use v-if="filter === name" href="#o-i-check" /></svg>{{ filterName(name) }}
            </button>
          </div>
        </div>
        <div class="o-pop" @keydown.esc.stop="open = null" @focusout="leave">
          <button class="o-icon-btn o-icon-btn-compact" data-testid="queue-more" :title="t('More')" :aria-label="t('More')"
                  aria-haspopup="menu" :aria-expanded="open === 'more'" @click="toggle('more')">
            <svg class="o-i" aria-hidden="true"><use href="#o-i-dots" /></svg>
          </button>
          <div v-if="open === 'more'" class="o-menu" role="menu">
            <button role="menuitem" data-testid="queue-cancel-waiting" :disabled="!state.queue.queued" @click="menu('cancel_waiting')">
              <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-stop" /></svg>{{ t("Cancel all waiting") }}
            </button>
            <button role="menuitem" :disabled="!finished.length" @click="menu('clear')">
              <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-x" /></svg>{{ t("Clear finished") }}
            </button>
          </div>
        </div>
      </div>
      <p v-if="state.queue.paused" class="o-paused" data-testid="queue-paused">
        <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-pause" /></svg>{{ t("Paused. What runs goes on; nothing new starts.") }}
      </p>
      <div class="o-queue-list" ref="list" @keydown="onKey" @dragover="onDragOver" @drop.prevent="onDrop">
        <div v-if="!state.loaded" class="o-queue-wait" aria-hidden="true"><i v-for="n in 3" :key="n" class="o-skeleton"></i></div>
        <div v-else-if="!shown" class="o-empty" data-testid="queue-empty">
          <svg class="o-i o-mut" aria-hidden="true"><use href="#o-i-layers" /></svg>
          <strong>{{ filter === "all" ? t("Nothing waits") : t("No job matches the filter") }}</strong>
          <p v-if="filter === 'all'" class="o-hint">{{ t("Press Ctrl ↵ in the prompt to add a job.") }}</p>
          <button v-else class="o-btn o-btn-compact" @click="choose('all')">{{ t("Show all") }}</button>
        </div>
        <TransitionGroup name="o-card" v-else>
          <template v-for="row in rows" :key="row.key">
            <div v-if="row.section" class="o-queue-section">
              <h3>{{ t(row.section.title) }}</h3> <span v-if="row.section.count > 1" class="o-num">{{ n(row.section.count) + (row.section.more ? "+" : "") }}</span>
              <span class="o-grow"></span>
              <span v-if="row.section.name === 'waiting' && row.section.jobs.length > 1" class="o-wide">{{ t("Drag to reorder") }}</span>
              <button v-if="row.section.name === 'finished'" class="o-link" data-testid="queue-clear" @click="act('clear')">{{ t("Clear") }}</button>
            </div>
            <button v-else-if="row.group" class="o-group" :data-testid="'job-group-' + row.group.id" :aria-expanded="!row.folded" @click="fold(row)">
              <svg class="o-i o-i-s" aria-hidden="true" :data-open="!row.folded"><use href="#o-i-cr" /></svg>
              <span class="o-trunc" dir="auto">{{ row.group.prompt }}</span>
              <span class="o-num">{{ t("{done} of {total}", { done: row.group.done, total: row.group.total }) }}</span>
              <span class="o-segs" aria-hidden="true"><i v-for="job in row.group.jobs" :key="job.id" :data-st="job.status"></i></span>
            </button>
            <p v-else-if="row.hidden" class="o-hint o-queue-more">{{ tn("and {n} more", row.hidden) }}</p>
            <JobCard v-else :job="row.job" :t="t" :tn="tn" :backends="backends" :position="row.position" :last="row.last"
                     :focusable="row.key === focusable" :expanded="row.job.id === expanded" :reorder="row.reorder"
                     :class="{ 'o-grouped': row.grouped, 'o-drop': drop?.id === row.job.id, 'o-drop-after': drop?.id === row.job.id && drop.after, 'o-dragged': dragged === row.job.id }"
                     @act="(verb) => actOn(row.job, verb)" @focus="focused = row.key" @drag="dragged = row.job.id" @dragend="dragged = drop = null" />
          </template>
        </TransitionGroup>
      </div>
      <div class="o-vh" aria-live="polite">{{ news }}</div>
    </section>`,
  data() {
    return { state, open: null, filter: "all", filters: FILTERS, focused: null, folded: {}, dragged: null, drop: null, news: "" };
  },
  created() {
    Object.assign(this, speaker(this.texts), { n: number });
    this.said = new Map();
    // The clock only runs while something does, so that an idle page rests.
    this.$watch(
      () => this.running.length > 0 || this.waiting.some((job) => job.notBefore),
      (busy) => {
        this.unwatch?.();
        this.unwatch = busy ? watchClock() : null;
      },
      { immediate: true },
    );
    this.$watch(() => [...state.jobs.values()].map((job) => job.id + job.status).join(), this.announce);
  },
  unmounted() {
    this.unwatch?.();
  },
  computed: {
    all() {
      return [...state.jobs.values()].filter((job) => this.filter === "all" || job.status === this.filter);
    },
    running() {
      return this.all.filter((job) => job.status === "running").sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
    },
    waiting() {
      return this.all.filter((job) => job.status === "queued").sort(inQueueOrder);
    },
    held() {
      return this.all.filter((job) => job.status === "created").sort(inQueueOrder);
    },
    finished() {
      return this.all.filter(isFinished).sort(newestFirst);
    },
    hidden() {
      return this.filter === "all" || this.filter === "queued" ? Math.max(0, state.queue.queued - this.waiting.length) : 0;
    },
    shown() {
      return this.all.length;
    },
    sections() {
      return [
        { name: "running", title: "Running", jobs: this.running, count: this.running.length },
        { name: "waiting", title: "Waiting", jobs: this.waiting, count: this.waiting.length + this.hidden },
        { name: "held", title: "Held", jobs: this.held, count: this.held.length },
        { name: "finished", title: "Finished", jobs: this.finished, count: this.finished.length, more: state.moreFinished },
      ].filter((section) => section.jobs.length);
    },
    summary() {
      const { running, queued } = state.queue;
      if (!running && !queued) return this.t("empty");
      return [running && this.tn("{n} running", running), queued && this.tn("{n} waiting", queued)].filter(Boolean).join(" · ");
    },
    rows() {
      return this.sections.flatMap((section) => [
        { key: section.name, section },
        ...this.rowsOf(section),
        ...(section.name === "waiting" && this.hidden ? [{ key: "hidden", hidden: this.hidden }] : []),
      ]);
    },
    keys() {
      return this.rows.filter((row) => row.job).map((row) => row.key);
    },
    focusable() {
      return this.keys.includes(this.focused) ? this.focused : this.keys[0];
    },
  },
  methods: {
    // Neighbours of one submission stand together under a head that folds them.
    rowsOf({ name, jobs }) {
      const rows = [];
      const grouping = name === "waiting" || name === "held";
      for (let i = 0; i < jobs.length; ) {
        let end = i + 1;
        while (grouping && jobs[i].groupId && jobs[end]?.groupId === jobs[i].groupId) end += 1;
        const key = `${name}-${jobs[i].groupId}-${i}`;
        const isGroup = end - i > 1;
        if (isGroup) rows.push({ key, folded: this.isFolded(jobs[i], end - i), group: this.groupOf(jobs[i]) });
        const shown = isGroup && rows.at(-1).folded ? [] : jobs.slice(i, end);
        shown.forEach((job, n) =>
          rows.push({ key: job.id, job, position: i + n, last: i + n === jobs.length - 1, reorder: name === "waiting", grouped: isGroup }),
        );
        i = end;
      }
      return rows;
    },
    isFolded({ groupId }, size) {
      return this.folded[groupId] ?? size > FOLD_FROM;
    },
    groupOf({ groupId, prompt }) {
      const jobs = [...state.jobs.values()].filter((job) => job.groupId === groupId).sort((a, b) => (a.rank < b.rank ? -1 : 1));
      return { id: groupId, prompt, jobs, total: jobs.length, done: jobs.filter(isFinished).length };
    },
    fold(row) {
      this.folded[row.group.id] = !row.folded;
    },
    filterName(name) {
      const names = { all: "All", running: "Running", queued: "Waiting", created: "Held", done: "Done", failed: "Failed", cancelled: "Cancelled" };
      return this.t(names[name]);
    },
    toggle(name) {
      this.open = this.open === name ? null : name;
    },
    leave(event) {
      if (!event.currentTarget.contains(event.relatedTarget)) this.open = null;
    },
    choose(name) {
      this.filter = name;
      this.open = null;
    },
    menu(verb) {
      this.open = null;
      this.act(verb);
    },
    act(verb, id = null, extra = {}) {
      this.$emit("action", { verb, id, ...extra });
    },
    actOn(job, verb) {
      if (verb === "view") return window.emitEvent("sub_pages_navigate", `/canvas/${job.result.images[0].id}`);
      if (verb === "up" || verb === "down") return this.shift(job, verb === "up" ? -1 : 1);
      return this.act(verb, job.id);
    },
    shift(job, step) {
      const at = this.waiting.findIndex((other) => other.id === job.id);
      const other = at < 0 ? null : this.waiting[at + step];
      if (other) this.act("move", job.id, step < 0 ? { before: other.id } : { after: other.id });
    },
    onDragOver(event) {
      const card = event.target.closest("[data-waiting]");
      if (!this.dragged || !card) return;
      event.preventDefault();
      const box = card.getBoundingClientRect();
      this.drop = { id: card.dataset.job, after: event.clientY > box.top + box.height / 2 };
    },
    onDrop() {
      const { dragged, drop } = this;
      this.dragged = this.drop = null;
      if (dragged && drop && drop.id !== dragged) this.act("move", dragged, { [drop.after ? "after" : "before"]: drop.id });
    },
    onKey(event) {
      const card = event.target.closest("[data-job]");
      if (!card || event.target !== card) return;
      const job = state.jobs.get(card.dataset.job);
      const verb = this.verbOf(event, job);
      if (!verb) return;
      event.preventDefault();
      if (verb === "next" || verb === "previous") this.step(job.id, verb === "next" ? 1 : -1);
      else this.actOn(job, verb);
    },
    verbOf(event, job) {
      if (event.altKey && ["ArrowUp", "ArrowDown"].includes(event.key)) return event.key === "ArrowUp" ? "up" : "down";
      if (event.ctrlKey || event.metaKey || event.altKey) return null;
      const retryable = job.status === "failed" || job.status === "cancelled";
      return {
        ArrowDown: "next",
        ArrowUp: "previous",
        Delete: isFinished(job) ? "remove" : "cancel",
        r: retryable && "retry",
        R: retryable && "retry",
        Enter: job.result?.images?.length ? "view" : job.status === "created" && "run",
      }[event.key];
    },
    step(id, by) {
      const key = this.keys[this.keys.indexOf(id) + by];
      if (!key) return;
      this.focused = key;
      this.$nextTick(() => this.$refs.list.querySelector(`[data-job="${key}"]`)?.focus());
    },
    announce() {
      for (const job of state.jobs.values()) {
        const before = this.said.get(job.id);
        this.said.set(job.id, job.status);
        if (before && before !== job.status) this.news = `${this.filterName(job.status)}: ${job.prompt.slice(0, 80)}`;
      }
    },
  },
};
