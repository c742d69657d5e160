"""Links drawn and taken away, with all that depends on them."""

from collections.abc import Iterable
from dataclasses import replace

from app.drawing.classes import PRIMITIVE_VALUE
from app.drawing.diagram import (
    ANY_TYPE,
    ENTRY,
    EXIT,
    PRIMITIVE,
    REROUTE,
    DiagramNode,
    Link,
    Socket,
)
from app.drawing.editing import operations as ops
from app.drawing.editing.ends import new_entry, new_exit
from app.drawing.editing.fitting import common, fits, is_upstream, output_type
from app.drawing.editing.sheet import Sheet
from app.drawing.editing.sockets import fit_sockets
from app.drawing.schema import InputSpec
from app.drawing.widgets import control_of, value_of, visible_widgets
from app.errors import InvalidRequestError
from app.said import Said


def connect(sheet: Sheet, op: ops.Connect) -> None:
    """Feed an input from an output."""
    join(sheet, op.source, op.target)


def join(sheet: Sheet, source: tuple[str, int], target: tuple[str, str]) -> None:
    """Feed the input from the output, instead of what fed it before.

    Raises:
        InvalidRequestError: they do not fit, or it would make a circle.
    """
    source_id, output = source
    target_id, name = target
    _refuse_circle(sheet, source_id, target_id)
    spec = _input_spec(sheet, target_id, name)
    _check_output(sheet, source_id, output)
    given = output_type(sheet, source_id, output)
    wanted = _wanted_type(sheet, target_id, name, spec=spec)
    feeder = sheet.nodes.get(source_id)
    if feeder is not None and feeder.class_type == PRIMITIVE:
        given = _bind_primitive(sheet, feeder, target_id, spec, wanted=wanted)
    if not fits(given, wanted):
        raise InvalidRequestError(
            "to",
            Said("{given} does not fit into {wanted}.", given=given, wanted=wanted),
            fix=Said("Choose an output of the type {wanted}.", wanted=wanted),
        )
    _check_behind(sheet, target_id, given)
    if source_id == ENTRY and output == len(sheet.subgraph().inputs):
        new_entry(sheet, name=name or "input", type_=wanted)
    kind = common(given, wanted)
    index = _input_index(sheet, target_id, name, spec=spec, kind=kind)
    sheet.link(source_id, output, target_id, index, type_=kind)
    _retype_behind(sheet, target_id, kind)
    fit_sockets(sheet, target_id)


def _refuse_circle(sheet: Sheet, source_id: str, target_id: str) -> None:
    if source_id == EXIT or target_id == ENTRY:
        raise InvalidRequestError("from", Said("A link goes from an output to an input."))
    if source_id != ENTRY:
        sheet.node(source_id)
    if target_id != EXIT:
        sheet.node(target_id)
    if source_id == target_id or is_upstream(sheet.level, target_id, of=source_id):
        raise InvalidRequestError(
            "to",
            Said("This link would make a circle."),
            fix=Said("A node cannot wait for what comes out of itself."),
        )


def _check_output(sheet: Sheet, source_id: str, output: int) -> None:
    if source_id == ENTRY:
        count = len(sheet.subgraph().inputs) + 1
    else:
        count = len(sheet.nodes[source_id].outputs)
    if output >= count:
        raise InvalidRequestError("from", Said("The node has no such output."))


def _input_spec(sheet: Sheet, target_id: str, name: str) -> InputSpec | None:
    """What the class says of the input; None where there is only the socket, or a free end."""
    if target_id == EXIT:
        outputs = sheet.subgraph().outputs
        if name and all(each.name != name for each in outputs):
            raise _no_input(name)
        return None
    node = sheet.nodes[target_id]
    schema = sheet.schema(node)
    spec = schema.input(name) if schema is not None else None
    if spec is None and all(each.name != name for each in node.inputs):
        raise _no_input(name)
    if spec is not None and (spec.socketless or spec.grows):
        raise InvalidRequestError("to", Said("No link can feed {name}.", name=name))
    return spec


def _no_input(name: str) -> InvalidRequestError:
    return InvalidRequestError("to", Said("The node has no input {name}.", name=name))


