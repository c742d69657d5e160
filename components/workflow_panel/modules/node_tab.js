// What is selected: how the node is called, what it does, where it can run, what is wrong with it.
import { COLORS } from "orchestrator/node_colors.js";

const MODES = ["active", "muted", "bypassed"];

export const Findings = {
  props: { findings: Array, t: Function, pick: Boolean },
  emits: ["pick", "show"],
  template: `
    <ul class="o-wp-findings">
      <li v-for="(each, i) in findings" :key="i" :data-severity="each.severity" data-testid="finding">
        <svg class="o-i o-i-s" aria-hidden="true"><use :href="each.severity === 'error' ? '#o-i-fail' : each.severity === 'warning' ? '#o-i-alert' : '#o-i-info'" /></svg>
        <div>
          <span class="o-vh">{{ t(each.severity === "error" ? "Error" : each.severity === "warning" ? "Warning" : "Note") }}: </span>
          <b v-if="pick && each.where && !each.message.includes(each.where)" class="o-wp-where" dir="auto">{{ each.where }}</b>
          <p dir="auto">{{ each.message }}</p>
          <p v-if="each.fix" class="o-sec" dir="auto">{{ each.fix }}</p>
          <p v-for="choice in (each.choices || []).slice(0, 3)" :key="choice" class="o-wp-choice">
            <span class="o-mono o-trunc" :title="choice" dir="auto">{{ choice }}</span>
            <button type="button" class="o-link" data-testid="finding-use" @click="$emit('pick', { node: each.node, input: each.input, value: choice })">{{ t("Use this") }}</button>
          </p>
          <button v-if="pick && each.node" type="button" class="o-link" data-testid="finding-show" @click="$emit('show', each.node)">{{ t("Show node") }}</button>
        </div>
      </li>
    </ul>`,
};

export const NodeTab = {
  components: { Findings },
  props: { node: Object, count: Number, findings: Array, general: Array, t: Function, tn: Function, locked: Boolean },
  emits: ["op", "pick", "show"],
  template: `
    <div v-if="!node" class="o-wp-none">
      <p class="o-sec">{{ count > 1 ? tn("{n} nodes selected", count) : t("Select a node to see what it is and what it needs.") }}</p>
      <Findings v-if="general.length" :findings="general" :t="t" pick @pick="$emit('pick', $event)" @show="$emit('show', $event)" />
    </div>
    <div v-else class="o-wp-node" data-testid="node-properties">
      <label class="o-field"><span class="o-label">{{ t("Title") }}<span class="o-end o-mono">#{{ node.path }}</span></span>
        <input class="o-wp-input" :value="node.title" :placeholder="node.name" maxlength="200" dir="auto" :disabled="locked" data-testid="node-title" @change="op({ op: 'title', id: node.id, title: $event.target.value.trim() || null })" />
      </label>
      <div class="o-field"><span class="o-label">{{ t("In a run") }}</span>
        <div class="o-seg" role="group" :aria-label="t('In a run')">
          <button v-for="mode in modes" :key="mode" type="button" :aria-pressed="node.mode === mode" :disabled="locked" :data-testid="'node-mode-' + mode" @click="op({ op: 'mode', ids: [node.id], mode })">{{ modeName(mode) }}</button>
        </div>
      </div>
      <div class="o-field"><span class="o-label">{{ t("Colour") }}</span>
        <div class="o-wp-colors" role="group" :aria-label="t('Colour')">
          <button type="button" :aria-pressed="!node.color" :title="t('No colour')" :aria-label="t('No colour')" :disabled="locked" @click="op({ op: 'color', ids: [node.id], color: null })"><svg class="o-i o-i-xs" aria-hidden="true"><use href="#o-i-slash" /></svg></button>
          <button v-for="color in colors" :key="color" type="button" :aria-pressed="node.color === color" :title="color" :aria-label="color" :disabled="locked" :style="{ background: color }" @click="op({ op: 'color', ids: [node.id], color })"></button>
        </div>
      </div>
      <Findings v-if="findings.length" :findings="findings" :t="t" @pick="$emit('pick', $event)" />
      <dl class="o-wp-facts">
        <dt>{{ t("Class") }}</dt><dd class="o-mono" dir="auto">{{ node.class }}</dd>
        <template v-if="node.category"><dt>{{ t("Category") }}</dt><dd dir="auto">{{ node.category }}</dd></template>
        <template v-if="node.module"><dt>{{ t("Comes from") }}</dt><dd dir="auto">{{ node.module }}</dd></template>
        <template v-if="node.backends"><dt>{{ t("Backends") }}</dt><dd>
          <span v-for="each in node.backends" :key="each.name" class="o-wp-has" :data-has="each.has"><svg class="o-i o-i-xs" aria-hidden="true"><use :href="each.has ? '#o-i-check' : '#o-i-x'" /></svg><span dir="auto">{{ each.name }}</span><span class="o-vh">{{ each.has ? t("has it") : t("does not have it") }}</span></span>
          <span v-if="!node.backends.length" class="o-sec">{{ t("No backend is known yet.") }}</span>
        </dd></template>
      </dl>
      <p v-if="node.help" class="o-sec o-wp-help" dir="auto">{{ node.help }}</p>
    </div>`,
  computed: {
    colors: () => COLORS,
    modes: () => MODES,
  },
  methods: {
    op(op) {
      this.$emit("op", { path: this.node.level, op });
    },
    modeName(mode) {
      return { active: this.t("Active"), muted: this.t("Muted"), bypassed: this.t("Bypassed") }[mode];
    },
  },
};
