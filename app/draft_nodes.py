"""The nodes of a drawn workflow as JSON for the browser.

Integers beyond 2**53 cross as decimal text, because browsers cannot hold them; values of kinds
that nobody knows cross as JSON text.
"""

import json
import math
from typing import Any, cast

from app.drawing.classes import Classes
from app.drawing.diagram import (
    ENTRY,
    EXIT,
    NOTES,
    PRIMITIVE,
    REROUTE,
    Diagram,
    DiagramNode,
    Socket,
    Subgraph,
    level_at,
    node_at,
)
from app.drawing.editing.places import ENDS
from app.drawing.editing.values import LOOSE
from app.drawing.proxied import proxied
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.drawing.widgets import control_of, value_of, visible_widgets

_SAFE_INT = 2**53 - 1
_END_GAP = 220.0


class Drawn:
    """One level, node by node."""

    def __init__(self, diagram: Diagram, path: str, *, schemas: Schemas) -> None:
        self.diagram = diagram
        self.level = level_at(diagram, path)
        self.specs: dict[str, Any] = {}
        self._inside: Subgraph | None = (
            diagram.subgraphs[node_at(diagram, path).class_type] if path else None
        )
        self._prefix = f"{path}:" if path else ""
        self._classes = Classes(diagram, schemas=schemas)
        self._linked = {(link.target, link.input) for link in self.level.links.values()}
        self.exposed = {
            (each.node.removeprefix(self._prefix), each.input): each.name
            for each in diagram.parameters
            if each.node.startswith(self._prefix)
        }

    def ends(self) -> tuple[str, ...]:
        """The two ends of a subgraph; none in the whole workflow."""
        return () if self._inside is None else (ENTRY, EXIT)

    def ids(self) -> list[str]:
        """Everything that is shown as a node."""
        return [*self.level.nodes, *self.ends()]

    def node(self, node_id: str) -> dict[str, Any]:
        """One node."""
        if self._inside is not None and node_id in ENDS:
            return self._end(node_id, self._inside)
        node = self.level.nodes[node_id]
        schema = self._classes.of(node, self.level)
        return {
            "id": node.id,
            "class": node.class_type,
            "name": schema.name if schema is not None else node.class_type,
            "title": node.title,
            "kind": self._kind(node),
            "known": schema is not None,
            "pos": list(node.pos),
            "size": list(node.size) if node.size is not None else None,
            "mode": node.mode.value,
            "collapsed": node.collapsed,
            "color": node.color,
            "isOutput": schema is not None and schema.is_output,
            "inputs": self._inputs(node, schema),
            "outputs": [_output(at, each) for at, each in enumerate(node.outputs)],
            "widgets": self._widgets(node, schema),
            "path": f"{self._prefix}{node.id}",
        }

    def _kind(self, node: DiagramNode) -> str:
        if node.class_type in NOTES:
            return "note"
        if node.class_type == REROUTE:
            return "reroute"
        if node.class_type == PRIMITIVE:
            return "primitive"
        return "subgraph" if node.class_type in self.diagram.subgraphs else "node"

    def _inputs(self, node: DiagramNode, schema: NodeSchema | None) -> list[dict[str, Any]]:
        """The sockets that show: those of widgets only while something feeds them."""
        shown: list[dict[str, Any]] = []
        for index, socket in enumerate(node.inputs):
            spec = schema.input(socket.name) if schema is not None else None
            widget = spec.widget is not None if spec is not None else socket.widget
            if widget and (node.id, index) not in self._linked:
                continue
            shown.append(
                {
                    "index": index,
                    "name": socket.name,
                    "label": socket.label or _leaf(socket.name),
                    "type": spec.type if spec is not None else socket.type,
                    "required": spec is not None and spec.required,
                    "widget": widget,
                }
            )
        return shown

    def _widgets(self, node: DiagramNode, schema: NodeSchema | None) -> list[dict[str, Any]]:
        if schema is None:
            return self._unknown_widgets(node)
        linked = {
            socket.name
            for index, socket in enumerate(node.inputs)
            if (node.id, index) in self._linked
        }
        labels = {socket.name: socket.label for socket in node.inputs}
        widgets = visible_widgets(node, schema)
        shown: list[dict[str, Any]] = []
        for spec in widgets:
            value = value_of(node, spec)
            label = labels.get(spec.name) or _leaf(spec.name)
            shown.append(self._widget(node, spec, value, label=label, linked=spec.name in linked))
            control = control_of(spec, widgets)
            if control is not None:
                value = value_of(node, control)
                shown.append(self._widget(node, control, value, label=_leaf(control.name)))
        return [*shown, *self._proxied(node)]

    def _proxied(self, node: DiagramNode) -> list[dict[str, Any]]:
        found = proxied(self.diagram, node, classes=self._classes)
        return [
            {
                **self._widget(node, each.spec, each.value, label=_leaf(each.spec.name)),
                "name": each.name,
                "exposed": self.exposed.get((f"{node.id}:{each.path}", each.spec.name), False),
            }
            for each in found
        ]

    def _unknown_widgets(self, node: DiagramNode) -> list[dict[str, Any]]:
        named = [*node.values.items()]
        named += [(f"{LOOSE}{at}", value) for at, value in enumerate(node.loose)]
        return [self._widget(node, _guessed(name, value), value) for name, value in named]

    def _widget(
        self,
        node: DiagramNode,
        spec: InputSpec,
        value: Any,
        *,
        label: str | None = None,
        linked: bool = False,
    ) -> dict[str, Any]:
        return {
            "name": spec.name,
            "label": label or spec.name,
            "spec": self._ref(spec),
            "value": _value(value, spec),
            "linked": linked,
            "exposed": self.exposed.get((node.id, spec.name), False),
        }

    def _ref(self, spec: InputSpec) -> str:
        """The name of what the browser has to know of the widget; the same for the same."""
        told = _spec(spec)
        key = (json.dumps({**told, "choices": None}, default=str), _hashed(spec.choices))
        ref = f"{told['kind']}-{hash(key) & 0xFFFFFFFFFFFFFFFF:x}"
        self.specs.setdefault(ref, told)
        return ref

    def _end(self, node_id: str, inside: Subgraph) -> dict[str, Any]:
        """The inputs of the subgraph as a node with outputs, or its outputs as one with inputs.

        Each has one more place at the end, without a name: a link there makes a new one.
        """
        is_entry = node_id == ENTRY
        sockets = inside.inputs if is_entry else inside.outputs
        ports = [_output(at, each) for at, each in enumerate(sockets)]
        ports.append({"index": len(sockets), "name": "", "label": "", "type": "*"})
        if not is_entry:
            ports = [{**each, "required": False, "widget": False} for each in ports]
        return {
            "id": node_id,
            "class": "",
            "name": inside.name,
            "title": None,
            "kind": "entry" if is_entry else "exit",
            "known": True,
            "pos": self._end_place(node_id, inside),
            "size": None,
            "mode": "active",
            "collapsed": False,
            "color": None,
            "isOutput": False,
            "inputs": [] if is_entry else ports,
            "outputs": ports if is_entry else [],
            "widgets": [],
            "path": f"{self._prefix}{node_id}",
        }

    def _end_place(self, node_id: str, inside: Subgraph) -> list[float]:
        told: Any = inside.extra.get(ENDS[node_id])
        bounding = cast("dict[str, Any]", told).get("bounding") if isinstance(told, dict) else None
        place = cast("list[Any]", bounding)[:2] if isinstance(bounding, list) else []
        if len(place) == 2 and all(isinstance(each, int | float) for each in place):
            return [float(each) for each in place]
        nodes = list(self.level.nodes.values())
        top = min((node.pos[1] for node in nodes), default=0.0)
        if node_id == ENTRY:
            return [min((node.pos[0] for node in nodes), default=0.0) - _END_GAP, top]
        return [max((node.pos[0] for node in nodes), default=0.0) + 2 * _END_GAP, top]


