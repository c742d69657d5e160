"""Nodes coming, going and looking otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.drawing.diagram import (
    NOTES,
    PRIMITIVE,
    REROUTE,
    DiagramNode,
    Mode,
    Socket,
)
from app.drawing.editing import operations as ops
from app.drawing.editing.links import join, loosen
from app.drawing.editing.sheet import Sheet
from app.drawing.editing.sockets import sockets_of
from app.drawing.editing.values import checked
from app.drawing.nesting import contains
from app.drawing.schema import NodeSchema
from app.drawing.widgets import control_of, default_of, visible_widgets
from app.errors import InvalidRequestError
from app.said import Said


def add(sheet: Sheet, op: ops.Add) -> None:
    """Put a new node down, as its class says, linked as asked."""
    schema = sheet.classes.get(op.class_type)
    if schema is None:
        raise InvalidRequestError(
            "class",
            Said("No backend has a node of the class {name}.", name=op.class_type),
            fix=Said("Connect a backend which has it, or choose another node."),
        )
    refuse_loops(sheet, op.class_type)
    node = new_node(schema, node_id=sheet.new_node_id(), pos=op.pos, values=op.values)
    sheet.put(node)
    if op.link is not None:
        _link_new(sheet, node, op.link)


def new_node(
    schema: NodeSchema, *, node_id: str, pos: tuple[float, float], values: Mapping[str, Any]
) -> DiagramNode:
    """A node of that class with the values given, and the class's own for the rest."""
    node = DiagramNode(id=node_id, class_type=schema.class_type, pos=pos)
    if schema.class_type == REROUTE or schema.class_type == PRIMITIVE:
        return replace(node, inputs=sockets_of(schema, {}), outputs=_outputs(schema))
    held: dict[str, Any] = {}
    # Again and again: each dynamic choice that is set brings further widgets.
    while True:
        widgets = visible_widgets(replace(node, values=held), schema)
        controls = [each for each in (control_of(spec, widgets) for spec in widgets) if each]
        missing = [each for each in (*widgets, *controls) if each.name not in held]
        if not missing:
            break
        for spec in missing:
            given = values.get(spec.name, default_of(spec))
            held[spec.name] = checked(given, spec) if spec.name in values else given
    order = [*widgets, *controls]
    ordered = {spec.name: held[spec.name] for spec in order}
    return replace(
        node, values=ordered, inputs=sockets_of(schema, ordered), outputs=_outputs(schema)
    )


def _outputs(schema: NodeSchema) -> tuple[Socket, ...]:
    return tuple(Socket(name=each.name, type=each.type) for each in schema.outputs)


def _link_new(sheet: Sheet, node: DiagramNode, wish: ops.NewLink) -> None:
    """Link the new node by the first of its sockets that fits; refuse if none does."""
    if wish.source is not None:
        tries = [(wish.source, (node.id, socket.name)) for socket in node.inputs]
        schema = sheet.classes.get(node.class_type)
        widgets = visible_widgets(node, schema) if schema is not None else ()
        tries += [(wish.source, (node.id, each.name)) for each in widgets if not each.socketless]
    elif wish.target is not None:
        tries = [((node.id, index), wish.target) for index in range(len(node.outputs))]
    else:
        return
    refusal: InvalidRequestError | None = None
    for source, target in tries:
        try:
            join(sheet, source, target)
        except InvalidRequestError as exc:
            refusal = refusal or exc
        else:
            return
    if refusal is not None:
        raise refusal


def refuse_loops(sheet: Sheet, class_type: str) -> None:
    """Refuse a subgraph inside itself.

    Raises:
        InvalidRequestError: the level is inside the subgraph of that class.
    """
    if sheet.inside is None or class_type not in sheet.subgraphs:
        return
    if contains(sheet.subgraphs, class_type, sheet.inside):
        raise InvalidRequestError("class", Said("A subgraph cannot contain itself."))


def remove(sheet: Sheet, op: ops.Remove) -> None:
    """Take nodes away, and definitions of subgraphs that nothing stands for any more."""
    gone = [sheet.nodes[node_id] for node_id in op.ids if node_id in sheet.nodes]
    loosen(
        sheet,
        [link.id for node in gone for link in (*sheet.feeding(node.id), *sheet.leaving(node.id))],
    )
    for node in gone:
        sheet.nodes.pop(node.id, None)
    sheet.forget_unused(each.class_type for each in gone)


def retitle(sheet: Sheet, op: ops.Retitle) -> None:
    """Give a node another title."""
    node = sheet.node(op.id)
    sheet.put(replace(node, title=(op.title or "").strip() or None))


def set_mode(sheet: Sheet, op: ops.SetMode) -> None:
    """Mute, bypass or wake nodes; notes have no mode."""
    sheet.change(
        op.ids,
        lambda node: node if node.class_type in NOTES else replace(node, mode=Mode(op.mode)),
    )


def collapse(sheet: Sheet, op: ops.Collapse) -> None:
    """Fold nodes or unfold them."""
    sheet.change(op.ids, lambda node: replace(node, collapsed=op.collapsed))


def set_color(sheet: Sheet, op: ops.SetColor) -> None:
    """Colour the heads of nodes."""
    sheet.change(op.ids, lambda node: replace(node, color=op.color))
