"""What a ComfyUI server can do: its node classes, its model files and what it offers to choose."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from app.models import Catalog
from backends.comfyui.messages import as_dict, as_list

_LOADERS = {
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "loras": ("LoraLoader", "lora_name"),
    "vae": ("VAELoader", "vae_name"),
    "diffusion_models": ("UNETLoader", "unet_name"),
    "text_encoders": ("CLIPLoader", "clip_name"),
    "clip_vision": ("CLIPVisionLoader", "clip_name"),
    "controlnet": ("ControlNetLoader", "control_net_name"),
    "upscale_models": ("UpscaleModelLoader", "model_name"),
    "style_models": ("StyleModelLoader", "style_model_name"),
    "gligen": ("GLIGENLoader", "gligen_name"),
    "hypernetworks": ("HypernetworkLoader", "hypernetwork_name"),
    "photomaker": ("PhotoMakerLoader", "photomaker_model_name"),
}
"""Whose choices are the files of a folder, for servers that do not list their folders."""
_OLD_NAMES = {"unet": "diffusion_models", "clip": "text_encoders"}
_NO_MODELS = frozenset({"configs", "custom_nodes"})


def parse_catalog(body: bytes) -> Catalog:
    """The answer to `GET /object_info`, more than a megabyte: call it off the loop.

    Raises:
        ValueError: not JSON.
    """
    classes = as_dict(json.loads(body))
    files = {
        folder: _choices(classes, class_type=class_type, name=name)
        for folder, (class_type, name) in _LOADERS.items()
    }
    return Catalog(
        node_classes=frozenset(classes),
        models={folder: names for folder, names in files.items() if names},
        samplers=_choices(classes, class_type="KSampler", name="sampler_name"),
        schedulers=_choices(classes, class_type="KSampler", name="scheduler"),
        specs={name: compact_spec(entry) for name, entry in classes.items()},
    )


def compact_spec(entry: Any) -> str:
    """What a server says of a node class, as text; servers that say the same share one."""
    # Not sorted: on older servers the order of the inputs is that of their dictionary alone.
    return sys.intern(json.dumps(entry, separators=(",", ":")))


def model_folders(body: Any) -> list[str]:
    """The folders with model files, from the answer to `GET /models`."""
    return [name for name in texts(body) if name not in _NO_MODELS and "/" not in name]


def folder_name(folder: str) -> str:
    """What the folder is called today; servers of old had other names for two."""
    return _OLD_NAMES.get(folder, folder)


def texts(body: Any) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(item for item in as_list(body) if isinstance(item, str))


def _choices(classes: Mapping[str, Any], *, class_type: str, name: str) -> tuple[str, ...]:
    inputs = as_dict(as_dict(classes.get(class_type)).get("input"))
    spec = as_list(as_dict(inputs.get("required")).get(name))
    if not spec:
        return ()
    if isinstance(spec[0], list):  # the classic form: [[choices…], options]
        return texts(spec[0])
    # the newer one: ["COMBO", {"options": […]}]
    return texts(as_dict(spec[1]).get("options")) if len(spec) > 1 else ()
