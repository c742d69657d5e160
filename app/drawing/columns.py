"""Boxes with arrows between them, put into columns: each right of all that it takes from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx

    _Graph = nx.DiGraph

_GAP_X = 60.0
_GAP_Y = 40.0
_ROW_WIDTH = 1600.0  # of nodes that nothing is linked to
_SWEEPS = 6
_ASPECT = 1.6  # of parts that nothing links to each other, put beside and below each other

Size = tuple[float, float]
Point = tuple[float, float]
_Block = tuple[dict[str, Point], Size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A node, or a group with all in it, while it is laid out."""

    size: Size
    centre: Point  # where it was
    note: bool = False


def spread(
    items: Mapping[str, Item], edges: Sequence[tuple[str, str]]
) -> tuple[dict[str, Point], Size]:
    """The left upper corners of all items, and the size of the whole."""
    import networkx as nx  # here, because it takes a tenth of the start of the app

    graph: _Graph[str] = nx.DiGraph()
    graph.add_nodes_from(items)
    graph.add_edges_from(edges)
    _break_loops(graph, items)
    parts = [sorted(part) for part in nx.weakly_connected_components(graph)]
    linked = [part for part in parts if len(part) > 1]
    alone = [part[0] for part in parts if len(part) == 1]
    linked.sort(key=lambda part: (min(items[each].centre[1] for each in part), part[0]))
    notes = {name: _nearest(name, linked, items) for name in alone if items[name].note and linked}
    blocks: list[_Block] = []
    for number, part in enumerate(linked):
        above = sorted((name for name, at in notes.items() if at == number), key=_by_place(items))
        blocks.append(_block(graph.subgraph(part), items, above=above))
    spots, bottom, widest = _shelves(blocks)
    rest = sorted((name for name in alone if name not in notes), key=_by_place(items))
    bottom, widest = _row(rest, items, spots, top=bottom, widest=widest)
    return spots, (widest, max(0.0, bottom - _GAP_Y))


def _block(part: "_Graph[str]", items: Mapping[str, Item], *, above: Sequence[str]) -> _Block:
    """A connected part with the notes above it, and the size of both."""
    spots: dict[str, Point] = {}
    top, widest = _row(above, items, spots, top=0.0, widest=0.0)
    spots |= {name: (x, y + top) for name, (x, y) in _columns(part, items).items()}
    right = max(spots[name][0] + items[name].size[0] for name in part)
    return spots, (max(widest, right), max(spots[name][1] + items[name].size[1] for name in part))


def _shelves(blocks: Sequence[_Block]) -> tuple[dict[str, Point], float, float]:
    """Blocks in rows, about as wide as a window is; where what comes next begins, and the width."""
    spots: dict[str, Point] = {}
    area = sum((width + _GAP_Y) * (height + _GAP_Y) for _, (width, height) in blocks)
    limit = sqrt(area * _ASPECT)
    x, top, bottom, widest = 0.0, 0.0, 0.0, 0.0
    for inside, (width, height) in blocks:
        if x and x + width > limit:
            x, top = 0.0, bottom
        spots |= {name: (x + left, top + y) for name, (left, y) in inside.items()}
        widest = max(widest, x + width)
        bottom = max(bottom, top + height + _GAP_Y)
        x += width + _GAP_X
    return spots, bottom, widest


def _row(
    names: Iterable[str],
    items: Mapping[str, Item],
    spots: dict[str, Point],
    *,
    top: float,
    widest: float,
) -> tuple[float, float]:
    """Put items beside each other, in rows; where the next thing may begin."""
    x, height = 0.0, 0.0
    for name in names:
        width, tall = items[name].size
        if x and x + width > max(widest, _ROW_WIDTH):
            x, top, height = 0.0, top + height + _GAP_Y, 0.0
        spots[name] = (x, top)
        x, height = x + width + _GAP_Y, max(height, tall)
        widest = max(widest, x - _GAP_Y)
    return (top + height + _GAP_Y if height else top), widest


