"""The parts of a level as ComfyUI's own file has them: nodes, sockets, groups, subgraphs."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from app.drawing.diagram import (
    ENTRY,
    EXIT,
    NOTE_TEXT,
    NOTES,
    PRIMITIVE,
    DiagramNode,
    Group,
    Level,
    Mode,
    Socket,
    Subgraph,
)
from app.drawing.files.repairs import Repair, Repairs
from app.drawing.files.ui_links import Claims, id_key, read_links, type_of
from app.drawing.untrusted import as_dict, as_int, as_list, as_number
from app.drawing.widgets import CONTROL

KEPT = "_values"
"""The key of `DiagramNode.extra` for what a file said of values that no widget of ours has."""
PARTIAL = "rest"
NAMED = "named"
AS_OBJECT = "object"
AUTO_SIZE = "orchestratorAutoSize"
"""The property of a node that says: nobody chose this size."""

MODES: Mapping[int, Mode] = {0: Mode.ACTIVE, 2: Mode.MUTED, 4: Mode.BYPASSED}
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")
_NODE_KEYS = frozenset(
    "id type pos size flags order mode inputs outputs title color properties widgets_values "
    f"widgets_values_named {KEPT}".split()
)
_LEVEL_KEYS = frozenset(("nodes", "links", "groups"))
_STATE_KEYS = ("lastNodeId", "lastLinkId", "lastGroupId", "lastRerouteId")
_VALUE = "value"
_MISSING = object()
_DEFAULTS: Mapping[str, Any] = {"version": 1, "revision": 0, "config": {}, "widgets": []}


class Ids:
    """Gives nodes numbers that no other of the file has."""

    def __init__(self, levels: Iterator[Mapping[str, Any]]) -> None:
        found = (
            as_int(as_dict(n).get("id")) for each in levels for n in as_list(each.get("nodes"))
        )
        self._free = itertools.count(max((each for each in found if each is not None), default=0))
        next(self._free)

    def new(self) -> str:
        """The next one."""
        return str(next(self._free))


def read_level(
    raw: Mapping[str, Any],
    *,
    ids: Ids,
    repairs: Repairs,
    subgraph: Mapping[str, Any] | None = None,
    extensions: Any = None,
) -> Level:
    """The nodes, links and groups of a level; of a subgraph, its own data are given too."""
    claims = Claims()
    if subgraph is not None:
        for key, node_id, side in (("inputNode", ENTRY, "inputs"), ("outputNode", EXIT, "outputs")):
            claims.nodes[node_id] = node_id
            claims.nodes[id_key(as_dict(subgraph.get(key)).get("id", node_id))] = node_id
            claims.take_ends(node_id, as_list(subgraph.get(side)))
    nodes: dict[str, DiagramNode] = {}
    for each in as_list(raw.get("nodes")):
        given = as_dict(each)
        if not isinstance(given.get("type"), str):
            repairs.add(Repair.BAD_NODE)
            continue
        number = as_int(given.get("id"))
        node_id = str(number)
        if number is None or number < 0 or node_id in nodes:
            repairs.add(Repair.BAD_ID)
            claims.twice.add(node_id)
            node_id = ids.new()
        claims.nodes.setdefault(id_key(given.get("id")), node_id)
        claims.take_node(node_id, given)
        nodes[node_id] = read_node(given, node_id=node_id, repairs=repairs)
    links = read_links(raw.get("links"), claims=claims, repairs=repairs, extensions=extensions)
    return Level(nodes=nodes, links=links, groups=_groups(raw.get("groups"), repairs=repairs))


def read_node(raw: Mapping[str, Any], *, node_id: str, repairs: Repairs) -> DiagramNode:
    """A node; its values have names as far as the file gives them."""
    class_type = str(raw["type"])
    pos, size = _pair(raw.get("pos")), _pair(raw.get("size"))
    told = ((pos, raw.get("pos")), (size, raw.get("size")))
    if any(read is None and given is not None for read, given in told):
        repairs.add(Repair.BAD_PLACE)
    title, color = raw.get("title"), raw.get("color")
    flags, properties = as_dict(raw.get("flags")), as_dict(raw.get("properties"))
    if AUTO_SIZE in properties:
        if _pair(properties[AUTO_SIZE]) == size:
            size = None
        properties = {key: value for key, value in properties.items() if key != AUTO_SIZE}
    extra = {key: value for key, value in raw.items() if key not in _NODE_KEYS}
    if folded := {key: value for key, value in flags.items() if key != "collapsed"}:
        extra["flags"] = folded
    if properties:
        extra["properties"] = properties
    mode = as_int(raw.get("mode")) or 0
    if mode not in MODES:
        extra["mode"] = mode
    plain = isinstance(color, str) and _COLOR.fullmatch(color)
    if color is not None and not plain:
        extra["color"] = color
    node = DiagramNode(
        id=node_id,
        class_type=class_type,
        title=title if isinstance(title, str) and title else None,
        pos=pos or (0.0, 0.0),
        size=(max(size[0], 0.0), max(size[1], 0.0)) if size else None,
        mode=MODES.get(mode, Mode.ACTIVE),
        collapsed=bool(flags.get("collapsed")),
        color=cast("str", color) if plain else None,
        inputs=tuple(_socket(each) for each in as_list(raw.get("inputs"))),
        outputs=tuple(_socket(each) for each in as_list(raw.get("outputs"))),
        extra=extra,
    )
    return _with_values(node, raw)


def read_subgraph(raw: Mapping[str, Any], *, ids: Ids, repairs: Repairs) -> Subgraph:
    """A definition; `raw["id"]` is text."""
    level = read_level(raw, ids=ids, repairs=repairs, subgraph=raw, extensions=_extensions(raw))
    name = raw.get("name")
    left_out = _LEVEL_KEYS | {"id", "name", "inputs", "outputs", "definitions", "state"}
    extra = {key: value for key, value in raw.items() if key not in left_out}
    extra = {key: value for key, value in extra.items() if not _is_default(key, value)}
    if state := {k: v for k, v in as_dict(raw.get("state")).items() if k not in _STATE_KEYS}:
        extra["state"] = state
    return Subgraph(
        id=str(raw["id"]),
        name=name if isinstance(name, str) and name else "Subgraph",
        inputs=tuple(_end(each) for each in as_list(raw.get("inputs"))),
        outputs=tuple(_end(each) for each in as_list(raw.get("outputs"))),
        level=level,
        extra=extra,
    )


def _is_default(key: str, value: Any) -> bool:
    """Whether the writer would say the same of a subgraph by itself."""
    if key in ("inputNode", "outputNode"):
        placed = as_dict(value)
        return AUTO_SIZE in placed and placed[AUTO_SIZE] == placed.get("bounding")
    return _DEFAULTS.get(key, _MISSING) == value


def _extensions(raw: Mapping[str, Any]) -> Any:
    return as_dict(raw.get("extra")).get("linkExtensions")


def _with_values(node: DiagramNode, raw: Mapping[str, Any]) -> DiagramNode:
    listed, named = raw.get("widgets_values"), as_dict(raw.get("widgets_values_named"))
    kept: dict[str, Any] = {}
    if isinstance(listed, dict):
        named = {**cast("dict[str, Any]", listed), **named}
    values = cast("list[Any]", listed) if isinstance(listed, list) else []
    if node.class_type in NOTES or node.class_type == PRIMITIVE:
        names = (NOTE_TEXT,) if node.class_type in NOTES else (_VALUE, CONTROL)
        told = dict(zip(names, values, strict=False))
        told |= {name: value for name, value in named.items() if name in names}
        if node.class_type == PRIMITIVE and values:
            told[_VALUE] = values[0]  # its name in the file is that of the widget it feeds
        if rest := values[len(names) :]:
            kept[PARTIAL] = rest
        return replace(node, values=told, extra=_with_kept(node.extra, kept))
    if isinstance(listed, dict) and listed:
        kept[AS_OBJECT] = True
    loose = () if list(named.values()) == values else tuple(values)
    return replace(node, values=named, loose=loose, extra=_with_kept(node.extra, kept))


def _with_kept(extra: Mapping[str, Any], kept: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**extra, KEPT: kept} if kept else extra


def _socket(raw: Any) -> Socket:
    given = as_dict(raw)
    name, label = given.get("name"), given.get("label")
    name = name if isinstance(name, str) else ""
    left_out = {"name", "type", "label", "link", "links", "slot_index", "localized_name"}
    widget = given.get("widget")
    if not isinstance(widget, dict) or widget == {"name": name}:
        left_out.add("widget")
    return Socket(
        name=name,
        type=type_of(given.get("type")),
        label=label if isinstance(label, str) and label else None,
        widget=isinstance(widget, dict),
        extra={key: value for key, value in given.items() if key not in left_out},
    )


def _end(raw: Any) -> Socket:
    """An input or output of a subgraph."""
    given = {key: value for key, value in as_dict(raw).items() if key != "linkIds"}
    return _socket(given)


def _groups(raw: Any, *, repairs: Repairs) -> tuple[Group, ...]:
    groups: dict[int, Group] = {}
    free = max((as_int(as_dict(each).get("id")) or 0 for each in as_list(raw)), default=0) + 1
    for each in as_list(raw):
        given = as_dict(each)
        box = [as_number(value) for value in as_list(given.get("bounding"))]
        if len(box) != 4 or None in box:
            repairs.add(Repair.BAD_GROUP)
            continue
        x, y, width, height = cast("list[float]", box)
        group_id = as_int(given.get("id"))
        if group_id is None or group_id in groups:
            group_id, free = free, free + 1
        title, color = given.get("title"), given.get("color")
        extra = {k: v for k, v in given.items() if k not in ("id", "title", "bounding", "color")}
        plain = isinstance(color, str) and _COLOR.fullmatch(color)
        if color is not None and not plain:
            extra["color"] = color
        groups[group_id] = Group(
            id=group_id,
            title=title if isinstance(title, str) else "",
            box=(x, y, max(width, 0.0), max(height, 0.0)),
            color=cast("str", color) if plain else None,
            extra=extra,
        )
    return tuple(groups.values())


def _pair(raw: Any) -> tuple[float, float] | None:
    parts = [as_number(each) for each in as_list(raw)[:2]]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    return parts[0], parts[1]
