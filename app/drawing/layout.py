"""Where nodes go that nobody placed: in columns from left to right, nothing over anything else.

A group keeps its nodes together: it is laid out by itself, then takes its place like a node.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.drawing.columns import Item, Point, Size, spread
from app.drawing.diagram import NOTES, REROUTE, Box, DiagramNode, Group, Level
from app.drawing.schema import NodeSchema, Schemas
from app.drawing.widgets import control_of, visible_widgets

HEAD = 30.0
"""The height of a node's title, which ComfyUI draws above its place."""
_PORT = 22.0
_WIDGET = 28  # 24 and the gap below it
_MULTILINE = 80.0
_PICTURE = 200.0
_NARROW, _WIDE = 210.0, 300.0
_LETTER = 7.5
_PADDING = 20.0  # of a group


def size_of(node: DiagramNode, schema: NodeSchema | None) -> Size:
    """The width and height of a node below its head: as somebody chose it, else estimated."""
    needed = _estimate(node, schema)
    if node.size is None or node.collapsed:
        return needed
    return node.size[0] or needed[0], node.size[1] or needed[1]


def arrange(level: Level, *, schemas: Schemas, only: Collection[str] | None = None) -> Level:
    """The level with its nodes laid out, groups around their nodes; `only`: just those.

    Their left upper corner stays where it is.
    """
    chosen = {key: level.nodes[key] for key in level.nodes if only is None or key in only}
    if not chosen:
        return level
    sizes = {key: size_of(node, schemas.get(node.class_type)) for key, node in chosen.items()}
    clusters = _clusters(level, chosen, sizes)
    edges = [
        (link.source, link.target)
        for link in level.links.values()
        if link.source in chosen and link.target in chosen and link.source != link.target
    ]
    placed = _place(None, clusters, chosen, sizes=sizes, edges=edges)
    left = min(node.pos[0] for node in chosen.values())
    top = min(node.pos[1] for node in chosen.values())
    away = (
        left - min(placed.nodes[key][0] for key in chosen),
        top - min(placed.nodes[key][1] for key in chosen),
    )
    nodes = dict(level.nodes)
    for key, (x, y) in placed.nodes.items():
        pos = (round(x + away[0]), round(y + away[1]))
        nodes[key] = nodes[key] if nodes[key].pos == pos else replace(nodes[key], pos=pos)
    groups = tuple(
        replace(group, box=_moved(placed.groups[group.id], away))
        if group.id in placed.groups
        else group
        for group in level.groups
    )
    return replace(level, nodes=nodes, groups=groups)


@dataclass(slots=True, kw_only=True)
class _Cluster:
    """A group with what lies in it; None for the ground."""

    group: Group | None
    nodes: list[str] = field(default_factory=list[str])
    inner: list[int] = field(default_factory=list[int])


@dataclass(slots=True, kw_only=True)
class _Placed:
    """Where things are, seen from the left upper corner of what they lie in."""

    size: Size = (0.0, 0.0)
    nodes: dict[str, Point] = field(default_factory=dict[str, Point])
    groups: dict[int, Box] = field(default_factory=dict[int, Box])