def _columns(graph: "_Graph[str]", items: Mapping[str, Item]) -> dict[str, Point]:
    """One connected part: each item right of all that it takes from."""
    import networkx as nx  # here, because it takes a tenth of the start of the app

    rank = dict.fromkeys(graph, 0)
    for name in nx.lexicographical_topological_sort(graph):
        for after in graph.successors(name):
            rank[after] = max(rank[after], rank[name] + 1)
    for name in graph:  # what takes nothing goes close to what it feeds
        if graph.in_degree(name) == 0:
            rank[name] = min(rank[after] for after in graph.successors(name)) - 1
    columns: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for name in sorted(graph, key=lambda each: (items[each].centre[1], _number(each))):
        columns[rank[name]].append(name)
    columns = [column for column in columns if column]
    _order(columns, graph)
    tops = _tops(columns, graph, items)
    spots: dict[str, Point] = {}
    x = 0.0
    highest = min(tops.values())
    for column in columns:
        for name in column:
            spots[name] = (x, tops[name] - highest)
        x += max(items[name].size[0] for name in column) + _GAP_X
    return spots


def _order(columns: list[list[str]], graph: "_Graph[str]") -> None:
    """Sort each column by where its neighbours are, so that few lines cross."""
    place = {name: at for column in columns for at, name in enumerate(column)}
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        near = graph.pred if forward else graph.succ
        for column in columns if forward else reversed(columns):
            wish = {
                name: fmean(place[each] for each in near[name]) if near[name] else place[name]
                for name in column
            }
            column.sort(key=lambda name: (wish[name], place[name]))
            place |= {name: at for at, name in enumerate(column)}


def _tops(
    columns: Sequence[Sequence[str]], graph: "_Graph[str]", items: Mapping[str, Item]
) -> dict[str, float]:
    """How far down each item is: about as far as its neighbours, without overlaps."""
    tops: dict[str, float] = {}
    for column in columns:
        y = 0.0
        for name in column:
            tops[name] = y
            y += items[name].size[1] + _GAP_Y
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        near = graph.pred if forward else graph.succ
        for column in columns if forward else reversed(columns):
            wish: list[float] = []
            for name in column:
                ends = [tops[each] + items[each].size[1] / 2 for each in near[name]]
                height = items[name].size[1]
                wish.append(fmean(ends) - height / 2 if ends else tops[name])
            heights = [items[name].size[1] + _GAP_Y for name in column]
            tops |= dict(zip(column, _apart(wish, heights), strict=True))
    return tops


def _apart(wish: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Places near those wished for, in the same order, each below the one before."""
    down: list[float] = []
    for at, top in enumerate(wish):
        down.append(max(top, down[at - 1] + heights[at - 1]) if at else top)
    up: list[float] = []
    for at in range(len(wish) - 1, -1, -1):
        up.append(min(wish[at], up[-1] - heights[at]) if up else wish[at])
    return [(low + high) / 2 for low, high in zip(down, reversed(up), strict=True)]


def _break_loops(graph: "_Graph[str]", items: Mapping[str, Item]) -> None:
    """Leave out the edges that close a loop: those that went from right to left."""
    import networkx as nx  # here, because it takes a tenth of the start of the app

    for part in list(nx.strongly_connected_components(graph)):
        if len(part) == 1:
            continue
        ordered = sorted(part, key=lambda each: (items[each].centre[0], _number(each)))
        rank = {name: at for at, name in enumerate(ordered)}
        inside = [(a, b) for a in ordered for b in graph.succ[a] if b in rank]
        graph.remove_edges_from([(a, b) for a, b in inside if rank[a] >= rank[b]])


def _nearest(name: str, parts: Sequence[Sequence[str]], items: Mapping[str, Item]) -> int:
    x, y = items[name].centre

    def far(part: Sequence[str]) -> float:
        return min(abs(items[e].centre[0] - x) + abs(items[e].centre[1] - y) for e in part)

    return min(range(len(parts)), key=lambda number: far(parts[number]))


def _by_place(items: Mapping[str, Item]) -> Callable[[str], tuple[Point, tuple[int, str]]]:
    return lambda name: (items[name].centre, _number(name))


def _number(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (0, name)
