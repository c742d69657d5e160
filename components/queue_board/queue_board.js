import { isTyping, Selection, verbOf } from "orchestrator/board_keys.js";
import { backendOf, groupsOf, isRetryable, matches, rowsOf, sectionsOf } from "orchestrator/board_rows.js";
import { ContactSheet } from "orchestrator-sheet/contact_sheet.js";
import { BoardHead } from "orchestrator/board_head.js";
import { GroupHead } from "orchestrator/group_head.js";
import { JobCard } from "orchestrator/job_card.js";
import { number, speaker } from "orchestrator/i18n.js";
import { isFinished, newestFirst, state } from "orchestrator/jobs.js";
import { watchClock } from "orchestrator/time.js";
import { reactive } from "vue";

// Outlives the board: whoever comes back from a picture finds the sheet as it was.
const sheet = reactive({ group: null, jobs: new Map() });
const NO_FILTER = { status: "all", words: "", backend: "" };

export default {
  components: { BoardHead, ContactSheet, GroupHead, JobCard },
  props: { texts: Object, backends: Object, expanded: String },
  emits: ["action"],
  template: `
    <section class="o-panel o-queue" data-testid="queue-panel" :aria-label="t('Queue')" :data-selecting="isSelecting || null" @keydown="onBoardKey">
      <BoardHead :t="t" :tn="tn" :summary="summary" :filter="filter" :backends="offered" :finished="finished" @act="act"
                 @filter="(change) => Object.assign(filter, change)" @select="selecting = true" />
      <p v-if="state.queue.paused" class="o-paused" data-testid="queue-paused">
        <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-pause" /></svg>{{ t("Paused. What runs goes on; nothing new starts.") }}
      </p>
      <div v-if="isSelecting" class="o-picked" data-testid="queue-selection" role="toolbar" :aria-label="t('Select jobs')">
        <span class="o-num o-trunc o-grow">{{ tn("{n} selected", selection.ids.size) }}</span>
        <button v-if="jobKeys.some((key) => !selection.ids.has(key))" class="o-btn o-btn-quiet o-btn-compact" data-testid="select-all" @click="selection.all(jobKeys)">{{ t("Select all") }}</button>
        <button v-for="verb in manyVerbs" :key="verb.name" class="o-btn o-btn-compact" :data-testid="'selected-' + verb.name" @click="actOnSelected(verb)">
          <svg class="o-i o-i-s" aria-hidden="true"><use :href="'#o-i-' + verb.icon" /></svg>{{ verb.title }} <span v-if="verb.ids.length !== selection.ids.size" class="o-num">{{ n(verb.ids.length) }}</span>
        </button>
        <button class="o-icon-btn o-icon-btn-compact" data-testid="select-none" :title="t('Clear the selection (Esc)')" :aria-label="t('Clear the selection (Esc)')" @click="unselect">
          <svg class="o-i" aria-hidden="true"><use href="#o-i-x" /></svg>
        </button>
      </div>
      <div class="o-queue-list" ref="list" @keydown="onKey" @dragover="onDragOver" @drop.prevent="onDrop">
        <div v-if="!state.loaded" class="o-queue-wait" aria-hidden="true"><i v-for="n in 3" :key="n" class="o-skeleton"></i></div>
        <div v-else-if="!all.length" class="o-empty" data-testid="queue-empty">
          <svg class="o-i o-mut" aria-hidden="true"><use href="#o-i-layers" /></svg>
          <strong>{{ isFiltered ? t("No job matches the filter") : t("Nothing waits") }}</strong>
          <p v-if="!isFiltered" class="o-hint">{{ t("Press Ctrl ↵ in the prompt to add a job.") }}</p>
          <button v-else class="o-btn o-btn-compact" data-testid="queue-show-all" @click="showAll">{{ t("Show all") }}</button>
        </div>
        <TransitionGroup name="o-card" v-else>
          <template v-for="row in rows" :key="row.key">
            <div v-if="row.head" class="o-queue-section">
              <h3>{{ t(row.head.title) }}</h3> <span v-if="row.head.count > 1" class="o-num">{{ n(row.head.count) + (row.head.more ? "+" : "") }}</span>
              <span class="o-grow"></span>
              <span v-if="row.head.name === 'waiting' && row.head.jobs.length > 1" class="o-wide o-fine">{{ t("Drag to reorder") }}</span>
              <button v-if="row.head.name === 'finished'" class="o-link" data-testid="queue-clear" @click="act('clear')">{{ t("Clear") }}</button>
            </div>
            <GroupHead v-else-if="row.group" :group="row.group" :folded="row.folded" :t="t" :more="cut.has(row.group.id)" :focusable="row.key === focusable" :row="row.key"
                       :class="dropClass(row.key)" @focus="focused = row.key" @act="(verb) => actOnGroup(row, verb)" />
            <p v-else-if="row.hidden" class="o-hint o-queue-more">{{ tn("and {n} more", row.hidden) }}</p>
            <JobCard v-else :job="row.job" :t="t" :tn="tn" :backends="backends" :position="row.position" :last="row.last" :ref="(card) => keepCard(row.key, card)"
                     :focusable="row.key === focusable" :expanded="row.job.id === expanded" :reorder="row.reorder" :selected="selection.ids.has(row.key)"
                     :class="[dropClass(row.key), { 'o-grouped': row.grouped, 'o-dragged': dragged === row.job.id }]" @pick="(event) => pick(row.key, event)"
                     @act="(verb) => actOn(row.job, verb)" @focus="focused = row.key" @drag="dragged = row.job.id" @dragend="dragged = drop = null" />
          </template>
        </TransitionGroup>
      </div>
      <Teleport v-if="sheet.group" to="body">
        <ContactSheet :key="sheet.group" :group="sheet.group" :known="sheet.jobs" :t="t" :tn="tn" :backends="backends" @act="act" @close="closeSheet" />
      </Teleport>
    </section>`,
  data() {
    return { state, sheet, filter: { ...NO_FILTER }, focused: null, folded: {}, dragged: null, drop: null, selection: new Selection(), selecting: false };
  },
  created() {
    Object.assign(this, speaker(this.texts), { n: number, cards: new Map() });
    // The clock only runs while something does, so that an idle page rests.
    this.$watch(
      () => [...state.jobs.values()].some((job) => job.status === "running" || (job.status === "queued" && job.notBefore)),
      (busy) => {
        this.unwatch?.();
        this.unwatch = busy ? watchClock() : null;
      },
      { immediate: true },
    );
    this.$watch(() => state.jobs.size, () => this.selection.keep(state.jobs));
    this.$watch(() => this.keys.join(), this.holdFocus);
    this.$watch(() => state.jobs.get(this.expanded)?.status, this.reveal, { immediate: true });
  },
  mounted() {
    if (sheet.group) this.openSheet(sheet.group); // a picture of it was looked at, and left by Back
    if (this.expanded) window.oDashTab?.("queue"); // on a phone the board is one of three parts
  },
  unmounted() {
    this.unwatch?.();
  },
  computed: {
    all() {
      return [...state.jobs.values()].filter((job) => matches(job, this.filter));
    },
    isFiltered() {
      return Object.keys(NO_FILTER).some((name) => this.filter[name] !== NO_FILTER[name]);
    },
    finished() {
      return [...state.jobs.values()].filter(isFinished);
    },
    // Those that have jobs here, by name.
    offered() {
      return Object.fromEntries([...new Set([...state.jobs.values()].map(backendOf))].map((id) => [id, this.backends[id] ?? id]));
    },
    hidden() {
      const waiting = [...state.jobs.values()].filter((job) => job.status === "queued").length;
      const may = ["all", "queued"].includes(this.filter.status) && !this.filter.words && !this.filter.backend;
      return may ? Math.max(0, state.queue.queued - waiting) : 0;
    },
    sections() {
      return sectionsOf(this.all, { hidden: this.hidden });
    },
    waiting() {
      return this.sections.find((section) => section.name === "waiting")?.jobs ?? [];
    },
    groups() {
      return groupsOf();
    },
    // Groups that go on beyond what this page was told of, so that their sums are lower bounds.
    cut() {
      const oldest = state.moreFinished ? [...this.finished].sort(newestFirst).at(-1) : null;
      const last = this.hidden > 0 ? this.waiting.at(-1) : null;
      return new Set([oldest?.groupId, last?.groupId]);
    },
    summary() {
      const { running, queued } = state.queue;
      if (!running && !queued) return this.t("empty");
      return [running && this.tn("{n} running", running), queued && this.tn("{n} waiting", queued)].filter(Boolean).join(" · ");
    },
    rows() {
      return this.sections.flatMap((section) => [
        { key: section.name, head: section },
        ...rowsOf(section, { folded: this.folded, groups: this.groups }),
        ...(section.name === "waiting" && this.hidden ? [{ key: "hidden", hidden: this.hidden }] : []),
      ]);
    },
    keys() {
      return this.rows.filter((row) => row.job || row.group).map((row) => row.key);
    },
    jobKeys() {
      return this.sections.flatMap((section) => section.jobs.map((job) => job.id));
    },
    focusable() {
      return this.keys.includes(this.focused) ? this.focused : this.keys[0];
    },
    isSelecting() {
      return this.selecting || this.selection.ids.size > 0;
    },
    manyVerbs() {
      const jobs = [...this.selection.ids].map((id) => state.jobs.get(id)).filter(Boolean);
      const ids = (test) => jobs.filter(test).map((job) => job.id);
      return [
        { name: "cancel", icon: "stop", title: this.t("Cancel"), ids: ids((job) => !isFinished(job)) },
        { name: "retry", icon: "retry", title: this.t("Retry"), ids: ids(isRetryable) },
        { name: "remove", icon: "x", title: this.t("Remove"), ids: ids(isFinished) },
      ].filter((verb) => verb.ids.length);
    },
  },
  methods: {
    showAll() {
      Object.assign(this.filter, NO_FILTER);
    },
    keepCard(key, card) {
      card ? this.cards.set(key, card) : this.cards.delete(key);
    },
    // The job that a link leads to must not be hidden in a folded group.
    reveal(status) {
      const job = state.jobs.get(this.expanded);
      if (!status || !job.groupId) return;
      const section = this.sections.find((each) => each.jobs.includes(job));
      if (section) this.folded[`${section.name}-${job.groupId}`] = false;
    },
    act(verb, extra = {}) {
      this.$emit("action", { verb, ...extra });
    },
    actOn(job, verb) {
      if (verb === "view") return window.emitEvent("sub_pages_navigate", `/canvas/${job.result.images[0].id}`);
      if (verb === "up" || verb === "down") return this.shift(job, verb === "up" ? -1 : 1);
      return this.act(verb, { id: job.id });
    },
    actOnGroup(row, verb) {
      const ids = (test) => row.group.jobs.filter((job) => state.jobs.has(job.id) && test(job)).map((job) => job.id);
      if (verb === "fold") this.folded[`${row.section}-${row.group.id}`] = !row.folded;
      if (verb === "sheet-group") this.openSheet(row.group.id);
      if (verb === "cancel-group") this.act("cancel_many", { ids: ids((job) => !isFinished(job)) });
      if (verb === "retry-group") this.act("retry_many", { ids: ids(isRetryable) });
    },
    openSheet(group) {
      if (sheet.group !== group) Object.assign(sheet, { group, jobs: new Map() });
      this.act("sheet", { id: group });
    },
    // The jobs of the sheet that this page was not told of: finished long ago, or far down the queue.
    fillSheet(group, jobs) {
      if (sheet.group !== group) return;
      for (const job of jobs) sheet.jobs.set(job.id, state.jobs.get(job.id) ?? { steps: [], frame: null, heardAt: 0, ...job });
    },
    closeSheet() {
      sheet.group = null;
    },
    actOnSelected({ name, ids }) {
      this.act(`${name}_many`, { ids });
      this.unselect();
    },
    unselect() {
      this.selection.clear();
      this.selecting = false;
      if (this.$refs.list.parentElement.contains(document.activeElement)) this.focusOn(this.focusable);
    },
    pick(key, { shiftKey }) {
      if (shiftKey) this.selection.extend(key, this.jobKeys);
      else this.selection.toggle(key);
      this.focusOn(key);
    },
    shift(job, step) {
      const at = this.waiting.findIndex((other) => other.id === job.id);
      const other = at < 0 ? null : this.waiting[at + step];
      if (other) this.act("move", { id: job.id, [step < 0 ? "before" : "after"]: other.id });
    },
    dropClass(key) {
      const isHere = this.drop?.key === key;
      return { "o-drop": isHere, "o-drop-after": isHere && this.drop.after };
    },
    // Over a card its nearer edge counts; over the head of a group, before or behind the whole group.
    onDragOver(event) {
      if (!this.dragged) return;
      const place = event.target.closest?.("[data-waiting], [data-group]");
      const key = place?.dataset.job ?? place?.dataset.row;
      const row = this.rows.find((each) => each.key === key);
      const jobs = row?.job ? [row.job] : row?.section === "waiting" ? row.members : null;
      if (jobs) {
        const box = place.getBoundingClientRect();
        const after = event.clientY > box.top + box.height / 2 && !(row.group && !row.folded);
        this.drop = { key, after, id: jobs.at(after ? -1 : 0).id };
      }
      if (this.drop) event.preventDefault(); // between two cards the last place still holds
    },
    onDrop() {
      const { dragged, drop } = this;
      this.dragged = this.drop = null;
      if (dragged && drop && drop.id !== dragged) this.act("move", { id: dragged, [drop.after ? "after" : "before"]: drop.id });
    },
    onBoardKey(event) {
      if (event.key !== "Escape" || !this.isSelecting || event.defaultPrevented) return;
      event.preventDefault();
      this.unselect();
    },
    onKey(event) {
      const at = event.target.closest("[data-job], [data-row]");
      if (!at || event.target !== at || isTyping(event.target)) return;
      const key = at.dataset.job ?? at.dataset.row;
      const row = this.rows.find((each) => each.key === key);
      const verb = row && verbOf(event, row);
      if (!verb) return;
      event.preventDefault();
      this.perform(verb, key, row);
    },
    perform(verb, key, row) {
      if (verb === "next" || verb === "previous") this.step(key, verb === "next" ? 1 : -1);
      else if (verb === "extend-down" || verb === "extend-up") this.extend(key, verb === "extend-down" ? 1 : -1);
      else if (verb === "select-all") this.selection.all(this.jobKeys);
      else if (verb === "select") this.selection.toggle(key);
      else if (verb === "log") this.cards.get(key)?.act("log");
      else if (row.group) this.actOnGroup(row, verb);
      else this.actOn(row.job, verb);
    },
    extend(key, by) {
      const next = this.step(key, by);
      const isJob = (each) => state.jobs.has(each);
      if (!this.selection.ids.size && isJob(key)) this.selection.toggle(key);
      if (isJob(next)) this.selection.extend(next, this.jobKeys);
    },
    step(key, by) {
      const next = this.keys[this.keys.indexOf(key) + by];
      if (next) this.focusOn(next);
      return next;
    },
    // A card that changes its place in the document loses the focus; keys must go on working on it.
    holdFocus() {
      const held = document.activeElement;
      if (!this.$refs.list?.contains(held)) return;
      this.$nextTick(() => document.activeElement === document.body && held.focus({ preventScroll: true }));
    },
    focusOn(key) {
      this.focused = key;
      this.$nextTick(() => this.$refs.list?.querySelector(`[data-job="${key}"], [data-row="${key}"]`)?.focus());
    },
  },
};
