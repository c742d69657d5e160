"""Whatever is drawn comes back from its file, and whatever is in a file opens."""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.drawing.diagram import (
    ENTRY,
    EXIT,
    Diagram,
    DiagramNode,
    Group,
    Level,
    Link,
    Mode,
    Socket,
    Subgraph,
)
from app.drawing.files.ui_format import read_ui, write_ui
from tests.support.diagrams import again, schemas

NUMBERS = st.integers(-5000, 5000) | st.floats(-5000, 5000)
POINTS = st.tuples(NUMBERS, NUMBERS).map(lambda each: (float(each[0]), float(each[1])))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
COLORS = st.none() | st.sampled_from(["#223344", "#fff"])
SOCKETS = st.builds(Socket, name=TEXTS, type=st.sampled_from(["IMAGE", "*", "INT,FLOAT"]))


@st.composite
def nodes(draw: st.DrawFn, key: str) -> DiagramNode:
    """A node of a class that only some server has."""
    return DiagramNode(
        id=key,
        class_type=draw(st.sampled_from(["Strange", "Other (pack)"])),
        title=draw(st.none() | TEXTS.filter(bool)),
        pos=draw(POINTS),
        size=draw(st.none() | st.tuples(st.floats(1, 900), st.floats(1, 900))),
        mode=draw(st.sampled_from(Mode)),
        collapsed=draw(st.booleans()),
        color=draw(COLORS),
        inputs=tuple(draw(st.lists(SOCKETS, max_size=3))),
        outputs=tuple(draw(st.lists(SOCKETS, max_size=2))),
        values=draw(st.dictionaries(TEXTS, JSON, max_size=3)),
        extra=draw(st.sampled_from([{}, {"properties": {"ver": "1"}}, {"showAdvanced": True}])),
    )


@st.composite
def drawings(draw: st.DrawFn, *, ends: bool = False) -> Level:
    """A level; of a subgraph it has links to its two ends."""
    keys = draw(st.lists(st.integers(0, 900).map(str), unique=True, max_size=4))
    made = {key: draw(nodes(key)) for key in keys}
    sources = [(key, n) for key, each in made.items() for n in range(len(each.outputs))]
    targets = [(key, n) for key, each in made.items() for n in range(len(each.inputs))]
    if ends:
        sources, targets = [*sources, (ENTRY, 0)], [*targets, (EXIT, 0)]
    links: dict[int, Link] = {}
    for number, (target, slot) in enumerate(targets if sources else [], start=1):
        if draw(st.booleans()):
            source, output = draw(st.sampled_from(sources))
            links[number] = Link(
                id=number, source=source, output=output, target=target, input=slot, type="IMAGE"
            )
    box = st.tuples(*[st.floats(0, 900)] * 4)
    groups = [
        Group(id=n, title=draw(TEXTS), box=draw(box), color=draw(COLORS))
        for n in range(draw(st.integers(0, 2)))
    ]
    return Level(nodes=made, links=links, groups=tuple(groups))


@st.composite
def diagrams(draw: st.DrawFn) -> Diagram:
    """A workflow of unknown classes with a subgraph."""
    end = st.builds(Socket, name=TEXTS, type=st.just("IMAGE"))
    inside = Subgraph(
        id="0f3c",
        name=draw(TEXTS.filter(bool)),
        inputs=(draw(end),),
        outputs=(draw(end),),
        level=draw(drawings(ends=True)),
    )
    return Diagram(root=draw(drawings()), subgraphs={"0f3c": inside})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(diagram=diagrams())
def test_any_diagram_comes_back_from_its_file(diagram: Diagram) -> None:
    read, _ = read_ui(write_ui(diagram, schemas=schemas()), schemas=schemas())
    # Where a subgraph's ends are drawn is only decided when it is written.
    once = again(read)

    assert once == read
    assert read.root == diagram.root
    assert read.subgraphs["0f3c"].level == diagram.subgraphs["0f3c"].level


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    file=st.dictionaries(
        st.sampled_from(["nodes", "links", "groups", "extra", "definitions"]),
        st.lists(
            st.dictionaries(
                st.sampled_from(
                    [
                        "id",
                        "type",
                        "pos",
                        "size",
                        "inputs",
                        "outputs",
                        "widgets_values",
                        "bounding",
                        "flags",
                        "link",
                        "links",
                        "name",
                        "subgraphs",
                    ]
                ),
                JSON,
            ),
            max_size=4,
        )
        | JSON,
    )
)
@example(file={"nodes": [{"type": "", "widgets_values": {}}]})
@example(file={"nodes": [{"type": "Note", "widgets_values": {"text": "a"}}]})
def test_whatever_is_in_a_file_it_opens(file: dict[str, Any]) -> None:
    read, _ = read_ui(file, schemas=schemas())

    assert again(read) == read
