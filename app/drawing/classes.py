"""What the nodes of a drawn workflow take and give: also subgraphs, notes and reroutes.

A server only describes its own classes; the others follow from the drawing.
"""

from dataclasses import replace

from app.drawing.diagram import (
    ANY_TYPE,
    ENTRY,
    NOTE_TEXT,
    NOTES,
    PRIMITIVE,
    REROUTE,
    Diagram,
    DiagramNode,
    Level,
    Subgraph,
)
from app.drawing.schema import InputSpec, NodeSchema, OutputSpec, Schemas

PRIMITIVE_VALUE = "value"
"""The widget of a primitive, once it feeds something."""

_REROUTE = NodeSchema(
    class_type=REROUTE,
    name="Reroute",
    inputs=(InputSpec(name="", type=ANY_TYPE, required=False),),
    outputs=(OutputSpec(name="", type=ANY_TYPE),),
)
_PRIMITIVE = NodeSchema(
    class_type=PRIMITIVE,
    name="Primitive",
    outputs=(OutputSpec(name="connect to widget input", type=ANY_TYPE),),
)
_NOTES = {
    class_type: NodeSchema(
        class_type=class_type,
        name="Note",
        inputs=(InputSpec(name=NOTE_TEXT, type="STRING", widget="multiline", socketless=True),),
    )
    for class_type in NOTES
}


class Classes:
    """The classes of the nodes of one diagram."""

    def __init__(self, diagram: Diagram, *, schemas: Schemas) -> None:
        self._subgraphs = diagram.subgraphs
        self._schemas = schemas
        self._made: dict[str, NodeSchema | None] = {}

    def get(self, class_type: str) -> NodeSchema | None:
        """The class of that name, or what stands for it; None where nobody knows it."""
        if class_type in _NOTES:
            return _NOTES[class_type]
        if class_type == REROUTE:
            return _REROUTE
        if class_type == PRIMITIVE:
            return _PRIMITIVE
        if class_type not in self._subgraphs:
            return self._schemas.get(class_type)
        if class_type not in self._made:
            self._made[class_type] = None  # what contains itself ends here
            self._made[class_type] = self._of_subgraph(self._subgraphs[class_type])
        return self._made[class_type]

    def of(self, node: DiagramNode, level: Level) -> NodeSchema | None:
        """The class of that node; a primitive's takes after what it feeds."""
        schema = self.get(node.class_type)
        if node.class_type != PRIMITIVE:
            return schema
        fed = self.fed_by_primitive(node, level)
        if fed is None:
            return schema
        value = replace(fed, name=PRIMITIVE_VALUE, socketless=True, children={}, help="")
        kind = node.outputs[0].type if node.outputs else fed.type
        return replace(
            _PRIMITIVE, inputs=(value,), outputs=(OutputSpec(name=kind or fed.type, type=kind),)
        )

    def fed_by_primitive(self, node: DiagramNode, level: Level) -> InputSpec | None:
        """The first widget that takes the value of the primitive."""
        for link in level.links.values():
            target = level.nodes.get(link.target) if link.source == node.id else None
            if target is None or not 0 <= link.input < len(target.inputs):
                continue
            if target.class_type == PRIMITIVE:
                continue
            schema = self.get(target.class_type)
            spec = schema.input(target.inputs[link.input].name) if schema else None
            if spec is not None and spec.widget is not None:
                return spec
        return None

    def _of_subgraph(self, subgraph: Subgraph) -> NodeSchema:
        inputs = [
            self._promoted(subgraph, index)
            or InputSpec(name=socket.name, type=socket.type, required=False)
            for index, socket in enumerate(subgraph.inputs)
        ]
        return NodeSchema(
            class_type=subgraph.id,
            name=subgraph.name,
            inputs=tuple(inputs),
            outputs=tuple(
                OutputSpec(name=each.label or each.name, type=each.type)
                for each in subgraph.outputs
            ),
        )

    def _promoted(self, subgraph: Subgraph, index: int) -> InputSpec | None:
        """The widget inside that this input of the subgraph sets, with its value there."""
        level = subgraph.level
        for link in level.links.values():
            if link.source != ENTRY or link.output != index:
                continue
            node = level.nodes.get(link.target)
            if node is None or not 0 <= link.input < len(node.inputs):
                continue
            name = node.inputs[link.input].name
            schema = self.get(node.class_type)
            spec = schema.input(name) if schema else None
            if spec is not None and spec.widget is not None:
                inside = node.values.get(name, spec.default)
                return replace(
                    spec,
                    name=subgraph.inputs[index].name,
                    default=inside,
                    children={},
                    control=False,  # that stays with the seed inside
                )
        return None
