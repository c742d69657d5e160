// A file of the server in a node; a picture may also be given here, and is then shown.
import { give, reason } from "orchestrator-form/upload.js";
import { ChoiceList } from "./choice_list.js";
import { shortOf, textOf } from "./choice_rows.js";
import { t } from "./say.js";

const OURS = /^[0-9a-f]{64}\.\w+$/;

export const FileWidget = {
  components: { ChoiceList },
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
      <img v-if="isOurs && !lost" class="o-wd-picture" :src="'/api/inputs/' + value" :alt="label" draggable="false" loading="lazy" :data-testid="'picture-' + name" @error="lost = true" />
      <p v-else-if="takes && !disabled && !value" class="o-wd-drop">{{ t("Drop or paste a picture here") }}</p>
      <div v-if="percent !== null" class="o-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="percent" :aria-label="t('Uploading… {percent} %', { percent })"><i :style="{ width: percent + '%' }"></i></div>
      <p v-if="problem" class="o-wd-said" data-severity="error" role="alert">{{ problem }}</p>
      <input v-if="takes" ref="file" type="file" accept="image/*" hidden :data-testid="'file-' + name" @change="chosen" />
      <ChoiceList v-if="open" :name="name" :label="label" :choices="spec.choices ?? []" :value="value" :free="!spec.choices?.length" :anchor="$refs.field" @choose="choose" @close="close" />
    </div>`,
  data: () => ({ open: false, over: 0, percent: null, problem: "", lost: false }),
  computed: {
    // Other files than pictures have no place here yet to be given to.
    takes() {
      return this.spec.kind === "image";
    },
    text() {
      return this.value === null || this.value === undefined ? "" : textOf(this.value);
    },
    isOurs() {
      return OURS.test(this.text);
    },
    shown() {
      if (this.isOurs) return t("Your picture");
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
      const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
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
        this.$emit("value", given.name);
      } catch (error) {
        if (error.name !== "AbortError") this.problem = reason(error, t);
      } finally {
        if (this.sending === sending) this.percent = null;
      }
    },
  },
};
