"""What a preset is: a workflow with named fields, in one or more variants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.graphs.nodes import Graph
from app.models import MediaKind

OptionType = Literal[
    "int", "float", "bool", "choice", "text", "multiline", "seed", "image", "video", "audio"
]
OptionValue = str | int | float | bool
GIVEN_FILES: Mapping[str, MediaKind] = {"image": "image", "video": "video", "audio": "audio"}
"""The types whose value is a file of app.inputs, or one that the server has itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A setting that only this preset has; its value is in `request.options` under the name."""

    name: str
    label: str  # English; pages translate it
    type: OptionType
    default: OptionValue
    min: float | None = None
    max: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""
    field: str | None = None  # the field of the request that it is, under the label of its author
    section: str = ""
    node: str = ""  # of a saved workflow: where it is, to offer what backends report there
    input: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSlot:
    """A place for a model file."""

    field: str | None  # the field that names the file; None: found by `names`
    node: str
    input: str
    folder: str  # as ComfyUI names it today
    families: tuple[str, ...] = ()  # see app.graphs.families; none: any file fits
    names: tuple[str, ...] = ()  # the file's name has one of these in it
    label: str = ""  # what people call what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to do it; the first that a backend can run is taken."""

    graph: Mapping[str, Any]
    bindings: Mapping[str, tuple[str, ...]]  # field or option → "node.input"
    models: tuple[ModelSlot, ...] = ()
    saves: tuple[str, ...] = ()  # the nodes whose files are the result
    lora_model: tuple[str, int] | None = None  # the output that LoRAs are put behind
    lora_clip: tuple[str, int] | None = None
    vae: tuple[str, int] | None = None  # the output that a chosen VAE replaces
    notice: str = ""  # what people should know when this variant is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A way to make something, that people choose by name."""

    id: str  # of a saved workflow: that of the workflow, "@" and the version
    name: str
    description: str  # English; pages translate it
    kind: Literal["comfyui", "bfl"] = "comfyui"
    family: str = "any"
    media: MediaKind = "image"
    fields: tuple[str, ...]
    """Which of these it takes, in the order of the form: prompt, negative_prompt, image, mask,
    checkpoint, vae, loras, width, height, steps, cfg, sampler, scheduler, denoise, seed."""
    options: tuple[Option, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    needs_image: bool = False
    needs_mask: bool = False
    paid: bool = False
    variants: tuple[Variant, ...] = ()
    version: int | None = None  # of a saved workflow; its form is its options, in their order

    def option(self, name: str) -> Option | None:
        """The option with that name."""
        return next((each for each in self.options if each.name == name), None)

    def folders(self, of_field: str) -> tuple[str, ...]:
        """The model folders whose files may be given for `checkpoint` or `vae`."""
        slots = [slot for each in self.variants for slot in each.models if slot.field == of_field]
        return tuple(dict.fromkeys(slot.folder for slot in slots))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a backend can run a request, as far as its catalog tells."""

    missing: tuple[str, ...] = ()
    """What it lacks, for people: files, node classes, "a checkpoint of family SDXL"."""
    notices: tuple[str, ...] = ()
    """What is replaced to make it run there, for people."""
    model_key: str = ""
    """The model that must be in memory there; empty where there is none."""

    @property
    def ok(self) -> bool:
        """Nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAs:
    """How to find the files of a node again: `{prefix}_00001_` and one of the suffixes."""

    node_id: str
    prefix: str
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltGraph:
    """A graph, ready to be sent."""

    graph: Graph
    saves: tuple[SavedAs, ...]
    notices: tuple[str, ...] = ()
    model_key: str = ""
    inputs: tuple[str, ...] = ()
    """Names of app.inputs to upload first, each under its `uploaded_name`."""
