// A list of choices over everything else: with a search, folders, the keyboard, and thousands of
// entries, of which only those in sight are drawn.
import { number } from "orchestrator/i18n.js";
import { foldersAbove, rowsOf, textOf } from "./choice_rows.js";
import { t } from "./say.js";

const ROW_PX = 28;
const SEEN = 11;
const SPARE = 4;
const WITH_SEARCH_FROM = 9;

export const ChoiceList = {
  props: { name: String, label: String, choices: Array, value: {}, multiple: Boolean, free: Boolean, anchor: Object },
  emits: ["choose", "close"],
  template: `
    <Teleport to="body">
      <div ref="box" class="o-wd-list" :style="place" :data-testid="'choices-' + name" @keydown="key" @focusout="leave" @pointerdown.stop @wheel.stop @dblclick.stop @contextmenu.stop>
        <div class="o-wd-find" :class="{ 'o-vh': !searchable }">
          <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-search" /></svg>
          <input ref="find" type="text" role="combobox" autocomplete="off" spellcheck="false" :placeholder="t('Search')" :aria-label="label + ', ' + t('Search')" aria-expanded="true"
                 :aria-controls="id" :aria-activedescendant="rows.length ? id + '-' + at : undefined" :data-testid="'choices-search-' + name" :value="query" @input="search($event.target.value)" />
          <span class="o-mut o-num">{{ total }}</span>
        </div>
        <div ref="list" class="o-wd-rows" :id="id" role="listbox" :aria-label="label" :aria-multiselectable="multiple" :style="{ height: height }" @scroll="top = $event.target.scrollTop" @mousedown.prevent>
          <div :style="{ height: rows.length * ${ROW_PX} + 'px' }">
            <div v-for="row in drawn" :key="row.key" class="o-wd-choice" role="option" :id="id + '-' + row.n" :data-at="row.n === at || null" :aria-selected="isChosen(row)" :data-folder="row.path || null"
                 :style="{ top: row.n * ${ROW_PX} + 'px', paddingLeft: 8 + row.depth * 14 + 'px' }" :title="row.path || text(row.choice)" @click="pick(row)" @mousemove="at = row.n">
              <svg v-if="row.path" class="o-i o-i-s o-wd-fold" :data-open="row.isOpen" aria-hidden="true"><use href="#o-i-cr" /></svg>
              <svg v-else class="o-i o-i-s" aria-hidden="true"><use v-if="isChosen(row)" href="#o-i-check" /></svg>
              <span class="o-trunc" dir="auto">{{ row.text }}</span>
              <span v-if="row.folder" class="o-wd-folder o-trunc">{{ row.folder }}</span>
              <span v-if="row.path" class="o-wd-folder o-num">{{ row.count }}</span>
            </div>
          </div>
        </div>
        <p v-if="!rows.length" class="o-wd-none">{{ choices.length ? t("Nothing fits “{words}”.", { words: query }) : t("No backend offers anything here.") }}</p>
      </div>
    </Teleport>`,
  data() {
    return { query: "", at: 0, top: 0, open: new Set(foldersAbove(this.chosen()[0])), place: {}, id: `choices-${Math.random().toString(36).slice(2)}` };
  },
  computed: {
    searchable() {
      return this.choices.length >= WITH_SEARCH_FROM || this.free;
    },
    rows() {
      const rows = rowsOf(this.choices, this);
      const typed = this.query.trim();
      if (this.free && typed && !this.choices.includes(typed)) rows.push({ key: "free", choice: typed, text: t("Use “{text}”", { text: typed }), folder: "", depth: 0 });
      return rows;
    },
    drawn() {
      const from = Math.max(0, Math.floor(this.top / ROW_PX) - SPARE);
      return this.rows.slice(from, from + SEEN + 2 * SPARE + 1).map((row, n) => ({ ...row, n: from + n }));
    },
    height() {
      return `${Math.min(this.rows.length, SEEN) * ROW_PX}px`;
    },
    total() {
      return number(this.choices.length);
    },
    picked() {
      return new Set(this.chosen().map(textOf));
    },
  },
  mounted() {
    this.put();
    this.$refs.find.focus({ preventScroll: true });
    this.at = Math.max(0, this.rows.findIndex((row) => this.isChosen(row)));
    this.show(true);
    addEventListener("resize", this.quit);
    addEventListener("wheel", this.quit, { passive: true }); // the graph zooms under it
    addEventListener("pointerdown", this.outside, true);
  },
  beforeUnmount() {
    removeEventListener("resize", this.quit);
    removeEventListener("wheel", this.quit);
    removeEventListener("pointerdown", this.outside, true);
  },
  methods: {
    t,
    text: textOf,
    chosen() {
      if (this.multiple) return Array.isArray(this.value) ? this.value : [];
      return this.value === null || this.value === undefined ? [] : [this.value];
    },
    isChosen(row) {
      return !row.path && this.picked.has(textOf(row.choice));
    },
    // Below the field, or above it where there is more room.
    put() {
      const field = this.anchor.getBoundingClientRect();
      const width = Math.min(innerWidth - 16, Math.max(260, Math.min(field.width, 460)));
      const below = innerHeight - field.bottom;
      const left = Math.max(8, Math.min(field.left, innerWidth - width - 8));
      const side = below > 380 || below > field.top ? { top: `${field.bottom + 4}px` } : { bottom: `${innerHeight - field.top + 4}px` };
      this.place = { left: `${left}px`, width: `${width}px`, ...side };
    },
    search(words) {
      this.query = words;
      this.at = 0;
      this.show();
    },
    outside(event) {
      if (!this.$refs.box.contains(event.target) && !this.anchor.contains(event.target)) this.$emit("close");
    },
    leave(event) {
      if (event.relatedTarget && !this.$refs.box.contains(event.relatedTarget)) this.$emit("close");
    },
    quit() {
      this.$emit("close");
    },
    pick(row) {
      if (!row) return;
      if (row.path) return this.fold(row);
      if (!this.multiple) return this.$emit("choose", row.choice);
      const kept = this.chosen().filter((one) => textOf(one) !== textOf(row.choice));
      this.$emit("choose", kept.length === this.chosen().length ? [...kept, row.choice] : kept);
    },
    fold(row, isOpen = !row.isOpen) {
      const open = new Set(this.open);
      isOpen ? open.add(row.path) : open.delete(row.path);
      this.open = open;
    },
    key(event) {
      event.stopPropagation();
      if (event.isComposing) return;
      const row = this.rows[this.at];
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: SEEN - 1, PageUp: 1 - SEEN }[event.key];
      if (by) this.step(by);
      else if (["ArrowRight", "ArrowLeft"].includes(event.key) && row?.path) this.fold(row, event.key === "ArrowRight");
      else if (event.key === "Enter") this.pick(row);
      else if (["Escape", "Tab"].includes(event.key)) this.$emit("close");
      else return;
      event.preventDefault();
    },
    step(by) {
      const last = this.rows.length - 1;
      if (last < 0) return;
      const to = this.at + by;
      this.at = Math.abs(by) > 1 ? Math.max(0, Math.min(last, to)) : (to + last + 1) % (last + 1);
      this.show();
    },
    async show(inMiddle = false) {
      await this.$nextTick();
      const { list } = this.$refs;
      if (!list) return;
      const y = this.at * ROW_PX;
      if (inMiddle) list.scrollTop = y - list.clientHeight / 2;
      else if (y < list.scrollTop) list.scrollTop = y;
      else if (y + ROW_PX > list.scrollTop + list.clientHeight) list.scrollTop = y + ROW_PX - list.clientHeight;
      this.top = list.scrollTop;
    },
  },
};
