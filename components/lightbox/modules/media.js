/** Videos and sounds that play, texts as they are, and other files by name. */

import { icon } from "orchestrator-gallery/icons.js";
import { lengthOf, iconOf } from "orchestrator/media.js";

const MOST = 2; // times its own size that a video is enlarged
const SHOWN_BYTES = 200_000; // of a text; the file itself is one click away

export const Media = {
  name: "LightboxMedia",
  props: { image: Object, words: Object },
  emits: ["broken"],
  template: `
  <div class="o-lb-media" :data-kind="image.kind">
    <video v-if="image.kind === 'video'" ref="player" :src="image.url" :poster="image.thumbnailUrl" :aria-label="image.prompt || image.downloadName"
      :style="shape" controls loop autoplay playsinline tabindex="0" @error="$emit('broken')" data-testid="lightbox-video"></video>
    <pre v-else-if="image.kind === 'text'" class="o-lb-text" dir="auto" tabindex="0" data-testid="lightbox-text">{{ text }}</pre>
    <div v-else class="o-lb-file" data-testid="lightbox-file">
      <svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + mark"></use></svg>
      <b class="o-mono">{{ image.downloadName }}</b>
      <span class="o-num">{{ facts }}</span>
      <audio v-if="image.kind === 'audio'" ref="player" :src="image.url" controls tabindex="0" @error="$emit('broken')" data-testid="lightbox-audio"></audio>
      <a v-else class="o-btn" :href="image.url + '?download=1'" :download="image.downloadName">${icon("down")}{{ words.t('Download') }}</a>
    </div>
  </div>`,
  data: () => ({ text: "" }),
  computed: {
    mark() {
      return iconOf(this.image);
    },
    /** As large as there is room, but small ones are not blown up. */
    shape() {
      const { width, height } = this.image;
      if (!width) return null;
      return { aspectRatio: `${width} / ${height}`, width: `min(100cqw, ${width * MOST}px, ${(100 * width) / height}cqh)` };
    },
    facts() {
      return [lengthOf(this.image), this.words.bytes(this.image.size)].filter(Boolean).join(" · ");
    },
  },
  mounted() {
    if (this.image.kind === "text") this.read();
  },
  beforeUnmount() {
    this.reading?.abort();
    this.$refs.player?.pause();
  },
  methods: {
    /** Play, or stop. */
    toggle() {
      const { player } = this.$refs;
      if (!player) return;
      if (player.paused) player.play().catch(() => {}); // the browser may want a click first
      else player.pause();
    },
    async read() {
      this.reading = new AbortController();
      try {
        const headers = { Range: `bytes=0-${SHOWN_BYTES - 1}` };
        const answer = await fetch(this.image.url, { headers, signal: this.reading.signal });
        if (!answer.ok) throw new Error(String(answer.status));
        this.text = (await answer.text()) + (this.image.size > SHOWN_BYTES ? "\n…" : "");
      } catch (error) {
        if (error.name !== "AbortError") this.$emit("broken");
      }
    },
  },
};
