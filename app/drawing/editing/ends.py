"""The inputs and outputs of subgraphs, and the nodes that stand for them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from app.drawing.diagram import Diagram, Socket, Subgraph
from app.drawing.editing.sheet import Sheet
from app.drawing.schema import NodeSchema, Schemas


def new_entry(sheet: Sheet, *, name: str, type_: str) -> int:
    """Give the subgraph that is open one more input; its index."""
    subgraph = sheet.subgraph()
    socket = Socket(name=free_name(subgraph.inputs, name), type=type_)
    sheet.subgraphs[subgraph.id] = replace(subgraph, inputs=(*subgraph.inputs, socket))
    return len(subgraph.inputs)


def new_exit(sheet: Sheet, *, name: str, type_: str) -> int:
    """Give the subgraph that is open one more output; its index."""
    subgraph = sheet.subgraph()
    socket = Socket(name=free_name(subgraph.outputs, name), type=type_)
    sheet.subgraphs[subgraph.id] = replace(subgraph, outputs=(*subgraph.outputs, socket))
    return len(subgraph.outputs)


def free_name(sockets: Sequence[Socket], wanted: str) -> str:
    """The name, with a number behind it where it is taken."""
    taken = {each.name for each in sockets}
    tries = (wanted if number == 0 else f"{wanted}_{number}" for number in count())
    return next(name for name in tries if name not in taken)


def in_step(diagram: Diagram, *, before: Diagram, schemas: Schemas) -> Diagram:
    """The diagram with every node of a subgraph having the sockets that it has now."""
    changed = [
        each
        for each in diagram.subgraphs.values()
        if (old := before.subgraphs.get(each.id)) is not None
        and (old.inputs is not each.inputs or old.outputs is not each.outputs)
    ]
    for subgraph in changed:
        for inside in (None, *diagram.subgraphs):
            diagram = _refit(diagram, inside, subgraph, schemas=schemas)
    return diagram


def inside_changed(diagram: Diagram, *, before: Diagram) -> bool:
    """Whether any subgraph is another than it was."""
    return any(before.subgraphs.get(key) is not each for key, each in diagram.subgraphs.items())


def _refit(
    diagram: Diagram, inside: str | None, subgraph: Subgraph, *, schemas: Schemas
) -> Diagram:
    level = diagram.root if inside is None else diagram.subgraphs[inside].level
    ids = [node.id for node in level.nodes.values() if node.class_type == subgraph.id]
    if not ids:
        return diagram
    sheet = Sheet(diagram, inside, schemas=schemas)
    schema = sheet.classes.get(subgraph.id)
    for node_id in ids:
        node = sheet.nodes[node_id]
        inputs = node.inputs
        had = {socket.name: (socket, index) for index, socket in enumerate(inputs)}
        sheet.set_inputs(
            node_id,
            [had.get(each.name, (instance_input(each, schema), None)) for each in subgraph.inputs],
        )
        outs = {socket.name: (socket, index) for index, socket in enumerate(node.outputs)}
        sheet.set_outputs(
            node_id,
            [
                outs.get(each.name, (Socket(name=each.name, type=each.type), None))
                for each in subgraph.outputs
            ],
        )
    return sheet.done()


def instance_input(socket: Socket, schema: NodeSchema | None) -> Socket:
    """What a node of the subgraph has for that input of it."""
    spec = schema.input(socket.name) if schema is not None else None
    widget = spec is not None and spec.widget is not None
    return Socket(name=socket.name, type=socket.type, label=socket.label, widget=widget)
