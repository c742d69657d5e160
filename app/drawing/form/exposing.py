"""A widget as a field of the form: where it is, what it takes, and what to call it."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from app.drawing.classes import PRIMITIVE_VALUE, Classes
from app.drawing.diagram import NOTES, Diagram, DiagramNode, Parameter, ParameterType
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.drawing.tracing import Place, Tracing, effective
from app.drawing.widgets import default_of, visible_inputs

_TYPES: Mapping[str, ParameterType] = {
    "int": "int",
    "float": "float",
    "text": "text",
    "multiline": "multiline",
    "bool": "bool",
    "choice": "choice",
    "color": "text",
    "image": "image",
    "video": "video",
    "audio": "audio",
    "file": "choice",
}
LABELS: Mapping[str, str] = {
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "seed": "Seed",
    "width": "Width",
    "height": "Height",
    "steps": "Steps",
    "cfg": "CFG",
    "guidance": "Guidance",
    "sampler": "Sampler",
    "scheduler": "Scheduler",
    "denoise": "Denoise",
    "checkpoint": "Checkpoint",
    "vae": "VAE",
    "lora": "LoRA",
    "lora_strength": "LoRA strength",
    "image": "Image",
    "video": "Video",
    "audio": "Sound",
}
"""What the form calls the usual fields."""

_EXACT = 2.0**53  # limits beyond are none that people would meet
_MAX_NAME = 60
_MAX_HOPS = 32  # a proxied widget may be one of a proxied widget


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """A widget where a run meets it."""

    place: Place
    spec: InputSpec
    value: Any  # in a run, unless something is linked to it
    linked: bool  # its value comes out of another node


class Widgets:
    """The widgets of a diagram."""

    def __init__(self, diagram: Diagram, *, schemas: Schemas) -> None:
        self.tracing = Tracing(diagram)
        self.classes = Classes(diagram, schemas=schemas)

    def at(self, path: str, name: str) -> Widget | None:
        """The widget of that name at the node with that path; None: the node shows none."""
        for _ in range(_MAX_HOPS):
            place = self.tracing.places.get(path)
            if place is None or place.node.class_type in NOTES:
                return None
            spec = self._spec(place, name)
            if spec is not None:
                return self._widget(place, spec)
            inside = _proxied(place, name)
            if inside is None:
                return None
            path = inside
        return None

    def of(self, place: Place) -> tuple[InputSpec, ...]:
        """The widgets that a node shows and a form can have."""
        schema = self.schema(place)
        shown = visible_inputs(place.node, schema) if schema is not None else ()
        return tuple(spec for spec in shown if spec.widget in _TYPES)

    def schema(self, place: Place) -> NodeSchema | None:
        """The class of the node, also of a subgraph and of a primitive."""
        return self.classes.of(place.node, place.level)

    def title(self, place: Place) -> str:
        """What people call the node."""
        schema = self.schema(place)
        return place.node.title or (schema.name if schema else place.node.class_type)

    def _spec(self, place: Place, name: str) -> InputSpec | None:
        schema = self.schema(place)
        if schema is None:
            return _guessed(place.node, name)
        return next((spec for spec in self.of(place) if spec.name == name), None)

    def _widget(self, place: Place, spec: InputSpec) -> Widget:
        origin = self.tracing.origin_of(place, spec.name)
        return Widget(
            place=place,
            spec=spec,
            value=effective(self.tracing, place, spec.name, default=default_of(spec)),
            linked=origin is not None and origin.ending == "output",
        )


def parameter_type(spec: InputSpec) -> ParameterType:
    """The kind of field that a widget makes."""
    # Other numbers can count up after each run, too: those of primitives.
    if spec.control and spec.widget == "int" and "seed" in spec.name:
        return "seed"
    return _TYPES.get(spec.widget or "", "text")


def made(widget: Widget, *, name: str, path: str, title: str, input: str) -> Parameter:
    """The parameter for a widget, with the limits of its class."""
    spec = widget.spec
    kind: ParameterType = parameter_type(spec)
    if kind == "int" and spec.control and re.fullmatch(r"seed(_\d+)?", name):
        kind = "seed"
    counts = kind in ("int", "float")
    return Parameter(
        name=name,
        node=path,
        input=input,
        type=kind,
        label=label_for(name, widget=spec, title=title),
        help=spec.help,
        min=_limit(spec.min) if counts else None,
        max=_limit(spec.max) if counts else None,
        step=_limit(spec.step) if counts else None,
        class_type=widget.place.node.class_type,
        title=widget.place.node.title or "",
    )


def label_for(name: str, *, widget: InputSpec, title: str) -> str:
    """What a form calls a field that has been given that name."""
    if name in LABELS:
        return LABELS[name]
    base, _, number = name.rpartition("_")
    if base in LABELS and number.isdecimal():
        return f"{LABELS[base]} {number}"
    own = widget.name.rpartition(".")[2].replace("_", " ").strip()
    if own in ("", PRIMITIVE_VALUE, "text"):
        return title
    return f"{title}: {own}" if title else own.capitalize()


def free_name(wanted: str, *, taken: Collection[str]) -> str:
    """The name, or with a number behind it the first one that is not taken."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def name_from(*parts: str) -> str:
    """A name for programs out of what people call things."""
    words = [re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in parts]
    name = "_".join(word for word in words if word)[:_MAX_NAME].rstrip("_")
    return name if name[:1].isalpha() else f"field_{name}".rstrip("_")


def _limit(value: float | None) -> float | None:
    if value is None or not math.isfinite(value) or abs(value) >= _EXACT:
        return None
    return value


def _guessed(node: DiagramNode, name: str) -> InputSpec | None:
    """The widget of a node whose class nobody knows, by its value."""
    value = node.values.get(name)
    if isinstance(value, bool):
        return InputSpec(name=name, type="BOOLEAN", widget="bool", default=value)
    if isinstance(value, int):
        return InputSpec(name=name, type="INT", widget="int", default=value)
    if isinstance(value, float):
        return InputSpec(name=name, type="FLOAT", widget="float", default=value)
    if isinstance(value, str):
        kind = "multiline" if "\n" in value else "text"
        return InputSpec(name=name, type="STRING", widget=kind, default=value)
    return None


def _proxied(place: Place, name: str) -> str | None:
    """The node inside a subgraph whose widget an older file shows on the outside."""
    properties = place.node.extra.get("properties")
    if place.subgraph is None or not isinstance(properties, Mapping):
        return None
    shown = cast("Mapping[str, Any]", properties).get("proxyWidgets")
    for each in cast("list[Any]", shown) if isinstance(shown, list) else []:
        if isinstance(each, list) and [str(part) for part in cast("list[Any]", each)[1:2]] == [
            name
        ]:
            node_id = str(cast("list[Any]", each)[0])
            if node_id in place.subgraph.level.nodes:
                return f"{place.path}:{node_id}"
    return None
