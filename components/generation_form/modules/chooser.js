/** A dialog with the newest pictures of the gallery, to take one of them. */

import { holdKeys } from "orchestrator-form/dialog.js";

const SHOWN = 60;

export const Chooser = {
  name: "PictureChooser",
  props: { t: Function, kind: { type: String, default: "image" } },
  emits: ["close", "choose"],
  template: `
    <dialog ref="dialog" class="o-dialog o-form-dialog" :aria-label="title" data-testid="gallery-dialog" @close="$emit('close')" @click.self="$refs.dialog.close()">
      <div class="o-row"><h2 class="o-h1 o-grow">{{ title }}</h2>
        <button type="button" class="o-icon-btn" @click="$refs.dialog.close()" :title="t('Close')" :aria-label="t('Close')"><svg class="o-i" aria-hidden="true"><use href="#o-i-x"></use></svg></button></div>
      <p v-if="problem" class="o-error" role="alert">{{ problem }}</p>
      <p v-else-if="images && !images.length" class="o-hint">{{ t("Pictures you make land here.") }}</p>
      <div class="o-chooser">
        <template v-if="!images && !problem"><span v-for="n in 12" :key="n" class="o-skeleton"></span></template>
        <button v-for="image in images" :key="image.id" type="button" :title="image.prompt" :aria-label="image.prompt || image.file" :data-testid="'choose-' + image.id"
          @click="$emit('choose', image.id)"><img :src="image.thumbnailUrl" alt="" loading="lazy" draggable="false"></button>
      </div>
    </dialog>`,
  data: () => ({ images: null, problem: "" }),
  computed: {
    title() {
      return this.t(this.kind === "video" ? "Choose a video" : "Choose a picture");
    },
  },
  mounted() {
    holdKeys(this.$refs.dialog);
    this.$refs.dialog.showModal();
    this.load();
  },
  methods: {
    async load() {
      try {
        const answer = await fetch(`/api/images?limit=${SHOWN}`);
        if (!answer.ok) throw new Error(String(answer.status));
        const { images } = await answer.json();
        this.images = images.filter((image) => image.kind === this.kind);
      } catch {
        this.problem = this.t("The server did not answer. Is it still running?");
      }
    },
  },
};
