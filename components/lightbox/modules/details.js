/** Everything known about a picture: prompt as typed, parameters, origin, and what to reuse. */

import { icon } from "orchestrator-gallery/icons.js";
import { hasThumbnail, lengthOf, makePlate } from "orchestrator/media.js";

const SHOWN_MS = 1500;

/** Reuse everything, the prompt, or the seed: links to the dashboard, so that they open in a tab too. */
export const UseMenu = {
  name: "UseMenu",
  props: { image: Object, words: Object, up: Boolean },
  template: `
  <span class="o-gal-pop o-use" @keydown.esc.stop="open = false">
    <a class="o-btn o-btn-compact" :href="link('all')" data-testid="image-use"
      :title="words.t('Use settings (U)')">${icon("undo", "o-i-s")}{{ words.t('Use settings') }}</a>
    <button type="button" class="o-btn o-btn-compact o-use-more" aria-haspopup="menu" :aria-expanded="String(open)"
      :aria-label="words.t('Use only a part')" :title="words.t('Use only a part')" @click="open = !open"
      data-testid="image-use-more">${icon("cd", "o-i-xs")}</button>
    <span v-if="open" class="o-gal-menu" :class="{ 'o-gal-menu-up': up }" role="menu">
      <a role="menuitem" :href="link('all')" data-testid="image-use-all">{{ words.t('All settings') }}</a>
      <a role="menuitem" :href="link('prompt')" data-testid="image-use-prompt">{{ words.t('Prompt only') }}</a>
      <a v-if="image.seed !== null" role="menuitem" :href="link('seed')" data-testid="image-use-seed">{{ words.t('Seed only') }}</a>
      <a v-if="image.params || image.kind === 'image'" role="menuitem" :href="'/builder?image=' + image.id" data-testid="image-open-workflow">{{ words.t('Open the workflow') }}</a>
      <a v-if="image.kind === 'image'" role="menuitem" :href="link('image')" data-testid="image-use-as-input">{{ words.t('Use as input') }}</a>
    </span>
  </span>`,
  data: () => ({ open: false }),
  mounted() {
    this.outside = (event) => {
      if (!this.$el.contains(event.target)) this.open = false;
    };
    document.addEventListener("pointerdown", this.outside);
  },
  beforeUnmount() {
    document.removeEventListener("pointerdown", this.outside);
  },
  methods: {
    link(part) {
      return `/?use=${this.image.id}&part=${part}`;
    },
  },
};

