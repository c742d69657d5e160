"""What is different between two versions of one level of a workflow, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.drawing.checks.judging import shown
from app.drawing.classes import Classes
from app.drawing.diagram import (
    ENTRY,
    EXIT,
    NOTE_TEXT,
    NOTES,
    REROUTE,
    DiagramNode,
    Level,
    Link,
    Mode,
    Socket,
)
from app.drawing.schema import NodeSchema
from app.drawing.widgets import default_of
from app.said import Said

ChangeKind = Literal["added", "removed", "changed", "layout"]

_MAX_HOPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference."""

    kind: ChangeKind
    message: str  # for people
    about: Literal["node", "value", "link", "note", "group", "subgraph", "form"] = "node"
    node_id: str | None = None  # its path, the first one where a subgraph is used several times


class LevelChanges:
    """The differences between two levels; ids are those within the level."""

    def __init__(
        self, old: Level, new: Level, *, old_classes: Classes, new_classes: Classes
    ) -> None:
        self.old, self.new = old, new
        self.old_classes, self.new_classes = old_classes, new_classes
        self.old_names = _names(old, old_classes)
        self.new_names = _names(new, new_classes)
        self.old_feeds, self.new_feeds = _feeds(old), _feeds(new)

    def all(self) -> Iterator[Change]:
        moved = 0
        for node_id, node in self.old.nodes.items():
            after = self.new.nodes.get(node_id)
            if after is None or after.class_type != node.class_type:
                yield self._gone_or_new(node, kind="removed", name=self.old_names[node_id])
        for node_id, node in self.new.nodes.items():
            before = self.old.nodes.get(node_id)
            if before is None or before.class_type != node.class_type:
                yield self._gone_or_new(node, kind="added", name=self.new_names[node_id])
                continue
            if before is not node:
                yield from self._node(before, node)
                moved += _look(before) != _look(node)
            yield from self._links(before, node)
        yield from self._ends()
        if moved:
            message = Said("Nodes that lie or look different: {n}.", n=moved)
            yield Change(kind="layout", message=message)
        yield from _group_changes(self.old, self.new)

    def _gone_or_new(self, node: DiagramNode, *, kind: ChangeKind, name: str) -> Change:
        added = kind == "added"
        message = (
            Said("{node} was added.", node=name)
            if added
            else Said("{node} was removed.", node=name)
        )
        if node.class_type == REROUTE:
            return Change(kind="layout", message=message, node_id=node.id)
        about = "note" if node.class_type in NOTES else "node"
        return Change(kind=kind, message=message, about=about, node_id=node.id)

    def _node(self, old: DiagramNode, new: DiagramNode) -> Iterator[Change]:
        name, before = self.new_names[new.id], self.old_names[old.id]
        if new.class_type in NOTES:
            if old.values.get(NOTE_TEXT) != new.values.get(NOTE_TEXT) or old.loose != new.loose:
                message = Said("The text of {node} is different.", node=name)
                yield Change(kind="changed", message=message, about="note", node_id=new.id)
            return
        if old.title != new.title:
            message = Said("{old} is called {new} now.", old=before, new=name)
            yield Change(kind="changed", message=message, node_id=new.id)
        if old.mode is not new.mode:
            yield Change(kind="changed", message=_switched(new.mode, name), node_id=new.id)
        for message in self._values(old, new, name=name):
            yield Change(kind="changed", message=message, about="value", node_id=new.id)

    def _values(self, old: DiagramNode, new: DiagramNode, *, name: str) -> Iterator[str]:
        if old.values == new.values and old.loose == new.loose:
            return
        before = _defaults(self.old_classes.of(old, self.old)) | dict(old.values)
        after = _defaults(self.new_classes.of(new, self.new)) | dict(new.values)
        for widget in dict.fromkeys([*before, *after]):
            # What only one has a value of is a widget of another choice.
            if widget not in before or widget not in after:
                here, there = widget in old.values, widget in new.values
                if not here and not there:
                    continue
            was, now = before.get(widget), after.get(widget)
            if was == now and isinstance(was, bool) == isinstance(now, bool):
                continue
            yield Said(
                "{node}: {input} {old} → {new}",
                node=name,
                input=widget,
                old=_quoted(was),
                new=_quoted(now),
            )
        if old.loose != new.loose:
            yield Said("{node}: its values are different.", node=name)

    def _links(self, old: DiagramNode, new: DiagramNode) -> Iterator[Change]:
        before = self._sources(old, self.old, self.old_feeds)
        after = self._sources(new, self.new, self.new_feeds)
        for socket in dict.fromkeys([*before, *after]):
            if before.get(socket) != after.get(socket):
                yield self._linked(new.id, self.new_names[new.id], socket, after.get(socket))

    def _ends(self) -> Iterator[Change]:
        """The links that leave a subgraph."""
        before = {slot: self._source(self.old, self.old_feeds, EXIT, slot) for slot in self._out()}
        for slot in self._out():
            now = self._source(self.new, self.new_feeds, EXIT, slot)
            if before[slot] != now:
                message = Said("Output {n} comes from another place.", n=slot + 1)
                yield Change(kind="changed", message=message, about="link")

    def _out(self) -> list[int]:
        slots = [*_into(self.old_feeds, EXIT), *_into(self.new_feeds, EXIT)]
        return sorted(set(slots))

    def _sources(
        self, node: DiagramNode, level: Level, feeds: Mapping[tuple[str, int], Link]
    ) -> dict[str, tuple[str, int]]:
        if node.class_type == REROUTE:
            return {}
        found: dict[str, tuple[str, int]] = {}
        for slot, socket in enumerate(node.inputs):
            source = self._source(level, feeds, node.id, slot)
            if source is not None:
                found[socket.name] = source
        return found

    def _source(
        self, level: Level, feeds: Mapping[tuple[str, int], Link], node_id: str, slot: int
    ) -> tuple[str, int] | None:
        """Where a link begins, looked at through reroutes."""
        for _ in range(_MAX_HOPS):
            link = feeds.get((node_id, slot))
            if link is None:
                return None
            source = level.nodes.get(link.source)
            if source is None or source.class_type != REROUTE:
                return (link.source, link.output)
            node_id, slot = link.source, 0
        return None

    def _linked(
        self, node_id: str, name: str, socket: str, source: tuple[str, int] | None
    ) -> Change:
        if source is None:
            message = Said("{node}.{input} is not connected any more.", node=name, input=socket)
            return Change(kind="changed", message=message, about="link", node_id=node_id)
        message = Said(
            "{node}.{input} now comes from {source}.",
            node=name,
            input=socket,
            source=self._output(source),
        )
        return Change(kind="changed", message=message, about="link", node_id=node_id)

    def _output(self, source: tuple[str, int]) -> str:
        node_id, slot = source
        if node_id == ENTRY:
            return Said("input {n} of the subgraph", n=slot + 1)
        node = self.new.nodes.get(node_id)
        if node is None:
            return node_id
        name = self.new_names[node_id]
        if len(node.outputs) < 2 or slot >= len(node.outputs):
            return name
        output: Socket = node.outputs[slot]
        return f"{name}.{output.label or output.name}"


