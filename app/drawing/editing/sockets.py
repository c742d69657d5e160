"""The sockets that a node has for its class, its values and its links."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.drawing.diagram import DiagramNode, Socket
from app.drawing.editing.sheet import Sheet
from app.drawing.schema import InputSpec, NodeSchema
from app.drawing.widgets import visible_inputs

_Placed = list[tuple[Socket, int | None]]  # each with the index it had


def sockets_of(schema: NodeSchema, values: Mapping[str, Any]) -> tuple[Socket, ...]:
    """The inputs of a new node: those that only a link can fill."""
    node = DiagramNode(id="0", class_type=schema.class_type, values=values)
    found: list[Socket] = []
    for spec in visible_inputs(node, schema):
        if spec.grows:
            found += [_socket(each) for each in spec.grows[: max(1, spec.grows_min)]]
        elif spec.widget is None:
            found.append(_socket(spec))
    return tuple(found)


def fit_sockets(sheet: Sheet, node_id: str) -> None:
    """Give a node the sockets that its values and links ask for now.

    A widget has one only while something feeds it. Growing inputs have one free place behind
    those that are linked, without gaps between. The inputs of a choice that is not taken go,
    with their links.
    """
    node = sheet.nodes.get(node_id)
    schema = sheet.schema(node) if node is not None else None
    if node is None or schema is None:
        return
    shown = visible_inputs(node, schema)
    dynamic = tuple(f"{spec.name}." for spec in schema.inputs if spec.children or spec.grows)
    linked = {link.input for link in sheet.feeding(node_id)}
    widgets = {spec.name for spec in shown if spec.widget is not None}
    names = {spec.name for spec in shown}
    growing = {each.name: spec for spec in shown for each in spec.grows}
    groups: dict[str, _Placed] = {spec.name: [] for spec in shown if spec.grows}
    placed: _Placed = []
    for index, socket in enumerate(node.inputs):
        if socket.name in growing:
            if index in linked:
                groups[growing[socket.name].name].append((socket, index))
        elif socket.name in widgets and index not in linked:
            continue  # a widget has a socket only while something feeds it
        elif socket.name in names or not socket.name.startswith(dynamic):
            placed.append((socket, index))
    _complete(placed, shown, groups)
    if [socket for socket, _ in placed] != list(node.inputs):
        sheet.set_inputs(node_id, placed)


def _complete(placed: _Placed, shown: Sequence[InputSpec], groups: dict[str, _Placed]) -> None:
    """Put in what the node has to have besides, each behind what comes before it."""
    before = 0
    for spec in shown:
        if spec.grows:
            grown = _grown(spec, groups[spec.name])
            placed[before:before] = grown
            before += len(grown)
            continue
        at = next((i for i, (each, _) in enumerate(placed) if each.name == spec.name), None)
        if at is not None:
            before = at + 1
        elif spec.widget is None:
            placed.insert(before, (_socket(spec), None))
            before += 1


def _grown(spec: InputSpec, linked: _Placed) -> _Placed:
    """The linked ones under the first names, and free places up to one more than they are."""
    count = min(len(spec.grows), max(spec.grows_min, len(linked) + 1))
    grown: _Placed = []
    for place, each in enumerate(spec.grows[:count]):
        if place < len(linked):
            socket, index = linked[place]
            grown.append((socket if socket.name == each.name else _socket(each), index))
        else:
            grown.append((_socket(each), None))
    return grown


def _socket(spec: InputSpec) -> Socket:
    return Socket(name=spec.name, type=spec.type)
