/** Everything known about a picture: prompt as typed, parameters, origin, and what to reuse. */

import { icon } from "orchestrator-gallery/icons.js";

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
  props: { image: Object, words: Object, hero: Boolean },
  template: `
  <div class="o-details" data-testid="image-details">
    <section class="o-blk">
      <div v-if="hero" class="o-hero"><img :src="image.thumbnailUrl" :alt="image.prompt"></div>
      <div class="o-row">
        <span class="o-mono o-trunc o-grow" :title="image.file">{{ image.downloadName }}</span>
        <button type="button" class="o-icon-btn o-icon-btn-compact" :title="words.t('Copy name')" :aria-label="words.t('Copy name')"
          @click="copy('name', image.downloadName)"><svg class="o-i" aria-hidden="true"><use :href="mark('name')"></use></svg></button>
      </div>
      <p v-if="image.missing" class="o-error">{{ words.t('The file is gone from the disk.') }}</p>
    </section>
    <section v-if="image.params || image.prompt" class="o-blk">
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
        <template v-for="[name, value] in parameters" :key="name"><dt>{{ name }}</dt><dd :title="value">{{ value }}</dd></template>
      </dl>
      <UseMenu :image="image" :words="words" />
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
    parameters() {
      const { t } = this.words;
      const { params } = this.image;
      return [
        [t("Model"), this.image.isDemo ? t("Demo, no AI model") : params.checkpoint ?? t("Default")],
        [t("Size"), `${params.width} × ${params.height}`],
        [t("Steps, CFG"), `${params.steps} · ${params.cfg.toFixed(1)}`],
        [t("Sampler"), `${params.sampler} · ${params.scheduler}`],
        [t("Seed"), String(this.image.seed ?? params.seed)],
      ];
    },
    origin() {
      const { t, when, bytes } = this.words;
      const { image } = this;
      const kind = image.file.split(".").pop().toUpperCase();
      const rows = [
        [t("Made"), when(image.createdAt)],
        [t("File"), `${kind} · ${image.width} × ${image.height} · ${bytes(image.size)}`],
      ];
      const backend = this.words.backend(image);
      if (backend) rows.unshift([t("Backend"), backend]);
      return rows;
    },
  },
  methods: {
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