def _switched(mode: Mode, name: str) -> str:
    match mode:
        case Mode.ACTIVE:
            return Said("{node} runs again.", node=name)
        case Mode.MUTED:
            return Said("{node} is muted.", node=name)
        case Mode.BYPASSED:
            return Said("{node} is bypassed.", node=name)


def _group_changes(old: Level, new: Level) -> Iterator[Change]:
    before = {group.id: group for group in old.groups}
    after = {group.id: group for group in new.groups}
    for group_id, group in before.items():
        if group_id not in after:
            message = Said("The group {title} was removed.", title=group.title)
            yield Change(kind="layout", message=message, about="group")
    for group_id, group in after.items():
        was = before.get(group_id)
        if was is None:
            message = Said("The group {title} was added.", title=group.title)
        elif was.title != group.title:
            message = Said("The group {old} is called {new} now.", old=was.title, new=group.title)
        elif (was.box, was.color) != (group.box, group.color):
            message = Said("The group {title} lies or looks different.", title=group.title)
        else:
            continue
        yield Change(kind="layout", message=message, about="group")


def _names(level: Level, classes: Classes) -> dict[str, str]:
    """What to call the nodes of a level; those of one name have their ids behind it."""
    titles: dict[str, str] = {}
    for node_id, node in level.nodes.items():
        schema = classes.get(node.class_type)
        titles[node_id] = shown(node.title or (schema.name if schema else node.class_type))
    often: dict[str, int] = {}
    for title in titles.values():
        often[title] = often.get(title, 0) + 1
    return {key: f"{title} {key}" if often[title] > 1 else title for key, title in titles.items()}


def _feeds(level: Level) -> dict[tuple[str, int], Link]:
    return {(link.target, link.input): link for link in level.links.values()}


def _into(feeds: Mapping[tuple[str, int], Link], node_id: str) -> list[int]:
    return [slot for target, slot in feeds if target == node_id]


def _defaults(schema: NodeSchema | None) -> dict[str, Any]:
    inputs = schema.inputs if schema is not None else ()
    return {spec.name: default_of(spec) for spec in inputs if spec.widget is not None}


def _look(node: DiagramNode) -> tuple[Any, ...]:
    return (node.pos, node.size, node.collapsed, node.color)


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return f"“{shown(value)}”" if not value or " " in value else shown(value)
    return "–" if value is None else shown(value)
