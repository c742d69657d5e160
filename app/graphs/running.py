"""Saved workflows as they run: which version an id names, and what a request puts into it."""

from collections.abc import Sequence
from typing import Any

from app.graphs.choosing import files, find
from app.graphs.nodes import FOLDERS, Graph, nodes_of
from app.graphs.preset import GIVEN_FILES, Option, Preset, Variant
from app.graphs.samplers import nearest
from app.models import Catalog, GenerationRequest
from app.said import Said

FIELDS = frozenset(
    {
        "prompt",
        "negative_prompt",
        "seed",
        "width",
        "height",
        "steps",
        "cfg",
        "sampler",
        "scheduler",
        "denoise",
        "checkpoint",
        "vae",
        "image",
        "mask",
    }
)
"""What a request has a field of its own for; a parameter of such a name is that field."""


_SAMPLING = frozenset({"KSampler", "KSamplerAdvanced", "KSamplerSelect", "BasicScheduler"})
"""Classes that choose from the samplers and schedulers of a catalog; others have own lists."""


def preset_id(workflow_id: object, number: int) -> str:
    """The id of the preset that a version is."""
    return f"{workflow_id}@{number}"


def split_id(preset: str) -> tuple[str, int | None]:
    """The workflow and the version that a preset's id names; None for one that has none."""
    workflow_id, at, number = preset.rpartition("@")
    return (workflow_id, int(number)) if at and number.isdecimal() else (preset, None)


def names_files(preset: Preset) -> list[str]:
    """The bindings of a saved workflow that name model files: these decide where it runs."""
    if not preset.variants:
        return []
    variant = preset.variants[0]

    def is_file(place: str) -> bool:
        node_id, name = place.split(".", 1)
        return (variant.graph[node_id]["class_type"], name) in FOLDERS

    return [each for each, places in variant.bindings.items() if any(map(is_file, places))]


def values_of(
    preset: Preset, request: GenerationRequest, *, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a request puts into the bindings of a saved workflow."""
    values: dict[str, Any] = {}
    for name in preset.variants[0].bindings if only is None else only:
        option = preset.option(name)
        if option is None or option.field is not None:
            value = getattr(request, name)
            if name == "seed" and option is not None and option.max:
                value %= int(option.max) + 1  # ours go further than some nodes do
        else:
            value = request.options.get(name, option.default)
        if value is not None:
            values[name] = value
    return values


def files_of(preset: Preset, request: GenerationRequest) -> dict[str, tuple[Option, str]]:
    """The files that a request gives to a saved workflow, by field, with what takes them.

    A name that is none of app.inputs stands for a file that the server has itself; an empty one
    for that which the workflow names.
    """
    found: dict[str, tuple[Option, str]] = {}
    for option in preset.options:
        if option.field is not None:
            value, field = getattr(request, option.field), f"params.{option.field}"
        else:
            value, field = request.options.get(option.name), f"params.options.{option.name}"
        if option.type in GIVEN_FILES:
            found[field] = (option, value if isinstance(value, str) else "")
    return found


def with_near_samplers(
    variant: Variant, values: dict[str, Any], catalog: Catalog
) -> tuple[dict[str, Any], tuple[Said, ...]]:
    """The values with the nearest sampler and scheduler that the backend has, and what changed."""
    wanted = {name: str(values.get(name, "")) for name in ("sampler", "scheduler")}
    used = nearest(
        wanted["sampler"],
        scheduler=wanted["scheduler"],
        samplers=catalog.samplers,
        schedulers=catalog.schedulers,
    )
    near = dict(values)
    notices: list[Said] = []
    for (name, asked), one in zip(wanted.items(), used, strict=True):
        places = variant.bindings.get(name, ())
        classes = {variant.graph[place.split(".", 1)[0]]["class_type"] for place in places}
        if name in values and one != asked and classes and classes <= _SAMPLING:
            near[name] = one
            notices.append(_instead(name, wanted=asked, used=one))
    return near, tuple(notices)


def _instead(name: str, *, wanted: str, used: str) -> Said:
    if name == "sampler":
        return Said("There is no sampler {wanted}: {used} is used.", wanted=wanted, used=used)
    return Said("There is no scheduler {wanted}: {used} is used.", wanted=wanted, used=used)


def with_own_files(graph: Graph, catalog: Catalog) -> Graph:
    """The graph with its model files named as the backend names them, folder and all."""
    for _, class_type, inputs in nodes_of(graph):
        for name, value in inputs.items():
            folders = FOLDERS.get((class_type, name))
            if folders is None or not isinstance(value, str):
                continue
            own = find(value, offered=files(catalog, folders[0]))
            if own is not None and isinstance(inputs, dict):
                inputs[name] = own
    return graph