def _output(index: int, socket: Socket) -> dict[str, Any]:
    label = socket.label or socket.name
    return {"index": index, "name": socket.name, "label": label, "type": socket.type}


def _spec(spec: InputSpec) -> dict[str, Any]:
    return {
        "kind": spec.widget or "json",
        "type": spec.type,
        "default": _value(spec.default, spec),
        "min": plain(spec.min),
        "max": plain(spec.max),
        "step": plain(spec.step),
        "round": plain(spec.round),
        "choices": [plain(each) for each in spec.choices],
        "multiselect": spec.multiselect,
        "control": spec.control,
        "help": spec.help,
        "dynamic": bool(spec.children),
        "socketless": spec.socketless,
    }


def _value(value: Any, spec: InputSpec) -> Any:
    if spec.widget == "json" and value is not None:
        return json.dumps(value, ensure_ascii=False, default=str)
    if spec.multiselect and isinstance(value, list):
        return [plain(each) for each in cast("list[Any]", value)]
    return plain(value)


def plain(value: Any) -> Any:
    """The value so that a browser reads what was meant."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _SAFE_INT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return json.dumps(value, ensure_ascii=False, default=str)


def _guessed(name: str, value: Any) -> InputSpec:
    """What a value of an unknown class looks like."""
    if isinstance(value, bool):
        return InputSpec(name=name, type="BOOLEAN", widget="bool")
    if isinstance(value, int):
        return InputSpec(name=name, type="INT", widget="int")
    if isinstance(value, float):
        return InputSpec(name=name, type="FLOAT", widget="float")
    if isinstance(value, str):
        kind = "multiline" if "\n" in value or len(value) > 100 else "text"
        return InputSpec(name=name, type="STRING", widget=kind)
    return InputSpec(name=name, type="*", widget="json")


def _hashed(choices: tuple[Any, ...]) -> int:
    try:
        return hash(choices)
    except TypeError:
        return hash(json.dumps(choices, default=str))


def _leaf(name: str) -> str:
    """The last part of the name of an input that came with a choice."""
    return name.rpartition(".")[2]
