"""A graph in ComfyUI's API format made into a drawn workflow, laid out by itself."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from app.drawing.diagram import ANY_TYPE, Diagram, DiagramNode, Level, Link, Socket
from app.drawing.files.repairs import Repair, Repairs
from app.drawing.files.settling import settled
from app.drawing.findings import Finding
from app.drawing.layout import arrange
from app.drawing.nesting import MAX_NODES, too_many_nodes
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.drawing.untrusted import as_dict, as_int, tidied
from app.graphs.nodes import is_node

_LITERAL = "__value__"
"""Lists are links in this format; one that is a value is wrapped."""
_MAX_SLOT = 255


def from_api(graph: Mapping[str, Any], *, schemas: Schemas) -> Diagram:
    """The diagram of a graph: titles, values, links, and a place for each node.

    Raises:
        InvalidRequestError: nested too deeply, or of more nodes than anybody can look at.
    """
    return draw(graph, schemas=schemas)[0]


def draw(graph: Mapping[str, Any], *, schemas: Schemas) -> tuple[Diagram, tuple[Finding, ...]]:
    """The same, and what had to be mended."""
    repairs = Repairs()
    raw = cast("dict[str, Any]", tidied(graph))
    if len(raw) > MAX_NODES:
        raise too_many_nodes("file")
    given = {key: cast("dict[str, Any]", node) for key, node in raw.items() if is_node(node)}
    if len(given) < len(raw):
        repairs.add(Repair.BAD_NODE, len(raw) - len(given))
    ids = _ids(given)
    wires = [
        wire
        for key, node in given.items()
        for wire in _wires(key, node, given=given, schemas=schemas, repairs=repairs)
    ]
    drawing = _Drawing(ids=ids, given=given, schemas=schemas)
    for wire in wires:
        drawing.take(wire)
    level = Level(nodes=drawing.nodes(), links=drawing.links)
    done = settled(Diagram(root=level), schemas=schemas)
    if done.lost:
        repairs.add(Repair.BAD_LINK, done.lost)
    root = arrange(done.diagram.root, schemas=schemas)
    return replace(done.diagram, root=root), repairs.findings()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    """A link as the graph has it."""

    source: str
    output: int
    target: str
    name: str


@dataclass(slots=True, kw_only=True)
class _Drawing:
    """Collects the sockets that links need, then makes the nodes."""

    ids: Mapping[str, str]
    given: Mapping[str, Mapping[str, Any]]
    schemas: Schemas
    links: dict[int, Link] = field(default_factory=dict[int, Link])
    inputs: dict[str, list[Socket]] = field(default_factory=dict[str, list[Socket]])
    outputs: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])

    def take(self, wire: _Wire) -> None:
        """Draw a link."""
        source = self.schemas.get(self.given[wire.source]["class_type"])
        target = self.schemas.get(self.given[wire.target]["class_type"])
        spec = target.input(wire.name) if target else None
        known = source.outputs if source else ()
        wanted = spec.type if spec is not None else ANY_TYPE
        kind = known[wire.output].type if wire.output < len(known) else wanted
        sockets = self.inputs.setdefault(wire.target, [])
        sockets.append(Socket(name=wire.name, type=wanted if spec is not None else kind))
        self.outputs.setdefault(wire.source, {}).setdefault(wire.output, kind)
        number = len(self.links) + 1
        self.links[number] = Link(
            id=number,
            source=self.ids[wire.source],
            output=wire.output,
            target=self.ids[wire.target],
            input=len(sockets) - 1,
            type=kind,
        )

    def nodes(self) -> dict[str, DiagramNode]:
        """The nodes; those of known classes still lack what nothing is linked to."""
        return {self.ids[key]: self._node(key, node) for key, node in self.given.items()}

    def _node(self, key: str, raw: Mapping[str, Any]) -> DiagramNode:
        class_type = str(raw["class_type"])
        schema = self.schemas.get(class_type)
        title = as_dict(raw.get("_meta")).get("title")
        named = isinstance(title, str) and title and title not in (class_type, _name(schema))
        linked = {socket.name for socket in self.inputs.get(key, ())}
        values = {
            name: _literal(value)
            for name, value in _in_order(as_dict(raw.get("inputs")), schema)
            if name not in linked and not _points(value, self.given)
        }
        slots = self.outputs.get(key, {})
        outputs: tuple[Socket, ...] = ()
        if schema is None and slots:
            types = [slots.get(slot, ANY_TYPE) for slot in range(max(slots) + 1)]
            outputs = tuple(Socket(name=kind, type=kind) for kind in types)
        return DiagramNode(
            id=self.ids[key],
            class_type=class_type,
            title=cast("str", title) if named else None,
            inputs=tuple(self.inputs.get(key, ())),
            outputs=outputs,
            values=values,
        )


def _ids(given: Mapping[str, Any]) -> dict[str, str]:
    """Numbers for the nodes: their own if they are such, else free ones."""
    numbers = {key: as_int(key) for key in given}
    free = itertools.count(max((each or 0 for each in numbers.values()), default=0) + 1)
    taken: set[int] = set()
    ids: dict[str, str] = {}
    for key, number in numbers.items():
        if number is None or number < 0 or number in taken:
            number = next(free)
        taken.add(number)
        ids[key] = str(number)
    return ids


def _wires(
    key: str,
    node: Mapping[str, Any],
    *,
    given: Mapping[str, Any],
    schemas: Schemas,
    repairs: Repairs,
) -> Iterator[_Wire]:
    schema = schemas.get(str(node["class_type"]))
    for name, value in _in_order(as_dict(node.get("inputs")), schema):
        end = _end(value)
        if end is None:
            continue
        if end[0] in given and end[1] <= _MAX_SLOT:
            yield _Wire(source=end[0], output=end[1], target=key, name=name)
        elif isinstance(cast("list[Any]", value)[0], str) and end[0] not in given:
            repairs.add(Repair.BAD_LINK)


def _in_order(inputs: Mapping[str, Any], schema: NodeSchema | None) -> list[tuple[str, Any]]:
    """The inputs in the order of the class."""
    if schema is None:
        return list(inputs.items())
    rank: dict[str, int] = {}
    for spec in _flat(schema.inputs):
        rank.setdefault(spec.name, len(rank))
    return sorted(inputs.items(), key=lambda each: rank.get(each[0], len(rank)))


def _flat(specs: tuple[InputSpec, ...]) -> Iterator[InputSpec]:
    for spec in specs:
        yield spec
        yield from spec.grows
        for children in spec.children.values():
            yield from _flat(children)


def _end(value: Any) -> tuple[str, int] | None:
    """The node and output that the value of an input names, if it has the shape of a link."""
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        return None
    node_id, slot = cast("list[Any]", value)
    if not isinstance(node_id, str | int) or isinstance(node_id, bool):
        return None
    if not isinstance(slot, int) or isinstance(slot, bool) or slot < 0:
        return None
    return str(node_id), slot


def _points(value: Any, given: Mapping[str, Any]) -> bool:
    end = _end(value)
    # Two numbers in a list may be a value; with text first it was meant as a link.
    return end is not None and (end[0] in given or isinstance(cast("list[Any]", value)[0], str))


def _literal(value: Any) -> Any:
    return as_dict(value).get(_LITERAL, value)


def _name(schema: NodeSchema | None) -> str:
    return schema.name if schema else ""
