/**
 * One picture, large: zoom, neighbours, everything known about it.
 *
 * `list` is the gallery behind it: `item(index)`, `fetchItem(index)`, `total`, `rank(cursor)`.
 */

import { icon } from "orchestrator-gallery/icons.js";
import { hasThumbnail, iconOf } from "orchestrator/media.js";
import { Details, UseMenu, copyText } from "./details.js";
import { Media } from "./media.js";
import { Zoom } from "./zoom.js";

const REACH = 7; // pictures of the film strip on either side
const STEP = 1.35;
const narrow = matchMedia("(max-width: 767px)");

export default {
  name: "ImageLightbox",
  components: { Details, Media, UseMenu },
  props: {
    image: Object,
    notices: Array,
    problem: String,
    index: Number,
    total: Number,
    near: Array,
    details: Boolean,
    words: Object,
  },
  emits: ["close", "step", "goto", "remove", "details", "broken"],
  template: `
  <div ref="dialog" class="o-lb" :class="{ 'o-lb-wide': !details || !image, 'o-lb-open-sheet': sheet }" role="dialog" aria-modal="true"
    :aria-label="t('Image')" data-testid="lightbox" tabindex="-1">
    <div class="o-lb-bar">
      <button type="button" class="o-icon-btn" @click="$emit('close')" :title="t('Close (Esc)')" :aria-label="t('Close (Esc)')"
        data-testid="lightbox-close">${icon("x")}</button>
      <span class="o-num o-lb-at" data-testid="lightbox-position">{{ position }}</span>
      <span class="o-grow"></span>
      <span v-if="isPicture && !image.missing" class="o-lb-zoom o-wide">
        <button type="button" class="o-icon-btn" @click="zoomBy(1 / ${STEP})" :title="t('Zoom out (−)')" :aria-label="t('Zoom out (−)')">${icon("minus")}</button>
        <button type="button" class="o-lb-scale o-num" @click="toggleFit" :title="t('Fit (F)')" data-testid="lightbox-zoom">{{ scale }}</button>
        <button type="button" class="o-icon-btn" @click="zoomBy(${STEP})" :title="t('Zoom in (+)')" :aria-label="t('Zoom in (+)')">${icon("plus")}</button>
      </span>
      <template v-if="image">
        <span class="o-gal-sep o-wide"></span>
        <a v-if="!image.missing" class="o-icon-btn" :href="image.url + '?download=1'" :download="image.downloadName" ref="download"
          :title="t('Download (D)')" :aria-label="t('Download (D)')" data-testid="image-download">${icon("down")}</a>
        <button v-if="!isNarrow" type="button" class="o-icon-btn" @click="$emit('remove')" :title="t('Delete (Del)')" :aria-label="t('Delete (Del)')"
          data-testid="image-delete">${icon("trash")}</button>
        <button type="button" class="o-icon-btn" :aria-pressed="String(isNarrow ? sheet : details)" @click="toggleDetails"
          :title="t('Information (I)')" :aria-label="t('Information (I)')" data-testid="lightbox-info">${icon("panel")}</button>
      </template>
    </div>
    <div ref="stage" class="o-lb-stage">
      <div ref="frame" class="o-lb-frame" v-show="isPicture && !image.missing">
        <img v-if="isPicture" class="o-lb-thumb" :src="image.thumbnailUrl" alt="" aria-hidden="true" :key="'t' + image.id">
        <img v-if="isPicture" class="o-lb-picture" :src="image.url" :alt="image.prompt || image.downloadName" :key="image.id"
          :class="{ 'o-gal-loaded': loaded === image.id }" @load="arrived" @error="$emit('broken')" draggable="false" data-testid="lightbox-image">
      </div>
      <Media v-if="image && !isPicture && !image.missing" ref="media" :key="image.id" :image="image" :words="words" @broken="$emit('broken')" />
      <p v-if="image && image.missing" class="o-lb-note">${icon("alert")}{{ t('The file of this picture is gone from the disk. Its record stays until you delete it.') }}</p>
      <p v-if="problem" class="o-lb-note" role="alert">${icon("alert")}{{ problem }}</p>
      <button v-if="index > 0" type="button" class="o-lb-arrow o-lb-prev" @click="$emit('step', -1)" :title="t('Previous (←)')"
        :aria-label="t('Previous (←)')" data-testid="lightbox-prev">${icon("cl")}</button>
      <button v-if="index !== null && index < total - 1" type="button" class="o-lb-arrow o-lb-next" @click="$emit('step', 1)"
        :title="t('Next (→)')" :aria-label="t('Next (→)')" data-testid="lightbox-next">${icon("cr")}</button>
    </div>
    <div ref="strip" class="o-lb-strip" role="group" :aria-label="t('Neighbours')">
      <button v-for="one in near" :key="one.index" type="button" :class="{ 'o-lb-here': one.index === index }" tabindex="-1"
        :aria-current="one.index === index ? 'true' : null" :aria-label="one.image?.prompt || t('Image')" @click="$emit('goto', one.index)">
        <img v-if="one.image && hasThumbnail(one.image)" :src="one.image.thumbnailUrl" alt="" draggable="false">
        <svg v-else-if="one.image" class="o-i" aria-hidden="true"><use :href="'#o-i-' + iconOf(one.image)"></use></svg></button>
    </div>
    <aside v-if="image && details && !isNarrow" class="o-lb-info" :aria-label="t('Information')">
      <Details ref="details" :image="image" :words="words" :notices="notices" />
    </aside>
    <div v-if="image && isNarrow" class="o-lb-sheet" data-testid="lightbox-sheet">
      <button type="button" class="o-lb-grip" @click="sheet = !sheet" :aria-expanded="String(sheet)" :aria-label="t('Information')"></button>
      <div v-if="sheet" class="o-lb-sheet-more"><Details :image="image" :words="words" :notices="notices" /></div>
      <template v-else>
        <p class="o-prompt o-lb-sheet-prompt" dir="auto">{{ image.prompt }}</p>
        <p class="o-mut o-num o-lb-sheet-line">{{ line }}</p>
      </template>
      <div class="o-lb-acts">
        <a :href="'/?use=' + image.id + '&part=all'" data-testid="sheet-use">${icon("undo")}<span>{{ t('Reuse') }}</span></a>
        <button type="button" @click="copyPrompt">${icon("copy")}<span>{{ t('Prompt') }}</span></button>
        <button type="button" @click="sheet = !sheet">${icon("info")}<span>{{ t('Details') }}</span></button>
        <button type="button" @click="$emit('remove')" data-testid="image-delete">${icon("trash")}<span>{{ t('Delete') }}</span></button>
      </div>
    </div>
    <span class="o-vh" role="status">{{ spoken }}</span>
  </div>`,
  data: () => ({ view: { scale: 1, fitted: true }, loaded: null, sheet: false, spoken: "", isNarrow: narrow.matches }),
  computed: {
    t() {
      return this.words.t;
    },
    /** Whether it is a picture, which can be zoomed; other things are shown as what they are. */
    isPicture() {
      return Boolean(this.image) && (this.image.kind ?? "image") === "image";
    },
    position() {
      if (this.index === null || this.total === null) return "";
      return this.t("{n} of {all}", { n: this.index + 1, all: this.total });
    },
    scale() {
      return this.view.fitted ? this.t("Fit") : `${Math.round(this.view.scale * 100)} %`;
    },
    line() {
      const { image, words } = this;
      const seed = image.seed === null ? null : this.t("seed {seed}", { seed: String(image.seed) });
      const size = image.width ? `${image.width} × ${image.height}` : null;
      return [words.backend(image), size, seed, words.when(image.createdAt)].filter(Boolean).join(" · ");
    },
  },
  watch: {
    "image.id": {
      flush: "post",
      handler() {
        this.present();
      },
    },
    near: { flush: "post", handler: "settle" },
  },
  mounted() {
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.onNarrow = () => (this.isNarrow = narrow.matches);
    narrow.addEventListener("change", this.onNarrow);
    this.zoom = new Zoom({
      stage: this.$refs.stage,
      frame: this.$refs.frame,
      on: {
        change: (view) => (this.view = view),
        swipe: (step) => this.$emit("step", step),
        dismiss: () => this.$emit("close"),
      },
    });
    this.present();
    this.settle();
    this.$refs.dialog.focus({ preventScroll: true });
  },
  beforeUnmount() {
    this.zoom.close();
    document.removeEventListener("keydown", this.onKey);
    narrow.removeEventListener("change", this.onNarrow);
  },
  methods: {
    hasThumbnail,
    iconOf,
    present() {
      if (!this.image) return;
      if (!this.isPicture) this.loaded = this.image.id;
      else this.zoom.show(this.image.width, this.image.height);
      this.preload();
    },
    arrived() {
      this.loaded = this.image?.id ?? null;
      this.preload();
    },
    /** The neighbours are known: the strip has the picture in its middle. */
    settle() {
      const { strip } = this.$refs;
      const here = strip.querySelector(".o-lb-here");
      if (here) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
      this.preload();
    },
    /** Have the neighbours ready once the picture itself is here. */
    preload() {
      if (!this.image || this.loaded !== this.image.id) return;
      const beside = this.near.filter((one) => Math.abs(one.index - this.index) === 1 && one.image?.kind === "image");
      this.ready = beside.map((one) => {
        const picture = new Image();
        picture.src = one.image.url;
        return picture;
      });
    },
    zoomBy(factor) {
      this.zoom.to(this.zoom.scale * factor);
    },
    toggleFit() {
      if (this.zoom.fitted) this.zoom.to(1);
      else this.zoom.fit();
    },
    toggleDetails() {
      if (this.isNarrow) this.sheet = !this.sheet;
      else this.$emit("details", !this.details);
    },
    async copyPrompt() {
      if (this.$refs.details) this.$refs.details.copyPrompt();
      else await copyText(this.image.prompt);
      this.spoken = "";
      this.$nextTick(() => (this.spoken = this.t("Copied")));
    },
    key(event) {
      if (event.defaultPrevented || document.querySelector(".q-dialog, .q-menu")) return undefined;
      if (event.key === "Tab") return this.trap(event);
      if (event.key === " " && event.target.closest("button, a")) return undefined;
      if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
      const act = this.keys()[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return undefined;
      event.preventDefault();
      return act();
    },
    zoomKeys() {
      return {
        "+": () => this.zoomBy(STEP),
        "=": () => this.zoomBy(STEP),
        "-": () => this.zoomBy(1 / STEP),
        f: () => this.zoom.fit(),
        z: this.toggleFit,
        1: () => this.zoom.to(1),
      };
    },
    keys() {
      const common = { Escape: () => this.$emit("close"), i: this.toggleDetails };
      const moves = {
        ArrowLeft: () => this.$emit("step", -1),
        ArrowRight: () => this.$emit("step", 1),
        Home: () => this.$emit("goto", 0),
        End: () => this.$emit("goto", this.total - 1),
      };
      if (!this.image) return { ...common, ...moves };
      return {
        ...common,
        ...moves,
        ...(this.isPicture ? this.zoomKeys() : { " ": () => this.$refs.media?.toggle() }),
        c: this.copyPrompt,
        d: () => this.$refs.download?.click(),
        u: () => this.$refs.dialog.querySelector("a[href*='part=all']")?.click(),
        Delete: () => this.$emit("remove"),
      };
    },
    /** Keep Tab inside. */
    trap(event) {
      const all = [...this.$refs.dialog.querySelectorAll("button, a[href], video, audio, pre")].filter(
        (one) => one.tabIndex >= 0 && one.offsetParent !== null,
      );
      if (document.activeElement.closest(".o-toast")) return;
      const inside = all.indexOf(document.activeElement);
      const edge = event.shiftKey ? 0 : all.length - 1;
      if (inside >= 0 && inside !== edge) return;
      event.preventDefault();
      all[event.shiftKey ? all.length - 1 : 0]?.focus();
    },
  },
};

export { REACH };