def _estimate(node: DiagramNode, schema: NodeSchema | None) -> Size:
    title = node.title or (schema.name if schema else node.class_type)
    width = min(_WIDE, max(_NARROW, _LETTER * len(title) + 60))
    if node.collapsed or node.class_type == REROUTE:
        return (width if node.collapsed else 75.0, 26.0)
    ports = [each for each in node.inputs if not each.widget]
    height = _PORT * max(len(ports), len(node.outputs))
    if node.class_type in NOTES:
        text = str(next(iter(node.values.values()), ""))
        lines = sum(1 + len(line) // 40 for line in text[:4000].splitlines())
        return _WIDE, max(_MULTILINE, min(600.0, 20.0 * lines))
    if schema is None:
        return width, height + _WIDGET * (len(node.values) + len(node.loose)) + 10
    widgets = visible_widgets(node, schema)
    for spec in widgets:
        height += _MULTILINE if spec.widget == "multiline" else _WIDGET
        height += _WIDGET if control_of(spec, widgets) is not None else 0
    shows = schema.is_output and any(each.type in ("IMAGE", "VIDEO") for each in node.inputs)
    if shows or any(spec.widget in ("image", "video") for spec in widgets):
        height += _PICTURE
    if any(spec.widget == "multiline" for spec in widgets):
        width = _WIDE
    return width, height + 10


def _clusters(
    level: Level, chosen: Mapping[str, DiagramNode], sizes: Mapping[str, Size]
) -> dict[int | None, _Cluster]:
    """The groups whose nodes are all to be laid out, each node in the smallest around it."""
    by_area = sorted(level.groups, key=lambda each: (each.box[2] * each.box[3], each.id))
    home: dict[str, int] = {}
    fixed: set[int] = set()
    for key, node in level.nodes.items():
        width, height = sizes.get(key) or size_of(node, None)
        centre = (node.pos[0] + width / 2, node.pos[1] + height / 2)
        frames = [group.id for group in by_area if _contains(group.box, centre)]
        if key not in chosen:
            fixed.update(frames)
        elif frames:
            home[key] = frames[0]
    free = [group for group in by_area if group.id not in fixed]
    clusters: dict[int | None, _Cluster] = {None: _Cluster(group=None)}
    clusters |= {group.id: _Cluster(group=group) for group in free}
    for key in chosen:
        around = home.get(key)
        clusters[around if around in clusters else None].nodes.append(key)
    for index, group in enumerate(free):
        larger = (each.id for each in free[index + 1 :] if _holds(each.box, group.box))
        clusters[next(larger, None)].inner.append(group.id)
    return clusters


def _place(
    key: int | None,
    clusters: Mapping[int | None, _Cluster],
    nodes: Mapping[str, DiagramNode],
    *,
    sizes: Mapping[str, Size],
    edges: Sequence[tuple[str, str]],
) -> _Placed:
    cluster = clusters[key]
    items: dict[str, Item] = {}
    inner: dict[str, _Placed] = {}
    home: dict[str, str] = {}
    for node_id in cluster.nodes:
        node, (width, height) = nodes[node_id], sizes[node_id]
        items[node_id] = Item(
            size=(width, height + HEAD),
            centre=(node.pos[0] + width / 2, node.pos[1] + height / 2),
            note=node.class_type in NOTES,
        )
        home[node_id] = node_id
    for group_id in cluster.inner:
        placed = _place(group_id, clusters, nodes, sizes=sizes, edges=edges)
        if not placed.nodes:
            continue  # an empty frame stays where it is
        name = f"group {group_id}"
        inner[name] = placed
        items[name] = Item(size=placed.size, centre=_centre(clusters[group_id].group))
        home |= dict.fromkeys(placed.nodes, name)
    between = {
        (home[a], home[b]) for a, b in edges if a in home and b in home and home[a] != home[b]
    }
    spots, size = spread(items, sorted(between))
    found = _Placed(size=size)
    inset = (_PADDING, _PADDING + HEAD) if cluster.group is not None else (0.0, 0.0)
    for name, (x, y) in spots.items():
        x, y = x + inset[0], y + inset[1]
        if name not in inner:
            found.nodes[name] = (x, y + HEAD)
            continue
        found.nodes |= {each: (x + a, y + b) for each, (a, b) in inner[name].nodes.items()}
        found.groups |= {each: _moved(box, (x, y)) for each, box in inner[name].groups.items()}
    if cluster.group is not None and spots:
        found.size = (size[0] + 2 * _PADDING, size[1] + 2 * _PADDING + HEAD)
        found.groups[cluster.group.id] = (0.0, 0.0, *found.size)
    return found


def _centre(group: Group | None) -> Point:
    x, y, width, height = group.box if group is not None else (0.0, 0.0, 0.0, 0.0)
    return x + width / 2, y + height / 2


def _contains(box: Box, point: Point) -> bool:
    return box[0] <= point[0] <= box[0] + box[2] and box[1] <= point[1] <= box[1] + box[3]


def _holds(outer: Box, inner: Box) -> bool:
    corner = (inner[0] + inner[2], inner[1] + inner[3])
    return _contains(outer, (inner[0], inner[1])) and _contains(outer, corner)


def _moved(box: Box, by: Point) -> Box:
    return (box[0] + by[0], box[1] + by[1], box[2], box[3])
