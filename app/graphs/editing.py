"""What follows from each operation: a new diagram, or a refusal in words.

Pure: the diagram given stays as it was, and whatever an operation does not touch is shared with
the new one.
"""

from collections.abc import Callable
from typing import Any

from app.graphs import (
    editing_form,
    editing_groups,
    editing_links,
    editing_nodes,
    editing_places,
    editing_subgraphs,
    editing_values,
    pasting,
)
from app.graphs import operations as ops
from app.graphs.diagram import Diagram
from app.graphs.schema import Schemas
from app.graphs.sheet import Sheet
from app.graphs.subgraphs import refuse_endless
from app.graphs.subgraphs_ends import in_step, inside_changed
from app.graphs.ui_format import settle

_Deed = Callable[[Sheet, Any], None]

_DEEDS: dict[type, _Deed] = {
    ops.Add: editing_nodes.add,
    ops.Remove: editing_nodes.remove,
    ops.Retitle: editing_nodes.retitle,
    ops.SetMode: editing_nodes.set_mode,
    ops.Collapse: editing_nodes.collapse,
    ops.SetColor: editing_nodes.set_color,
    ops.Move: editing_places.move,
    ops.Resize: editing_places.resize,
    ops.Arrange: editing_places.rearrange,
    ops.Align: editing_places.align,
    ops.Value: editing_values.set_value,
    ops.Connect: editing_links.connect,
    ops.Disconnect: editing_links.disconnect,
    ops.GroupAdd: editing_groups.add,
    ops.GroupEdit: editing_groups.edit,
    ops.GroupRemove: editing_groups.remove,
    ops.Paste: pasting.paste,
    ops.Expose: editing_form.expose,
    ops.Unexpose: editing_form.unexpose,
    ops.ParameterEdit: editing_form.edit,
    ops.ParameterOrder: editing_form.order,
    ops.SubgraphMake: editing_subgraphs.make,
    ops.SubgraphUnpack: editing_subgraphs.unpack,
    ops.SubgraphRename: editing_subgraphs.rename,
    ops.SubgraphDrop: editing_subgraphs.drop,
}

_GROWING = (ops.Add, ops.Paste, ops.SubgraphMake, ops.SubgraphUnpack)
_LOOKS = (ops.Move, ops.Resize, ops.Retitle, ops.Collapse, ops.SetColor, ops.Arrange, ops.Align)


def apply(diagram: Diagram, level: str, op: ops.Operation, *, schemas: Schemas) -> Diagram:
    """The diagram after the operation on the level with that path.

    Inside a subgraph it changes the definition, and so every node that stands for it.

    Raises:
        InvalidRequestError: it does not fit; says why.
    """
    sheet = Sheet.at(diagram, level, schemas=schemas)
    _DEEDS[type(op)](sheet, op)
    after = in_step(sheet.done(), before=diagram, schemas=schemas)
    if inside_changed(after, before=diagram) and not isinstance(op, _LOOKS):
        # What a subgraph shows of its widgets follows from the links inside.
        after = settle(after, schemas=schemas)
    if isinstance(op, _GROWING):
        refuse_endless(after)
    return after
