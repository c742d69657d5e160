"""A drawn workflow as JSON for the browser: a level at once, or what changed of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.draft_nodes import Drawn, plain
from app.drawing.diagram import PRIMITIVE, Diagram, Group, Link, node_at
from app.drawing.schema import Schemas


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What belongs to a draft as a whole."""

    rev: int
    can_undo: bool = False
    can_redo: bool = False
    dirty: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the browser has it."""
        return {
            "rev": self.rev,
            "canUndo": self.can_undo,
            "canRedo": self.can_redo,
            "dirty": self.dirty,
        }


def view(diagram: Diagram, path: str, *, state: State, schemas: Schemas) -> dict[str, Any]:
    """A level with everything that is to be seen of it.

    Raises:
        KeyError: there is no such level.
    """
    drawn = Drawn(diagram, path, schemas=schemas)
    nodes = {node_id: drawn.node(node_id) for node_id in drawn.ids()}
    return {
        **state.as_json(),
        "path": path,
        "crumbs": _crumbs(diagram, path),
        "nodes": nodes,
        "links": {str(link.id): _link(link) for link in drawn.level.links.values()},
        "groups": [_group(each) for each in drawn.level.groups],
        "specs": drawn.specs,
    }


def patch(
    old: Diagram, new: Diagram, path: str, *, state: State, schemas: Schemas
) -> dict[str, Any]:
    """What changed of a level; nodes and links that went are None.

    Raises:
        KeyError: there is no such level, or there was none.
    """
    before = Drawn(old, path, schemas=schemas)
    now = Drawn(new, path, schemas=schemas)
    nodes: dict[str, Any] = {}
    old_ids, new_ids = set(before.ids()), set(now.ids())
    for node_id in _suspects(before, now):
        had = before.node(node_id) if node_id in old_ids else None
        has = now.node(node_id) if node_id in new_ids else None
        if had != has:
            nodes[node_id] = has
    links: dict[str, Any] = {}
    for link_id in before.level.links.keys() | now.level.links.keys():
        had_link, link = before.level.links.get(link_id), now.level.links.get(link_id)
        if had_link is not link and had_link != link:
            links[str(link_id)] = _link(link) if link is not None else None
    changes: dict[str, Any] = {**state.as_json(), "path": path, "nodes": nodes, "links": links}
    if before.level.groups != now.level.groups:
        changes["groups"] = [_group(each) for each in now.level.groups]
    if (crumbs := _crumbs(new, path)) != _crumbs(old, path):
        changes["crumbs"] = crumbs
    fresh = {ref: spec for ref, spec in now.specs.items() if ref not in before.specs}
    return {**changes, "specs": fresh}


def _suspects(before: "Drawn", now: "Drawn") -> Iterable[str]:
    """The nodes that may look otherwise now."""
    old, new = before.level, now.level
    found = {
        key: None
        for key in [*old.nodes, *new.nodes]
        if old.nodes.get(key) is not new.nodes.get(key)
    }
    links = [
        link
        for key in old.links.keys() | new.links.keys()
        if old.links.get(key) is not new.links.get(key)
        for link in (old.links.get(key), new.links.get(key))
        if link is not None
    ]
    for link in links:
        found[link.source] = found[link.target] = None
    if before.diagram.subgraphs is not now.diagram.subgraphs:
        changed = any(
            now.diagram.subgraphs.get(key) is not subgraph
            for key, subgraph in before.diagram.subgraphs.items()
        )
        if changed:
            # A definition may promote what others inside it promote: all are looked at.
            kept = now.diagram.subgraphs
            found |= {key: None for key, node in new.nodes.items() if node.class_type in kept}
            found |= dict.fromkeys(now.ends())
    if before.exposed != now.exposed:
        other = before.exposed.items() ^ now.exposed.items()
        # A widget that is shown from inside a subgraph is one of the node that shows it.
        found |= {node_id.partition(":")[0]: None for (node_id, _), _ in other}
    found |= {key: None for key, node in new.nodes.items() if node.class_type == PRIMITIVE}
    there = {*before.ids(), *now.ids()}
    return [key for key in found if key in there]


def _crumbs(diagram: Diagram, path: str) -> list[dict[str, str]]:
    """The way from the whole workflow, which has no name here, to the level."""
    crumbs = [{"path": "", "name": ""}]
    parts = path.split(":") if path else []
    for depth in range(1, len(parts) + 1):
        at = ":".join(parts[:depth])
        node = node_at(diagram, at)
        crumbs.append({"path": at, "name": node.title or diagram.subgraphs[node.class_type].name})
    return crumbs


def _link(link: Link) -> dict[str, Any]:
    return {
        "id": str(link.id),
        "from": [link.source, link.output],
        "to": [link.target, link.input],
        "type": link.type,
    }


def _group(group: Group) -> dict[str, Any]:
    box = [plain(each) for each in group.box]
    return {"id": group.id, "title": group.title, "box": box, "color": group.color}
