// A colour in a node: chosen from the browser's own palette, or typed as #rrggbb.
import { hasCommand, leaveToNode } from "./widget_keys.js";

const HEX = /^#?([0-9a-f]{6}|[0-9a-f]{3})$/i;

function full(text) {
  const hex = HEX.exec(String(text ?? "").trim())?.[1].toLowerCase();
  if (!hex) return null;
  return `#${hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex}`;
}

export const ColorWidget = {
  props: { name: String, label: String, spec: Object, value: {}, disabled: Boolean },
  emits: ["value"],
  template: `
    <span class="o-wd-label" :title="spec.help ? label + '\\n' + spec.help : label">{{ label }}</span>
    <input class="o-wd-value o-num" type="text" autocomplete="off" spellcheck="false" :data-testid="'widget-' + name" :aria-label="label" :aria-invalid="(draft !== null && !typed) || undefined"
           :value="draft ?? value" :disabled="disabled" @focus="draft = String(value ?? '')" @input="draft = $event.target.value" @blur="end" @keydown="key" />
    <input class="o-wd-color" type="color" :data-testid="'color-' + name" :aria-label="label" :value="shown" :disabled="disabled" @change="take($event.target.value)" />`,
  data: () => ({ draft: null }),
  computed: {
    shown() {
      return full(this.value) ?? "#000000";
    },
    typed() {
      return full(this.draft);
    },
  },
  methods: {
    take(color) {
      if (color && color !== this.value) this.$emit("value", color);
    },
    end() {
      this.take(this.draft === null ? null : this.typed);
      this.draft = null;
    },
    key(event) {
      if (event.key === "Enter" || hasCommand(event)) this.take(this.typed);
      if (event.key === "Escape") {
        this.draft = null;
        leaveToNode(event);
      }
    },
  },
};
