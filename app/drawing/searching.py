"""Finding nodes in a drawn workflow, also inside its subgraphs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.drawing.diagram import Diagram, DiagramNode, Level
from app.drawing.schema import Schemas

_MAX_DEPTH = 16  # a subgraph that contains itself ends there
_MAX_NODES = 20_000  # a few definitions may stand for millions of nodes
_MAX_HINT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A node that has every word asked for."""

    path: str  # "12:34": node 34 inside the subgraph node 12
    title: str
    class_type: str  # for people, of a subgraph its name
    where: str  # the subgraphs it is in, outermost first; "" at the top
    hint: str  # the value the first word is in, if it is in one


def search(diagram: Diagram, text: str, *, schemas: Schemas, limit: int = 50) -> tuple[Found, ...]:
    """The nodes whose title, class, id or values together have all the words, outer levels first.

    Those with the first word in their title or class come before those with it in a value.
    """
    words = text.casefold().split()
    if not words:
        return ()
    named: list[Found] = []
    valued: list[Found] = []
    every = _nodes(diagram, diagram.root, path="", where=())
    for path, where, node in islice(every, _MAX_NODES):
        class_name = _class_name(diagram, node, schemas=schemas)
        names = f"{node.title or ''} {class_name} {node.class_type} {node.id}".casefold()
        values = {name: _text(value) for name, value in node.values.items()}
        whole = f"{names} {' '.join(values.values()).casefold()}"
        if not all(word in whole for word in words):
            continue
        found = Found(
            path=path,
            title=node.title or class_name,
            class_type=class_name,
            where=" / ".join(where),
            hint=_hint(values, words[0]),
        )
        (named if words[0] in names else valued).append(found)
    return (*named, *valued)[:limit]


def _nodes(
    diagram: Diagram, level: Level, *, path: str, where: Sequence[str]
) -> Iterator[tuple[str, Sequence[str], DiagramNode]]:
    """Every node of a level, then those of the subgraphs in it."""
    inner: list[tuple[str, Sequence[str], Level]] = []
    for node in level.nodes.values():
        own = f"{path}:{node.id}" if path else node.id
        yield own, where, node
        subgraph = diagram.subgraphs.get(node.class_type)
        if subgraph is not None and len(where) < _MAX_DEPTH:
            inner.append((own, (*where, node.title or subgraph.name), subgraph.level))
    for own, names, inside in inner:
        yield from _nodes(diagram, inside, path=own, where=names)


def _class_name(diagram: Diagram, node: DiagramNode, *, schemas: Schemas) -> str:
    subgraph = diagram.subgraphs.get(node.class_type)
    if subgraph is not None:
        return subgraph.name
    schema = schemas.get(node.class_type)
    return schema.name if schema is not None else node.class_type


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _hint(values: dict[str, str], word: str) -> str:
    for name, value in values.items():
        at = value.casefold().find(word)
        if at >= 0:
            start = max(0, at - _MAX_HINT // 3)
            return f"{name}: {'…' if start else ''}{value[start : start + _MAX_HINT].strip()}"
    return ""
