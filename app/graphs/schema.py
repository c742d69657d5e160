"""What a node class takes and gives, as its server describes it in `/object_info`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

WidgetKind = Literal[
    "int",
    "float",
    "text",
    "multiline",
    "bool",
    "choice",
    "color",
    "image",
    "video",
    "audio",
    "file",
]
"""How a value is edited; the last four choose a file of the server and take an upload."""

_NUMBERS: Mapping[str, WidgetKind] = {"INT": "int", "FLOAT": "float", "BOOLEAN": "bool"}
_UPLOADS: Mapping[str, WidgetKind] = {
    "image_upload": "image",
    "animated_image_upload": "image",
    "video_upload": "video",
    "audio_upload": "audio",
    "file_upload": "file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One input of a node class."""

    name: str
    type: str  # "MODEL", "INT", "COMBO", several as "IMAGE,MASK", or "*"
    required: bool = True
    widget: WidgetKind | None = None  # None: only a link can fill it
    default: Any = None
    min: float | None = None
    max: float | None = None
    step: float | None = None
    round: float | None = None
    choices: tuple[Any, ...] = ()
    multiselect: bool = False
    control: bool = False  # a seed: "control after generate" follows it in the file
    upload: bool = False  # the file keeps one more value behind it: the upload button's
    socketless: bool = False  # no link can fill it
    help: str = ""
    children: Mapping[str, tuple["InputSpec", ...]] = field(
        default_factory=dict[str, tuple["InputSpec", ...]]
    )
    """Of a dynamic choice: the inputs that come with each choice, named `parent.child`."""
    grows: tuple["InputSpec", ...] = ()
    """Of an input that grows with what is linked: all that it may become, in order."""
    grows_min: int = 0  # so many of them must be linked
    template: str | None = None  # inputs and outputs with the same one take the same type
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # as the server says them


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """One output of a node class."""

    name: str
    type: str
    is_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSchema:
    """A node class."""

    class_type: str
    name: str  # for people
    category: str = ""  # "image/upscaling"
    help: str = ""
    inputs: tuple[InputSpec, ...] = ()  # in the order of the node, hidden ones left out
    outputs: tuple[OutputSpec, ...] = ()
    is_output: bool = False  # a run needs at least one of these
    deprecated: bool = False
    experimental: bool = False
    is_api: bool = False  # calls a paid service
    module: str = ""  # where it comes from: "nodes", "custom_nodes.comfyui-kjnodes"

    def input(self, name: str) -> InputSpec | None:
        """The input with that name, `parent.child` too."""
        return next((each for each in _with_children(self.inputs) if each.name == name), None)


class Schemas(Protocol):
    """The node classes that are known."""

    def get(self, class_type: str, /) -> NodeSchema | None:
        """The class of that name; None where no backend has it."""
        ...


def _with_children(specs: tuple[InputSpec, ...]) -> list[InputSpec]:
    found: list[InputSpec] = []
    for spec in specs:
        found.append(spec)
        found += spec.grows
        for children in spec.children.values():
            found += _with_children(children)
    return found


def read_schema(class_type: str, entry: Mapping[str, Any]) -> NodeSchema:
    """One entry of `/object_info`; what is malformed in it is left out."""
    given = _dict(entry.get("input"))
    order = _dict(entry.get("input_order"))
    inputs: list[InputSpec] = []
    for section in ("required", "optional"):
        specs = _dict(given.get(section))
        names = [str(name) for name in _list(order.get(section)) or list(specs)]
        inputs += [
            read_input(name, specs[name], required=section == "required")
            for name in names
            if name in specs
        ]
    types, names = _list(entry.get("output")), _list(entry.get("output_name"))
    lists = _list(entry.get("output_is_list"))
    outputs = [
        OutputSpec(
            name=str(names[slot]) if slot < len(names) else str(kind),
            type="COMBO" if isinstance(kind, list) else str(kind),
            is_list=bool(lists[slot]) if slot < len(lists) else False,
        )
        for slot, kind in enumerate(types)
    ]
    return NodeSchema(
        class_type=class_type,
        name=str(entry.get("display_name") or class_type),
        category=str(entry.get("category") or ""),
        help=str(entry.get("description") or ""),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        is_output=bool(entry.get("output_node")),
        deprecated=bool(entry.get("deprecated")),
        experimental=bool(entry.get("experimental")),
        is_api=bool(entry.get("api_node")),
        module=str(entry.get("python_module") or ""),
    )


def read_input(name: str, spec: Any, *, required: bool) -> InputSpec:
    """One input as `/object_info` describes it: `[type, options]`."""
    parts = _list(spec)
    kind = parts[0] if parts else "*"
    options = _dict(parts[1]) if len(parts) > 1 else {}
    choices = tuple(kind) if isinstance(kind, list) else tuple(_list(options.get("options")))
    type_name = "COMBO" if isinstance(kind, list) else str(kind)
    widget = None if options.get("forceInput") else _widget(type_name, options)
    default = options.get("default")
    if default is None and type_name == "COMBO" and choices:
        default = choices[0]
    return InputSpec(
        name=name,
        type=type_name,
        required=required,
        widget=widget,
        default=default,
        min=_number(options.get("min")),
        max=_number(options.get("max")),
        step=_number(options.get("step")),
        round=_number(options.get("round")),
        choices=choices if type_name == "COMBO" else (),
        multiselect=bool(options.get("multiselect")),
        control=bool(options.get("control_after_generate"))
        or (type_name == "INT" and name in ("seed", "noise_seed")),
        upload=any(options.get(flag) for flag in _UPLOADS),
        socketless=bool(options.get("socketless")),
        help=str(options.get("tooltip") or ""),
        options=options,
    )


def _widget(type_name: str, options: Mapping[str, Any]) -> WidgetKind | None:
    if type_name in _NUMBERS:
        return _NUMBERS[type_name]
    if type_name == "STRING":
        return "multiline" if options.get("multiline") else "text"
    if type_name == "COLOR":
        return "color"
    if type_name == "COMBO":
        return next((kind for flag, kind in _UPLOADS.items() if options.get(flag)), "choice")
    return None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
