"""Nodes that nobody placed: in columns, nothing over anything else."""

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from app.drawing.diagram import DiagramNode, Group, Level, Link, Socket
from app.drawing.layout import HEAD, arrange, size_of
from tests.support.diagrams import schemas, text_to_image


def at_origin(level: Level) -> Level:
    """The level with all nodes on one heap."""
    return replace(level, nodes={k: replace(n, pos=(0.0, 0.0)) for k, n in level.nodes.items()})


def boxes(level: Level) -> dict[str, tuple[float, float, float, float]]:
    """The left, top, right and bottom of each node, its head too."""
    found: dict[str, tuple[float, float, float, float]] = {}
    for key, node in level.nodes.items():
        width, height = size_of(node, schemas().get(node.class_type))
        x, y = node.pos
        found[key] = (x, y - HEAD, x + width, y + height)
    return found


def overlapping(level: Level) -> list[tuple[str, str]]:
    """Pairs of nodes that lie over each other."""
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes(level).items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def test_text_to_image_reads_from_left_to_right() -> None:
    level = arrange(at_origin(text_to_image().root), schemas=schemas())

    placed = boxes(level)
    backwards = [
        link for link in level.links.values() if placed[link.source][2] >= placed[link.target][0]
    ]
    assert overlapping(level) == []
    assert backwards == []


EDGES = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=30)


def made(edges: list[tuple[int, int]], *, count: int = 15) -> Level:
    """Nodes of several sizes with these links."""
    nodes = {
        str(n): DiagramNode(
            id=str(n),
            class_type="Note" if n % 7 == 6 else "Any",
            size=(150.0 + 40 * (n % 4), 60.0 + 90 * (n % 3)),
            inputs=tuple(Socket(name=str(i), type="*") for i in range(count)),
            outputs=(Socket(name="o", type="*"),),
        )
        for n in range(count)
    }
    links = {
        n: Link(id=n, source=str(a), output=0, target=str(b), input=a)
        for n, (a, b) in enumerate(edges, start=1)
    }
    return Level(nodes=nodes, links=links)


@settings(max_examples=50, deadline=None)
@given(edges=EDGES)
def test_nothing_overlaps_and_links_go_right_where_there_is_no_loop(
    edges: list[tuple[int, int]],
) -> None:
    forward = [(a, b) for a, b in edges if a < b]
    level = arrange(made(forward), schemas=schemas())

    placed = boxes(level)
    assert overlapping(level) == []
    assert all(placed[str(a)][2] < placed[str(b)][0] for a, b in forward)


@settings(max_examples=30, deadline=None)
@given(edges=EDGES)
def test_loops_are_laid_out_too(edges: list[tuple[int, int]]) -> None:
    assert overlapping(arrange(made(edges), schemas=schemas())) == []


def test_groups_move_along_with_what_is_in_them() -> None:
    level = made([(0, 1), (1, 2), (2, 3), (3, 4)])
    spots = {key: (500.0 * int(key), 0.0) for key in level.nodes}
    nodes = {key: replace(node, pos=spots[key]) for key, node in level.nodes.items()}
    groups = (
        Group(id=1, title="outer", box=(450.0, -100.0, 1000.0, 600.0)),
        Group(id=2, title="inner", box=(950.0, -50.0, 400.0, 400.0)),
        Group(id=3, title="empty", box=(0.0, 9000.0, 10.0, 10.0)),
    )

    arranged = arrange(replace(level, nodes=nodes, groups=groups), schemas=schemas())

    outer, inner, empty = (each.box for each in arranged.groups)
    assert overlapping(arranged) == []
    assert empty == groups[2].box
    assert members(arranged, outer) == {"1", "2"}
    assert members(arranged, inner) == {"2"}
    assert outer[0] < inner[0]
    assert inner[0] + inner[2] < outer[0] + outer[2]


def members(level: Level, box: tuple[float, float, float, float]) -> set[str]:
    """The nodes that touch a frame."""
    x, y, width, height = box
    return {
        key
        for key, (left, top, right, bottom) in boxes(level).items()
        if left < x + width and x < right and top < y + height and y < bottom
    }


def test_only_the_chosen_nodes_move_and_their_corner_stays() -> None:
    level = made([(0, 1), (1, 2)])
    nodes = {key: replace(node, pos=(77.0, 33.0)) for key, node in level.nodes.items()}

    arranged = arrange(replace(level, nodes=nodes), schemas=schemas(), only={"0", "1"})

    moved = {key for key, node in arranged.nodes.items() if node.pos != (77.0, 33.0)}
    assert moved
    assert moved <= {"0", "1"}
    corner = zip(*(arranged.nodes[key].pos for key in "01"), strict=True)
    assert [min(each) for each in corner] == [77.0, 33.0]


def test_a_note_stays_with_the_part_it_lay_beside() -> None:
    level = made([(0, 1), (2, 3)], count=7)
    spots = {"0": (0.0, 0.0), "1": (400.0, 0.0), "2": (0.0, 5000.0), "3": (400.0, 5000.0)}
    spots |= {"6": (400.0, 4800.0), "4": (0.0, 9000.0), "5": (0.0, 9000.0)}
    nodes = {key: replace(node, pos=spots[key]) for key, node in level.nodes.items()}

    placed = boxes(arrange(replace(level, nodes=nodes), schemas=schemas()))

    assert placed["0"][3] < placed["6"][1] < placed["2"][1]


def test_parts_that_nothing_links_lie_beside_each_other_and_not_in_one_tower() -> None:
    chains = [(first, first + 1) for first in range(0, 24, 2)]
    level = arrange(made(chains, count=24), schemas=schemas())

    placed = boxes(level).values()
    wide = max(box[2] for box in placed) - min(box[0] for box in placed)
    high = max(box[3] for box in placed) - min(box[1] for box in placed)
    assert overlapping(level) == []
    assert 0.7 < wide / high < 3
