"""Finding nodes in a drawn workflow."""

from app.drawing.diagram import Diagram, DiagramNode, Level, Subgraph
from app.drawing.schema import NodeSchema
from app.drawing.searching import search

SAMPLER = NodeSchema(class_type="KSampler", name="Sampler")
KNOWN = {"KSampler": SAMPLER}


def node(node_id: str, class_type: str = "KSampler", title: str = "", **values: object) -> Level:
    """A level with one node."""
    drawn = DiagramNode(id=node_id, class_type=class_type, title=title or None, values=values)
    return Level(nodes={node_id: drawn})


def test_a_node_is_found_by_title_class_id_or_value() -> None:
    level = node("12", title="Second pass", prompt="a red fox", steps=24)
    diagram = Diagram(root=level)

    for text in ("second", "ksampler", "sampler", "12", "FOX", "24", "pass fox"):
        assert [each.path for each in search(diagram, text, schemas=KNOWN)] == ["12"]
    assert search(diagram, "fox owl", schemas=KNOWN) == ()
    assert search(diagram, "  ", schemas=KNOWN) == ()


def test_what_is_inside_a_subgraph_is_found_with_the_way_to_it() -> None:
    inside = Subgraph(id="s-1", name="Upscaler", level=node("34", text="a red fox"))
    diagram = Diagram(root=node("12", "s-1", title="Twice as large"), subgraphs={"s-1": inside})

    (found,) = search(diagram, "fox", schemas=KNOWN)

    assert (found.path, found.where, found.hint) == ("12:34", "Twice as large", "text: a red fox")
    assert found.title == "Sampler"


def test_names_come_before_values() -> None:
    nodes = {**node("1", text="fox").nodes, **node("2", title="Fox").nodes}

    found = search(Diagram(root=Level(nodes=nodes)), "fox", schemas=KNOWN)

    assert [each.path for each in found] == ["2", "1"]


def test_a_subgraph_that_contains_itself_ends_the_search() -> None:
    inside = Subgraph(id="s-1", name="Loop", level=node("1", "s-1"))
    diagram = Diagram(root=node("1", "s-1"), subgraphs={"s-1": inside})

    assert 1 < len(search(diagram, "loop", schemas=KNOWN)) < 50
