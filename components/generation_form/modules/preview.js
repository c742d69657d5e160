/** What a given file looks or sounds like: a picture, a muted video, a sound. */

const VIDEOS = new Set(["mp4", "webm", "mov", "mkv"]);
const SOUNDS = new Set(["wav", "mp3", "flac", "ogg", "m4a"]);

/** What a file of ours is, by its name. */
export function kindOf(name) {
  const suffix = String(name ?? "").split(".").pop();
  if (VIDEOS.has(suffix)) return "video";
  if (SOUNDS.has(suffix)) return "audio";
  return suffix === "glb" ? "file" : "image";
}

export const Preview = {
  name: "InputPreview",
  props: { name: String, label: String },
  emits: ["size", "lost"],
  template: `
    <video v-if="kind === 'video' && !still" :src="url" :poster="url + '/thumbnail'" :aria-label="label" muted loop controls playsinline preload="metadata"
      @loadedmetadata="$emit('size', $event.target.videoWidth, $event.target.videoHeight)" @error="still = true"></video>
    <audio v-else-if="kind === 'audio'" :src="url" :aria-label="label" controls preload="metadata" @error="$emit('lost')"></audio>
    <img v-else-if="kind !== 'file'" :src="still ? url + '/thumbnail' : url" :alt="label" draggable="false" loading="lazy"
      @load="!still && $emit('size', $event.target.naturalWidth, $event.target.naturalHeight)" @error="$emit('lost')">`,
  // A video that this browser cannot play is shown by its first picture.
  data: () => ({ still: false }),
  computed: {
    url() {
      return `/api/inputs/${this.name}`;
    },
    kind() {
      return kindOf(this.name);
    },
  },
  watch: {
    name() {
      this.still = false;
    },
  },
};
