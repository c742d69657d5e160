// The gallery: a windowed grid over the REST API, its filter, its selection, and the lightbox.
import { nextTick } from "vue";
import { Details } from "orchestrator-lightbox/details.js";
import Lightbox from "orchestrator-lightbox/lightbox.js";
import { Address } from "orchestrator-gallery/address.js";
import Bulk from "orchestrator-gallery/bulk.js";
import { smallestTile } from "orchestrator-gallery/geometry.js";
import { Gestures } from "orchestrator-gallery/gestures.js";
import { icon } from "orchestrator-gallery/icons.js";
import { lightboxPart } from "orchestrator-gallery/large.js";
import { listPart } from "orchestrator-gallery/list.js";
import { loadPrefs, savePrefs } from "orchestrator-gallery/prefs.js";
import { isFiltered } from "orchestrator-gallery/query.js";
import { Selection } from "orchestrator-gallery/selection.js";
import { selectingPart } from "orchestrator-gallery/selecting.js";
import { Tiles } from "orchestrator-gallery/tiles.js";
import Toolbar from "orchestrator-gallery/toolbar.js";
import { wordsOf } from "orchestrator-gallery/words.js";

const ABOUT_MS = 300; // a picture passed by on the way to another is not asked about

export default {
  name: "ImageGrid",
  components: { Bulk, Details, Lightbox, Toolbar },
  mixins: [listPart, selectingPart, lightboxPart],
  props: { texts: Object, backends: Array, presets: Array, start: String },
  emits: ["remove", "failed", "about"],
  template: `
  <div class="o-gal" :class="{ 'o-gal-contain': prefs.contain, 'o-gal-with-info': infoShown, 'o-gal-selecting': selected > 0 }">
    <section class="o-gal-main" :inert="Boolean(large)" :aria-label="t('Gallery')">
      <Toolbar v-if="!isEmpty" ref="toolbar" :query="query" :backends="backends" :total="total" :all="all" :prefs="prefs"
        :smallest="smallest" :words="words" @query="filter" @prefs="prefer" />
      <div class="o-gal-view" v-show="!isEmpty">
        <button v-if="fresh > 0" type="button" class="o-gal-fresh" @click="showFresh" data-testid="new-images">
          ${icon("up", "o-i-s")}{{ words.n('{n} new image', fresh) }}</button>
        <div ref="scroller" class="o-gal-scroller" @keydown="gridKey">
          <div ref="canvas" class="o-gal-canvas" role="grid" aria-multiselectable="true" :aria-label="t('Images')"
            :aria-busy="String(total === null)" data-testid="gallery-grid"></div>
        </div>
        <div v-if="total === null && !problem" class="o-gal-skeletons" aria-hidden="true"><i v-for="i in 24" :key="i"></i></div>
        <div v-if="problem" class="o-empty o-gal-note" role="alert" data-testid="gallery-problem">
          ${icon("alert")}<h2 class="o-h1">{{ t('The pictures could not be loaded') }}</h2><p>{{ problem }}</p>
          <div class="o-acts"><button type="button" class="o-btn" @click="retry">{{ t('Try again') }}</button></div></div>
        <div v-if="total === 0 && isFiltered && !problem" class="o-empty o-gal-note" data-testid="gallery-no-match">
          ${icon("search")}<h2 class="o-h1">{{ t('Nothing matches') }}</h2><p>{{ t('No picture has all of this. Use fewer words or another date.') }}</p>
          <div class="o-acts"><button type="button" class="o-btn" @click="filter({ q: '', backend: '', from: '', to: '' })"
            data-testid="filters-reset">{{ t('Show all images') }}</button></div></div>
        <Bulk v-if="selected > 0" :count="selected" :total="total ?? 0" :busy="busy" :words="words"
          @download="download" @remove="removeSelected" @all="selectAll" @clear="clearSelection" />
      </div>
      <div v-if="isEmpty" class="o-empty o-gal-empty" data-testid="empty-gallery">
        <div class="o-fan" aria-hidden="true"><i></i><i></i><i>${icon("image")}</i></div>
        <h1 class="o-h1">{{ t('Pictures you make land here.') }}</h1>
        <p>{{ t('Each one keeps its prompt, seed and settings, so you can find it and make it again.') }}</p>
        <div class="o-acts"><a class="o-btn o-btn-primary o-btn-large" href="/" data-testid="empty-generate">${icon("play")}{{ t('Generate the first one') }}</a></div>
      </div>
    </section>
    <aside v-if="infoShown" class="o-gal-info" :inert="Boolean(large)" :aria-label="t('Information')">
      <Details v-if="shown && !large" :image="shown" :words="words" :hero="true" :notices="notices[shown.jobId]" />
      <p v-else-if="!large" class="o-gal-info-none">{{ t('Choose a picture to see how it was made.') }}</p>
    </aside>
    <Lightbox v-if="large" :image="large.image" :problem="large.problem" :index="large.index" :total="total ?? 0" :near="large.near"
      :details="prefs.details" :words="words" :notices="notices[large.image?.jobId]" @close="closeLarge" @step="stepLarge" @goto="gotoLarge" @remove="removeLarge" @broken="checkLarge"
      @details="(details) => prefer({ details })" />
    <span class="o-vh" role="status" aria-live="polite">{{ spoken }}</span>
  </div>`,
  data() {
    return {
      query: { q: "", backend: "", from: "", to: "" },
      prefs: loadPrefs(),
      total: null,
      all: null,
      fresh: 0,
      problem: "",
      selected: 0,
      busy: "",
      large: null,
      shown: null,
      notices: {}, // by job: what was replaced to make its pictures
      smallest: 88,
      spoken: "",
      wide: innerWidth >= 1280,
    };
  },
  computed: {
    words() {
      return Object.freeze(wordsOf(this.texts, this.backends, this.presets));
    },
    t() {
      return this.words.t;
    },
    isFiltered() {
      return isFiltered(this.query);
    },
    isEmpty() {
      return this.total === 0 && this.fresh === 0 && !this.isFiltered && !this.problem;
    },
    /** The job whose picture is looked at. */
    aboutJob() {
      const image = this.large ? this.large.image : this.infoShown ? this.shown : null;
      return image?.jobId ?? null;
    },
    infoShown() {
      return this.prefs.info && this.wide && !this.isEmpty;
    },
  },
  watch: {
    infoShown: { flush: "post", handler: "relayout" },
    aboutJob: "askAbout",
    isEmpty: { flush: "post", handler: "relayout" },
  },
  created() {
    // Large, or changing with every frame: none of Vue's business.
    this.snapshot = null;
    this.ceiling = null; // cursor of the newest picture shown
    this.leaving = new Set();
    this.picked = new Selection();
    this.current = 0; // the place that has the keyboard focus
    this.anchor = null; // cursor where a range began
  },
  mounted() {
    const { scroller, canvas } = this.$refs;
    this.tiles = new Tiles({ scroller, canvas, host: this.host() });
    this.gestures = new Gestures({ tiles: this.tiles, act: this.acts() });
    this.address = new Address({ onChange: (where) => this.arrive(where) });
    this.watcher = new ResizeObserver(() => this.relayout());
    this.watcher.observe(scroller);
    this.onKey = (event) => this.pageKey(event);
    document.addEventListener("keydown", this.onKey);
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.relayout();
    this.arrive(this.address.readStart(this.start), { first: true });
  },
  beforeUnmount() {
    this.snapshot?.close();
    this.tiles.close();
    this.gestures.close();
    this.address.close();
    this.watcher.disconnect();
    document.removeEventListener("keydown", this.onKey);
    clearTimeout(this.syncTimer);
    clearTimeout(this.placeTimer);
    clearTimeout(this.aboutTimer);
  },
  methods: {
    /** What the tiles ask of us. */
    host() {
      return {
        words: this.words,
        item: (index) => this.snapshot?.item(index) ?? null,
        total: () => this.snapshot?.total ?? 0,
        want: (first, last) => this.snapshot?.want(first, last),
        current: () => this.current,
        isSelected: (image) => !this.picked.isEmpty && this.picked.has(image.cursor),
        isLeaving: (image) => this.leaving.has(image.id),
      };
    },
    relayout() {
      const { scroller } = this.$refs;
      if (!scroller) return;
      this.wide = innerWidth >= 1280;
      this.smallest = smallestTile(scroller.clientWidth, scroller.clientHeight);
      this.tiles.layout({ view: this.prefs.view, size: this.prefs.size });
    },
    prefer(change) {
      this.prefs = { ...this.prefs, ...change };
      savePrefs(this.prefs);
      if ("view" in change || "size" in change) this.relayout();
    },
    /** The address changed: by a link, Back, Forward, or because the page was opened there. */
    arrive({ query, imageId, place }, { first = false } = {}) {
      const same = JSON.stringify(query) === JSON.stringify(this.query);
      if (first || !same) {
        this.query = query;
        this.reopen({ place });
      }
      if (imageId) this.openById(imageId);
      else if (this.large) this.dropLarge();
    },
    /** Show only what matches; every change of the filter is a step in the history. */
    filter(change) {
      const query = { ...this.query, ...change };
      if (JSON.stringify(query) === JSON.stringify(this.query)) return;
      const typing = Object.keys(change).join() === "q" && this.query.q && query.q;
      this.query = query;
      if (typing) this.address.replace(query, null, { oPlace: null });
      else this.address.push(query, null);
      this.clearSelection();
      this.reopen({});
    },
    pageKey(event) {
      if (event.defaultPrevented || this.large || isTyping(event.target)) return;
      if (document.querySelector(".q-dialog")) return;
      const command = event.ctrlKey || event.metaKey;
      if (command && event.key.toLowerCase() === "a") {
        event.preventDefault();
        this.selectAll();
        return;
      }
      if (command || event.altKey) return;
      const act = this.pageKeys()[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act || this.isEmpty) return;
      event.preventDefault();
      act();
    },
    pageKeys() {
      return {
        "/": () => this.$refs.toolbar?.focusSearch(),
        z: () => this.prefer({ contain: !this.prefs.contain }),
        i: () => this.prefer({ info: !this.prefs.info }),
        c: () => this.copyPrompt(),
        u: () => this.useSettings(),
        d: () => this.download(),
        Delete: () => this.removeSelected(),
        Escape: () => this.clearSelection(),
      };
    },
    say(text) {
      this.spoken = "";
      nextTick(() => (this.spoken = text));
    },
    askAbout(jobId) {
      clearTimeout(this.aboutTimer);
      if (!jobId || this.notices[jobId]) return;
      this.aboutTimer = setTimeout(() => this.$emit("about", jobId), ABOUT_MS);
    },
    /** Called by the server: what was asked about a job. */
    about(jobId, notices) {
      this.notices = { ...this.notices, [jobId]: notices };
    },
    /** Called by the server: pictures were added, deleted or restored. */
    changed() {
      this.syncSoon();
    },
    /** Called by the server after the connection was away: anything may have changed. */
    refresh() {
      if (this.snapshot?.outline) this.syncSoon();
    },
  },
};

function isTyping(target) {
  return Boolean(target.closest?.("input, textarea, select, [contenteditable=true]"));
}
