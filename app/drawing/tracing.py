"""Where the inputs of a drawn workflow get what they take.

Follows links backwards through subgraphs, reroutes and nodes that are switched off, to the node
that gives the value in a run. A tracing is of one diagram and cheap to make; it never recurses,
so that files of strangers may be as deep as they like.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.drawing.diagram import (
    ANY_TYPE,
    ENTRY,
    EXIT,
    NOTES,
    PRIMITIVE,
    REROUTE,
    VIRTUAL,
    Diagram,
    DiagramNode,
    Level,
    Link,
    Mode,
    Subgraph,
)

_MAX_PLACES = 20_000  # few definitions, used within each other, can stand for billions of nodes
_MAX_HOPS = 10_000
_ANYTHING = frozenset({ANY_TYPE, "", "0"})

Ending = Literal["output", "primitive", "entry", "muted", "bypassed", "lost", "cycle"]
"""How the way back ends: at an output of a node that runs, at the value of a primitive, at the
input of a subgraph that nothing is linked to from outside, at a node that is muted or bypassed
without anything that fits, at a node that is not there, or where it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node where a run meets it: of a subgraph that is used twice there are two of each."""

    path: str
    parent: str  # the path of the subgraph node it lies in, "" at the top
    node: DiagramNode
    level: Level
    subgraph: Subgraph | None = None  # what it stands for
    mode: Mode = Mode.ACTIVE  # its own, or that of a node around it

    @property
    def runs(self) -> bool:
        """Whether a run has a node for it."""
        virtual = self.subgraph is not None or self.node.class_type in VIRTUAL
        return not virtual and self.mode is Mode.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What feeds an input."""

    ending: Ending
    path: str = ""  # the node where the way ends
    slot: int = 0  # of an output: which
    via: tuple[tuple[str, str], ...] = ()
    """Of an entry: the subgraph nodes on the way and their inputs, the outermost last."""


