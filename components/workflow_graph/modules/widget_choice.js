// One or several of a list, in a node.
import { ChoiceList } from "./choice_list.js";
import { isAmong, shortOf, textOf } from "./choice_rows.js";
import { t } from "./say.js";

const CONTROL = /control_after_generate$/;
const AFTER = { fixed: "Fixed", increment: "Increment", decrement: "Decrement", randomize: "Randomize" };

export const ChoiceWidget = {
  components: { ChoiceList },
  props: { name: String, label: String, spec: Object, value: {}, disabled: Boolean },
  emits: ["value"],
  template: `
    <span class="o-wd-label" :title="hint">{{ word }}</span>
    <button ref="field" type="button" class="o-wd-value o-wd-pick" role="combobox" aria-haspopup="listbox" :aria-expanded="open" :data-testid="'widget-' + name" :aria-label="word + ': ' + shown"
            :aria-invalid="isUnknown || undefined" :title="full" :disabled="disabled" @click="open = !open" @keydown="key">
      <span class="o-trunc" dir="auto">{{ shown }}</span><svg class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-cd" /></svg>
    </button>
    <ChoiceList v-if="open" :name="name" :label="word" :choices="choices" :value="value" :multiple="spec.multiselect" :free="free" :anchor="$refs.field" @choose="choose" @close="close" />`,
  data: () => ({ open: false }),
  computed: {
    choices() {
      return this.spec.choices ?? [];
    },
    isControl() {
      return CONTROL.test(this.name);
    },
    word() {
      return this.isControl ? t("After each run") : this.label;
    },
    hint() {
      return this.spec.help ? `${this.word}\n${this.spec.help}` : this.word;
    },
    // Where nobody says what there is, one may say it oneself.
    free() {
      return !this.choices.length;
    },
    values() {
      if (this.spec.multiselect && Array.isArray(this.value)) return this.value;
      return this.value === null || this.value === undefined ? [] : [this.value];
    },
    full() {
      return this.values.map(textOf).join(", ");
    },
    shown() {
      if (this.isControl && AFTER[this.value]) return t(AFTER[this.value]);
      return this.values.map(shortOf).join(", ") || "—";
    },
    isUnknown() {
      return this.choices.length > 0 && this.values.some((value) => !isAmong(this.choices, value));
    },
  },
  methods: {
    choose(value) {
      if (!this.spec.multiselect) this.close();
      if (JSON.stringify(value) !== JSON.stringify(this.value)) this.$emit("value", value);
    },
    close() {
      this.open = false;
      this.$refs.field?.focus({ preventScroll: true });
    },
    key(event) {
      if (["ArrowDown", "ArrowUp"].includes(event.key) && !this.open) {
        event.preventDefault();
        this.open = true;
      }
    },
  },
};
