"""Drawn nodes made to match what their classes are known to be.

Files of other versions of a class have other inputs, and those of unknown classes have values
without names: once a class is known, its nodes get the names and the sockets that it has today,
as they would in ComfyUI.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.drawing.diagram import (
    ANY_TYPE,
    ENTRY,
    EXIT,
    PRIMITIVE,
    REROUTE,
    VIRTUAL,
    Diagram,
    DiagramNode,
    Level,
    Link,
    Socket,
    Subgraph,
)
from app.drawing.files.ui_reading import KEPT, NAMED, PARTIAL
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.drawing.untrusted import as_dict
from app.drawing.widgets import (
    CONTROL,
    CONTROLS,
    control_of,
    default_of,
    names_of_values,
    split_values,
    visible_inputs,
    visible_widgets,
)

Sockets = tuple[tuple[Socket, ...], Mapping[int, int]]
"""The sockets of a node, and where each of those it had is among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A diagram, and how many of its links had no socket to end at."""

    diagram: Diagram
    lost: int = 0


def settle(diagram: Diagram, *, schemas: Schemas) -> Diagram:
    """The diagram with names, values and sockets as the classes have them that are known now.

    It is the same object where nothing was to be done.
    """
    return settled(diagram, schemas=schemas).diagram


def settled(diagram: Diagram, *, schemas: Schemas) -> Settled:
    """The same, and what was lost on the way."""
    root, lost = _level(diagram.root, subgraphs=diagram.subgraphs, schemas=schemas, inside=None)
    subgraphs = dict(diagram.subgraphs)
    for key, subgraph in diagram.subgraphs.items():
        level, gone = _level(
            subgraph.level, subgraphs=diagram.subgraphs, schemas=schemas, inside=subgraph
        )
        lost += gone
        if level is not subgraph.level:
            subgraphs[key] = replace(subgraph, level=level)
    changed = any(subgraphs[key] is not diagram.subgraphs[key] for key in subgraphs)
    if root is diagram.root and not changed:
        return Settled(diagram=diagram, lost=lost)
    return Settled(diagram=replace(diagram, root=root, subgraphs=subgraphs), lost=lost)


def promoted(subgraph: Subgraph) -> dict[str, tuple[DiagramNode, str]]:
    """The inputs of a subgraph that set a widget inside: which node's, and its name there."""
    found: dict[str, tuple[DiagramNode, str]] = {}
    by_index: dict[int, tuple[DiagramNode, str]] = {}
    for link in subgraph.level.links.values():
        node = subgraph.level.nodes.get(link.target)
        if link.source != ENTRY or node is None or not link.input < len(node.inputs):
            continue
        if node.inputs[link.input].widget:
            by_index.setdefault(link.output, (node, node.inputs[link.input].name))
    for index, socket in enumerate(subgraph.inputs):
        if index in by_index:
            found.setdefault(socket.name, by_index[index])
    return found


def _level(
    level: Level,
    *,
    subgraphs: Mapping[str, Subgraph],
    schemas: Schemas,
    inside: Subgraph | None,
) -> tuple[Level, int]:
    linked: dict[str, set[int]] = {}
    for link in level.links.values():
        linked.setdefault(link.target, set()).add(link.input)
    nodes: dict[str, DiagramNode] = {}
    moves: dict[str, Mapping[int, int]] = {}
    for key, node in level.nodes.items():
        into = linked.get(key, set())
        nodes[key], moves[key] = _node(node, into, subgraphs=subgraphs, schemas=schemas)
    links: dict[int, Link] = {}
    for key, link in level.links.items():
        index = moves.get(link.target, {}).get(link.input, link.input)
        moved = link if index == link.input else replace(link, input=index)
        if _ends_exist(moved, nodes, inside=inside):
            links[key] = moved
    lost = len(level.links) - len(links)
    same = not lost and all(links[key] is level.links[key] for key in links)
    if same and all(nodes[key] is level.nodes[key] for key in nodes):
        return level, 0
    return replace(level, nodes=nodes, links=links), lost


def _ends_exist(link: Link, nodes: Mapping[str, DiagramNode], *, inside: Subgraph | None) -> bool:
    source, target = nodes.get(link.source), nodes.get(link.target)
    outputs = source.outputs if source else ()
    inputs = target.inputs if target else ()
    if inside is not None:
        outputs = inside.inputs if link.source == ENTRY else outputs
        inputs = inside.outputs if link.target == EXIT else inputs
    return link.output < len(outputs) and link.input < len(inputs)


def _node(
    node: DiagramNode,
    linked: set[int],
    *,
    subgraphs: Mapping[str, Subgraph],
    schemas: Schemas,
) -> tuple[DiagramNode, Mapping[int, int]]:
    """The node as its class has it, and where its inputs went."""
    if node.class_type in VIRTUAL:
        return _virtual(node), {}
    if node.class_type in subgraphs:
        subgraph = subgraphs[node.class_type]
        shown = promoted(subgraph)
        node = _named_by(node, list(shown))
        specs = [
            InputSpec(
                name=each.name,
                type=each.type,
                required=False,
                widget="text" if each.name in shown else None,
            )
            for each in subgraph.inputs
        ]
        outputs = tuple(
            Socket(name=each.name, type=each.type, label=each.label) for each in subgraph.outputs
        )
        inputs, moves = _inputs(node, specs, specs, linked)
        return _with(node, inputs, _outputs(node, outputs)), moves
    schema = schemas.get(node.class_type)
    if schema is None:
        return node, {}
    node = _filled(_named(node, schema), schema)
    inputs, moves = _inputs(node, visible_inputs(node, schema), _all(schema.inputs), linked)
    outputs = tuple(Socket(name=each.name, type=each.type) for each in schema.outputs)
    return _with(node, inputs, _outputs(node, outputs)), moves


