// What a run shows inside a node: the picture as it grows, what came out, or why it failed.
import { t } from "orchestrator-graph/say.js";

const SHOWN = 4;

export const NodeOutcome = {
  props: { run: Object, title: String },
  setup: () => ({ t }),
  template: `
    <div v-if="run.error" class="o-wg-error" role="alert"><b>{{ run.error }}</b> <span v-if="run.fix">{{ run.fix }}</span></div>
    <div v-if="pictures.length" class="o-wg-pictures nodrag" :data-count="pictures.length">
      <a v-for="picture in pictures" :key="picture.id" :href="picture.url" target="_blank" rel="noopener" :aria-label="t('Open the picture')">
        <video v-if="picture.kind === 'video'" :src="picture.url" :poster="picture.thumb" muted loop autoplay playsinline @error="gone.add(picture.id)"></video>
        <img v-else :src="picture.thumb || picture.url" alt="" draggable="false" @error="gone.add(picture.id)">
      </a>
    </div>
    <div v-else-if="run.previewUrl" class="o-wg-pictures" data-count="1"><img :src="run.previewUrl" :alt="t('Preview')" draggable="false"></div>`,
  data: () => ({ gone: new Set() }), // a picture that only its backend has is lost when that restarts
  computed: {
    pictures() {
      return (this.run.images ?? []).filter((picture) => !this.gone.has(picture.id)).slice(0, SHOWN);
    },
  },
};
