// Text in a node, on one line or on many; what is typed goes out when the field is left.
import { hasCommand, leaveToNode } from "./widget_keys.js";

const MAX_PX = 240; // as in widgets.css
const GROWS_BY_ITSELF = CSS.supports("field-sizing", "content");

// While somebody types, what comes from elsewhere waits; Escape brings it back. A field that only has
// the focus takes it at once, or leaving it would undo what the other did.
const typing = {
  props: { name: String, label: String, spec: Object, value: {}, disabled: Boolean },
  emits: ["value"],
  data: () => ({ draft: null }),
  watch: {
    text(now, before) {
      if (this.draft === before) this.draft = now;
    },
  },
  computed: {
    text() {
      const { value } = this;
      if (value === null || value === undefined) return "";
      return typeof value === "string" ? value : JSON.stringify(value);
    },
  },
  methods: {
    begin() {
      this.draft = this.text;
    },
    commit() {
      if (this.draft !== null && this.draft !== this.text) this.$emit("value", this.draft);
    },
    end() {
      this.commit();
      this.draft = null;
    },
    leave(event) {
      this.draft = null;
      leaveToNode(event);
    },
  },
};

export const TextWidget = {
  mixins: [typing],
  template: `
    <span class="o-wd-label" :title="spec.help ? label + '\\n' + spec.help : label">{{ label }}</span>
    <input class="o-wd-value" type="text" dir="auto" autocomplete="off" spellcheck="false" :data-testid="'widget-' + name" :aria-label="label" :title="text" :value="draft ?? text"
           :disabled="disabled" @focus="begin" @input="draft = $event.target.value" @blur="end" @keydown="key" />`,
  methods: {
    key(event) {
      if (event.isComposing) return;
      if (event.key === "Enter" || hasCommand(event)) this.commit();
      if (event.key === "Escape") this.leave(event);
    },
  },
};

export const AreaWidget = {
  mixins: [typing],
  template: `
    <textarea ref="area" class="o-wd-area nowheel" dir="auto" spellcheck="false" rows="3" :data-testid="'widget-' + name" :aria-label="label" :placeholder="label" :title="spec.help || undefined"
              :value="draft ?? text" :disabled="disabled" @focus="begin" @input="typed" @blur="end" @keydown="key"></textarea>`,
  watch: {
    text() {
      this.$nextTick(this.fit);
    },
  },
  mounted() {
    this.fit();
  },
  methods: {
    typed(event) {
      this.draft = event.target.value;
      this.fit();
    },
    fit() {
      const { area } = this.$refs;
      if (GROWS_BY_ITSELF || !area?.offsetParent) return;
      area.style.minHeight = "0";
      area.style.height = "0";
      const wanted = area.scrollHeight + 2;
      area.style.height = area.style.minHeight = "";
      area.style.minHeight = `${Math.min(MAX_PX, Math.max(wanted, 56))}px`;
    },
    key(event) {
      if (event.isComposing) return;
      if (hasCommand(event)) this.commit();
      if (event.key === "Escape") this.leave(event);
    },
  },
};
