"""A graph in ComfyUI's API format, as values."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, cast

LOADS_FILES = frozenset(
    {
        ("LoadImage", "image"),
        ("LoadImageMask", "image"),
        ("LoadImageOutput", "image"),
        ("LoadVideo", "file"),
        ("LoadAudio", "audio"),
        ("Load3D", "model_file"),
        ("VHS_LoadVideo", "video"),
        ("VHS_LoadVideoFFmpeg", "video"),
        ("VHS_LoadAudioUpload", "audio"),
    }
)
"""Where a graph names an uploaded file, also on backends that do not say so."""

FOLDERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("CheckpointLoaderSimple", "ckpt_name"): ("checkpoints",),
    ("CheckpointLoader", "ckpt_name"): ("checkpoints",),
    ("ImageOnlyCheckpointLoader", "ckpt_name"): ("checkpoints",),
    ("unCLIPCheckpointLoader", "ckpt_name"): ("checkpoints",),
    ("VAELoader", "vae_name"): ("vae",),
    ("LoraLoader", "lora_name"): ("loras",),
    ("LoraLoaderModelOnly", "lora_name"): ("loras",),
    ("UNETLoader", "unet_name"): ("diffusion_models", "unet"),
    ("CLIPLoader", "clip_name"): ("text_encoders", "clip"),
    ("DualCLIPLoader", "clip_name1"): ("text_encoders", "clip"),
    ("DualCLIPLoader", "clip_name2"): ("text_encoders", "clip"),
    ("TripleCLIPLoader", "clip_name1"): ("text_encoders", "clip"),
    ("TripleCLIPLoader", "clip_name2"): ("text_encoders", "clip"),
    ("TripleCLIPLoader", "clip_name3"): ("text_encoders", "clip"),
    ("CLIPVisionLoader", "clip_name"): ("clip_vision",),
    ("ControlNetLoader", "control_net_name"): ("controlnet",),
    ("DiffControlNetLoader", "control_net_name"): ("controlnet",),
    ("StyleModelLoader", "style_model_name"): ("style_models",),
    ("GLIGENLoader", "gligen_name"): ("gligen",),
    ("HypernetworkLoader", "hypernetwork_name"): ("hypernetworks",),
    ("PhotoMakerLoader", "photomaker_model_name"): ("photomaker",),
    ("UpscaleModelLoader", "model_name"): ("upscale_models",),
}
"""Where the files lie that an input takes; folders had other names in earlier versions."""

BUILT_IN: Mapping[str, frozenset[str]] = {"vae": frozenset({"pixel_space"})}
"""Choices of a folder that are no files."""


class NodeMeta(TypedDict):
    """What people call the node."""

    title: str


class Node(TypedDict):
    """One node: a value of `inputs` is a literal, or a link `[node_id, output slot]`."""

    class_type: str
    inputs: dict[str, Any]
    _meta: NodeMeta


Graph = dict[str, Node]


def copied(graph: Mapping[str, Any]) -> Graph:
    """A graph of one's own to write into; values that are no nodes are left out."""
    copies = {key: copy.deepcopy(value) for key, value in graph.items() if is_node(value)}
    return cast("Graph", copies)


def is_node(value: object) -> bool:
    """Whether a value of a graph has the shape of a node."""
    if not isinstance(value, Mapping):
        return False
    node = cast("Mapping[str, Any]", value)
    inputs = node.get("inputs")
    return isinstance(node.get("class_type"), str) and isinstance(inputs, Mapping)


def is_link(value: object) -> bool:
    """Whether the value of an input names the output of another node."""
    if not isinstance(value, list | tuple):
        return False
    parts = cast("list[Any] | tuple[Any, ...]", value)
    return len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], int)


def nodes_of(graph: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The nodes of a graph: id, class and inputs."""
    for node_id, node in graph.items():
        if is_node(node):
            yield node_id, node["class_type"], node["inputs"]


def required_classes(graph: Mapping[str, Any]) -> frozenset[str]:
    """The node classes a backend must have to run the graph."""
    return frozenset(class_type for _, class_type, _ in nodes_of(graph))
