// A node class in a list: its name, what is special about it, and the colours of what it gives.
import { classOf } from "./node_index.js";
import { typeColor, typeName } from "./port_types.js";
import { t } from "./say.js";

const DOTS = 4;

export const NodeRow = {
  props: { node: Object, where: Boolean },
  template: `
    <span class="o-pal-name o-trunc">{{ node.name }}</span>
    <span v-if="badge" class="o-pal-badge" :data-kind="badge.kind">{{ badge.text }}</span>
    <span v-if="where" class="o-pal-where o-trunc">{{ node.category.split("/").at(-1) }}</span>
    <span class="o-pal-ports" aria-hidden="true"><i v-for="(type, n) in types" :key="n" :style="{ background: color(type) }"></i></span>`,
  computed: {
    types() {
      const { outputs, inputs } = this.node;
      return [...new Set(outputs.length ? outputs : inputs)].slice(0, DOTS);
    },
    badge() {
      if (this.node.deprecated) return { kind: "deprecated", text: t("old") };
      if (this.node.paid) return { kind: "paid", text: t("paid") };
      if (this.node.experimental) return { kind: "experimental", text: t("beta") };
      return null;
    },
  },
  methods: { color: typeColor },
};

// Everything known of a class, as the tooltip of its row.
export function describe(node, backends) {
  const flow = (types) => types.map(typeName).join(", ") || "—";
  const lines = [node.name === node.class ? node.name : `${node.name} (${node.class})`, node.category];
  if (node.help) lines.push(node.help);
  if (node.inputs.length || node.outputs.length) lines.push(`${flow(node.inputs)} → ${flow(node.outputs)}`);
  if (node.deprecated) lines.push(t("It is old: newer workflows use another node."));
  if (node.experimental) lines.push(t("It is experimental and may change."));
  if (node.paid) lines.push(t("It calls a paid service."));
  if (node.backends !== null && node.backends < backends) lines.push(t("On {count} of {total} backends", { count: node.backends, total: backends }));
  return lines.join("\n");
}

export const isKnown = (name) => Boolean(classOf(name));
