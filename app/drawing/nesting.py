"""Which subgraphs contain which, and how much they come to."""

from collections.abc import Mapping

from app.drawing.diagram import Diagram, Level, Subgraph
from app.errors import InvalidRequestError
from app.said import Said

_MAX_NESTING = 20
_MAX_NODES = 10_000  # as many as a file may stand for


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


def refuse_endless(diagram: Diagram) -> None:
    """Refuse few definitions that stand for thousands of nodes, or lie too deep in each other.

    Raises:
        InvalidRequestError: the workflow could not be opened again.
    """
    known: dict[str, tuple[int, int]] = {}

    def weigh(level: Level, depth: int) -> tuple[int, int]:
        if depth > _MAX_NESTING:
            raise InvalidRequestError(
                "ops",
                Said("Subgraphs lie more than {n} deep in each other.", n=_MAX_NESTING),
                fix=Said("Unpack some of them first."),
            )
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

    count, deepest = weigh(diagram.root, 0)
    if deepest > _MAX_NESTING:
        weigh(diagram.root, _MAX_NESTING + 1)
    stored = len(diagram.root.nodes)
    stored += sum(len(each.level.nodes) for each in diagram.subgraphs.values())
    if max(count, stored) > _MAX_NODES:
        raise InvalidRequestError(
            "ops", Said("No more than {n} nodes fit into one workflow.", n=_MAX_NODES)
        )