class Tracing:
    """The places of a diagram and where their inputs come from."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        self.loops: list[str] = []
        """Subgraph nodes that lie within what they stand for; nothing is seen inside them."""
        self.complete = True  # False: there are more places than anybody looks at
        self.places: dict[str, Place] = {}
        self._links: dict[int, Mapping[tuple[str, int], Link]] = {}
        self._origins: dict[tuple[str, int], Origin | None] = {}
        self._walk()

    def running(self) -> Iterator[Place]:
        """The nodes that a run has."""
        return (place for place in self.places.values() if place.runs)

    def link_into(self, place: Place, slot: int) -> Link | None:
        """The link that ends at an input."""
        return self._into(place.level).get((place.node.id, slot))

    def slot_of(self, place: Place, name: str) -> int | None:
        """The index of the input of that name, if the node shows one."""
        for slot, socket in enumerate(place.node.inputs):
            if socket.name == name:
                return slot
        return None

    def origin_of(self, place: Place, name: str) -> Origin | None:
        """What feeds the input of that name; None: no link ends there."""
        slot = self.slot_of(place, name)
        return None if slot is None else self.origin(place, slot)

    def origin(self, place: Place, slot: int) -> Origin | None:
        """What feeds an input; None: no link ends there."""
        key = (place.path, slot)
        if key not in self._origins:
            self._origins[key] = self._trace(place, slot)
        return self._origins[key]

    def node_of(self, path: str) -> DiagramNode | None:
        """The node at a path, if it is there."""
        place = self.places.get(path)
        return place.node if place else None

    def _walk(self) -> None:
        waiting: list[tuple[str, Level, Mode, frozenset[str]]] = [
            ("", self.diagram.root, Mode.ACTIVE, frozenset())
        ]
        while waiting:
            parent, level, outer, around = waiting.pop()
            for node_id, node in level.nodes.items():
                if len(self.places) >= _MAX_PLACES:
                    self.complete = False
                    return
                path = f"{parent}:{node_id}" if parent else node_id
                mode = node.mode if outer is Mode.ACTIVE else outer
                subgraph = self.diagram.subgraphs.get(node.class_type)
                self.places[path] = Place(
                    path=path, parent=parent, node=node, level=level, subgraph=subgraph, mode=mode
                )
                if subgraph is None:
                    continue
                if subgraph.id in around:
                    self.loops.append(path)
                else:
                    waiting.append((path, subgraph.level, mode, around | {subgraph.id}))

    def _into(self, level: Level) -> Mapping[tuple[str, int], Link]:
        found = self._links.get(id(level))
        if found is None:
            found = {(link.target, link.input): link for link in level.links.values()}
            self._links[id(level)] = found
        return found

    def _trace(self, place: Place, slot: int) -> Origin | None:
        step = _Step(level=place.level, parent=place.parent, node_id=place.node.id, slot=slot)
        via: list[tuple[str, str]] = []
        seen: set[tuple[str, str, int]] = set()
        while True:
            key = (step.parent, step.node_id, step.slot)
            if key in seen or len(seen) > _MAX_HOPS:
                return Origin(ending="cycle", path=_joined(step.parent, step.node_id))
            seen.add(key)
            link = self._into(step.level).get((step.node_id, step.slot))
            if link is None:
                return self._unlinked(step, via=via) if len(seen) > 1 else None
            if link.source == ENTRY:
                entered = self._outwards(step, link, via=via)
            else:
                via = []
                entered = self._backwards(step, link)
            if not isinstance(entered, _Step):
                return entered
            step = entered

    def _unlinked(self, step: "_Step", *, via: list[tuple[str, str]]) -> Origin:
        path = _joined(step.parent, step.node_id)
        if via:
            return Origin(ending="entry", path=via[-1][0], via=tuple(via))
        node = step.level.nodes.get(step.node_id)
        if node is not None and node.mode is Mode.BYPASSED:
            return Origin(ending="bypassed", path=path)
        return Origin(ending="lost", path=path if node is not None else step.parent)

    def _outwards(
        self, step: "_Step", link: Link, *, via: list[tuple[str, str]]
    ) -> "_Step | Origin":
        """From the inside of a subgraph to the node that stands for it."""
        outer = self.places.get(step.parent)
        if outer is None or outer.subgraph is None or link.output >= len(outer.subgraph.inputs):
            return Origin(ending="lost", path=step.parent)
        name = outer.subgraph.inputs[link.output].name
        via.append((outer.path, name))
        slot = self.slot_of(outer, name)
        if slot is None:
            return Origin(ending="entry", path=outer.path, via=tuple(via))
        return _Step(level=outer.level, parent=outer.parent, node_id=outer.node.id, slot=slot)

    def _backwards(self, step: "_Step", link: Link) -> "_Step | Origin":
        """From a link to what its source takes, or to its source if that runs."""
        path = _joined(step.parent, link.source)
        place = self.places.get(path)
        if place is None or link.output < 0 or place.node.class_type in NOTES:
            return Origin(ending="lost", path=path)
        node = place.node
        back = _Step(level=step.level, parent=step.parent, node_id=link.source, slot=0)
        if place.mode is Mode.MUTED:
            return Origin(ending="muted", path=path)
        if place.mode is Mode.BYPASSED:
            wanted = self._wanted(step, link)
            slot = passed_through(node, link.output, wanted=wanted)
            return Origin(ending="bypassed", path=path) if slot is None else back.at(slot)
        if node.class_type == REROUTE:
            return back
        if node.class_type == PRIMITIVE:
            return Origin(ending="primitive", path=path)
        if place.subgraph is not None:
            return _Step(level=place.subgraph.level, parent=path, node_id=EXIT, slot=link.output)
        return Origin(ending="output", path=path, slot=link.output)

    def _wanted(self, step: "_Step", link: Link) -> str:
        node = step.level.nodes.get(step.node_id)
        if node is not None and step.slot < len(node.inputs):
            return node.inputs[step.slot].type
        return link.type


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """An input on the way back."""

    level: Level
    parent: str
    node_id: str
    slot: int

    def at(self, slot: int) -> "_Step":
        return _Step(level=self.level, parent=self.parent, node_id=self.node_id, slot=slot)


def passed_through(node: DiagramNode, output: int, *, wanted: str) -> int | None:
    """The input that a bypassed node gives on at an output to an input of the wanted type."""
    types = [socket.type for socket in node.inputs]
    if wanted.strip() in _ANYTHING:
        return (output if output < len(types) else 0) if types else None
    if output < len(types) and types_fit(types[output], wanted):
        return output
    same = [slot for slot, kind in enumerate(types) if kind == wanted]
    fitting = [slot for slot, kind in enumerate(types) if types_fit(kind, wanted)]
    return next(iter(same + fitting), None)


def types_fit(given: str, wanted: str) -> bool:
    """Whether what an output of one type gives may go into an input of the other."""
    if given == wanted:
        return True
    some, others = _types(given), _types(wanted)
    return bool(some & others or some & _ANYTHING or others & _ANYTHING)


def effective(tracing: Tracing, place: Place, name: str, *, default: Any = None) -> Any:
    """The value of a widget in a run: that of the subgraph node which shows it, else its own."""
    origin = tracing.origin_of(place, name)
    if origin is not None and origin.ending == "primitive":
        primitive = tracing.places[origin.path].node
        return primitive.values.get("value", next(iter(primitive.loose), default))
    if origin is not None and origin.ending == "entry":
        for path, shown_as in reversed(origin.via):
            values = tracing.places[path].node.values
            if shown_as in values:
                return values[shown_as]
    return place.node.values.get(name, default)


def _types(text: str) -> frozenset[str]:
    return frozenset(part.strip().upper() for part in text.split(","))


def _joined(parent: str, node_id: str) -> str:
    return f"{parent}:{node_id}" if parent else node_id
