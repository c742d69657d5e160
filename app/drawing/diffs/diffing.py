"""What is different between two versions of a workflow, in words and for the canvas.

Nodes are the same if they have the same id and class. Where they lie, how large they are, their
colours and the reroutes on the way of a link change nothing in a run: that is layout, listed
apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.drawing.classes import Classes
from app.drawing.diagram import Diagram, Level, Subgraph
from app.drawing.diffs.forms import form_changes
from app.drawing.diffs.levels import Change, ChangeKind, LevelChanges
from app.drawing.schema import Schemas
from app.drawing.tracing import Tracing
from app.said import Said

__all__ = ["Change", "ChangeKind", "Comparison", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All of them; the paths are of every place, for marks on the canvas."""

    changes: tuple[Change, ...] = ()
    layout: tuple[Change, ...] = ()  # what changes nothing in a run
    added: tuple[str, ...] = ()  # paths in the newer one
    removed: tuple[str, ...] = ()  # paths in the older one
    changed: tuple[str, ...] = ()  # paths in both

    @property
    def same(self) -> bool:
        """Nothing is different, not even where something lies."""
        return not self.changes and not self.layout


def compare(old: Diagram, new: Diagram, *, schemas: Schemas) -> Comparison:
    """What became of the older diagram in the newer one."""
    if old is new:
        return Comparison()
    return _Comparing(old, new, schemas=schemas).comparison()


@dataclass(slots=True)
class _Found:
    changes: list[Change] = field(default_factory=list[Change])
    layout: list[Change] = field(default_factory=list[Change])
    marks: dict[str, dict[str, None]] = field(
        default_factory=lambda: {"added": {}, "removed": {}, "changed": {}}
    )


class _Comparing:
    def __init__(self, old: Diagram, new: Diagram, *, schemas: Schemas) -> None:
        self.old, self.new = old, new
        self.old_classes = Classes(old, schemas=schemas)
        self.new_classes = Classes(new, schemas=schemas)
        self.old_places = _places(old)
        self.new_places = _places(new)
        self.found = _Found()

    def comparison(self) -> Comparison:
        self._level(self.old.root, self.new.root, olds=[""], news=[""], inside="")
        for old, new in self._definitions():
            self._subgraph(old, new)
        for message in form_changes(self.old.parameters, self.new.parameters):
            self.found.changes.append(Change(kind="changed", message=message, about="form"))
        marks = self.found.marks
        return Comparison(
            changes=tuple(self.found.changes),
            layout=tuple(self.found.layout),
            added=tuple(marks["added"]),
            removed=tuple(marks["removed"]),
            changed=tuple(marks["changed"]),
        )

    def _definitions(self) -> Iterator[tuple[Subgraph, Subgraph]]:
        """Those that are in both, the same by id; unused ones say nothing."""
        for key in dict.fromkeys([*self.old.subgraphs, *self.new.subgraphs]):
            old, new = self.old.subgraphs.get(key), self.new.subgraphs.get(key)
            if old is not None and new is not None and old is not new:
                yield old, new

    def _subgraph(self, old: Subgraph, new: Subgraph) -> None:
        news = self.new_places.get(new.id, [])
        olds = self.old_places.get(old.id, [])
        if old.name != new.name:
            message = Said("The subgraph {old} is called {new} now.", old=old.name, new=new.name)
            self.found.changes.append(Change(kind="changed", message=message, about="subgraph"))
        if _interface(old) != _interface(new):
            message = Said("The inputs or outputs of {name} are different.", name=new.name)
            self.found.changes.append(Change(kind="changed", message=message, about="subgraph"))
            self._mark("changed", news)
        self._level(old.level, new.level, olds=olds, news=news, inside=new.name)

    def _level(
        self, old: Level, new: Level, *, olds: list[str], news: list[str], inside: str
    ) -> None:
        if old is new:
            return
        level = LevelChanges(old, new, old_classes=self.old_classes, new_classes=self.new_classes)
        for change in level.all():
            around = olds if change.kind == "removed" else news
            paths = [_joined(each, change.node_id) for each in around] if change.node_id else []
            said = change.message
            told = Change(
                kind=change.kind,
                message=Said("In {subgraph}: {change}", subgraph=inside, change=said)
                if inside
                else said,
                about=change.about,
                node_id=paths[0] if paths else None,
            )
            if change.kind == "layout":
                self.found.layout.append(told)
                continue
            self.found.changes.append(told)
            self._mark(change.kind, paths)
            if inside and change.kind != "removed":
                self._mark("changed", news)

    def _mark(self, kind: ChangeKind, paths: Sequence[str]) -> None:
        held = self.found.marks[kind]
        for path in paths:
            if path and not (kind == "changed" and path in self.found.marks["added"]):
                held[path] = None


def _places(diagram: Diagram) -> dict[str, list[str]]:
    """By subgraph, the paths of the nodes that stand for it."""
    found: dict[str, list[str]] = {}
    for path, place in Tracing(diagram).places.items():
        if place.subgraph is not None:
            found.setdefault(place.subgraph.id, []).append(path)
    return found


def _interface(subgraph: Subgraph) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    inputs = [(each.name, each.type) for each in subgraph.inputs]
    return inputs, [(each.name, each.type) for each in subgraph.outputs]


def _joined(parent: str, node_id: str) -> str:
    return f"{parent}:{node_id}" if parent else node_id
