// A port: Vue Flow's handle with our colour and name. Pulling at an input that is taken moves the
// end of its link instead of starting another one.
import { computed, h, inject, ref } from "vue";
import { Handle, Position, useHandle } from "@vue-flow/core";
import { handleOf, isBoundary, isSource, linkInto, mayConnect } from "orchestrator-graph/graph_state.js";
import { typeColor, typeName, typesFit } from "orchestrator-graph/port_types.js";

const CLICK_PX = 4;

export const GraphPort = {
  props: { node: String, side: String, socket: Object, top: Number, hidden: Boolean },
  setup(props) {
    const graph = inject("graph");
    const canvas = inject("canvas");
    const isInput = props.side === "in";
    const valid = (connection) => mayConnect(graph, connection);
    const link = computed(() => (isInput ? linkInto(graph, props.node, props.socket.index) : null));
    const isLinked = computed(() => (isInput ? Boolean(link.value) : isSource(graph, props.node, props.socket.index)));
    // While a link is drawn: whether this one would take it.
    const fits = computed(() => {
      const from = graph.connecting;
      if (!from) return null;
      if (from.node === props.node || from.side === props.side) return false;
      return isInput ? typesFit(from.type, props.socket.type) : typesFit(props.socket.type, from.type);
    });

    const lifted = ref(null);
    const start = { x: 0, y: 0 };
    const moved = (event) => {
      const point = event.changedTouches?.[0] ?? event;
      return Math.hypot(point.clientX - start.x, point.clientY - start.y) > CLICK_PX;
    };
    let rejoined = false;
    const { handlePointerDown } = useHandle({
      nodeId: computed(() => lifted.value?.from[0] ?? ""),
      handleId: computed(() => (lifted.value ? handleOf("out", lifted.value.from[1]) : null)),
      type: "source",
      isValidConnection: computed(() => valid), // a bare function would be called for its value
      edgeUpdaterType: "source",
      onEdgeUpdate: (_, connection) => {
        rejoined = true;
        canvas.relink(lifted.value, connection);
      },
      onEdgeUpdateEnd: (event) => {
        const was = lifted.value;
        lifted.value = graph.lifted = null;
        if (!rejoined && moved(event)) canvas.dropLifted(was, event);
      },
    });
    const pull = (event) => {
      const pressed = !("button" in event) || event.button === 0;
      // What comes in from outside a subgraph is pulled like any other: its entry is a node too.
      if (!link.value || graph.readonly || !pressed) return;
      event.stopPropagation();
      const point = event.touches?.[0] ?? event;
      Object.assign(start, { x: point.clientX, y: point.clientY });
      rejoined = false;
      lifted.value = link.value;
      graph.lifted = link.value.id;
      handlePointerDown(event);
    };

    return () => {
      const { socket, side, node, top, hidden } = props;
      const name = socket.label || socket.name;
      return h(
        "span",
        {
          class: ["o-wg-port", `o-wg-port-${side}`, { "o-wg-port-linked": isLinked.value, "o-wg-port-hidden": hidden && !isLinked.value, "o-wg-port-fits": fits.value === true, "o-wg-port-unfit": fits.value === false, "o-wg-port-required": isInput && socket.required && !socket.widget && !isLinked.value && !isBoundary(node) }],
          style: { "--c": typeColor(socket.type), ...(top === undefined ? {} : { top: `${top}px` }) },
          onMousedownCapture: pull,
          onTouchstartCapturePassive: pull,
        },
        h(Handle, {
          id: handleOf(side, socket.index),
          type: isInput ? "target" : "source",
          position: isInput ? Position.Left : Position.Right,
          isValidConnection: valid,
          connectable: !graph.readonly,
          title: `${name}: ${typeName(socket.type)}`,
          "data-testid": `port-${node}-${side}-${socket.name}`,
        }),
      );
    };
  },
};
