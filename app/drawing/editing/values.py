"""Widgets set, with what a choice brings along."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from app.drawing.diagram import DiagramNode
from app.drawing.editing import operations as ops
from app.drawing.editing.sheet import Sheet
from app.drawing.editing.sockets import fit_sockets
from app.drawing.schema import InputSpec, NodeSchema
from app.drawing.widgets import CONTROL, CONTROLS, control_of, default_of, visible_widgets
from app.errors import InvalidRequestError
from app.said import Said

MAX_TEXT = 100_000
MAX_INT = 2**64 - 1
LOOSE = "#"
"""Before the number of a value that has no name, because nobody knows its class."""


def set_value(sheet: Sheet, op: ops.Value) -> None:
    """Set one widget of a node; "34:steps" of a subgraph is that of the node inside."""
    node = sheet.node(op.id)
    inner, _, name = op.name.partition(":")
    if name and node.class_type in sheet.subgraphs:
        inside = Sheet(sheet.done(), node.class_type, schemas=sheet.schemas)
        set_value(inside, op.model_copy(update={"id": inner, "name": name}))
        sheet.subgraphs = dict(inside.done().subgraphs)
        return
    schema = sheet.schema(node)
    if schema is None:
        sheet.put(_set_unknown(node, op.name, op.value))
        return
    spec = _widget(node, schema, op.name)
    if spec is None:
        raise InvalidRequestError("name", Said("The node has no value {name}.", name=op.name))
    values = {**node.values, op.name: checked(op.value, spec)}
    if spec.children:
        values = _with_children(replace(node, values=values), schema)
    sheet.put(replace(node, values=values))
    if spec.children:
        fit_sockets(sheet, node.id)


def _widget(node: DiagramNode, schema: NodeSchema, name: str) -> InputSpec | None:
    widgets = visible_widgets(node, schema)
    controls = (control_of(spec, widgets) for spec in widgets)
    return next((each for each in (*widgets, *controls) if each and each.name == name), None)


def _with_children(node: DiagramNode, schema: NodeSchema) -> dict[str, Any]:
    """The values with those of the options that were not chosen left out, and the new ones set."""
    dynamic = tuple(f"{spec.name}." for spec in schema.inputs if spec.children)
    values = dict(node.values)
    widgets = visible_widgets(node, schema)
    while True:
        missing = [each for each in widgets if each.name not in values]
        if not missing:
            break
        values |= {spec.name: default_of(spec) for spec in missing}
        widgets = visible_widgets(replace(node, values=values), schema)
    shown = {each.name: each for each in widgets}
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if name not in shown and name.startswith(dynamic) and not name.endswith(CONTROL):
            continue
        spec = shown.get(name)
        # The other option may have a value of the same name and another kind.
        stays = spec is None or not name.startswith(dynamic) or _is_kind(value, spec)
        kept[name] = value if stays or spec is None else default_of(spec)
    return kept


def _set_unknown(node: DiagramNode, name: str, value: Any) -> DiagramNode:
    plain = plain_json(value)
    if name in node.values:
        return replace(node, values={**node.values, name: plain})
    place = name.removeprefix(LOOSE)
    if place.isdecimal() and name.startswith(LOOSE) and int(place) < len(node.loose):
        loose = list(node.loose)
        loose[int(place)] = plain
        return replace(node, loose=tuple(loose))
    raise InvalidRequestError("name", Said("The node has no value {name}.", name=name))


def checked(value: Any, spec: InputSpec) -> Any:
    """The value as the widget keeps it; out of its range is kept, and found when checking.

    Raises:
        InvalidRequestError: it is of another kind than the widget.
    """
    if spec.multiselect:
        items = cast("list[Any]", value) if isinstance(value, list) else None
        if items is None or not all(isinstance(each, str | int | float) for each in items):
            raise _wrong(spec, Said("a list of choices"))
        return plain_json(items)
    match spec.widget:
        case "int":
            return _whole(value, spec)
        case "float":
            return _number(value, spec)
        case "bool":
            if not isinstance(value, bool):
                raise _wrong(spec, Said("yes or no"))
            return value
        case "choice":
            if not isinstance(value, str | int | float):
                raise _wrong(spec, Said("one of its choices"))
            if spec.name.endswith(CONTROL) and spec.choices == CONTROLS and value not in CONTROLS:
                raise _wrong(spec, Said("one of its choices"))
            return plain_json(value)
        case "json":
            return plain_json(_from_text(value))
        case _:
            if not isinstance(value, str):
                raise _wrong(spec, Said("a text"))
            return plain_json(value)


def _is_kind(value: Any, spec: InputSpec) -> bool:
    try:
        checked(value, spec)
    except InvalidRequestError:
        return False
    return spec.widget != "choice" or not spec.choices or value in spec.choices


def _whole(value: Any, spec: InputSpec) -> int:
    # Browsers cannot hold integers beyond 2**53: those come as text.
    if isinstance(value, str) and len(value) <= 30 and _is_whole(value):
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(spec, Said("a whole number"))
    if not -MAX_INT <= value <= MAX_INT:
        raise InvalidRequestError(
            spec.name,
            Said(
                "{name} must be between {low} and {high}.",
                name=spec.name,
                low=-MAX_INT,
                high=MAX_INT,
            ),
        )
    return value


def _is_whole(text: str) -> bool:
    digits = text.strip().removeprefix("-")
    return digits.isascii() and digits.isdecimal()


def _number(value: Any, spec: InputSpec) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _wrong(spec, Said("a number"))
    return _keepable(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _wrong(spec: InputSpec, wanted: str) -> InvalidRequestError:
    return InvalidRequestError(
        spec.name, Said("{name} must be {wanted}.", name=spec.name or spec.type, wanted=wanted)
    )


def _from_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def plain_json(value: Any) -> Any:
    """The value, if it is JSON of a size that a widget may hold.

    Raises:
        InvalidRequestError: it is not.
    """
    if isinstance(value, str):
        _limit(value)
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not _is_finite(value) or abs(value) > 1e300:
            raise InvalidRequestError("value", Said("This number is out of all bounds."))
        return _keepable(value)
    if isinstance(value, list | Mapping):
        try:
            text = json.dumps(value, allow_nan=False)
            _limit(text)
            return json.loads(text, parse_int=lambda digits: _keepable(int(digits)))
        except (ValueError, TypeError, RecursionError, OverflowError) as exc:
            raise InvalidRequestError("value", Said("This value cannot be kept.")) from exc
    return cast("Any", value)


def _keepable(value: float) -> float:
    """The number as files keep it: no whole number is longer than the longest seed."""
    return float(value) if isinstance(value, int) and abs(value) > MAX_INT else value


def _limit(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise InvalidRequestError(
            "value", Said("A value may have {n} characters at most.", n=MAX_TEXT)
        )
