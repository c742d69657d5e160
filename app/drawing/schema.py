"""What a node class takes and gives, as its server describes it in `/object_info`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    "json",
]
"""How a value is edited. From "image" to "file" it is a file of the server and takes an upload;
"json" is a value with a shape of its own: a curve, boxes, colours, what a 3D view was turned to.
"""
FILES: frozenset[WidgetKind] = frozenset({"image", "video", "audio", "file"})
"""The kinds whose value is a file of the server, and may be an uploaded one."""

DYNAMIC_CHOICE = "COMFY_DYNAMICCOMBO_V3"
GROWING = "COMFY_AUTOGROW_V3"
_MATCHING = "COMFY_MATCHTYPE_V3"
_SLOT = "COMFY_DYNAMICSLOT_V3"
DISPLAY = "IMAGECOMPARE"
"""Type of an input that is only there to show something: no widget, no value in files."""
_MAX_GROWN = 100  # servers stop there too
_MAX_DEPTH = 8  # of choices within choices; real ones have two

_KINDS: dict[str, WidgetKind] = {
    "INT": "int",
    "FLOAT": "float",
    "BOOLEAN": "bool",
    "COLOR": "color",
    "PAINTER": "image",
    "WEBCAM": "json",
    "AUDIO_RECORD": "json",
    "LOAD_3D": "json",
    "LOAD_3D_ANIMATION": "json",
    "BOUNDING_BOX": "json",
    "BOUNDING_BOXES": "json",
    "COLORS": "json",
    "CURVE": "json",
    "RANGE": "json",
    "COMPOSITOR": "json",
    DISPLAY: "json",
}
_UPLOADS: dict[str, WidgetKind] = {
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
    """Of an input that grows with what is linked: all that it may become, in order. The input
    itself is no place for a link then; these are."""
    grows_min: int = 0  # so many of them must be linked
    template: str | None = None  # inputs and outputs with the same one take the same type
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # as the server says them


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """One output of a node class."""

    name: str
    type: str
    is_list: bool = False
    template: str | None = None  # as of InputSpec


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
    inputs = _read_inputs(_dict(entry.get("input")), order=_dict(entry.get("input_order")))
    return NodeSchema(
        class_type=class_type,
        name=str(entry.get("display_name") or class_type),
        category=str(entry.get("category") or ""),
        help=str(entry.get("description") or ""),
        inputs=inputs,
        outputs=_read_outputs(entry, inputs=inputs),
        is_output=bool(entry.get("output_node")),
        deprecated=bool(entry.get("deprecated")),
        experimental=bool(entry.get("experimental")),
        is_api=bool(entry.get("api_node")),
        module=str(entry.get("python_module") or ""),
    )


def _read_inputs(
    given: Mapping[str, Any], *, order: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> tuple[InputSpec, ...]:
    inputs: dict[str, InputSpec] = {}
    for section in ("required", "optional"):
        specs = _dict(given.get(section))
        first = [str(name) for name in _list(order.get(section)) if str(name) in specs]
        for name in dict.fromkeys([*first, *specs]):
            required = section == "required"
            spec = read_input(f"{prefix}{name}", specs[name], required=required, depth=depth)
            inputs.setdefault(spec.name, spec)
    return tuple(inputs.values())


def _read_outputs(
    entry: Mapping[str, Any], *, inputs: tuple[InputSpec, ...]
) -> tuple[OutputSpec, ...]:
    allowed = {spec.template or "": spec.type for spec in _with_children(inputs)}
    names, lists = _list(entry.get("output_name")), _list(entry.get("output_is_list"))
    templates = _list(entry.get("output_matchtypes"))
    outputs: list[OutputSpec] = []
    for slot, kind in enumerate(_list(entry.get("output"))):
        template = str(templates[slot]) if slot < len(templates) and templates[slot] else None
        named = "COMBO" if isinstance(kind, list) else str(kind)
        name = str(names[slot]) if slot < len(names) and names[slot] else named
        outputs.append(
            OutputSpec(
                name=template if name == _MATCHING and template else name,
                type=allowed.get(template or "-", "*") if named == _MATCHING else named,
                is_list=bool(lists[slot]) if slot < len(lists) else False,
                template=template,
            )
        )
    return tuple(outputs)


def read_input(name: str, spec: Any, *, required: bool, depth: int = 0) -> InputSpec:
    """One input as `/object_info` describes it: `[type, options]`."""
    parts = _list(spec)
    kind: Any = parts[0] if parts else "*"
    options = _dict(parts[1]) if len(parts) > 1 else {}
    if kind == _SLOT:
        kind = options.get("slotType") or "*"
    if depth < _MAX_DEPTH:
        if kind == DYNAMIC_CHOICE:
            return _dynamic_choice(name, options, required=required, depth=depth)
        if kind == GROWING:
            return _growing(name, options, required=required, depth=depth)
    if kind == _MATCHING:
        template = _dict(options.get("template"))
        return _plain(
            name,
            str(template.get("allowed_types") or "*"),
            options,
            required=required,
            template=str(template.get("template_id") or "") or None,
        )
    if isinstance(kind, list):
        return _plain(name, "COMBO", options, required=required, choices=_list(kind))
    choices = _list(options.get("options")) if kind == "COMBO" else []
    return _plain(name, str(kind), options, required=required, choices=choices)


def _plain(
    name: str,
    kind: str,
    options: Mapping[str, Any],
    *,
    required: bool,
    choices: list[Any] | None = None,
    template: str | None = None,
) -> InputSpec:
    widget = None if options.get("forceInput") else _widget(kind, options)
    default: Any = options.get("default")
    if default is None and choices and not options.get("multiselect"):
        default = choices[0]
    # A painter's button is part of its canvas: the file keeps no value for it.
    upload = kind == "COMBO" and any(options.get(flag) for flag in _UPLOADS)
    return InputSpec(
        name=name,
        type=kind,
        required=required,
        widget=widget,
        default=default,
        min=_number(options.get("min")),
        max=_number(options.get("max")),
        step=_number(options.get("step")),
        round=_number(options.get("round")),
        choices=tuple(choices or ()),
        multiselect=bool(options.get("multiselect")),
        control=_controlled(name, options) if widget in ("int", "float", "choice") else False,
        upload=upload,
        socketless=bool(options.get("socketless")) and widget is not None,
        help=str(options.get("tooltip") or ""),
        template=template,
        options=options,
    )


def _controlled(name: str, options: Mapping[str, Any]) -> bool:
    told = options.get("control_after_generate")
    return bool(told) if told is not None else name in ("seed", "noise_seed")


def _dynamic_choice(
    name: str, options: Mapping[str, Any], *, required: bool, depth: int
) -> InputSpec:
    children: dict[str, tuple[InputSpec, ...]] = {}
    for option in map(_dict, _list(options.get("options"))):
        children[str(option.get("key"))] = _read_inputs(
            _dict(option.get("inputs")), order={}, prefix=f"{name}.", depth=depth + 1
        )
    default = options.get("default")
    return InputSpec(
        name=name,
        type=DYNAMIC_CHOICE,
        required=required,
        widget="choice",
        default=default if default in children else next(iter(children), None),
        choices=tuple(children),
        help=str(options.get("tooltip") or ""),
        children=children,
        options={key: value for key, value in options.items() if key != "options"},
    )


def _growing(name: str, options: Mapping[str, Any], *, required: bool, depth: int) -> InputSpec:
    template = _dict(options.get("template"))
    names = [str(each) for each in _list(template.get("names"))]
    if not names:
        most = int(min(max(_number(template.get("max")) or 10, 1), _MAX_GROWN))
        names = [f"{template.get('prefix') or ''}{index}" for index in range(most)]
    of_each = _dict(template.get("input"))
    must, spec = False, cast("Any", ["*", {}])
    for section in ("required", "optional"):
        specs = _dict(of_each.get(section))
        if specs:
            must, spec = section == "required", next(iter(specs.values()))
            break
    least = int(min(max(_number(template.get("min")) or 0, 0), len(names))) if must else 0
    grown: list[InputSpec] = []
    for index, each in enumerate(names[:_MAX_GROWN]):
        one = read_input(f"{name}.{each}", spec, required=index < least, depth=_MAX_DEPTH)
        # Only links fill them, whatever their type: servers force it.
        grown.append(replace(one, widget=None, control=False, socketless=False))
    return InputSpec(
        name=name,
        type=GROWING,
        required=required,
        help=str(options.get("tooltip") or ""),
        grows=tuple(grown),
        grows_min=least,
        options=options,
    )


def _widget(kind: str, options: Mapping[str, Any]) -> WidgetKind | None:
    kind = str(options.get("widgetType") or kind)
    found = _KINDS.get(kind)
    if kind == "STRING":
        found = "multiline" if options.get("multiline") else "text"
    elif kind == "COMBO":
        found = "choice"
        for flag, each in _UPLOADS.items():
            found = each if options.get(flag) else found
    elif found is None and options.get("socketless"):
        found = "json"
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
