"""A workflow given with the job: what of the request is put into it."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from app.errors import InvalidRequestError
from app.graphs.choosing import files, find, lacking
from app.graphs.nodes import (
    BUILT_IN,
    FOLDERS,
    LOADS_FILES,
    Graph,
    copied,
    is_link,
    nodes_of,
    required_classes,
)
from app.models import Catalog, GenerationRequest
from app.said import Said

_SEEDS = ("seed", "noise_seed")
_OF_OURS = re.compile(r"[0-9a-f]{64}\.\w{1,5}")


class Given:
    """A graph as a key of a cache: the very same one, not an equal one."""

    __slots__ = ("graph",)

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and other.graph is self.graph


def patch(request: GenerationRequest) -> Graph:
    """The graph of the request, with its seed and options.

    Raises:
        InvalidRequestError: an option names no input of the graph, or more than one.
    """
    given = request.graph or {}
    places = _places(given, request.options)
    graph = copied(given)
    for node in graph.values():
        for name in _SEEDS:
            value = node["inputs"].get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                node["inputs"][name] = request.seed
    for option, (node_id, name) in places.items():
        graph[node_id]["inputs"][name] = request.options[option]
    return graph


def seeds_of(graph: Mapping[str, Any]) -> dict[str, int]:
    """Every seed as an option of the request, `node.input`: so each stays as it was drawn."""
    return {
        f"{node_id}.{name}": inputs[name]
        for node_id, _, inputs in nodes_of(graph)
        for name in _SEEDS
        if isinstance(inputs.get(name), int) and not isinstance(inputs[name], bool)
    }


def save_nodes(graph: Graph) -> list[str]:
    """The nodes that write files under a prefix, in the order of the graph."""
    return [
        node_id
        for node_id, _, inputs in nodes_of(graph)
        if "filename_prefix" in inputs and not is_link(inputs["filename_prefix"])
    ]


def is_of_ours(name: str) -> bool:
    """Whether this is how files of app.inputs are named: by their hash."""
    return _OF_OURS.fullmatch(name) is not None


def files_of_ours(
    graph: Graph, *, named: Collection[str | None], takes: Callable[[str, str], bool]
) -> list[tuple[str, str, str]]:
    """The (node, input, file) that load a file of app.inputs: one named, or one by its hash.

    `takes` tells whether that input of a node class names an uploaded file there, for classes
    that are not among the known ones.
    """
    return [
        (node_id, name, value)
        for node_id, class_type, inputs in nodes_of(graph)
        for name, value in inputs.items()
        if isinstance(value, str)
        and (value in named or is_of_ours(value))
        and ((class_type, name) in LOADS_FILES or takes(class_type, name))
    ]


def lacks(graph: Mapping[str, Any], *, catalog: Catalog) -> list[str]:
    """Node classes and model files that a backend lacks for a graph, for people."""
    missing: list[str] = []
    if catalog.node_classes:
        classes = required_classes(graph) - catalog.node_classes
        missing += [Said("node class {name}", name=name) for name in sorted(classes)]
    for _, class_type, inputs in nodes_of(graph):
        for name, value in inputs.items():
            folders = FOLDERS.get((class_type, name))
            if folders is None or not isinstance(value, str):
                continue
            offered = files(catalog, folders[0])
            known = any(folder in catalog.models for folder in folders)
            built_in = value in BUILT_IN.get(folders[0], frozenset())
            if known and not built_in and find(value, offered=offered) is None:
                missing.append(lacking(value, offered=offered))
    return missing


def model_of(graph: Mapping[str, Any]) -> str:
    """The model it loads first, which must be in memory to run it; empty if it loads none."""
    for _, class_type, inputs in nodes_of(graph):
        for name, value in inputs.items():
            folder = FOLDERS.get((class_type, name), ("",))[0]
            if folder in ("checkpoints", "diffusion_models") and isinstance(value, str):
                return value
    return ""


def _places(graph: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    inputs = [(node_id, name) for node_id, _, given in nodes_of(graph) for name in given]
    by_place = {f"{node_id}.{name}": (node_id, name) for node_id, name in inputs}
    found: dict[str, tuple[str, str]] = {}
    unknown: list[str] = []
    for option in options:
        named = [place for place in inputs if place[1] == option]
        if option in by_place:
            found[option] = by_place[option]
        elif len(named) == 1:
            found[option] = named[0]
        else:
            unknown.append(option)
    if unknown:
        raise InvalidRequestError(
            f"options.{unknown[0]}",
            Said("The workflow has no single input '{names}'.", names=", ".join(sorted(unknown))),
            fix=Said("Name it as node and input, like 3.steps."),
        )
    return found
