"""A version of a saved workflow as a preset: its parameters are the form, its graph runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.drawing.convert import to_api
from app.drawing.diagram import Diagram, DiagramNode, Level, node_at
from app.drawing.form.parameters import options_of
from app.drawing.schema import Schemas
from app.graphs.inline import save_nodes
from app.graphs.nodes import is_link, is_node, nodes_of
from app.graphs.preset import GIVEN_FILES, Option, Preset, Variant
from app.graphs.running import FIELDS, preset_id
from app.models import GenerationRequest, MediaKind, Workflow, WorkflowVersion

_SEEDS = ("seed", "noise_seed")
_CONTROL = "control_after_generate"
_FIXED = "fixed"
_MEDIA: Mapping[str, MediaKind] = {
    "SaveVideo": "video",
    "SaveWEBM": "video",
    "VHS_VideoCombine": "video",
    "SaveAudio": "audio",
    "SaveAudioMP3": "audio",
    "SaveAudioOpus": "audio",
}
_PROBES = (7_919, 104_729)  # values that no widget has by chance


def preset_of(
    workflow: Workflow, version: WorkflowVersion, diagram: Diagram, *, schemas: Schemas
) -> Preset:
    """The preset of a version; one whose graph saves nothing has no variant."""
    graph = version.graph or {}
    bindings: dict[str, tuple[str, ...]] = {}
    options: list[Option] = []
    for option in options_of(diagram, schemas=schemas):
        places = _places(option, diagram, graph, schemas=schemas)
        if not places:
            continue  # its node is gone, or takes no part in a run
        shown = _as_field(option)
        bindings[shown.name] = places
        options.append(shown)
    if "seed" not in bindings and (seeds := _free_seeds(diagram, graph)):
        bindings["seed"] = seeds
    saves = save_nodes(dict(graph))
    variants = (Variant(graph=graph, bindings=bindings, saves=tuple(saves)),) if saves else ()
    return Preset(
        id=preset_id(workflow.id, version.number),
        name=workflow.name,
        description=workflow.description,
        media=_media(graph, saves),
        fields=tuple(option.field for option in options if option.field),
        options=tuple(options),
        defaults=_defaults(options),
        variants=variants,
        version=version.number,
    )


def as_requested(
    version: WorkflowVersion, diagram: Diagram, request: GenerationRequest, *, schemas: Schemas
) -> Diagram:
    """The diagram with the values that a request gave to its form, and the seed it ran with."""
    for option in options_of(diagram, schemas=schemas):
        given = request.options.get(option.name)
        value = getattr(request, option.name) if option.name in FIELDS else given
        if value is not None:
            diagram = _with_value(diagram, option, value)
    for place in _free_seeds(diagram, version.graph or {}):
        node, _, name = place.partition(".")
        option = Option(name=name, label=name, type="seed", default=0, node=node, input=name)
        diagram = _with_value(diagram, option, request.seed)
    return diagram


def _as_field(option: Option) -> Option:
    """The option as the field of its name, if requests have one."""
    return replace(option, field=option.name if option.name in FIELDS else None)


def _defaults(options: list[Option]) -> dict[str, Any]:
    # A file of some server is no picture of ours: without one given, the graph keeps its own.
    return {
        option.field: option.default
        for option in options
        if option.field and option.type not in GIVEN_FILES
    }


def _media(graph: Mapping[str, Any], saves: list[str]) -> MediaKind:
    for node_id, class_type, _ in nodes_of(graph):
        if node_id in saves and class_type in _MEDIA:
            return _MEDIA[class_type]
    return "image"


def _places(
    option: Option, diagram: Diagram, graph: Mapping[str, Any], *, schemas: Schemas
) -> tuple[str, ...]:
    """Where the value of a parameter goes in the graph that runs, as "node.input"."""
    node: Any = graph.get(option.node)
    inputs: Mapping[str, Any] = node["inputs"] if is_node(node) else {}
    if option.input in inputs:
        return () if is_link(inputs[option.input]) else (f"{option.node}.{option.input}",)
    return _places_behind(option, diagram, schemas=schemas)


def _places_behind(option: Option, diagram: Diagram, *, schemas: Schemas) -> tuple[str, ...]:
    """Where the value of a node goes that itself never runs: what changes if it changes."""
    first, second = (
        to_api(_with_value(diagram, option, probe), schemas=schemas).graph
        for probe in (map(str, _PROBES) if isinstance(option.default, str) else _PROBES)
    )
    return tuple(
        f"{node_id}.{name}"
        for node_id, _, inputs in nodes_of(first)
        for name, value in inputs.items()
        if node_id in second and second[node_id]["inputs"].get(name) != value
    )


def _with_value(diagram: Diagram, option: Option, value: Any) -> Diagram:
    parent, _, node_id = option.node.rpartition(":")
    try:
        node = node_at(diagram, option.node)
        changed = replace(node, values={**node.values, option.input: value})
        return _replaced(diagram, parent, {node_id: changed})
    except KeyError:
        return diagram


def _replaced(diagram: Diagram, parent: str, nodes: Mapping[str, DiagramNode]) -> Diagram:
    if not parent:
        level = diagram.root
        return replace(diagram, root=replace(level, nodes={**level.nodes, **nodes}))
    definition = diagram.subgraphs[node_at(diagram, parent).class_type]
    level: Level = replace(definition.level, nodes={**definition.level.nodes, **nodes})
    changed = {**diagram.subgraphs, definition.id: replace(definition, level=level)}
    return replace(diagram, subgraphs=changed)


def _free_seeds(diagram: Diagram, graph: Mapping[str, Any]) -> tuple[str, ...]:
    """The seeds that nobody has fixed: they take the seed of the job."""
    return tuple(
        f"{node_id}.{name}"
        for node_id, _, inputs in nodes_of(graph)
        for name in _SEEDS
        if isinstance(inputs.get(name), int)
        and not isinstance(inputs.get(name), bool)
        and not _is_fixed(diagram, node_id)
    )


def _is_fixed(diagram: Diagram, path: str) -> bool:
    try:
        node = node_at(diagram, path)
    except KeyError:
        return False
    return node.values.get(_CONTROL) == _FIXED
