"""Which widgets a node shows, and how the file lists their values.

A file keeps a node's values without names, in the order of its widgets, with more between them:
behind a seed what happens to it after a run, behind a file its upload button, behind a box its
four numbers. What is not shown has no place in the list: the inputs of choices not taken.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from app.drawing.diagram import DiagramNode
from app.drawing.schema import DISPLAY, InputSpec, NodeSchema

CONTROL = "control_after_generate"
CONTROLS = ("fixed", "increment", "decrement", "randomize")
_3D_BUTTONS = ("upload3dmodel", "uploadExtraResources", "clear")
_BUTTONS = frozenset({"image", *_3D_BUTTONS})
_PICTURES = ("image", "video")
_BOX = ("x", "y", "width", "height")


def visible_widgets(node: DiagramNode, schema: NodeSchema) -> tuple[InputSpec, ...]:
    """The inputs of the node that have a widget now, in order, linked ones too.

    Of a dynamic choice those of the chosen option follow it. What happens to a seed after a run
    is no input of the class: see `control_of`.
    """
    return tuple(spec for spec in visible_inputs(node, schema) if spec.widget is not None)


def visible_inputs(node: DiagramNode, schema: NodeSchema) -> tuple[InputSpec, ...]:
    """All inputs that the node has now, in order: with a widget, for links only, and growing.

    A growing one (`spec.grows`) stands for those it may become.
    """
    return tuple(_shown(schema.inputs, node.values))


def control_of(spec: InputSpec, widgets: Iterable[InputSpec]) -> InputSpec | None:
    """The widget behind a seed that says what happens to it after a run; None for others.

    `widgets` are those of the node: its first seed's is called `control_after_generate`, those
    of further ones `<seed>.control_after_generate`.
    """
    if not spec.control:
        return None
    first = next((each.name for each in widgets if each.control), spec.name)
    name = CONTROL if first == spec.name else f"{spec.name}.{CONTROL}"
    told = spec.options.get(CONTROL)
    return InputSpec(
        name=name,
        type="COMBO",
        required=False,
        widget="choice",
        default=told if told in CONTROLS else "randomize",
        choices=CONTROLS,
        socketless=True,
    )


def value_of(node: DiagramNode, spec: InputSpec) -> Any:
    """What the widget of that input holds: its own value, else the default."""
    return node.values.get(spec.name, default_of(spec))


def default_of(spec: InputSpec) -> Any:
    """What a new node's widget holds, the class's own word or the like of its kind."""
    if spec.default is not None:
        return spec.default
    if spec.multiselect:
        return []
    if spec.widget in ("int", "float"):
        low, high = spec.min, spec.max
        value = max(0, low) if low is not None else 0
        return min(value, high) if high is not None else value
    if spec.widget == "bool":
        return False
    if spec.widget == "color":
        return "#ffffff"
    return spec.choices[0] if spec.choices else ""


def names_of_values(
    schema: NodeSchema, values: Sequence[Any], *, named: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The values of a file's list by the names of their widgets.

    What lies between them (upload buttons and the like) is left out; what is missing at the
    end is missing in the answer. Where the file names its values too (`widgets_values_named`),
    those count: the list is of the version of the class that wrote it.
    """
    if named:
        return _by_names(schema, named)
    return split_values(schema, values)[0]


