"""What follows from each operation: a new diagram, or a refusal in words.

Pure: the diagram given stays as it was, and whatever an operation does not touch is shared with
the new one.
"""

from collections.abc import Callable
from typing import Any

from app.drawing.diagram import Diagram
from app.drawing.editing import fields, groups, links, nodes, pasting, places, subgraphs, values
from app.drawing.editing import operations as ops
from app.drawing.editing.ends import in_step, inside_changed
from app.drawing.editing.sheet import Sheet
from app.drawing.files.ui_format import settle
from app.drawing.nesting import refuse_endless
from app.drawing.schema import Schemas

_Deed = Callable[[Sheet, Any], None]

_DEEDS: dict[type, _Deed] = {
    ops.Add: nodes.add,
    ops.Remove: nodes.remove,
    ops.Retitle: nodes.retitle,
    ops.SetMode: nodes.set_mode,
    ops.Collapse: nodes.collapse,
    ops.SetColor: nodes.set_color,
    ops.Move: places.move,
    ops.Resize: places.resize,
    ops.Arrange: places.rearrange,
    ops.Align: places.align,
    ops.Value: values.set_value,
    ops.Connect: links.connect,
    ops.Disconnect: links.disconnect,
    ops.GroupAdd: groups.add,
    ops.GroupEdit: groups.edit,
    ops.GroupRemove: groups.remove,
    ops.Paste: pasting.paste,
    ops.Expose: fields.expose,
    ops.Unexpose: fields.unexpose,
    ops.ParameterEdit: fields.edit,
    ops.ParameterOrder: fields.order,
    ops.SubgraphMake: subgraphs.make,
    ops.SubgraphUnpack: subgraphs.unpack,
    ops.SubgraphRename: subgraphs.rename,
    ops.SubgraphDrop: subgraphs.drop,
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
        refuse_endless(after, field="ops")
    return after