def _with(
    node: DiagramNode, inputs: tuple[Socket, ...], outputs: tuple[Socket, ...]
) -> DiagramNode:
    if inputs == node.inputs and outputs == node.outputs:
        return node
    return replace(node, inputs=inputs, outputs=outputs)


def _virtual(node: DiagramNode) -> DiagramNode:
    """Reroutes and primitives have the sockets that make them what they are."""
    any_socket = (Socket(name="", type=ANY_TYPE),)
    inputs, outputs = node.inputs, node.outputs
    if node.class_type == REROUTE:
        inputs, outputs = inputs or any_socket, outputs or any_socket
    if node.class_type == PRIMITIVE:
        outputs = outputs or (Socket(name="connect to widget input", type=ANY_TYPE),)
    return _with(node, inputs, outputs)


def _named_by(node: DiagramNode, names: Sequence[str]) -> DiagramNode:
    """Names for the values of a subgraph node, if there are as many as names."""
    if node.values and node.loose:
        return replace(node, loose=())
    if not node.loose or len(names) != len(node.loose):
        return node
    return replace(node, values=dict(zip(names, node.loose, strict=True)), loose=())


def _named(node: DiagramNode, schema: NodeSchema) -> DiagramNode:
    """Names for the values of a node whose class is known."""
    kept = as_dict(node.extra.get(KEPT))
    if not node.loose and (not node.values or _only_known(node.values, schema)):
        return node
    found, rest = split_values(schema, node.loose)
    named = node.values
    if named:
        found = names_of_values(schema, node.loose, named=named)
        strange = {
            name: value
            for name, value in named.items()
            if name not in found and not _is_control(name) and not _is_short(name, found)
        }
        found |= {key: value for key, value in strange.items() if _is_ours(key, schema)}
        unknown = {key: value for key, value in strange.items() if key not in found}
        kept = {**kept, NAMED: unknown} if unknown else kept
    if rest:
        kept = {**kept, PARTIAL: list(rest)}
    extra = {**node.extra, KEPT: kept} if kept else node.extra
    return replace(node, values=found, loose=(), extra=extra)


def _only_known(values: Mapping[str, Any], schema: NodeSchema) -> bool:
    return all(_is_ours(name, schema) for name in values)


def _is_ours(name: str, schema: NodeSchema) -> bool:
    return name == CONTROL or schema.input(name.removesuffix(f".{CONTROL}")) is not None


def _is_control(name: str) -> bool:
    return name.partition("#")[0] == CONTROL or name in CONTROLS


def _is_short(name: str, found: Mapping[str, Any]) -> bool:
    """Some files leave the name of the choice out of the names that come with it."""
    return any(each.endswith(f".{name}") for each in found)


def _filled(node: DiagramNode, schema: NodeSchema) -> DiagramNode:
    """The node with the class's own values where the file had none."""
    values = dict(node.values)
    while True:  # each choice that is filled in may bring further widgets
        widgets = visible_widgets(replace(node, values=values), schema)
        controls = [each for spec in widgets if (each := control_of(spec, widgets)) is not None]
        missing = [each for each in (*widgets, *controls) if each.name not in values]
        if not missing:
            break
        values |= {each.name: default_of(each) for each in missing}
    return node if len(values) == len(node.values) else replace(node, values=values)


def _all(specs: Sequence[InputSpec]) -> list[InputSpec]:
    found: list[InputSpec] = []
    for spec in specs:
        found.append(spec)
        for children in spec.children.values():
            found += _all(children)
    return found


def _inputs(
    node: DiagramNode,
    shown: Sequence[InputSpec],
    known: Sequence[InputSpec],
    linked: set[int],
) -> Sockets:
    """The inputs that the file has, less widgets that nothing feeds, with what it lacks."""
    grown = {each.name: each for spec in known for each in spec.grows}
    by_name = {spec.name: spec for spec in known} | grown
    seen: set[str] = set()
    placed: list[tuple[Socket, int | None]] = []
    for index, socket in enumerate(node.inputs):
        spec = by_name.get(socket.name)
        if index not in linked and (socket.name in seen or (spec is not None and spec.widget)):
            continue
        seen.add(socket.name)
        placed.append((_as_class(socket, spec), index))
    before = 0
    for spec in shown:
        names = {each.name for each in spec.grows} or {spec.name}
        places = [at for at, (each, _) in enumerate(placed) if each.name in names]
        if places:
            before = places[-1] + 1
            continue
        if spec.widget is None:
            new = spec.grows[: max(1, spec.grows_min)] if spec.grows else (spec,)
            placed[before:before] = [(Socket(name=each.name, type=each.type), None) for each in new]
            before += len(new)
    moves = {old: at for at, (_, old) in enumerate(placed) if old is not None}
    return tuple(socket for socket, _ in placed), moves


def _as_class(socket: Socket, spec: InputSpec | None) -> Socket:
    if spec is None:
        return socket
    generic = spec.template is not None or ANY_TYPE in spec.type or spec.type == ""
    kind = socket.type if generic else spec.type
    widget = socket.widget or spec.widget is not None
    if kind == socket.type and widget == socket.widget:
        return socket
    return replace(socket, type=kind, widget=widget)


def _outputs(node: DiagramNode, known: Sequence[Socket]) -> tuple[Socket, ...]:
    """The outputs of the class, with what the file calls them; more only if the file has them."""
    found: list[Socket] = []
    for had, today in zip(node.outputs, known, strict=False):
        generic = ANY_TYPE in today.type or "," in today.type
        kind = had.type if generic else today.type
        same = had.name == today.name and had.type == kind
        found.append(had if same else replace(had, name=today.name, type=kind))
    return (*found, *node.outputs[len(found) :], *known[len(found) :])
