// A picture, a video or a sound of the form: takes a file by drop, paste or choice, or a picture of the gallery, or a
// painted mask; sends it to /api/inputs and hands its name to the server.
import { speaker } from "orchestrator/i18n.js";
import { Chooser } from "orchestrator-form/chooser.js";
import { Painter } from "orchestrator-form/painter.js";
import { Preview } from "orchestrator-form/preview.js";
import { acceptOf, fits, give, reason, unreadable } from "orchestrator-form/upload.js";

const icon = (name) => `<svg class="o-i" aria-hidden="true"><use href="#o-i-${name}"></use></svg>`;

export default {
  components: { Chooser, Painter, Preview },
  props: { texts: Object, name: String, kind: { type: String, default: "image" }, label: String, value: String, mistake: String, paintOn: String },
  emits: ["change"],
  template: `
    <div class="o-picture" :class="{ 'o-picture-over': over > 0 }" :data-testid="name + '-drop'" role="group" :aria-label="label"
      @dragenter.prevent="over += 1" @dragleave="over -= 1" @dragover.prevent @drop.prevent.stop="drop">
      <div class="o-label">{{ label }}<span v-if="size" class="o-end" :data-testid="name + '-size'">{{ size }}</span></div>
      <div class="o-picture-box" :class="{ 'o-picture-wrong': wrong }">
        <Preview v-if="value" class="o-picture-shown" :name="value" :label="label" :key="value" @size="arrived" @lost="lost" :data-testid="name + '-shown'" />
        <p v-else class="o-picture-hint">{{ hint }}</p>
        <div class="o-picture-acts">
          <button v-if="isMask" type="button" class="o-btn o-btn-compact" :disabled="!paintOn" @click="painting = true" data-testid="mask-paint">${icon("wand")}{{ t("Paint mask") }}</button>
          <button type="button" class="o-btn o-btn-compact" ref="choose" @click="$refs.file.click()" :data-testid="name + '-choose'">{{ t("Choose file") }}</button>
          <button v-if="!isMask && kind !== 'audio'" type="button" class="o-btn o-btn-compact" @click="choosing = true" :data-testid="name + '-gallery'">{{ t("From the gallery") }}</button>
          <button v-if="value" type="button" class="o-icon-btn o-icon-btn-compact" @click="take(null)" :title="t('Remove')" :aria-label="t('Remove')" :data-testid="name + '-remove'">${icon("x")}</button>
        </div>
        <div v-if="percent !== null" class="o-picture-progress" role="progressbar" :aria-valuenow="percent" aria-valuemin="0" aria-valuemax="100"
          :aria-label="t('Uploading… {percent} %', { percent })"><i :style="{ width: percent + '%' }"></i></div>
      </div>
      <input ref="file" type="file" :accept="accept" hidden @change="chosen" :data-testid="name + '-file'">
      <div class="o-error" role="alert" :data-testid="'error-' + name">{{ wrong }}</div>
      <Chooser v-if="choosing" :t="t" :kind="kind" @close="choosing = false" @choose="fromGallery" />
      <Painter v-if="painting" :t="t" :image="paintOn" :mask="value" @close="painting = false" @paint="painted" />
    </div>`,
  data: () => ({ over: 0, percent: null, problem: "", size: "", choosing: false, painting: false }),
  computed: {
    isMask() {
      return this.name === "mask";
    },
    accept() {
      return acceptOf(this.kind);
    },
    hint() {
      if (this.kind === "video") return this.t("Drop a video here");
      if (this.kind === "audio") return this.t("Drop a sound here");
      return this.t(this.isMask ? "Drop a mask here, or paint one" : "Drop or paste a picture here");
    },
    wrong() {
      return this.problem || this.mistake;
    },
  },
  watch: {
    value() {
      this.problem = this.size = "";
    },
    mistake() {
      this.problem = "";
    },
  },
  created() {
    Object.assign(this, speaker(this.texts));
  },
  mounted() {
    // What is dropped or pasted anywhere on the form is the picture, unless it is aimed at the mask.
    this.form = this.$el.closest(".o-form") ?? this.$el;
    this.form.addEventListener("paste", this.paste);
    if (this.isMask) return;
    this.form.addEventListener("dragover", this.allow);
    this.form.addEventListener("drop", this.dropOnForm);
  },
  beforeUnmount() {
    this.form.removeEventListener("paste", this.paste);
    this.form.removeEventListener("dragover", this.allow);
    this.form.removeEventListener("drop", this.dropOnForm);
    this.sending?.abort();
  },
  methods: {
    focus() {
      this.$refs.choose.focus();
    },
    allow(event) {
      if (this.isShown() && event.dataTransfer?.types.includes("Files")) event.preventDefault();
    },
    isShown() {
      return this.$el.offsetParent !== null;
    },
    drop(event) {
      this.over = 0;
      const [file] = event.dataTransfer?.files ?? [];
      if (file) this.send(file);
    },
    // The first field that takes such files has it.
    dropOnForm(event) {
      const [file] = event.dataTransfer?.files ?? [];
      if (!file || event.defaultPrevented || !this.isShown() || !this.isMine(file)) return;
      event.preventDefault();
      this.send(file);
    },
    isMine(file) {
      return file.type.startsWith(`${this.kind}/`);
    },
    paste(event) {
      const file = [...(event.clipboardData?.files ?? [])].find(this.isMine);
      const here = this.$el.contains(document.activeElement);
      const elsewhere = document.activeElement?.closest("[data-testid=mask-drop]");
      if (!file || !this.isShown() || event.defaultPrevented || (this.isMask ? !here : elsewhere)) return;
      event.preventDefault();
      this.send(file);
    },
    chosen(event) {
      const [file] = event.target.files;
      if (file) this.send(file);
      event.target.value = "";
    },
    async fromGallery(imageId) {
      this.choosing = false;
      await this.ask({ imageId });
    },
    async painted(blob) {
      this.painting = false;
      await this.send(new File([blob], "mask.png", { type: "image/png" }));
    },
    send(file) {
      return this.ask({ file });
    },
    async ask(what) {
      this.sending?.abort();
      const sending = (this.sending = new AbortController());
      this.problem = "";
      this.percent = 0;
      try {
        const progress = (fraction) => (this.percent = Math.round(fraction * 100));
        const given = await give(what, { progress, signal: sending.signal });
        if (fits(given, this.kind)) this.take(given);
        else this.problem = unreadable(this.t, { kind: this.kind, name: what.file?.name ?? "" });
      } catch (error) {
        if (error.name !== "AbortError") this.problem = reason(error, this.t, { kind: this.kind, name: what.file?.name ?? "" });
      } finally {
        if (this.sending === sending) this.percent = null;
      }
    },
    take(given) {
      this.problem = "";
      this.$emit("change", given && { name: given.name, width: given.width, height: given.height });
    },
    arrived(width, height) {
      this.size = `${width} × ${height}`;
    },
    lost() {
      const gone = this.kind === "image" ? "The picture is gone from the server. Give it again." : "The file is gone from the server. Give it again.";
      this.problem = this.t(gone);
    },
  },
};
