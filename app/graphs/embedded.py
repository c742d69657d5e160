"""What the graph inside a picture says about how it was really made."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from app.models import GenerationRequest

_LOADERS = (
    ("CheckpointLoaderSimple", "ckpt_name"),
    ("ImageOnlyCheckpointLoader", "ckpt_name"),
    ("UNETLoader", "unet_name"),
    ("UpscaleModelLoader", "model_name"),
)


def as_drawn(request: GenerationRequest, metadata: Mapping[str, str]) -> GenerationRequest:
    """The request with what the backend chose for it: checkpoint, sampler and scheduler.

    ComfyUI writes the graph it ran into the PNG text chunk `prompt`; without one, or with one of
    another shape, the request is returned as it was.
    """
    nodes = _nodes(metadata.get("prompt", ""))
    models = [nodes[loader].get(name) for loader, name in _LOADERS if loader in nodes]
    sampler = nodes.get("KSampler", {})
    return replace(
        request,
        checkpoint=_text(next(iter(models), None), request.checkpoint),
        sampler=_text(sampler.get("sampler_name"), request.sampler) or request.sampler,
        scheduler=_text(sampler.get("scheduler"), request.scheduler) or request.scheduler,
    )


def _nodes(text: str) -> dict[str, Mapping[str, Any]]:
    """The inputs of each node, by its class."""
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(graph, dict):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for node in cast("dict[str, Any]", graph).values():
        if not isinstance(node, dict):
            continue
        parts = cast("dict[str, Any]", node)
        inputs = parts.get("inputs")
        if isinstance(inputs, dict):
            found[str(parts.get("class_type"))] = cast("dict[str, Any]", inputs)
    return found


def _text(value: object, otherwise: str | None) -> str | None:
    return value if isinstance(value, str) else otherwise
