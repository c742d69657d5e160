"""Parts of workflows copied and put elsewhere, also into another one.

A part is written like the file that ComfyUI keeps, so that what was copied there, or a whole
file, may be pasted too.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from app.drawing.diagram import Diagram, DiagramNode, Group, Level, Subgraph
from app.drawing.editing import operations as ops
from app.drawing.editing.nodes import refuse_loops
from app.drawing.editing.sheet import MAX_NODES, Sheet
from app.drawing.files.ui_format import read_ui, settle, write_ui
from app.drawing.nesting import within
from app.drawing.schema import Schemas
from app.drawing.untrusted import as_dict, as_list
from app.errors import InvalidRequestError
from app.said import Said


def copied(
    diagram: Diagram, path: str, ids: Collection[str], *, schemas: Schemas
) -> dict[str, Any]:
    """Those nodes of a level with the links between them, their groups and subgraphs, as JSON.

    Raises:
        InvalidRequestError: there is no such level.
    """
    sheet = Sheet.at(diagram, path, schemas=schemas)
    nodes = {key: node for key, node in sheet.nodes.items() if key in ids}
    links = {
        key: link
        for key, link in sheet.links.items()
        if link.source in nodes and link.target in nodes
    }
    groups = tuple(each for each in sheet.groups if _is_around(sheet, each, nodes))
    used = {name for node in nodes.values() for name in within(diagram.subgraphs, node.class_type)}
    part = Diagram(
        root=Level(nodes=nodes, links=links, groups=groups),
        subgraphs={name: diagram.subgraphs[name] for name in used},
    )
    file = write_ui(part, schemas=schemas)
    return {
        "nodes": file["nodes"],
        "links": file["links"],
        "groups": file["groups"],
        "subgraphs": as_list(as_dict(file.get("definitions")).get("subgraphs")),
    }


def _is_around(sheet: Sheet, group: Group, chosen: Mapping[str, DiagramNode]) -> bool:
    """Whether all that is in the group was chosen, and there is something in it."""
    inside = [key for key, node in sheet.nodes.items() if _is_in(group, node, sheet.size(node))]
    return bool(inside) and all(key in chosen for key in inside)


def _is_in(group: Group, node: DiagramNode, size: tuple[float, float]) -> bool:
    x, y, width, height = group.box
    across, down = node.pos[0] + size[0] / 2, node.pos[1] + size[1] / 2
    return x <= across <= x + width and y <= down <= y + height


def paste(sheet: Sheet, op: ops.Paste) -> None:
    """Put copies of everything in the fragment there, with ids of their own."""
    fragment = _read(op.fragment, schemas=sheet.schemas)
    level = fragment.root
    if not level.nodes and not level.groups:
        raise InvalidRequestError("fragment", Said("There is nothing to paste."))
    if len(sheet.nodes) + len(level.nodes) > MAX_NODES:
        raise InvalidRequestError(
            "fragment", Said("No more than {n} nodes fit into one workflow.", n=MAX_NODES)
        )
    classes = _take_subgraphs(sheet, fragment.subgraphs)
    left, top, *_ = sheet.bounds(level.nodes.values())
    if not level.nodes:
        left, top = level.groups[0].box[:2]
    across, down = op.pos[0] - left, op.pos[1] - top
    ids: dict[str, str] = {}
    for key, node in level.nodes.items():
        class_type = classes.get(node.class_type, node.class_type)
        refuse_loops(sheet, class_type)
        ids[key] = sheet.new_node_id()
        pos = (node.pos[0] + across, node.pos[1] + down)
        sheet.put(replace(node, id=ids[key], class_type=class_type, pos=pos))
    for link in level.links.values():
        if link.source in ids and link.target in ids:
            sheet.link(ids[link.source], link.output, ids[link.target], link.input, type_=link.type)
    number = max((each.id for each in sheet.groups), default=0)
    moved = (
        replace(
            group,
            id=number + 1 + at,
            box=(group.box[0] + across, group.box[1] + down, *group.box[2:]),
        )
        for at, group in enumerate(level.groups)
    )
    sheet.set_groups((*sheet.groups, *moved))


def _read(fragment: Mapping[str, Any], *, schemas: Schemas) -> Diagram:
    file: dict[str, Any] = {"version": 0.4, "definitions": fragment.get("definitions")}
    file |= {part: as_list(fragment.get(part)) for part in ("nodes", "links", "groups")}
    if not file["definitions"]:
        file["definitions"] = {"subgraphs": as_list(fragment.get("subgraphs"))}
    diagram, _ = read_ui(file, schemas=schemas)
    return settle(diagram, schemas=schemas)


def _take_subgraphs(sheet: Sheet, given: Mapping[str, Subgraph]) -> dict[str, str]:
    """Take the definitions over; the new ids of those whose id means something else here."""
    same = [name for name in given if name in sheet.subgraphs]
    # Written and read like the fragment: what only a file adds is no difference.
    ours = Diagram(subgraphs={name: sheet.subgraphs[name] for name in same})
    kept, _ = read_ui(write_ui(ours, schemas=sheet.schemas), schemas=sheet.schemas)
    renamed = {name: str(uuid4()) for name in same if kept.subgraphs.get(name) != given[name]}
    for name, subgraph in given.items():
        nodes = {
            key: replace(node, class_type=renamed.get(node.class_type, node.class_type))
            for key, node in subgraph.level.nodes.items()
        }
        new = renamed.get(name, name)
        if new not in sheet.subgraphs:
            level = replace(subgraph.level, nodes=nodes)
            sheet.subgraphs[new] = replace(subgraph, id=new, level=level)
    return renamed
