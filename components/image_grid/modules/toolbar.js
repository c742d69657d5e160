/** What is shown: search box, view, size, and the filter as chips. */

import { day } from "./query.js";
import { icon } from "./icons.js";

const TYPING_MS = 250;

export default {
  name: "GalleryToolbar",
  props: {
    query: Object,
    backends: Array,
    total: Number,
    all: Number,
    prefs: Object,
    smallest: Number,
    words: Object,
  },
  emits: ["query", "prefs"],
  template: `
  <div class="o-gal-bar">
    <label class="o-gal-search">
      ${icon("search")}
      <input ref="search" type="search" :value="text" @input="typed($event.target.value)"
        @keydown.enter="say({ q: text })" @keydown.esc.stop="escape" :placeholder="t('Search prompts')"
        :aria-label="t('Search prompts')" enterkeyhint="search" autocomplete="off" spellcheck="false"
        dir="auto" data-testid="gallery-search">
      <span class="o-gal-count o-num" data-testid="gallery-count">{{ count }}</span>
      <button v-if="text" type="button" class="o-icon-btn o-icon-btn-compact" @click="clearText"
        :title="t('Clear')" :aria-label="t('Clear')" data-testid="gallery-search-clear">${icon("x")}</button>
    </label>
    <div class="o-seg o-gal-views" role="group" :aria-label="t('View')">
      <button type="button" :aria-pressed="String(prefs.view === 'grid')" @click="$emit('prefs', { view: 'grid' })"
        :title="t('Grid')" :aria-label="t('Grid')" data-testid="view-grid">${icon("grid")}</button>
      <button type="button" :aria-pressed="String(prefs.view === 'list')" @click="$emit('prefs', { view: 'list' })"
        :title="t('List')" :aria-label="t('List')" data-testid="view-list">${icon("list")}</button>
    </div>
    <input class="o-gal-size" type="range" :min="smallest" max="420" step="4" :value="Math.max(prefs.size, smallest)"
      :disabled="prefs.view === 'list'" @input="$emit('prefs', { size: Number($event.target.value) })"
      :style="{ '--at': at }" :aria-label="t('Picture size')" :title="t('Picture size')" data-testid="gallery-size">
    <button type="button" class="o-icon-btn o-gal-info-toggle" :aria-pressed="String(prefs.info)"
      @click="$emit('prefs', { info: !prefs.info })" :title="t('Information (I)')" :aria-label="t('Information (I)')"
      data-testid="gallery-info">${icon("panel")}</button>
  </div>
  <div class="o-gal-chips" @keydown.esc="closeMenu">
    <button v-for="chip in chips" :key="chip.field" type="button" class="o-chip o-chip-on"
      @click="say(chip.without)" :aria-label="t('Remove filter: {what}', { what: chip.label })"
      :data-testid="'chip-' + chip.field"><span class="o-trunc">{{ chip.label }}</span>${icon("x", "o-i-xs")}</button>
    <span v-if="chips.length && !query.backend" class="o-gal-sep"></span>
    <span v-if="!query.backend && backends.length" class="o-gal-pop">
      <button type="button" class="o-chip" aria-haspopup="true" :aria-expanded="String(open === 'backend')"
        @click="toggle('backend')" data-testid="filter-backend">{{ t('Backend') }}${icon("cd", "o-i-xs")}</button>
      <div v-if="open === 'backend'" class="o-gal-menu" role="menu">
        <button v-for="one in backends" :key="one.id" type="button" role="menuitem"
          @click="say({ backend: one.id })" :data-testid="'filter-backend-' + one.id">{{ one.name }}</button>
      </div>
    </span>
    <span v-if="!query.from && !query.to" class="o-gal-pop">
      <button type="button" class="o-chip" aria-haspopup="true" :aria-expanded="String(open === 'date')"
        @click="toggle('date')" data-testid="filter-date">{{ t('Date') }}${icon("cd", "o-i-xs")}</button>
      <div v-if="open === 'date'" class="o-gal-menu" role="group" :aria-label="t('Date')">
        <button v-for="one in spans" :key="one.label" type="button" @click="say({ from: one.from, to: '' })"
          :data-testid="one.id">{{ one.label }}</button>
        <div class="o-gal-dates">
          <label>{{ t('From') }}<input type="date" v-model="from" :max="to || undefined" data-testid="filter-from"></label>
          <label>{{ t('To') }}<input type="date" v-model="to" :min="from || undefined" data-testid="filter-to"></label>
          <button type="button" class="o-btn o-btn-compact" :disabled="!from && !to" @click="say({ from, to })"
            data-testid="filter-date-apply">{{ t('Apply') }}</button>
        </div>
      </div>
    </span>
    <button v-if="chips.length > 1" type="button" class="o-btn o-btn-quiet o-btn-compact" @click="clearAll"
      data-testid="filter-clear">{{ t('Clear filters') }}</button>
  </div>`,
  data() {
    return { text: this.query.q, open: null, from: "", to: "" };
  },
  computed: {
    t() {
      return this.words.t;
    },
    at() {
      const size = Math.max(this.prefs.size, this.smallest);
      return `${((size - this.smallest) / (420 - this.smallest)) * 100}%`;
    },
    count() {
      if (this.total === null) return "";
      if (this.all !== null && this.all !== this.total) {
        return this.t("{n} of {all}", { n: this.total, all: this.all });
      }
      return this.words.n("{n} image", this.total);
    },
    chips() {
      const { q, backend, from, to } = this.query;
      const named = this.backends.find((one) => one.id === backend)?.name ?? backend;
      const chips = [];
      if (q.trim()) chips.push({ field: "q", label: `“${q.trim()}”`, without: { q: "" } });
      if (backend) chips.push({ field: "backend", label: named, without: { backend: "" } });
      if (from || to) {
        chips.push({ field: "date", label: this.span(from, to), without: { from: "", to: "" } });
      }
      return chips;
    },
    spans() {
      return [
        { id: "date-today", label: this.t("Today"), from: day() },
        { id: "date-week", label: this.t("Last 7 days"), from: day(6) },
        { id: "date-month", label: this.t("Last 30 days"), from: day(29) },
      ];
    },
  },
  watch: {
    "query.q"(q) {
      if (q.trim() !== this.text.trim()) this.text = q;
    },
  },
  mounted() {
    this.outside = (event) => {
      if (!event.target.closest?.(".o-gal-pop")) this.open = null;
    };
    document.addEventListener("pointerdown", this.outside);
  },
  beforeUnmount() {
    document.removeEventListener("pointerdown", this.outside);
    clearTimeout(this.typing);
  },
  methods: {
    span(from, to) {
      if (from && from === to) return this.words.day(from);
      if (from && to) return `${this.words.day(from)} – ${this.words.day(to)}`;
      if (from) return this.t("since {day}", { day: this.words.day(from) });
      return this.t("until {day}", { day: this.words.day(to) });
    },
    typed(text) {
      this.text = text;
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.say({ q: text }), TYPING_MS);
    },
    clearText() {
      this.text = "";
      this.say({ q: "" });
      this.$refs.search.focus();
    },
    clearAll() {
      this.text = "";
      this.say({ q: "", backend: "", from: "", to: "" });
    },
    escape(event) {
      if (this.text) this.clearText();
      else event.target.blur();
    },
    closeMenu(event) {
      if (!this.open) return;
      event.stopPropagation();
      this.open = null;
    },
    toggle(name) {
      this.open = this.open === name ? null : name;
      this.from = this.query.from;
      this.to = this.query.to;
    },
    say(change) {
      clearTimeout(this.typing);
      this.open = null;
      this.$emit("query", change);
    },
    focusSearch() {
      this.$refs.search.focus();
      this.$refs.search.select();
    },
  },
};
