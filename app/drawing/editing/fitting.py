"""Which output may feed which input: by the types of both, as ComfyUI's own editor has it."""

from app.drawing.diagram import ANY_TYPE, ENTRY, PRIMITIVE, REROUTE, Level
from app.drawing.editing.sheet import Sheet
from app.drawing.schema import DYNAMIC_CHOICE, NodeSchema

_MATCHING = "COMFY_MATCHTYPE_V3"


def fits(given: str, wanted: str) -> bool:
    """Whether an output of that type may feed an input of that one."""
    outputs, inputs = _types(given), _types(wanted)
    return ANY_TYPE in outputs or ANY_TYPE in inputs or not outputs.isdisjoint(inputs)


def _types(named: str) -> set[str]:
    types = {each.strip().upper() for each in named.split(",")} - {""}
    if not types or _MATCHING in types or "0" in types or "-1" in types:
        return {ANY_TYPE}
    return {"COMBO" if each == DYNAMIC_CHOICE else each for each in types}


def common(given: str, wanted: str) -> str:
    """What flows where that output feeds that input."""
    if ANY_TYPE in _types(given):
        return wanted
    if ANY_TYPE in _types(wanted):
        return given
    both = [each.strip() for each in given.split(",") if each.strip().upper() in _types(wanted)]
    return ",".join(both) or given


def output_type(sheet: Sheet, node_id: str, index: int) -> str:
    """What comes out there: through reroutes, and where types match those of the inputs."""
    seen: set[str] = set()
    while True:
        if node_id == ENTRY and sheet.inside is not None:
            inputs = sheet.subgraph().inputs
            return inputs[index].type if index < len(inputs) else ANY_TYPE
        node = sheet.nodes.get(node_id)
        if node is None or node_id in seen:
            return ANY_TYPE
        seen.add(node_id)
        if node.class_type == REROUTE:
            feeding = sheet.feeding(node_id)
            if not feeding:
                return ANY_TYPE
            node_id, index = feeding[0].source, feeding[0].output
            continue
        socket = node.outputs[index].type if index < len(node.outputs) else ANY_TYPE
        schema = sheet.schema(node)
        if schema is None or index >= len(schema.outputs) or node.class_type == PRIMITIVE:
            return socket
        return _matched(sheet, node_id, schema, index) or schema.outputs[index].type


def _matched(sheet: Sheet, node_id: str, schema: NodeSchema, index: int) -> str | None:
    """The type that the links into the inputs of the same template settle."""
    template = schema.outputs[index].template
    if template is None:
        return None
    node = sheet.nodes[node_id]
    for link in sheet.feeding(node_id):
        if link.input >= len(node.inputs):
            continue
        spec = schema.input(node.inputs[link.input].name)
        if spec is not None and spec.template == template and link.type != ANY_TYPE:
            return link.type
    return None


def is_upstream(level: Level, node_id: str, *, of: str) -> bool:
    """Whether what comes out of the node reaches the other one: a link back would be a circle."""
    targets: dict[str, list[str]] = {}
    for link in level.links.values():
        targets.setdefault(link.source, []).append(link.target)
    seen: set[str] = set()
    left = [node_id]
    while left:
        current = left.pop()
        if current == of:
            return True
        if current not in seen:
            seen.add(current)
            left += targets.get(current, ())
    return False
