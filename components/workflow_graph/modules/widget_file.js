// A file of the server in a node; one may also be given here, and is then shown or heard.
import { Preview, kindOf } from "orchestrator-form/preview.js";
import { acceptOf, fits, give, reason, unreadable } from "orchestrator-form/upload.js";
import { ChoiceList } from "./choice_list.js";
import { shortOf, textOf } from "./choice_rows.js";
import { t } from "./say.js";

const TAKEN = new Set(["image", "video", "audio", "file"]);
const OURS = /^[0-9a-f]{64}\.\w+$/;

export const FileWidget = {
  components: { ChoiceList, Preview },
  props: { name: String, label: String, spec: Object, value: {}, disabled: Boolean },
  emits: ["value"],
  template: `
    <div class="o-wd-file" :data-over="over > 0 || null" @dragenter="enter" @dragleave="over -= 1" @dragover="allow" @drop="drop" @paste="paste">
      <div class="o-wd-line">
        <span class="o-wd-label" :title="spec.help ? label + '\\n' + spec.help : label">{{ label }}</span>
        <slot />
        <button ref="field" type="button" class="o-wd-value o-wd-pick" role="combobox" aria-haspopup="listbox" :aria-expanded="open" :data-testid="'widget-' + name" :aria-label="label + ': ' + shown"
                :title="text" :disabled="disabled" @click="open = !open">
          <span class="o-trunc" dir="auto">{{ shown }}</span><svg class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-cd" /></svg>
        </button>
        <button v-if="takes && !disabled" type="button" class="o-wd-act" :title="t('Choose file')" :aria-label="t('Choose file')" :data-testid="'upload-' + name" @click="$refs.file.click()">
          <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-up" /></svg>
        </button>
      </div>
      <Preview v-if="isOurs && !lost && shownKind !== 'file'" class="o-wd-picture" :name="text" :label="label" :data-testid="'picture-' + name" @lost="lost = true" />
      <p v-else-if="hint && !disabled && !value" class="o-wd-drop">{{ hint }}</p>
      <div v-if="percent !== null" class="o-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="percent" :aria-label="t('Uploading… {percent} %', { percent })"><i :style="{ width: percent + '%' }"></i></div>
      <p v-if="problem" class="o-wd-said" data-severity="error" role="alert">{{ problem }}</p>
      <input v-if="takes" ref="file" type="file" :accept="accept" hidden :data-testid="'file-' + name" @change="chosen" />
      <ChoiceList v-if="open" :name="name" :label="label" :choices="spec.choices ?? []" :value="value" :free="!spec.choices?.length" :anchor="$refs.field" @choose="choose" @close="close" />
    </div>`,
  data: () => ({ open: false, over: 0, percent: null, problem: "", lost: false }),
  computed: {
    takes() {
      return TAKEN.has(this.spec.kind);
    },
    accept() {
      return acceptOf(this.spec.kind);
    },
    shownKind() {
      return kindOf(this.text);
    },
    hint() {
      if (this.spec.kind === "video") return t("Drop a video here");
      if (this.spec.kind === "audio") return t("Drop a sound here");
      return this.spec.kind === "image" ? t("Drop or paste a picture here") : "";
    },
    text() {
      return this.value === null || this.value === undefined ? "" : textOf(this.value);
    },
    isOurs() {
      return OURS.test(this.text);
    },
    shown() {
      if (this.isOurs) return this.shownKind === "image" ? t("Your picture") : t("Your file");
      return shortOf(this.value) || "—";
    },
  },
  watch: {
    value() {
      this.problem = "";
      this.lost = false;
    },
  },
  beforeUnmount() {
    this.sending?.abort();
  },
  methods: {
    t,
    hasFile: (event) => Boolean(event.dataTransfer?.types.includes("Files")),
    enter(event) {
      this.over += 1;
      this.allow(event);
    },
    allow(event) {
      if (!this.takes || this.disabled || !this.hasFile(event)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    drop(event) {
      this.over = 0;
      this.allow(event);
      const [file] = event.dataTransfer?.files ?? [];
      if (file && event.defaultPrevented) this.send(file);
    },
    paste(event) {
      const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith(`${this.spec.kind}/`));
      if (!file || !this.takes || this.disabled) return;
      event.preventDefault();
      event.stopPropagation();
      this.send(file);
    },
    chosen(event) {
      const [file] = event.target.files;
      if (file) this.send(file);
      event.target.value = "";
    },
    choose(value) {
      this.close();
      if (value !== this.value) this.$emit("value", value);
    },
    close() {
      this.open = false;
      this.$refs.field?.focus({ preventScroll: true });
    },
    async send(file) {
      this.sending?.abort();
      const sending = (this.sending = new AbortController());
      this.problem = "";
      this.percent = 0;
      try {
        const given = await give({ file }, { progress: (part) => (this.percent = Math.round(part * 100)), signal: sending.signal });
        if (fits(given, this.spec.kind)) this.$emit("value", given.name);
        else this.problem = unreadable(t, { kind: this.spec.kind, name: file.name });
      } catch (error) {
        if (error.name !== "AbortError") this.problem = reason(error, t, { kind: this.spec.kind, name: file.name });
      } finally {
        if (this.sending === sending) this.percent = null;
      }
    },
  },
};