def _wanted_type(sheet: Sheet, target_id: str, name: str, *, spec: InputSpec | None) -> str:
    if target_id == EXIT:
        return next((each.type for each in sheet.subgraph().outputs if each.name == name), ANY_TYPE)
    node = sheet.nodes[target_id]
    if node.class_type == REROUTE:
        return ANY_TYPE
    if spec is not None:
        return spec.type
    return next(each.type for each in node.inputs if each.name == name)


def _bind_primitive(
    sheet: Sheet, node: DiagramNode, target_id: str, spec: InputSpec | None, *, wanted: str
) -> str:
    """Let the primitive take after the first widget it feeds; what comes out of it."""
    if spec is None or spec.widget is None:
        raise InvalidRequestError(
            "from",
            Said("A primitive only feeds widgets."),
            fix=Said("Connect it to a number, a text or a choice."),
        )
    if sheet.leaving(node.id):
        return node.outputs[0].type
    target = sheet.nodes[target_id]
    values = {PRIMITIVE_VALUE: value_of(target, spec)}
    schema = sheet.schema(target)
    widgets = visible_widgets(target, schema) if schema is not None else ()
    control = control_of(spec, widgets)
    if control is not None:
        # One value for several inputs: it goes on by itself only where the seed did.
        values["control_after_generate"] = target.values.get(control.name, control.default)
    out = Socket(name=wanted, type=wanted, widget=True, extra={"widget": {"name": spec.name}})
    sheet.put(replace(node, outputs=(out,), values=values))
    return wanted


def _check_behind(sheet: Sheet, target_id: str, given: str) -> None:
    """Refuse what does not fit into the nodes behind a reroute."""
    for link in _behind(sheet, target_id):
        node = sheet.nodes.get(link.target)
        if node is None or node.class_type == REROUTE or link.input >= len(node.inputs):
            continue
        name = node.inputs[link.input].name
        schema = sheet.schema(node)
        spec = schema.input(name) if schema is not None else None
        wanted = spec.type if spec is not None else node.inputs[link.input].type
        if not fits(given, wanted):
            raise InvalidRequestError(
                "to", Said("{given} does not fit into {wanted}.", given=given, wanted=wanted)
            )


def _retype_behind(sheet: Sheet, target_id: str, kind: str) -> None:
    for link in _behind(sheet, target_id):
        sheet.links[link.id] = replace(link, type=kind)


def _behind(sheet: Sheet, node_id: str) -> list[Link]:
    """The links out of a reroute, and of the reroutes behind it."""
    found: list[Link] = []
    left, seen = [node_id], set[str]()
    while left:
        current = left.pop()
        node = sheet.nodes.get(current)
        if node is None or node.class_type != REROUTE or current in seen:
            continue
        seen.add(current)
        leaving = sheet.leaving(current)
        found += leaving
        left += [link.target for link in leaving]
    return found


def _input_index(
    sheet: Sheet, target_id: str, name: str, *, spec: InputSpec | None, kind: str
) -> int:
    """Where the input is among those of the node; a widget's is made when it is needed."""
    if target_id == EXIT:
        outputs = sheet.subgraph().outputs
        if not name:
            return new_exit(sheet, name=kind, type_=kind)
        return next(index for index, each in enumerate(outputs) if each.name == name)
    node = sheet.nodes[target_id]
    for index, socket in enumerate(node.inputs):
        if socket.name == name:
            return index
    widget = spec is not None and spec.widget is not None
    made = Socket(name=name, type=spec.type if spec is not None else ANY_TYPE, widget=widget)
    sheet.put(replace(node, inputs=(*node.inputs, made)))
    return len(node.inputs)


def disconnect(sheet: Sheet, op: ops.Disconnect) -> None:
    """Take links away; those that are gone already are none to care about."""
    loosen(sheet, op.links)


def loosen(sheet: Sheet, link_ids: Iterable[int]) -> None:
    """Take links away, and what only came with them."""
    gone = [sheet.links.pop(link_id) for link_id in set(link_ids) if link_id in sheet.links]
    for target in dict.fromkeys(link.target for link in gone):
        fit_sockets(sheet, target)
    for source in dict.fromkeys(link.source for link in gone):
        node = sheet.nodes.get(source)
        if node is not None and node.class_type == PRIMITIVE and not sheet.leaving(source):
            free = Socket(name="connect to widget input", type=ANY_TYPE)
            sheet.put(replace(node, outputs=(free,), values={}))
