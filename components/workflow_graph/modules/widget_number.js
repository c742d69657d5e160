// A number in a node: typed, stepped by the arrow keys, or drawn by its name; a seed also by dice.
import { clamp, isOutside, isWhole, parse, pretty, rolled, stepped } from "./numbers.js";
import { t } from "./say.js";
import { hasCommand, leaveToNode } from "./widget_keys.js";

const PX_PER_STEP = 4;
const STEPS = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };

export const NumberWidget = {
  props: { name: String, label: String, spec: Object, value: {}, disabled: Boolean },
  emits: ["value"],
  template: `
    <span class="o-wd-label" :class="{ 'o-wd-scrub': !disabled }" :title="hint" @pointerdown="grab" @pointermove="draw" @pointerup="drop" @pointercancel="giveUp">{{ label }}</span>
    <input ref="field" class="o-wd-value o-num" type="text" inputmode="decimal" role="spinbutton" autocomplete="off" spellcheck="false" :data-testid="'widget-' + name"
           :aria-label="label" :aria-valuenow="value" :aria-valuetext="shown" :aria-valuemin="spec.min ?? undefined" :aria-valuemax="spec.max ?? undefined"
           :aria-invalid="mistaken || undefined" :title="mistaken ? limits : undefined" :value="shown" :disabled="disabled" @focus="begin" @input="draft = $event.target.value" @blur="end" @click="whole" @keydown="key" />
    <button v-if="spec.control && !disabled" type="button" class="o-wd-act" :title="t('New seed')" :aria-label="t('New seed')" :data-testid="'dice-' + name" @click="roll">
      <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-dice" /></svg>
    </button>`,
  data: () => ({ draft: null }),
  watch: {
    // Changed elsewhere while the field has the focus, and nobody is typing another one.
    value(now, before) {
      if (this.draft !== null && String(parse(this.draft, this.spec)) === String(before)) this.draft = String(now ?? "");
    },
  },
  computed: {
    shown() {
      return this.draft ?? pretty(this.value, this.spec);
    },
    mistaken() {
      if (this.draft === null) return isOutside(this.value, this.spec);
      const typed = parse(this.draft, this.spec);
      return typed === null || isOutside(typed, this.spec);
    },
    limits() {
      const { min, max } = this.spec;
      if (min !== null && min !== undefined && max !== null && max !== undefined) return t("From {min} to {max}", { min: this.plain(min), max: this.plain(max) });
      return isWhole(this.spec) ? t("A whole number") : t("A number");
    },
    hint() {
      return [this.label, this.spec.help, this.limits].filter(Boolean).join("\n");
    },
  },
  methods: {
    t,
    plain(limit) {
      return Math.abs(limit) > Number.MAX_SAFE_INTEGER ? Number(limit).toExponential(1) : String(limit);
    },
    begin() {
      this.draft = String(this.value ?? "");
      this.fresh = true;
      this.$nextTick(() => this.$refs.field?.select());
    },
    // The click that brought the focus would put the caret somewhere; the next one may.
    whole() {
      if (this.fresh) this.$refs.field.select();
      this.fresh = false;
    },
    end() {
      const typed = this.draft === null ? null : parse(this.draft, this.spec);
      this.draft = null;
      this.take(typed);
    },
    take(value) {
      if (value !== null && String(value) !== String(this.value)) this.$emit("value", value);
    },
    current() {
      return (this.draft === null ? null : parse(this.draft, this.spec)) ?? this.value ?? clamp(0, this.spec);
    },
    key(event) {
      if (event.isComposing) return;
      this.fresh = false;
      if (event.key in STEPS) {
        event.preventDefault();
        this.draft = String(stepped(this.current(), STEPS[event.key] * (event.shiftKey ? 10 : 1), this.spec));
      } else if (event.key === "Enter" || hasCommand(event)) {
        const typed = parse(this.draft ?? "", this.spec);
        this.take(typed);
        if (event.key === "Enter" && !hasCommand(event)) this.$refs.field.select();
      } else if (event.key === "Escape") {
        this.draft = null;
        leaveToNode(event);
      }
    },
    roll() {
      this.draft = null;
      this.$emit("value", rolled(this.spec));
    },
    grab(event) {
      if (this.disabled || event.button) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      this.drawn = { x: event.clientX, from: this.current(), moved: false };
    },
    draw(event) {
      if (!this.drawn) return;
      const steps = Math.trunc((event.clientX - this.drawn.x) / PX_PER_STEP) * (event.shiftKey ? 10 : 1);
      if (!steps && !this.drawn.moved) return;
      this.drawn.moved = true;
      this.draft = String(stepped(this.drawn.from, steps, this.spec));
    },
    drop() {
      const drawn = this.drawn;
      this.drawn = null;
      if (drawn?.moved) this.end();
      else if (drawn) this.$refs.field.focus();
    },
    giveUp() {
      if (this.drawn?.moved) this.draft = null;
      this.drawn = null;
    },
  },
};
