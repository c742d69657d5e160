"""A drawn workflow as ComfyUI's own file, which its page opens with every place as it was."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    pass

from app.drawing.diagram import (
    ENTRY,
    EXIT,
    NOTE_TEXT,
    NOTES,
    PRIMITIVE,
    DiagramNode,
    Group,
    Level,
    Link,
    Mode,
    Socket,
    Subgraph,
)
from app.drawing.files.settling import promoted
from app.drawing.files.ui_reading import AS_OBJECT, AUTO_SIZE, KEPT, MODES, NAMED, PARTIAL
from app.drawing.layout import size_of
from app.drawing.schema import NodeSchema, Schemas
from app.drawing.untrusted import as_dict, as_int, as_list
from app.drawing.widgets import CONTROL, control_of, values_list, visible_widgets

_NUMBERS = {mode: number for number, mode in MODES.items()}
_SPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # of names that are object ids
_ENDS_WIDTH = 120.0
_ROW = 20.0


class Writer:
    """Writes the levels of one diagram."""

    def __init__(self, subgraphs: Mapping[str, Subgraph], *, schemas: Schemas) -> None:
        self._subgraphs = subgraphs
        self._schemas = schemas

    def nodes(self, level: Level) -> list[dict[str, Any]]:
        """The nodes of a level with what is linked to them."""
        into = {(link.target, link.input): link.id for link in level.links.values()}
        out: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for link in level.links.values():
            out[link.source, link.output].append(link.id)
        ranks = order_of(level)
        written: list[dict[str, Any]] = []
        for node in level.nodes.values():
            inputs = [
                _socket(each, link=into.get((node.id, index)))
                for index, each in enumerate(node.inputs)
            ]
            outputs = [
                _socket(each, links=out.get((node.id, index), []))
                for index, each in enumerate(node.outputs)
            ]
            rank = ranks.get(node.id, 0)
            written.append(self._node(node, order=rank, inputs=inputs, outputs=outputs))
        return written

    def subgraph(self, subgraph: Subgraph) -> dict[str, Any]:
        """A definition."""
        level, extra = subgraph.level, dict(subgraph.extra)
        leaving: defaultdict[int, list[int]] = defaultdict(list)
        entering: defaultdict[int, list[int]] = defaultdict(list)
        for link in level.links.values():
            if link.source == ENTRY:
                leaving[link.output].append(link.id)
            if link.target == EXIT:
                entering[link.input].append(link.id)
        state = {
            "lastGroupId": max((group.id for group in level.groups), default=0),
            "lastNodeId": max((int(key) for key in level.nodes), default=0),
            "lastLinkId": max(level.links, default=0),
            "lastRerouteId": _last_bend(extra.get("reroutes")),
        } | as_dict(extra.pop("state", None))
        return {
            "id": subgraph.id,
            "version": extra.pop("version", 1),
            "state": state,
            "revision": extra.pop("revision", 0),
            "config": extra.pop("config", {}),
            "name": subgraph.name,
            "inputNode": _end_node(extra.pop("inputNode", None), ENTRY, subgraph),
            "outputNode": _end_node(extra.pop("outputNode", None), EXIT, subgraph),
            "inputs": _ends(subgraph, "inputs", subgraph.inputs, leaving),
            "outputs": _ends(subgraph, "outputs", subgraph.outputs, entering),
            "widgets": extra.pop("widgets", []),
            "nodes": self.nodes(level),
            "groups": groups(level.groups),
            "links": [_link_object(link) for link in level.links.values()],
            **extra,
        }

    def _node(
        self,
        node: DiagramNode,
        *,
        order: int,
        inputs: list[dict[str, Any]],
        outputs: list[dict[str, Any]],
    ) -> dict[str, Any]:
        extra = {key: value for key, value in node.extra.items() if key != KEPT}
        mode = _NUMBERS[node.mode]
        if node.mode is Mode.ACTIVE:
            mode = extra.get("mode", mode)
        extra.pop("mode", None)
        flags = dict(as_dict(extra.pop("flags", None)))
        properties = dict(as_dict(extra.pop("properties", None)))
        size = node.size
        if size is None:
            size = size_of(node, self._schemas.get(node.class_type))
            properties[AUTO_SIZE] = _numbers(size)
        written: dict[str, Any] = {
            "id": int(node.id),
            "type": node.class_type,
            "pos": _numbers(node.pos),
            "size": _numbers(size),
            "flags": {**flags, "collapsed": True} if node.collapsed else flags,
            "order": order,
            "mode": mode,
            "inputs": inputs,
            "outputs": outputs,
        }
        if node.title is not None:
            written["title"] = node.title
        written["properties"] = properties
        written |= self._values(node)
        if node.color is not None:
            written["color"] = node.color
        return {**extra, **written}

    def _values(self, node: DiagramNode) -> dict[str, Any]:
        kept = as_dict(node.extra.get(KEPT))
        rest = as_list(kept.get(PARTIAL))
        values = dict(node.values)
        if node.class_type in NOTES or node.class_type == PRIMITIVE:
            names = [NOTE_TEXT] if node.class_type in NOTES else ["value", CONTROL]
            told = [values[name] for name in names if name in values]
            return {"widgets_values": [*told, *rest]} if told or rest else {}
        schema = self._schemas.get(node.class_type)
        if node.class_type in self._subgraphs:
            return self._subgraph_values(node)
        if schema is None or node.loose:
            listed = list(node.loose) or list(values.values())
            named = values
        else:
            listed = values_list(schema, values, rest=rest)
            named = _with_controls(node, schema) | as_dict(kept.get(NAMED))
        if not listed and not named:
            return {}
        if kept.get(AS_OBJECT):
            return {"widgets_values": named}
        told = {"widgets_values": listed}
        return {**told, "widgets_values_named": named} if named else told

    def _subgraph_values(self, node: DiagramNode) -> dict[str, Any]:
        if not node.values:
            return {"widgets_values": list(node.loose)}
        shown = promoted(self._subgraphs[node.class_type])
        listed = [
            node.values.get(name, inner.values.get(widget))
            for name, (inner, widget) in shown.items()
        ]
        return {"widgets_values": listed, "widgets_values_named": dict(node.values)}


def order_of(level: Level) -> dict[str, int]:
    """The order in which the nodes could run; ComfyUI's file gives it for each."""
    import networkx as nx  # here, because it takes a tenth of the start of the app

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(level.nodes)
    ends = ((link.source, link.target) for link in level.links.values())
    graph.add_edges_from((a, b) for a, b in ends if a in level.nodes and b in level.nodes)
    try:
        return {node: rank for rank, node in enumerate(nx.topological_sort(graph))}
    except nx.NetworkXUnfeasible:
        return {node: rank for rank, node in enumerate(level.nodes)}


