"""The one graph every backend can run: a picture from a prompt, with ComfyUI's core nodes."""

from collections.abc import Mapping
from typing import Any, TypedDict

from app.errors import MissingCapabilityError
from app.models import Catalog, GenerationRequest
from app.said import Said

SAVE_NODE = "9"
"""The node whose files are the result; a fixed id, so that a file found later has its node."""

_SAMPLER_ALIASES = {
    "euler_a": "euler_ancestral",
    "dpm++_2m": "dpmpp_2m",
    "dpm++_sde": "dpmpp_sde",
    "dpm++_2m_sde": "dpmpp_2m_sde",
    "dpm++_3m_sde": "dpmpp_3m_sde",
    "unipc": "uni_pc",
}


class NodeMeta(TypedDict):
    """What people call the node."""

    title: str


class Node(TypedDict):
    """One node: a value of `inputs` is a literal, or a link `[node_id, output slot]`."""

    class_type: str
    inputs: dict[str, Any]
    _meta: NodeMeta


Graph = dict[str, Node]


def build_text_to_image(request: GenerationRequest, *, prefix: str, catalog: Catalog) -> Graph:
    """The graph of a request for a backend with that catalog; its files are named `prefix_…`.

    Raises:
        MissingCapabilityError: the backend lacks the checkpoint, or has none at all.
    """
    sampling = {
        "seed": request.seed,
        "steps": request.steps,
        "cfg": request.cfg,
        "sampler_name": _sampler(request.sampler, offered=catalog.samplers),
        "scheduler": _scheduler(request.scheduler, offered=catalog.schedulers),
        "denoise": 1.0,
        "model": ["4", 0],
        "positive": ["6", 0],
        "negative": ["7", 0],
        "latent_image": ["5", 0],
    }
    size = {"width": request.width, "height": request.height, "batch_size": 1}
    checkpoint = {"ckpt_name": _checkpoint(request.checkpoint, offered=catalog.checkpoints)}
    positive = {"text": request.prompt, "clip": ["4", 1]}
    negative = {"text": request.negative_prompt, "clip": ["4", 1]}
    decoding = {"samples": ["3", 0], "vae": ["4", 2]}
    saving = {"filename_prefix": prefix, "images": ["8", 0]}
    return {
        "4": _node("CheckpointLoaderSimple", title="Load checkpoint", inputs=checkpoint),
        "6": _node("CLIPTextEncode", title="Prompt", inputs=positive),
        "7": _node("CLIPTextEncode", title="Negative prompt", inputs=negative),
        "5": _node("EmptyLatentImage", title="Empty latent", inputs=size),
        "3": _node("KSampler", title="KSampler", inputs=sampling),
        "8": _node("VAEDecode", title="Decode", inputs=decoding),
        SAVE_NODE: _node("SaveImage", title="Save image", inputs=saving),
    }


def required_classes(graph: Mapping[str, Node]) -> frozenset[str]:
    """The node classes a backend must have to run the graph."""
    return frozenset(node["class_type"] for node in graph.values())


def _node(class_type: str, *, title: str, inputs: dict[str, Any]) -> Node:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def _checkpoint(wanted: str | None, *, offered: tuple[str, ...]) -> str:
    if not offered:
        raise MissingCapabilityError(
            Said("The backend has no checkpoint."),
            fix=Said("Put a model file into its models/checkpoints folder and restart it."),
        )
    if wanted is None:
        return offered[0]
    if wanted not in offered:
        raise MissingCapabilityError(
            Said("The backend does not have the checkpoint '{name}'.", name=wanted),
            fix=Said(
                "It has: {names}. Choose one of them, or install the missing one.",
                names=_some(offered),
            ),
        )
    return wanted


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _sampler(wanted: str, *, offered: tuple[str, ...]) -> str:
    # An empty list means that the backend did not tell; it validates the name itself.
    if wanted in offered or not offered:
        return wanted
    alias = _SAMPLER_ALIASES.get(wanted.lower().replace(" ", "_"), "euler")
    return alias if alias in offered else "euler" if "euler" in offered else offered[0]


def _scheduler(wanted: str, *, offered: tuple[str, ...]) -> str:
    if wanted in offered or not offered:
        return wanted
    return "normal" if "normal" in offered else offered[0]