def split_values(
    schema: NodeSchema, values: Sequence[Any]
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The values by name, and those behind them that the class has no widget for."""
    found: dict[str, Any] = {}
    reader = _Reader(values)
    chosen = iter(_walk(schema.inputs, found))
    spec = next(chosen, None)
    shown: list[InputSpec] = []
    while spec is not None and reader.more:
        found[spec.name] = reader.take()
        shown.append(spec)
        # Only now: the value tells which inputs of a dynamic choice come next.
        following = next(chosen, None)
        control = control_of(spec, shown)
        if reader.peek in CONTROLS and (control or not _could_hold(following, reader.peek)):
            told = reader.take()
            if control is not None:
                found[control.name] = told
        if any(each.upload for each in shown):
            reader.skip(_BUTTONS)
        if _is_box(spec) and len(reader.rest) >= len(_BOX):
            reader.skip_numbers(len(_BOX))
        spec = following
    return found, tuple(reader.rest)


def values_list(
    schema: NodeSchema, values: Mapping[str, Any], *, rest: Sequence[Any] = ()
) -> list[Any]:
    """The list that a file keeps: `split_values` the other way round."""
    shown = tuple(spec for spec in _walk(schema.inputs, values) if spec.widget is not None)
    last = max((index for index, spec in enumerate(shown) if spec.required), default=len(shown))
    listed: list[Any] = []
    for index, spec in enumerate(shown):
        if spec.type == "LOAD_3D" and any(each.upload for each in shown[:index]):
            listed += _3D_BUTTONS
        value = values.get(spec.name, default_of(spec))
        listed.append(value)
        control = control_of(spec, shown)
        if control is not None:
            listed.append(values.get(control.name, control.default))
        if _is_box(spec):
            box = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
            listed += [box.get(side, 0) for side in _BOX]
        if index == last and any(each.upload and each.widget in _PICTURES for each in shown):
            listed.append("image")
    return [*listed, *rest]


def _by_names(schema: NodeSchema, named: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    shown: list[InputSpec] = []
    controls = [key for key in named if key.partition("#")[0] == CONTROL]
    # A class may say what its control starts with; the file then calls it by that word.
    controls += [key for key in named if key in CONTROLS]
    for spec in _walk(schema.inputs, found):
        shown.append(spec)
        # Some files leave the name of the choice out of the names that come with it.
        key = spec.name
        if key not in named:
            short = key.rpartition(".")[2]
            other = schema.input(short)
            key = short if other is None or _hidden(other) else key
        if key in named:
            found[spec.name] = named[key]
        control = control_of(spec, shown)
        if control is not None and controls:
            found[control.name] = named[controls.pop(0)]
    return found


def _walk(specs: Sequence[InputSpec], values: Mapping[str, Any]) -> Iterator[InputSpec]:
    """The inputs with a widget; those of a choice by what `values` holds when it is reached."""
    return (spec for spec in _shown(specs, values) if spec.widget is not None)


def _shown(specs: Sequence[InputSpec], values: Mapping[str, Any]) -> Iterator[InputSpec]:
    for spec in specs:
        if spec.type == DISPLAY or (_hidden(spec) and spec.name not in values):
            continue
        yield spec
        if spec.children:
            chosen = values.get(spec.name, default_of(spec))
            yield from _shown(spec.children.get(str(chosen), ()), values)


def _could_hold(spec: InputSpec | None, value: Any) -> bool:
    if spec is None:
        return False
    if spec.widget == "choice" and spec.choices:
        return value in spec.choices
    return spec.widget not in ("int", "float", "bool", "json")


def _hidden(spec: InputSpec) -> bool:
    """Whether it is only there for graphs of earlier versions of the class."""
    return bool(spec.options.get("hidden")) and not spec.required


def _is_box(spec: InputSpec) -> bool:
    return spec.type == "BOUNDING_BOX" and spec.widget is not None


class _Reader:
    """Goes through a list of values."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.rest = list(values)

    @property
    def more(self) -> bool:
        return bool(self.rest)

    @property
    def peek(self) -> Any:
        value = self.rest[0] if self.rest else None
        return value if isinstance(value, str) else None

    def take(self) -> Any:
        return self.rest.pop(0)

    def skip(self, words: Container[Any]) -> None:
        while self.peek in words:
            self.rest.pop(0)

    def skip_numbers(self, count: int) -> None:
        if all(isinstance(value, int | float) for value in self.rest[:count]):
            del self.rest[:count]
