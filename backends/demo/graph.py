"""Pure functions on graphs: what runs next, and what decides a node's result."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable

from backends.demo.wire import Graph, JsonDict, is_link


class Schedule:
    """Hands out nodes in the order a ComfyUI server runs them.

    A node is ready when nothing it needs is left. Among ready nodes the ones nearest to an
    output go first, so that a person sees the first picture as early as possible.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        outputs: Iterable[str],
        cached: Collection[str],
        is_output: Callable[[str], bool],
    ) -> None:
        self._graph = graph
        self._is_output = is_output
        self._blocked_by: dict[str, set[str]] = {}
        self._feeds: dict[str, set[str]] = {}
        for node_id in outputs:
            self._add(node_id, cached=cached)

    def __bool__(self) -> bool:
        return bool(self._blocked_by)

    def pick(self) -> str:
        """The node to run now; it stays in the schedule until `complete`."""
        ready = [node_id for node_id, blockers in self._blocked_by.items() if not blockers]
        for node_id in ready:
            if self._is_output(node_id):
                return node_id
        for distance in (1, 2):
            for node_id in ready:
                if self._reaches_output(node_id, distance=distance):
                    return node_id
        return ready[0]

    def complete(self, node_id: str) -> None:
        """Takes a finished node out and frees the ones that waited for it."""
        del self._blocked_by[node_id]
        for fed in self._feeds.pop(node_id, set()):
            self._blocked_by[fed].discard(node_id)

    def _add(self, node_id: str, *, cached: Collection[str]) -> None:
        stack = [node_id]
        edges: list[tuple[str, str]] = []
        while stack:
            current = stack.pop()
            if current in self._blocked_by:
                continue
            self._blocked_by[current] = set()
            for source in sources(self._graph[current]):
                if source not in cached:
                    stack.append(source)
                    edges.append((source, current))
        for source, target in edges:
            self._blocked_by[target].add(source)
            self._feeds.setdefault(source, set()).add(target)

    def _reaches_output(self, node_id: str, *, distance: int) -> bool:
        fed = self._feeds.get(node_id, set())
        if distance == 1:
            return any(self._is_output(target) for target in fed)
        return any(self._reaches_output(target, distance=distance - 1) for target in fed)


def sources(node: JsonDict) -> list[str]:
    """The ids of the nodes this node's inputs link to, in input order."""
    return [value[0] for value in inputs_of(node).values() if is_link(value)]


def inputs_of(node: JsonDict) -> JsonDict:
    """The inputs of a node; none for a node outside the validated part that has no such key."""
    return node.get("inputs") or {}


def signatures(graph: Graph, *, fingerprint: Callable[[JsonDict], str]) -> dict[str, str]:
    """A digest per node of everything that decides its result: class, inputs and upstream.

    Node ids play no part, so the same graph with other ids has the same digests. A node of a
    cycle or with a broken link gets a digest of its own id: it is never run.
    """
    known: dict[str, str] = {}
    for start in graph:
        path = {} if start in known else {start: None}  # ordered: from the start down to its source
        while path:
            node_id = next(reversed(path))
            waiting = (
                source
                for source in sources(graph[node_id])
                if source in graph and source not in known and source not in path
            )
            deeper = next(waiting, None)
            if deeper is not None:
                path[deeper] = None
                continue
            known[node_id] = _signature(graph[node_id], known=known, fingerprint=fingerprint)
            del path[node_id]
    return known


def _signature(
    node: JsonDict, *, known: dict[str, str], fingerprint: Callable[[JsonDict], str]
) -> str:
    inputs = {
        name: ["link", known.get(value[0], value[0]), value[1]] if is_link(value) else value
        for name, value in inputs_of(node).items()
    }
    text = json.dumps([node["class_type"], inputs, fingerprint(node)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