def groups(found: Iterable[Group]) -> list[dict[str, Any]]:
    """The groups of a level."""
    written: list[dict[str, Any]] = []
    for group in found:
        told: dict[str, Any] = {
            "id": group.id,
            "title": group.title,
            "bounding": _numbers(group.box),
        }
        if group.color is not None:
            told["color"] = group.color
        written.append({**group.extra, **told})
    return written


def _with_controls(node: DiagramNode, schema: NodeSchema) -> dict[str, Any]:
    """The values by the names that ComfyUI's file has for them: what follows a second seed is
    called after the first's, with a number."""
    widgets = visible_widgets(node, schema)
    controls = [each.name for spec in widgets if (each := control_of(spec, widgets)) is not None]
    named: dict[str, Any] = {}
    for spec in widgets:
        control = control_of(spec, widgets)
        for name in (spec.name, *((control.name,) if control is not None else ())):
            if name in node.values:
                number = controls.index(name) if name in controls else 0
                named[f"{CONTROL}#{number}" if number else name] = node.values[name]
    return named | {key: each for key, each in node.values.items() if key not in controls}


def _socket(socket: Socket, **linked: Any) -> dict[str, Any]:
    written: dict[str, Any] = {"name": socket.name, "type": socket.type}
    if socket.label is not None:
        written["label"] = socket.label
    if socket.widget:
        written["widget"] = {"name": socket.name}
    return {**written, **socket.extra, **linked}


def _ends(
    subgraph: Subgraph,
    side: str,
    sockets: Iterable[Socket],
    linked: Mapping[int, list[int]],
) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for index, socket in enumerate(sockets):
        told = _socket(socket)
        told.setdefault("id", str(uuid.uuid5(_SPACE, f"{subgraph.id}/{side}/{socket.name}")))
        written.append({**told, "linkIds": linked.get(index, [])})
    return written


def _end_node(kept: Any, node_id: str, subgraph: Subgraph) -> dict[str, Any]:
    """Where the inputs or outputs of a subgraph are drawn; beside its nodes if never said."""
    told = dict(as_dict(kept))
    if "bounding" not in told:
        nodes = subgraph.level.nodes.values()
        left = min((node.pos[0] for node in nodes), default=0.0)
        top = min((node.pos[1] for node in nodes), default=0.0)
        right = max((node.pos[0] + (node.size or (300.0, 0.0))[0] for node in nodes), default=300.0)
        x = left - _ENDS_WIDTH - 80 if node_id == ENTRY else right + 80
        count = len(subgraph.inputs if node_id == ENTRY else subgraph.outputs)
        told["bounding"] = _numbers((x, top, _ENDS_WIDTH, (count + 2) * _ROW))
        told[AUTO_SIZE] = told["bounding"]
    return {**told, "id": int(node_id)}


def _link_object(link: Link) -> dict[str, Any]:
    return {
        **link.extra,
        "id": link.id,
        "origin_id": int(link.source),
        "origin_slot": link.output,
        "target_id": int(link.target),
        "target_slot": link.input,
        "type": link.type,
    }


def link_list(link: Link) -> list[Any]:
    """A link of the whole workflow."""
    return [link.id, int(link.source), link.output, int(link.target), link.input, link.type]


def _numbers(values: Iterable[float]) -> list[float]:
    return [cast("float", int(each)) if float(each).is_integer() else each for each in values]


def _last_bend(reroutes: Any) -> int:
    """The largest id of the bends that links go through."""
    return max((as_int(as_dict(each).get("id")) or 0 for each in as_list(reroutes)), default=0)
