// Yes or no in a node.
export const SwitchWidget = {
  props: { name: String, label: String, spec: Object, value: {}, disabled: Boolean },
  emits: ["value"],
  template: `
    <span class="o-wd-label" :title="spec.help ? label + '\\n' + spec.help : label" @click="flip">{{ label }}</span>
    <span class="o-wd-value o-wd-end" @click="flip">
      <button type="button" class="o-wd-switch" role="switch" :data-testid="'widget-' + name" :aria-label="label" :aria-checked="isOn" :disabled="disabled" @click.stop="flip"><i></i></button>
    </span>`,
  computed: {
    isOn() {
      return this.value === true || this.value === 1 || this.value === "true";
    },
  },
  methods: {
    flip() {
      if (!this.disabled) this.$emit("value", !this.isOn);
    },
  },
};
