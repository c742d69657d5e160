import { speaker } from "orchestrator/i18n.js";
import { state } from "orchestrator/jobs.js";
import { hasThumbnail, iconOf, lengthOf } from "orchestrator/media.js";

const MAX = 16;
const COUNT_KEY = "o-recent-count"; // how many there were, so that the page does not jump when they come

export default {
  props: { texts: Object },
  emits: ["use"],
  template: `
    <section class="o-panel o-recent" data-testid="recent-results" :aria-label="t('Recent results')">
      <div class="o-panel-head">
        <h2>{{ t("Recent results") }}</h2><span class="o-grow"></span>
        <a class="o-btn o-btn-quiet o-btn-compact" href="/canvas">{{ t("Open Canvas") }}<svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-cr" /></svg></a>
      </div>
      <p v-if="images && !images.length" class="o-hint o-recent-empty">{{ t("Pictures you make land here.") }}</p>
      <div v-else class="o-recent-grid">
        <template v-if="!images"><span v-for="n in expected" :key="n" class="o-thumb o-skeleton"></span></template>
        <div v-for="image in images" :key="image.id" class="o-thumb" :data-new="image.fresh || null">
          <a :href="'/canvas/' + image.id" :title="image.prompt || image.file" :data-testid="'recent-' + image.id">
            <img v-if="hasThumbnail(image)" :src="image.thumbnailUrl" :alt="image.prompt || image.file" loading="lazy" decoding="async" draggable="false" />
            <span v-else class="o-thumb-file" :aria-label="image.prompt || image.file"><svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + iconOf(image)" /></svg></span>
            <span v-if="lengthOf(image)" class="o-thumb-length o-num">{{ lengthOf(image) }}</span>
          </a>
          <button class="o-thumb-use" :data-testid="'recent-use-' + image.id" @click="$emit('use', image.id)">{{ t("Use settings") }}</button>
        </div>
      </div>
    </section>`,
  computed: {
    images() {
      return state.recent;
    },
  },
  created() {
    Object.assign(this, speaker(this.texts), { expected: Number(localStorage.getItem(COUNT_KEY) ?? MAX) });
    this.$watch(() => this.images?.length, (count) => count !== undefined && localStorage.setItem(COUNT_KEY, count));
  },
  methods: {
    hasThumbnail,
    iconOf,
    lengthOf,
    snapshot(images) {
      state.recent = images;
    },
    apply(changes) {
      if (!this.images) return;
      const images = this.images.filter((image) => !changes[image.id]);
      for (const [id, image] of Object.entries(changes)) {
        state.gone[image.gone ? "add" : "delete"](id);
        if (!image.gone) images.push(image);
      }
      state.recent = images.sort((a, b) => b.cursor - a.cursor).slice(0, MAX);
    },
  },
};
