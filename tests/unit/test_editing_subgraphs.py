"""What follows from operations on subgraphs, and what is copied and pasted."""

import json
from dataclasses import replace
from typing import Any

import pytest

from app.drawing.diagram import ENTRY, EXIT, Diagram
from app.drawing.editing.pasting import copied
from tests.support.diagrams import schemas, text_to_image, with_subgraph
from tests.support.edits import SEED, add, connect, do, drawn_links, refused, value


def test_a_subgraph_takes_nodes_in_with_links_and_fields() -> None:
    """Links into it and out of it become its inputs and outputs, each source once."""
    diagram = replace(text_to_image(), parameters=(SEED,))
    made = do(diagram, {"op": "subgraph.make", "ids": ["3", "6", "7"], "name": "Draw"})
    (subgraph,) = made.subgraphs.values()
    assert set(made.root.nodes) == {"4", "5", "8", "9", "10"}
    assert [each.type for each in subgraph.inputs] == ["MODEL", "LATENT", "CLIP"]
    assert [each.type for each in subgraph.outputs] == ["LATENT"]
    assert {link for link in drawn_links(made) if "10" in (link[0], link[2])} == {
        ("4", 0, "10", "model"),
        ("5", 0, "10", "latent_image"),
        ("4", 1, "10", "clip"),
        ("10", 0, "8", "samples"),
    }
    assert len(subgraph.level.links) == 7
    assert made.parameters[0].node == "10:3"


def test_taking_a_subgraph_apart_gives_back_what_it_was_made_of() -> None:
    """The same links between nodes of the same kinds, and the form bound to them."""
    diagram = replace(text_to_image(), parameters=(SEED,))
    made = do(diagram, {"op": "subgraph.make", "ids": ["3", "6", "7"], "name": "Draw"})
    apart = do(made, {"op": "subgraph.unpack", "id": "10"})
    assert apart.subgraphs == {}

    def kinds(of: Diagram) -> set[tuple[str, int, str, str]]:
        name = {key: node.title or node.class_type for key, node in of.root.nodes.items()}
        return {(name[a], out, name[b], to) for a, out, b, to in drawn_links(of)}

    assert kinds(apart) == kinds(diagram)
    bound = apart.parameters[0].node
    assert apart.root.nodes[bound].class_type == "KSampler"


def test_a_subgraph_that_would_feed_itself_is_refused() -> None:
    """A node between those chosen has to come along."""
    op = {"op": "subgraph.make", "ids": ["4", "3"], "name": "x"}
    assert refused(text_to_image(), op) == "This subgraph would feed itself."


def test_values_of_a_subgraph_node_go_inside_when_it_is_taken_apart() -> None:
    """The value outside was the one that counted."""
    apart = do(with_subgraph(), {"op": "subgraph.unpack", "id": "20"})
    texts = [
        node.values["text"]
        for node in apart.root.nodes.values()
        if node.class_type == "CLIPTextEncode"
    ]
    assert sorted(texts) == ["a fox", "blurry"]


def test_a_change_inside_a_subgraph_is_one_of_all_that_use_it() -> None:
    """A new input appears on every node for it, and goes again."""
    fragment = copied(with_subgraph(), "", ["20"], schemas=schemas())
    diagram = do(with_subgraph(), {"op": "paste", "fragment": fragment, "pos": [900, 0]})
    both = [key for key, node in diagram.root.nodes.items() if node.class_type == "encode"]
    assert len(both) == 2
    diagram = do(
        diagram,
        add("ConditioningZeroOut"),
        connect("34", 0, "36", "conditioning"),
        connect("36", 0, EXIT, ""),
        connect(ENTRY, 1, "34", "text"),
        path="20",
    )
    for key in both:
        names = [each.name for each in diagram.root.nodes[key].outputs]
        assert names == ["CONDITIONING", "CONDITIONING_1"]
    drop = {"op": "subgraph.drop", "side": "output", "name": "CONDITIONING"}
    diagram = do(diagram, drop, path="20")
    assert [each.name for each in diagram.root.nodes["20"].outputs] == ["CONDITIONING_1"]
    assert all(link[0] != "20" for link in drawn_links(diagram))
    dropped = do(diagram, {"op": "subgraph.drop", "side": "input", "name": "clip"}, path="20")
    assert [each.name for each in dropped.subgraphs["encode"].inputs] == ["text"]
    assert dropped.root.nodes["20"].inputs == ()
    assert dropped.subgraphs["encode"].level.nodes["34"].values == {"text": "a hare"}


