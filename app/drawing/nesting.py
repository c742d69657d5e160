"""Which subgraphs contain which, and how much they come to."""

from collections.abc import Mapping

from app.drawing.diagram import Diagram, Level, Subgraph
from app.errors import InvalidRequestError
from app.said import Said

MAX_NODES = 10_000
"""Of a whole workflow, and of what it stands for with every subgraph put in its place."""
_MAX_NESTING = 20


def contains(subgraphs: Mapping[str, Subgraph], outer: str, inner: str) -> bool:
    """Whether the subgraph is the other one or has it somewhere inside."""
    return inner in within(subgraphs, outer)


def within(subgraphs: Mapping[str, Subgraph], outer: str) -> set[str]:
    """The subgraph and all that it has inside."""
    found: set[str] = set()
    left = [outer]
    while left:
        current = left.pop()
        if current in found or current not in subgraphs:
            continue
        found.add(current)
        left += [node.class_type for node in subgraphs[current].level.nodes.values()]
    return found


def in_use(root: Level, subgraphs: Mapping[str, Subgraph]) -> set[str]:
    """The subgraphs that nodes stand for, directly or inside others."""
    found: set[str] = set()
    for node in root.nodes.values():
        if node.class_type not in found:
            found |= within(subgraphs, node.class_type)
    return found


def refuse_endless(diagram: Diagram, *, field: str) -> None:
    """Refuse few definitions that stand for thousands of nodes, or lie too deep in each other.

    `field` is what the request calls the diagram or what was done to it.

    Raises:
        InvalidRequestError: the workflow could not be opened.
    """
    known: dict[str, tuple[int, int]] = {}

    def weigh(level: Level, depth: int) -> tuple[int, int]:
        """How many nodes it stands for, and how many levels lie below it."""
        if depth > _MAX_NESTING:
            raise _too_deep(field)
        count, deepest = len(level.nodes), 0
        for node in level.nodes.values():
            if node.class_type not in diagram.subgraphs:
                continue
            if node.class_type not in known:
                inner = diagram.subgraphs[node.class_type].level
                known[node.class_type] = weigh(inner, depth + 1)
            inside, below = known[node.class_type]
            count, deepest = count + inside, max(deepest, below + 1)
        return count, deepest

    levels = [diagram.root, *(each.level for each in diagram.subgraphs.values())]
    weights = [weigh(level, 0) for level in levels]
    if max(deepest for _, deepest in weights) > _MAX_NESTING:
        raise _too_deep(field)
    stored = sum(len(level.nodes) for level in levels)
    if max(stored, *(count for count, _ in weights)) > MAX_NODES:
        raise too_many_nodes(field)


def too_many_nodes(field: str) -> InvalidRequestError:
    """More nodes than anybody can look at."""
    return InvalidRequestError(
        field,
        Said("This workflow has more than {n} nodes.", n=MAX_NODES),
        fix=Said("Split it into several workflows."),
    )


def _too_deep(field: str) -> InvalidRequestError:
    return InvalidRequestError(
        field,
        Said("Subgraphs lie more than {n} deep in each other.", n=_MAX_NESTING),
        fix=Said("Unpack some of them first."),
    )
