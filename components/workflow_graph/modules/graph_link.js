// A link: leaves right, enters left, in the colour of its type; one that runs backwards steps
// around its nodes.
import { computed, h, inject } from "vue";
import { getSmoothStepPath, Position } from "@vue-flow/core";
import { socketOf } from "orchestrator-graph/graph_state.js";
import { typeColor } from "orchestrator-graph/port_types.js";

const CLEAR_PX = 14;

export function linkPath({ sourceX, sourceY, targetX, targetY }) {
  const gap = targetX - sourceX;
  if (gap >= 2 * CLEAR_PX) {
    const pull = Math.max(24, Math.min(160, gap / 2 + Math.abs(targetY - sourceY) / 8));
    return `M${sourceX},${sourceY} C${sourceX + pull},${sourceY} ${targetX - pull},${targetY} ${targetX},${targetY}`;
  }
  const [path] = getSmoothStepPath({
    sourceX, sourceY, targetX, targetY,
    sourcePosition: Position.Right, targetPosition: Position.Left, borderRadius: 6, offset: CLEAR_PX,
  });
  return path;
}

export const GraphLink = {
  inheritAttrs: false,
  props: { id: String, sourceX: Number, sourceY: Number, targetX: Number, targetY: Number, selected: Boolean },
  setup(props) {
    const graph = inject("graph");
    const path = computed(() => linkPath(props));
    return () => {
      const link = graph.links[props.id];
      if (!link) return null;
      // A file may have left the type of a link out.
      const type = socketOf(graph, link.from[0], "out", link.from[1])?.type ?? link.type;
      const style = { "--c": typeColor(type) };
      const names = ["o-wg-link", { "o-wg-link-selected": props.selected, "o-wg-link-lifted": String(graph.lifted) === props.id }];
      return [
        h("path", { class: "o-wg-link-hit", d: path.value, "data-testid": `link-${[...link.from, ...link.to].join("-")}` }),
        h("path", { class: names, d: path.value, style }),
      ];
    };
  },
};

// The one that is being drawn.
export const GraphLinkDraft = {
  inheritAttrs: false,
  props: { sourceX: Number, sourceY: Number, targetX: Number, targetY: Number, sourceHandle: Object, connectionStatus: String },
  setup(props) {
    const graph = inject("graph");
    return () => {
      const backwards = props.sourceHandle?.type === "target";
      const ends = backwards ? { sourceX: props.targetX, sourceY: props.targetY, targetX: props.sourceX, targetY: props.sourceY } : props;
      const color = props.connectionStatus === "invalid" ? "var(--st-failed)" : typeColor(graph.connecting?.type);
      return h("path", { class: "o-wg-link o-wg-link-draft", d: linkPath(ends), style: { "--c": color } });
    };
  },
};