export const Details = {
  name: "ImageDetails",
  components: { UseMenu },
  props: { image: Object, words: Object, hero: Boolean, notices: Array },
  template: `
  <div class="o-details" data-testid="image-details">
    <section class="o-blk">
      <div v-if="hero" class="o-hero"><img v-if="seen" :src="image.thumbnailUrl" :alt="image.prompt"><span v-else ref="plate" :key="image.id"></span></div>
      <div class="o-row">
        <span class="o-mono o-trunc o-grow" :title="image.file">{{ image.downloadName }}</span>
        <button type="button" class="o-icon-btn o-icon-btn-compact" :title="words.t('Copy name')" :aria-label="words.t('Copy name')"
          @click="copy('name', image.downloadName)"><svg class="o-i" aria-hidden="true"><use :href="mark('name')"></use></svg></button>
      </div>
      <p v-if="image.missing" class="o-error">{{ words.t('The file is gone from the disk.') }}</p>
    </section>
    <section v-if="image.prompt" class="o-blk">
      <div class="o-label">{{ words.t('Prompt') }}
        <button type="button" class="o-icon-btn o-icon-btn-compact o-label-act" :title="words.t('Copy prompt (C)')"
          :aria-label="words.t('Copy prompt (C)')" @click="copyPrompt" data-testid="copy-prompt">
          <svg class="o-i" aria-hidden="true"><use :href="mark('prompt')"></use></svg></button></div>
      <p class="o-prompt" dir="auto" data-testid="image-prompt">{{ image.prompt }}</p>
      <template v-if="image.negativePrompt">
        <div class="o-label">{{ words.t('Negative prompt') }}</div>
        <p class="o-prompt o-sec" dir="auto" data-testid="image-negative">{{ image.negativePrompt }}</p>
      </template>
    </section>
    <section v-if="image.params" class="o-blk">
      <div class="o-label">{{ words.t('Parameters') }}</div>
      <dl class="o-kv" data-testid="image-params">
        <template v-for="[name, value] in parameters" :key="name + value"><dt>{{ name }}</dt><dd :title="value">{{ value }}</dd></template>
      </dl>
      <p v-for="notice in notices ?? []" :key="notice" class="o-notice" data-testid="image-notice">${icon("info", "o-i-s")}<span>{{ notice }}</span></p>
    </section>
    <section v-if="sources.length" class="o-blk">
      <div class="o-label">{{ words.t('Started from') }}</div>
      <div class="o-sources">
        <a v-for="[title, name] in sources" :key="name" :href="'/api/inputs/' + name" target="_blank" :title="title" data-testid="image-source">
          <img :src="'/api/inputs/' + name + '/thumbnail'" :alt="title" loading="lazy" draggable="false"><span>{{ title }}</span></a>
      </div>
    </section>
    <section v-if="image.params || image.kind === 'image'" class="o-blk">
      <UseMenu v-if="image.params" :image="image" :words="words" />
      <a v-if="image.kind === 'image' && !image.missing" class="o-btn o-btn-compact" :href="'/?use=' + image.id + '&part=image'" data-testid="image-use-input">
        ${icon("image", "o-i-s")}{{ words.t('Use as input') }}</a>
    </section>
    <section class="o-blk">
      <div class="o-label">{{ words.t('Origin') }}</div>
      <dl class="o-kv">
        <template v-if="image.jobId"><dt>{{ words.t('Job') }}</dt><dd><a :href="'/jobs/' + image.jobId" data-testid="image-job">{{ image.jobId.slice(-8) }}</a></dd></template>
        <template v-for="[name, value] in origin" :key="name"><dt>{{ name }}</dt><dd :title="value">{{ value }}</dd></template>
      </dl>
    </section>
    <span class="o-vh" role="status">{{ copied ? words.t('Copied') : '' }}</span>
  </div>`,
  data: () => ({ copied: null }),
  computed: {
    seen() {
      return hasThumbnail(this.image);
    },
    parameters() {
      const { t } = this.words;
      const { params } = this.image;
      const preset = this.words.preset(this.image.workflowId);
      const isOwn = this.image.workflowId === "workflow"; // given with its job: its values are its own
      const takes = (field) => (preset ? preset.fields.includes(field) : !isOwn || field === "seed");
      const seed = this.image.seed ?? params.seed;
      const options = Object.entries(params.options).filter(([, value]) => !isOwn || value !== seed);
      const rows = [
        [t("Preset"), isOwn ? t("Own workflow") : preset ? this.versioned(preset.name) : this.image.workflowVersion ? this.versioned(t("Deleted workflow")) : this.image.workflowId],
        [t("Model"), this.model],
        [t("VAE"), params.vae],
        ...params.loras.map((lora) => [t("LoRA"), `${lora.name} · ${lora.weight}`]),
        [t("Size"), takes("width") && `${params.width} × ${params.height}`],
        [t("Steps, CFG"), takes("steps") && [params.steps, takes("cfg") && params.cfg.toFixed(1)].filter(Boolean).join(" · ")],
        [t("Sampler"), takes("sampler") && `${params.sampler} · ${params.scheduler}`],
        [t("Denoise"), preset?.fields.includes("denoise") && String(params.denoise)],
        ...options.map(([name, value]) => [preset?.options[name] ?? name, this.words.value(value)]),
        [t("Seed"), takes("seed") && String(seed)],
      ];
      return rows.filter(([, value]) => value);
    },
    model() {
      const { t } = this.words;
      const file = this.image.params.checkpoint;
      if (this.image.isDemo) return [t("Demo, no AI model"), file].filter(Boolean).join(" · ");
      return file ?? t("Default");
    },
    sources() {
      const { t } = this.words;
      const { image, mask } = this.image.params ?? {};
      return [[t("Input picture"), image], [t("Mask"), mask]].filter(([, name]) => name);
    },
    origin() {
      const { t, when, bytes } = this.words;
      const { image } = this;
      const kind = image.file.split(".").pop().toUpperCase();
      const rows = [
        [t("Made"), when(image.createdAt)],
        [t("File"), [kind, image.width && `${image.width} × ${image.height}`, lengthOf(image), bytes(image.size)].filter(Boolean).join(" · ")],
      ];
      const backend = this.words.backend(image);
      if (backend) rows.unshift([t("Backend"), backend]);
      return rows;
    },
  },
  watch: {
    image: { flush: "post", immediate: true, handler: "showPlate" },
  },
  mounted() {
    this.showPlate();
  },
  methods: {
    versioned(name) {
      const version = this.image.workflowVersion;
      return version ? this.words.t("{name}, version {n}", { name, n: version }) : name;
    },
    /** What has no picture of its own gets a tile that says what it is. */
    showPlate() {
      if (this.$refs.plate && !this.$refs.plate.firstChild) this.$refs.plate.append(makePlate(this.image));
    },
    mark(what) {
      return this.copied === what ? "#o-i-check" : "#o-i-copy";
    },
    copyPrompt() {
      this.copy("prompt", this.image.prompt);
    },
    async copy(what, text) {
      await copyText(text);
      this.copied = what;
      setTimeout(() => (this.copied = null), SHOWN_MS);
    },
  },
};

/** Put text on the clipboard, also where the modern way is only for https. */
export async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "o-vh";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
