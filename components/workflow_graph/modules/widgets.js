// The widgets of a node: one row each, with its name, its value and a tick that makes it a field of
// the form. Emits `value {name, value}` and `expose {name, exposed}`.
//
// `links` says what feeds the linked ones, by name; `findings` are those of this node. The slot
// `port` is drawn at the left edge of a row, for the socket of the widget's input.
import { t } from "./say.js";
import { ChoiceWidget } from "./widget_choice.js";
import { ColorWidget } from "./widget_color.js";
import { FileWidget } from "./widget_file.js";
import { keepKeys } from "./widget_keys.js";
import { NumberWidget } from "./widget_number.js";
import { SwitchWidget } from "./widget_switch.js";
import { AreaWidget, TextWidget } from "./widget_text.js";

const FILES = ["image", "video", "audio", "file"];
const EDITORS = { int: NumberWidget, float: NumberWidget, text: TextWidget, multiline: AreaWidget, bool: SwitchWidget, choice: ChoiceWidget, color: ColorWidget };
const LOOSE = Object.freeze({ kind: "text", choices: [] }); // of a node that nobody knows
const SUGGESTED = 3;

const editorOf = (kind) => EDITORS[kind] ?? (FILES.includes(kind) ? FileWidget : TextWidget);

// Shown while the row has the pointer or the focus; its place is always kept.
const ExposeTick = {
  props: { widget: Object },
  emits: ["expose"],
  template: `
    <button type="button" class="o-wd-tick" role="checkbox" :aria-checked="Boolean(widget.exposed)" :aria-label="t('{name} is a field of the form', { name: widget.label })"
            :title="widget.exposed ? t('Take out of the form') : t('Make it a field of the form')" :data-testid="'expose-' + widget.name"
            @click="$emit('expose', { name: widget.name, exposed: !widget.exposed })">
      <svg v-if="widget.exposed" class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-check" /></svg>
    </button>`,
  methods: { t },
};

export const NodeWidgets = {
  name: "NodeWidgets",
  components: { ExposeTick },
  props: { node: Object, specs: Object, disabled: Boolean, findings: Array, links: Object },
  emits: ["value", "expose", "upload"],
  template: `
    <div class="o-wd" :class="{ 'nodrag nopan': !disabled }" :data-disabled="disabled || null" @keydown="keepKeys" @keyup.stop @dblclick.stop>
      <div v-for="row in rows" :key="row.name" class="o-wd-row" :data-kind="row.spec.kind" :data-widget="row.name" :data-exposed="row.exposed || null" :data-linked="row.linked || null" :data-wrong="row.worst">
        <slot name="port" :widget="row" />
        <div v-if="row.linked" class="o-wd-box" :title="row.source ? row.label + ' ← ' + row.source : row.label">
          <span class="o-wd-label">{{ row.label }}</span>
          <span class="o-wd-value o-wd-from o-trunc" :data-testid="'linked-' + row.name">← {{ row.source || t("linked") }}</span>
        </div>
        <div v-else class="o-wd-box">
          <component :is="row.editor" :name="row.name" :label="row.label" :spec="row.spec" :value="row.value" :disabled="disabled" @value="change(row.name, $event)">
            <ExposeTick v-if="row.isFile && !disabled" :widget="row" @expose="$emit('expose', $event)" />
          </component>
          <ExposeTick v-if="!row.isFile && !disabled" :widget="row" @expose="$emit('expose', $event)" />
        </div>
        <div v-for="(said, n) in row.said" :key="n" class="o-wd-said" :data-severity="said.severity" :data-testid="'said-' + row.name" :title="said.fix || undefined">
          {{ said.message }}
          <button v-for="choice in said.choices?.slice(0, ${SUGGESTED})" :key="choice" type="button" class="o-link" :disabled="disabled" @click="change(row.name, choice)">{{ t("Use {choice}", { choice }) }}</button>
        </div>
      </div>
    </div>`,
  // What was changed here and is not yet in the node that came from the server.
  data: () => ({ sent: {} }),
  computed: {
    rows() {
      return (this.node.widgets ?? []).map((widget) => {
        const spec = this.specs?.[widget.spec] ?? LOOSE;
        const said = (this.findings ?? []).filter((finding) => finding.input === widget.name);
        const worst = said.some((one) => one.severity === "error") ? "error" : said[0]?.severity;
        const value = widget.name in this.sent ? this.sent[widget.name] : widget.value;
        return { ...widget, label: widget.label || widget.name, value, spec, editor: editorOf(spec.kind), isFile: FILES.includes(spec.kind), said, worst, source: this.links?.[widget.name] };
      });
    },
  },
  watch: {
    "node.widgets"() {
      this.sent = {};
    },
  },
  methods: {
    t,
    keepKeys,
    change(name, value) {
      this.sent = { ...this.sent, [name]: value };
      this.$emit("value", { name, value });
    },
    // For Enter on a node: its first widget that can be edited; false where there is none.
    edit() {
      const first = this.$el.querySelector(".o-wd-value:enabled, .o-wd-area:enabled, .o-wd-switch:enabled");
      first?.focus();
      return Boolean(first);
    },
  },
};

export default NodeWidgets;