def test_a_free_end_of_a_subgraph_becomes_an_input_of_it() -> None:
    """Its type is what it was linked to; a widget inside shows outside."""
    diagram = do(with_subgraph(), add("KSampler"), connect(ENTRY, 2, "35", "steps"), path="20")
    assert diagram.subgraphs["encode"].inputs[2].name == "steps"
    diagram = do(diagram, value("20", "steps", 9))
    assert diagram.root.nodes["20"].values["steps"] == 9
    assert refused(diagram, value("20", "steps", "x")) == "steps must be a whole number."


def test_a_subgraph_never_contains_itself() -> None:
    """Neither added nor pasted."""
    diagram = with_subgraph()
    assert refused(diagram, add("encode"), path="20") == "A subgraph cannot contain itself."
    fragment = copied(diagram, "", ["20"], schemas=schemas())
    paste = {"op": "paste", "fragment": fragment, "pos": [0, 0]}
    assert refused(diagram, paste, path="20") == "A subgraph cannot contain itself."


def test_a_subgraph_can_be_renamed_and_goes_with_its_last_node() -> None:
    """A level that is not there any more is refused in words."""
    diagram = do(with_subgraph(), {"op": "subgraph.rename", "id": "20", "name": "Words"})
    assert diagram.subgraphs["encode"].name == "Words"
    gone = do(diagram, {"op": "remove", "ids": ["20"]})
    assert gone.subgraphs == {}
    assert refused(gone, add("KSampler"), path="20") == "This subgraph is not there any more."


def test_widgets_that_older_files_show_from_inside_are_set_inside() -> None:
    """They are called after the node inside, and bind the form to it."""
    diagram = with_subgraph()
    shown = {"properties": {"proxyWidgets": [["34", "text"]]}}
    definition = diagram.subgraphs["encode"]
    links = {key: link for key, link in definition.level.links.items() if link.output != 1}
    level = replace(definition.level, links=links)
    nodes = {**diagram.root.nodes, "20": replace(diagram.root.nodes["20"], extra=shown)}
    diagram = replace(
        diagram,
        root=replace(diagram.root, nodes=nodes),
        subgraphs={"encode": replace(definition, level=level)},
    )
    diagram = do(
        diagram, value("20", "34:text", "a wolf"), {"op": "expose", "id": "20", "name": "34:text"}
    )
    assert diagram.subgraphs["encode"].level.nodes["34"].values["text"] == "a wolf"
    assert (diagram.parameters[0].node, diagram.parameters[0].input) == ("20:34", "text")


def test_what_is_copied_can_be_pasted_into_another_workflow() -> None:
    """With links between, groups around and subgraphs inside, under ids of its own."""
    source = do(
        with_subgraph(),
        {"op": "move", "places": {"20": [1000, 1000]}},
        {"op": "group.add", "title": "Words", "box": [990, 900, 500, 600]},
    )
    fragment = json.loads(json.dumps(copied(source, "", ["20", "4"], schemas=schemas())))
    pasted = do(text_to_image(), {"op": "paste", "fragment": fragment, "pos": [0, 2000]})
    assert len(pasted.root.nodes) == 9
    new = {key: node for key, node in pasted.root.nodes.items() if int(key) > 9}
    assert {node.class_type for node in new.values()} == {"encode", "CheckpointLoaderSimple"}
    assert min(node.pos[1] for node in new.values()) == 2000
    assert [group.title for group in pasted.root.groups] == ["Words"]
    assert len(pasted.root.links) == 10
    again = do(pasted, {"op": "paste", "fragment": fragment, "pos": [0, 3000]})
    assert set(again.subgraphs) == {"encode"}
    assert again.subgraphs["encode"].name == "Encode"


def test_a_pasted_subgraph_that_means_something_else_here_gets_an_id_of_its_own() -> None:
    """Neither changes the other."""
    fragment = copied(with_subgraph(), "", ["20"], schemas=schemas())
    here = do(with_subgraph(), value("34", "text", "a bear"), path="20")
    pasted = do(here, {"op": "paste", "fragment": fragment, "pos": [0, 0]})
    assert len(pasted.subgraphs) == 2
    texts = {each.level.nodes["34"].values["text"] for each in pasted.subgraphs.values()}
    assert texts == {"a bear", "a hare"}


@pytest.mark.parametrize(
    "fragment",
    [
        {},
        {"nodes": "all of them"},
        {"nodes": [{"id": 1}]},
        {"nodes": [], "links": 7, "subgraphs": {"id": 3}},
    ],
)
def test_rubbish_is_not_pasted(fragment: dict[str, Any]) -> None:
    """It is refused, and nothing happens."""
    paste = {"op": "paste", "fragment": fragment, "pos": [0, 0]}
    assert refused(text_to_image(), paste) == "There is nothing to paste."
