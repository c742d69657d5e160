"""The node classes this engine offers, described as `/object_info` does."""

import copy
import json
import mimetypes
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from backends.demo.wire import JsonDict

DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
# Inputs that offer the files of a model folder.
MODEL_CHOICES = {
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("ImageOnlyCheckpointLoader", "ckpt_name"): "checkpoints",
    ("LoraLoader", "lora_name"): "loras",
    ("LoraLoaderModelOnly", "lora_name"): "loras",
    ("VAELoader", "vae_name"): "vae",
    ("UNETLoader", "unet_name"): "diffusion_models",
    ("CLIPLoader", "clip_name"): "text_encoders",
    ("DualCLIPLoader", "clip_name1"): "text_encoders",
    ("DualCLIPLoader", "clip_name2"): "text_encoders",
    ("TripleCLIPLoader", "clip_name1"): "text_encoders",
    ("TripleCLIPLoader", "clip_name2"): "text_encoders",
    ("TripleCLIPLoader", "clip_name3"): "text_encoders",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
}
# Inputs that take an uploaded file, and the files of the input folder that they offer.
UPLOADS = {
    ("LoadImage", "image"): "image",
    ("LoadImageMask", "image"): "image",
    ("LoadVideo", "file"): "video",
    ("LoadAudio", "audio"): "audio",
}
BUILT_IN = {"vae": ["pixel_space"]}  # offered without a file


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One input of a node class."""

    name: str
    type: str | list[str]  # a list holds the choices of a combo
    options: JsonDict
    required: bool
    raw: list[object]  # as in /object_info; validation errors quote it

    @property
    def upload(self) -> str | None:
        """What any file of the input folder may be, listed or not: image, video or audio."""
        kinds = ("image", "video", "audio")
        return next((each for each in kinds if self.options.get(f"{each}_upload") is True), None)


class Catalog:
    """Looks up node classes; choices of models and of input files are this engine's own."""

    def __init__(
        self,
        *,
        models: Mapping[str, Collection[str]],
        without: Collection[str],
        input_files: Callable[[], list[str]],
        extra: Mapping[str, JsonDict],
    ) -> None:
        text = files("backends.demo").joinpath("object_info.json").read_text(encoding="utf-8")
        self._classes: dict[str, JsonDict] = json.loads(text)
        self._classes.update(copy.deepcopy(dict(extra)))
        for (class_type, name), folder in MODEL_CHOICES.items():
            raw = self._classes[class_type]["input"]["required"][name]
            _offer(raw, [*models.get(folder, ()), *BUILT_IN.get(folder, ())])
        for class_type in without:
            self._classes.pop(class_type, None)
        self._input_files = input_files

    def __contains__(self, class_type: object) -> bool:
        return isinstance(class_type, str) and class_type in self._classes

    def describe(self, class_type: str) -> JsonDict:
        """One class as `/object_info` shows it. Raises KeyError when it is unknown."""
        places = [(name, kind) for (each, name), kind in UPLOADS.items() if each == class_type]
        if not places:
            return self._classes[class_type]
        described = copy.deepcopy(self._classes[class_type])
        for name, kind in places:
            offered = [each for each in self._input_files() if _is_of(kind, each)]
            _offer(described["input"]["required"][name], offered)
        return described

    def describe_all(self) -> JsonDict:
        return {name: self.describe(name) for name in self._classes}

    def is_output(self, class_type: str) -> bool:
        return bool(self._classes[class_type]["output_node"])

    def outputs(self, class_type: str) -> tuple[str, ...]:
        names: list[str] = self._classes[class_type]["output"]
        return tuple(names)

    def inputs(self, class_type: str, *, given: JsonDict) -> list[InputSpec]:
        """The inputs a graph may set, required ones first.

        A dynamic combo adds the inputs of the option that `given` chooses, named `combo.input`.
        """
        groups = self.describe(class_type)["input"]
        specs = list(_specs(groups, given=given, prefix=""))
        return sorted(specs, key=lambda spec: not spec.required)


def _specs(groups: JsonDict, *, given: JsonDict, prefix: str) -> Iterator[InputSpec]:
    for group in ("required", "optional"):
        for name, raw in groups.get(group, {}).items():
            options: JsonDict = raw[1] if len(raw) > 1 else {}
            full_name = prefix + name
            if raw[0] == DYNAMIC_COMBO:
                yield from _dynamic(full_name, options, given=given)
                continue
            yield InputSpec(
                name=full_name,
                type=options.get("options", []) if raw[0] == "COMBO" else raw[0],
                options=options,
                required=group == "required",
                raw=raw if len(raw) > 1 else [raw[0], {}],
            )


def _dynamic(name: str, options: JsonDict, *, given: JsonDict) -> Iterator[InputSpec]:
    """The chosen option's inputs, then the combo; nothing when no option is chosen."""
    for option in options["options"]:
        if option["key"] == given.get(name):
            yield from _specs(option["inputs"], given=given, prefix=f"{name}.")
            keys = [each["key"] for each in options["options"]]
            yield InputSpec(
                name=name, type=keys, options=options, required=True, raw=[DYNAMIC_COMBO, options]
            )


def _is_of(kind: str, name: str) -> bool:
    return (mimetypes.guess_type(name)[0] or "").startswith(f"{kind}/")


def _offer(raw: list[object], choices: list[str]) -> None:
    """Puts choices into an input's description, in either of its two forms."""
    if raw[0] == "COMBO" and isinstance(raw[1], dict):
        raw[1]["options"] = choices
    else:
        raw[0] = choices
