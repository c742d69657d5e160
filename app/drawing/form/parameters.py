"""The form that a workflow makes: which widgets are its fields, found again when nodes change."""

import re
from collections.abc import Iterator
from dataclasses import replace

from app.drawing.diagram import Diagram, Parameter
from app.drawing.findings import Finding, Severity
from app.drawing.form.exposing import Widget, Widgets, free_name, made, name_from
from app.drawing.form.suggesting import suggest
from app.drawing.schema import Schemas
from app.drawing.tracing import Place
from app.errors import InvalidRequestError
from app.graphs.preset import Option, OptionValue
from app.graphs.running import FIELDS
from app.said import Said

__all__ = ["check_parameters", "lost", "options_of", "parameter_for", "rebind", "suggest"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_MAX_SEED = 2**64 - 1
_KINDS_OF_FIELDS = {
    "prompt": ("text", "multiline"),
    "negative_prompt": ("text", "multiline"),
    "seed": ("seed", "int"),
    "width": ("int",),
    "height": ("int",),
    "steps": ("int",),
    "cfg": ("float", "int"),
    "sampler": ("choice", "text"),
    "scheduler": ("choice", "text"),
    "denoise": ("float",),
    "checkpoint": ("choice", "text"),
    "vae": ("choice", "text"),
    "image": ("image",),
    "mask": ("image",),
}


def parameter_for(diagram: Diagram, path: str, name: str, *, schemas: Schemas) -> Parameter:
    """The parameter that a ticked widget becomes, with a name that is still free.

    Raises:
        InvalidRequestError: there is no such widget, or no form can have it, or it has it.
    """
    widgets = Widgets(diagram, schemas=schemas)
    widget = widgets.at(path, name)
    if widget is None:
        raise InvalidRequestError(
            "input", Said("The node has no widget {name} that a form could have.", name=name)
        )
    if any((each.node, each.input) == (path, name) for each in diagram.parameters):
        raise InvalidRequestError("input", Said("{name} is in the form already.", name=name))
    taken = {each.name for each in diagram.parameters}
    for each in suggest(diagram, schemas=schemas):
        if (each.node, each.input) == (path, name) and each.name not in taken:
            return each
    title = widgets.title(widgets.tracing.places[path])
    wanted = name_from(title, name.rpartition(".")[2])
    if wanted in FIELDS:
        wanted = f"{wanted}_value"
    return made(widget, name=free_name(wanted, taken=taken), path=path, title=title, input=name)


def lost(diagram: Diagram, *, schemas: Schemas) -> tuple[str, ...]:
    """The names of the parameters whose widget is not there any more."""
    if not diagram.parameters:
        return ()
    widgets = Widgets(diagram, schemas=schemas)
    return tuple(each.name for each in diagram.parameters if _bound(each, widgets) is None)


def rebind(diagram: Diagram, *, schemas: Schemas) -> tuple[Diagram, tuple[Finding, ...]]:
    """The diagram with each parameter at its widget, wherever its node is now.

    A parameter whose node is gone goes to the one node of the same class and title, else to the
    only one of that class; without one it stays as it is and a finding says that it is lost.
    The very same diagram comes back when nothing had to move.
    """
    if not diagram.parameters:
        return diagram, ()
    widgets = Widgets(diagram, schemas=schemas)
    held = {
        (each.node, each.input) for each in diagram.parameters if _bound(each, widgets) is not None
    }
    kept: list[Parameter] = []
    findings: list[Finding] = []
    for each in diagram.parameters:
        if (widget := _bound(each, widgets)) is not None:
            kept.append(_refreshed(each, widget))
            continue
        moved = _found_again(each, widgets, held=held)
        if moved is None:
            kept.append(each)
            findings.append(_gone(each))
            continue
        held.add((moved.node, moved.input))
        kept.append(moved)
        findings.append(_moved(moved))
    parameters = tuple(kept)
    if parameters == diagram.parameters:
        return diagram, tuple(findings)
    return replace(diagram, parameters=parameters), tuple(findings)


def options_of(diagram: Diagram, *, schemas: Schemas) -> tuple[Option, ...]:
    """The form, in its order; parameters that are lost or linked over are left out."""
    if not diagram.parameters:
        return ()
    widgets = Widgets(diagram, schemas=schemas)
    options: list[Option] = []
    for each in diagram.parameters:
        widget = _bound(each, widgets)
        if widget is not None and not widget.linked:
            options.append(_option(each, widget))
    return tuple(options)


def check_parameters(diagram: Diagram, *, schemas: Schemas) -> tuple[Finding, ...]:
    """What is wrong with the form; which fields have no widget any more, `rebind` says."""
    if not diagram.parameters:
        return ()
    widgets = Widgets(diagram, schemas=schemas)
    names: set[str] = set()
    found: list[Finding] = []
    for each in diagram.parameters:
        if each.name in names:
            message = Said("Two fields of the form are called {name}.", name=each.name)
            found.append(_about(each, "parameter_name", message, Said("Rename one of them.")))
        names.add(each.name)
        widget = _bound(each, widgets)
        if widget is not None:
            found += _mistakes(each, widget)
    return tuple(found)


def _mistakes(parameter: Parameter, widget: Widget) -> Iterator[Finding]:
    name, kind = parameter.name, parameter.type
    if _NAME.fullmatch(name) is None:
        message = Said("“{name}” is no name for a field.", name=name)
        fix = Said("Use small Latin letters, digits and underscores, a letter first.")
        yield _about(parameter, "parameter_name", message, fix)
    if name in FIELDS and kind not in _KINDS_OF_FIELDS.get(name, (kind,)):
        message = Said("{name} is a field of every request and takes another type.", name=name)
        yield _about(parameter, "parameter_name", message, Said("Choose another name."))
    if widget.linked:
        message = Said("{label} has no effect: its value comes from a link.", label=parameter.label)
        fix = Said("Take the link away, or the field out of the form.")
        yield _about(parameter, "parameter_linked", message, fix)
    low, high = parameter.min, parameter.max
    if low is not None and high is not None and low > high:
        message = Said("{label}: the least is more than the most.", label=parameter.label)
        yield _about(parameter, "parameter_range", message, Said("Swap them."))
    elif _is_outside(widget, low=low, high=high):
        message = Said("{label}: the value of the graph is out of range.", label=parameter.label)
        fix = Said("Change the value or the range.")
        yield _about(parameter, "parameter_range", message, fix)
    if parameter.choices and str(widget.value) not in parameter.choices and kind == "choice":
        message = Said(
            "{label}: the value of the graph is none of the choices.", label=parameter.label
        )
        fix = Said("Add it to the choices, or choose another value.")
        yield _about(parameter, "parameter_choices", message, fix)


def _is_outside(widget: Widget, *, low: float | None, high: float | None) -> bool:
    value = widget.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (low is not None and value < low) or (high is not None and value > high)


def _bound(parameter: Parameter, widgets: Widgets) -> Widget | None:
    place = widgets.tracing.places.get(parameter.node)
    if place is None:
        return None
    widget = widgets.at(parameter.node, parameter.input)
    if widget is None:
        return None
    same = widget.place.node.class_type == parameter.class_type
    return widget if same or not parameter.class_type else None


def _refreshed(parameter: Parameter, widget: Widget) -> Parameter:
    """With what the node is called now, to find it again by that."""
    node = widget.place.node
    class_type, title = node.class_type, node.title or ""
    if (class_type, title) == (parameter.class_type, parameter.title):
        return parameter
    return replace(parameter, class_type=class_type, title=title)


def _found_again(
    parameter: Parameter, widgets: Widgets, *, held: set[tuple[str, str]]
) -> Parameter | None:
    alike: list[tuple[Place, Parameter]] = []
    for place in widgets.tracing.places.values():
        if not parameter.class_type or place.node.class_type != parameter.class_type:
            continue
        there = replace(parameter, node=place.path)
        if (place.path, parameter.input) not in held and _bound(there, widgets) is not None:
            alike.append((place, there))
    titled = [each for each in alike if (each[0].node.title or "") == parameter.title]
    for candidates in (titled, alike):
        if len(candidates) == 1:
            place, there = candidates[0]
            return replace(there, title=place.node.title or "")
    return None


def _option(parameter: Parameter, widget: Widget) -> Option:
    return Option(
        name=parameter.name,
        label=parameter.label,
        type=parameter.type,
        default=_default(parameter, widget),
        min=parameter.min,
        max=parameter.max,
        step=parameter.step,
        choices=parameter.choices,
        help=parameter.help,
        section=parameter.section,
        node=parameter.node,
        input=parameter.input,
    )


def _default(parameter: Parameter, widget: Widget) -> OptionValue:
    """The value of the graph, as the type of the field has it."""
    value, kind = widget.value, parameter.type
    if kind in ("int", "seed", "float"):
        number = _number(value, whole=kind != "float")
        return min(max(int(number), 0), _MAX_SEED) if kind == "seed" else number
    if kind == "bool":
        return bool(value)
    if kind == "choice" and isinstance(value, int | float):
        return value
    return "" if value is None else str(value)


def _number(value: object, *, whole: bool) -> float:
    try:
        if isinstance(value, str):
            return int(value) if whole and len(value) < 400 else float(value)
        if isinstance(value, int | float):
            return int(value) if whole else float(value)
    except (ValueError, OverflowError):
        return 0
    return 0


def _gone(parameter: Parameter) -> Finding:
    message = Said("{label} lost its widget: the node is gone.", label=parameter.label)
    fix = Said("Tick a widget anew, or take the field out of the form.")
    return replace(_about(parameter, "parameter_lost", message, fix), node_id=None)


def _moved(parameter: Parameter) -> Finding:
    title = parameter.title or parameter.class_type
    message = Said("{label} now sets {node}.", label=parameter.label, node=title)
    finding = _about(parameter, "parameter_moved", message, Said("See whether that is meant."))
    return replace(finding, severity=Severity.INFO)


def _about(parameter: Parameter, code: str, message: str, fix: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        code=code,
        message=message,
        fix=fix,
        node_id=parameter.node,
        input=parameter.input,
    )
