"""Where nodes are."""

from dataclasses import replace
from typing import Any, cast

from app.drawing.diagram import ENTRY, EXIT, DiagramNode
from app.drawing.editing import operations as ops
from app.drawing.editing.sheet import Sheet
from app.drawing.layout import arrange

ENDS = {ENTRY: "inputNode", EXIT: "outputNode"}
"""What a file calls the two ends of a subgraph."""


def move(sheet: Sheet, op: ops.Move) -> None:
    """Put nodes elsewhere; inside a subgraph its two ends too."""
    for node_id, place in op.places.items():
        if node_id in ENDS and sheet.inside is not None:
            _move_end(sheet, ENDS[node_id], place)
        elif node_id in sheet.nodes:
            sheet.put(replace(sheet.nodes[node_id], pos=place))


def _move_end(sheet: Sheet, end: str, place: tuple[float, float]) -> None:
    subgraph = sheet.subgraph()
    told: Any = subgraph.extra.get(end)
    had = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    bounding = had.get("bounding")
    size = cast("list[Any]", bounding)[2:4] if isinstance(bounding, list) else [120.0, 60.0]
    kept = {**had, "bounding": [*place, *size]}
    sheet.subgraphs[subgraph.id] = replace(subgraph, extra={**subgraph.extra, end: kept})


def resize(sheet: Sheet, op: ops.Resize) -> None:
    """Give a node another size."""
    sheet.put(replace(sheet.node(op.id), size=op.size))


def rearrange(sheet: Sheet, op: ops.Arrange) -> None:
    """Lay out nodes, their groups around them."""
    level = arrange(sheet.level, schemas=sheet.classes, only=op.ids)
    sheet.nodes = dict(level.nodes)
    sheet.set_groups(level.groups)


def align(sheet: Sheet, op: ops.Align) -> None:
    """Line nodes up, or put the same room between them."""
    nodes = [sheet.nodes[node_id] for node_id in dict.fromkeys(op.ids) if node_id in sheet.nodes]
    if not nodes:
        return
    if op.edge.startswith("distribute"):
        _distribute(sheet, nodes, axis=0 if op.edge == "distribute_x" else 1)
        return
    axis = 0 if op.edge in ("left", "right", "center") else 1
    starts = [node.pos[axis] for node in nodes]
    ends = [node.pos[axis] + sheet.size(node)[axis] for node in nodes]
    for node in nodes:
        size = sheet.size(node)[axis]
        if op.edge in ("left", "top"):
            place = min(starts)
        elif op.edge in ("right", "bottom"):
            place = max(ends) - size
        else:
            place = (min(starts) + max(ends) - size) / 2
        _place(sheet, node, axis=axis, place=place)


def _distribute(sheet: Sheet, nodes: list[DiagramNode], *, axis: int) -> None:
    ordered = sorted(nodes, key=lambda node: node.pos[axis])
    if len(ordered) < 3:
        return
    sizes = [sheet.size(node)[axis] for node in ordered]
    room = ordered[-1].pos[axis] + sizes[-1] - ordered[0].pos[axis] - sum(sizes)
    place = ordered[0].pos[axis]
    for node, size in zip(ordered, sizes, strict=True):
        _place(sheet, node, axis=axis, place=place)
        place += size + room / (len(ordered) - 1)


def _place(sheet: Sheet, node: DiagramNode, *, axis: int, place: float) -> None:
    pos = (place, node.pos[1]) if axis == 0 else (node.pos[0], place)
    sheet.put(replace(node, pos=pos))
