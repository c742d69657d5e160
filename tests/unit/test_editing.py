"""What follows from each operation on a drawn workflow, and what is refused."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from app.drawing.diagram import Diagram, Group, Mode
from app.drawing.editing.operations import MAX_IDS, read_operations
from app.drawing.files.ui_format import read_ui, write_ui
from app.errors import InvalidRequestError
from tests.support.diagrams import schemas, text_to_image
from tests.support.edits import SEED, add, connect, do, drawn_links, refused, value


def test_a_new_node_has_the_sockets_and_values_of_its_class() -> None:
    """Values given go first; the rest is the class's own; a seed gets its control."""
    diagram = do(Diagram(), add("KSampler", values={"steps": 12}))
    node = diagram.root.nodes["1"]
    assert [each.name for each in node.inputs] == ["model", "positive", "negative", "latent_image"]
    assert [each.type for each in node.outputs] == ["LATENT"]
    assert node.values["control_after_generate"] == "randomize"
    assert (node.values["steps"], node.values["cfg"]) == (12, 8.0)


def test_a_node_that_nobody_has_cannot_be_added() -> None:
    """The refusal names the class."""
    assert refused(Diagram(), add("Nope")) == "No backend has a node of the class Nope."


def test_a_node_is_added_and_linked_with_the_first_socket_that_fits() -> None:
    """Dropping a link on the canvas adds behind an output, or before an input."""
    diagram = do(text_to_image(), add("PreviewImage", link={"from": ["8", 0]}))
    assert ("8", 0, "10", "images") in drawn_links(diagram)
    diagram = do(diagram, add("CLIPTextEncode", link={"to": ["3", "negative"]}))
    assert ("11", 0, "3", "negative") in drawn_links(diagram)
    assert ("7", 0, "3", "negative") not in drawn_links(diagram)
    assert refused(diagram, add("PreviewImage", link={"from": ["4", 1]})) == (
        "CLIP does not fit into IMAGE."
    )


def test_a_removed_node_takes_its_links_along() -> None:
    """What is not there is no reason to refuse: another page was faster."""
    diagram = do(text_to_image(), {"op": "remove", "ids": ["3", "77"]})
    assert "3" not in diagram.root.nodes
    assert all("3" not in (each.source, each.target) for each in diagram.root.links.values())
    assert len(diagram.root.links) == 4


def test_ids_are_never_given_twice() -> None:
    """Nor one that a field of the form still names."""
    diagram = replace(text_to_image(), parameters=(replace(SEED, node="20:31"),))
    assert "32" in do(diagram, add("VAEDecode")).root.nodes


def test_a_link_that_does_not_fit_is_refused_in_words() -> None:
    """Types, circles, inputs that are not there."""
    diagram = text_to_image()
    assert refused(diagram, connect("4", 0, "6", "clip")) == "MODEL does not fit into CLIP."
    assert refused(diagram, connect("8", 0, "8", "vae")) == "This link would make a circle."
    looped = do(diagram, add("VAEEncode"), connect("8", 0, "10", "pixels"))
    assert refused(looped, connect("10", 0, "3", "latent_image")) == (
        "This link would make a circle."
    )
    assert refused(diagram, connect("4", 0, "3", "nothing")) == "The node has no input nothing."
    assert refused(diagram, connect("4", 9, "3", "model")) == "The node has no such output."
    assert refused(diagram, connect("88", 0, "3", "model")) == "Node 88 is not there any more."


def test_a_link_replaces_what_fed_the_input() -> None:
    """An output may feed many inputs, an input takes one link."""
    diagram = do(text_to_image(), connect("7", 0, "3", "positive"))
    assert ("7", 0, "3", "positive") in drawn_links(diagram)
    assert ("6", 0, "3", "positive") not in drawn_links(diagram)


def test_a_widget_becomes_an_input_when_something_is_linked_to_it() -> None:
    """The value stays for when the link goes again."""
    diagram = do(text_to_image(), add("PrimitiveInt"), connect("10", 0, "3", "steps"))
    node = diagram.root.nodes["3"]
    assert node.inputs[-1].name == "steps"
    assert node.inputs[-1].widget
    assert node.values["steps"] == 20
    assert refused(diagram, connect("10", 0, "6", "text")) == "INT does not fit into STRING."


def test_growing_inputs_have_one_free_place_behind_those_linked() -> None:
    """They grow with each link, close gaps and shrink again."""
    diagram = do(text_to_image(), add("BatchImagesNode"), add("VAEDecode"))
    for name in ("images.image0", "images.image1", "images.image2"):
        diagram = do(diagram, connect("8", 0, "10", name))
    names = [each.name for each in diagram.root.nodes["10"].inputs]
    assert names == ["images.image0", "images.image1", "images.image2", "images.image3"]
    link = next(
        key for key, each in diagram.root.links.items() if each.target == "10" and each.input == 0
    )
    diagram = do(
        diagram, connect("11", 0, "10", "images.image2"), {"op": "disconnect", "links": [link]}
    )
    names = [each.name for each in diagram.root.nodes["10"].inputs]
    assert names == ["images.image0", "images.image1", "images.image2"]
    assert {link for link in drawn_links(diagram) if link[2] == "10"} == {
        ("8", 0, "10", "images.image0"),
        ("11", 0, "10", "images.image1"),
    }


def test_a_dynamic_choice_brings_other_widgets_and_sockets() -> None:
    """What belonged to the choice before goes, with its links."""
    diagram = do(text_to_image(), add("ResizeImageMaskNode"))
    node = diagram.root.nodes["10"]
    assert "resize_type.width" in node.values
    diagram = do(diagram, value("10", "resize_type", "match size"))
    diagram = do(diagram, connect("8", 0, "10", "resize_type.match"))
    node = diagram.root.nodes["10"]
    assert [each.name for each in node.inputs] == ["input", "resize_type.match"]
    assert "resize_type.width" not in node.values
    diagram = do(diagram, value("10", "resize_type", "scale by multiplier"))
    node = diagram.root.nodes["10"]
    assert [each.name for each in node.inputs] == ["input"]
    assert node.values["resize_type.multiplier"] == 1.0
    assert all(each.target != "10" for each in diagram.root.links.values())


def test_matching_types_follow_what_is_linked() -> None:
    """What goes in as a mask comes out as one."""
    diagram = do(
        text_to_image(),
        add("SolidMask"),
        add("ResizeImageMaskNode"),
        add("InvertMask"),
        connect("10", 0, "11", "input"),
    )
    assert refused(diagram, connect("11", 0, "9", "images")) == "MASK does not fit into IMAGE."
    assert ("11", 0, "12", "mask") in drawn_links(do(diagram, connect("11", 0, "12", "mask")))


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("seed", "18446744073709551615", 2**64 - 1),
        ("steps", 5.0, 5),
        ("steps", 10**6, 10**6),
        ("cfg", 3, 3),
        ("sampler_name", "no_such_sampler", "no_such_sampler"),
        ("control_after_generate", "fixed", "fixed"),
    ],
)
def test_a_value_of_the_right_kind_is_kept(name: str, sent: Any, kept: Any) -> None:
    """Out of range is for the check to say."""
    assert do(text_to_image(), value("3", name, sent)).root.nodes["3"].values[name] == kept


@pytest.mark.parametrize(
    ("node_id", "name", "sent", "said"),
    [
        ("3", "steps", "many", "steps must be a whole number."),
        ("3", "steps", 1.5, "steps must be a whole number."),
        ("3", "steps", True, "steps must be a whole number."),
        ("3", "seed", str(2**64), f"seed must be between {1 - 2**64} and {2**64 - 1}."),
        ("3", "cfg", "8", "cfg must be a number."),
        ("3", "cfg", float("nan"), "cfg must be a number."),
        ("3", "sampler_name", ["euler"], "sampler_name must be one of its choices."),
        ("3", "control_after_generate", "x", "control_after_generate must be one of its choices."),
        ("6", "text", 7, "text must be a text."),
        ("6", "text", "x" * 100_001, "A value may have 100000 characters at most."),
        ("3", "nothing", 1, "The node has no value nothing."),
    ],
)
def test_a_value_of_another_kind_is_refused(node_id: str, name: str, sent: Any, said: str) -> None:
    """The widget is named."""
    assert refused(text_to_image(), value(node_id, name, sent)) == said


def test_a_primitive_takes_after_the_first_widget_it_feeds() -> None:
    """Its value and its type; without links it is free again."""
    diagram = do(text_to_image(), add("PrimitiveNode"), connect("10", 0, "3", "steps"))
    node = diagram.root.nodes["10"]
    assert node.values["value"] == 20
    assert node.outputs[0].type == "INT"
    diagram = do(diagram, value("10", "value", 33))
    assert refused(diagram, value("10", "value", "x")) == "value must be a whole number."
    assert refused(diagram, connect("10", 0, "6", "text")) == "INT does not fit into STRING."
    assert refused(diagram, connect("10", 0, "3", "model")) == "A primitive only feeds widgets."
    link = next(key for key, each in diagram.root.links.items() if each.source == "10")
    diagram = do(diagram, {"op": "disconnect", "links": [link]})
    assert diagram.root.nodes["10"].outputs[0].type == "*"
    assert ("10", 0, "6", "text") in drawn_links(do(diagram, connect("10", 0, "6", "text")))


def test_a_reroute_lets_through_what_fits_at_its_end() -> None:
    """Also when the end was linked first."""
    diagram = do(text_to_image(), add("Reroute"), connect("10", 0, "9", "images"))
    assert refused(diagram, connect("3", 0, "10", "")) == "LATENT does not fit into IMAGE."
    diagram = do(diagram, connect("8", 0, "10", ""), add("LoraLoaderModelOnly"))
    link = next(each for each in diagram.root.links.values() if each.target == "9")
    assert link.type == "IMAGE"
    assert refused(diagram, connect("10", 0, "11", "model")) == "IMAGE does not fit into MODEL."


def test_looks_and_places_change_and_nothing_else() -> None:
    """Nodes that are not named stay the very same objects."""
    before = text_to_image()
    diagram = do(
        before,
        {"op": "move", "places": {"3": [10, 20]}},
        {"op": "resize", "id": "3", "size": [300, 200]},
        {"op": "title", "id": "3", "title": "  Draws  "},
        {"op": "mode", "ids": ["3"], "mode": "muted"},
        {"op": "collapse", "ids": ["3"], "collapsed": True},
        {"op": "color", "ids": ["3"], "color": "#aabbcc"},
    )
    node = diagram.root.nodes["3"]
    assert (node.pos, node.size, node.title) == ((10, 20), (300, 200), "Draws")
    assert (node.mode, node.collapsed, node.color) == (Mode.MUTED, True, "#aabbcc")
    assert all(diagram.root.nodes[key] is before.root.nodes[key] for key in ("4", "6", "9"))
    assert do(diagram, {"op": "title", "id": "3", "title": " "}).root.nodes["3"].title is None


def test_nodes_line_up_and_take_equal_room() -> None:
    """By their sizes."""
    diagram = text_to_image()
    for at, key in enumerate(("6", "7", "8")):
        diagram = do(
            diagram,
            {"op": "move", "places": {key: [at * at * 100, at * 300]}},
            {"op": "resize", "id": key, "size": [100 + at, 50]},
        )
    ids = ["6", "7", "8"]
    left = do(diagram, {"op": "align", "ids": ids, "edge": "left"})
    assert {left.root.nodes[key].pos[0] for key in ids} == {0}
    right = do(diagram, {"op": "align", "ids": ids, "edge": "right"})
    ends = [(node := right.root.nodes[key]).pos[0] + (node.size or (0, 0))[0] for key in ids]
    assert ends == [502, 502, 502]
    spread = do(diagram, {"op": "align", "ids": ids, "edge": "distribute_x"})
    edges = [
        (spread.root.nodes[key].pos[0], (spread.root.nodes[key].size or (0, 0))[0]) for key in ids
    ]
    rooms = [after[0] - before[0] - before[1] for before, after in pairwise(edges)]
    assert rooms[0] == pytest.approx(rooms[1])


def test_arranging_puts_sources_before_what_they_feed() -> None:
    """Everything, or only what is named."""
    diagram = do(text_to_image(), {"op": "arrange"})
    nodes = diagram.root.nodes
    for link in diagram.root.links.values():
        assert nodes[link.source].pos[0] < nodes[link.target].pos[0]
    moved = do(text_to_image(), {"op": "arrange", "ids": ["8", "9"]})
    assert moved.root.nodes["4"].pos == text_to_image().root.nodes["4"].pos


def test_frames_come_change_and_go() -> None:
    """What an edit leaves out stays; a colour can be taken off."""
    diagram = do(
        text_to_image(),
        {"op": "group.add", "title": "Text", "box": [0, 0, 100, 80], "color": "#112233"},
        {"op": "group.edit", "id": 1, "title": "Words"},
    )
    assert diagram.root.groups == (
        Group(id=1, title="Words", box=(0, 0, 100, 80), color="#112233"),
    )
    diagram = do(diagram, {"op": "group.edit", "id": 1, "color": None})
    assert diagram.root.groups[0].color is None
    assert do(diagram, {"op": "group.remove", "ids": [1]}).root.groups == ()
    assert refused(diagram, {"op": "group.edit", "id": 9, "title": "x"}) == (
        "The group is not there any more."
    )


def test_the_form_takes_widgets_and_what_is_said_of_them() -> None:
    """Names are unique; limits are in order."""
    diagram = do(
        text_to_image(),
        {"op": "expose", "id": "3", "name": "steps"},
        {"op": "expose", "id": "3", "name": "cfg"},
        {"op": "expose", "id": "3", "name": "cfg"},
    )
    assert [each.name for each in diagram.parameters] == ["steps", "cfg"]
    edit = {"op": "param.edit", "name": "cfg"}
    changes = {"name": "guidance_scale", "label": "Guidance", "min": 1, "max": 9, "help": "More"}
    diagram = do(diagram, {**edit, "changes": changes})
    assert (diagram.parameters[1].name, diagram.parameters[1].max) == ("guidance_scale", 9)
    edit = {"op": "param.edit", "name": "guidance_scale"}
    assert do(diagram, {**edit, "changes": {"max": None}}).parameters[1].max is None
    assert refused(diagram, {**edit, "changes": {"name": "steps"}}) == (
        "The form has a field steps already."
    )
    assert refused(diagram, {**edit, "changes": {"min": 10}}) == (
        "The least value of guidance_scale is above its greatest."
    )
    assert "name" in refused(diagram, {**edit, "changes": {"name": "Not a name"}})
    ordered = do(diagram, {"op": "param.order", "names": ["guidance_scale"]})
    assert [each.name for each in ordered.parameters] == ["guidance_scale", "steps"]
    assert len(do(diagram, {"op": "unexpose", "name": "steps"}).parameters) == 1


def test_nodes_of_unknown_classes_can_be_moved_linked_and_set() -> None:
    """Their sockets and values are what the file said."""
    file = {
        "nodes": [
            {
                "id": 50,
                "type": "Mystery",
                "pos": [0, 0],
                "inputs": [{"name": "picture", "type": "IMAGE", "link": None}],
                "outputs": [{"name": "out", "type": "LATENT", "links": []}],
                "widgets_values": [3, "x"],
            }
        ]
    }
    diagram = do(text_to_image(), {"op": "paste", "fragment": file, "pos": [5, 5]})
    diagram = do(
        diagram,
        connect("8", 0, "10", "picture"),
        {"op": "move", "places": {"10": [7, 7]}},
        value("10", "#1", "y"),
    )
    assert diagram.root.nodes["10"].loose == (3, "y")
    assert ("8", 0, "10", "picture") in drawn_links(diagram)
    assert refused(diagram, connect("8", 0, "10", "other")) == "The node has no input other."
    assert refused(diagram, value("10", "#2", 1)) == "The node has no value #2."
    diagram = do(diagram, add("LoraLoaderModelOnly"))
    assert refused(diagram, connect("10", 0, "11", "model")) == "LATENT does not fit into MODEL."


@pytest.mark.parametrize(
    "op",
    [
        {"op": "explode"},
        {"op": "move", "places": {"3": [float("inf"), 0]}},
        {"op": "move", "places": {"../3": [0, 0]}},
        pytest.param({"op": "remove", "ids": ["7"] * (MAX_IDS + 1)}, id="too many"),
        {"op": "add", "class": "KSampler"},
        {"op": "title", "id": "3", "title": "x" * 501},
        {"op": "color", "ids": ["3"], "color": "url(evil)"},
        {"op": "connect", "from": ["4", -1], "to": ["3", "model"]},
        "remove",
        None,
    ],
    ids=str,
)
def test_what_is_no_operation_is_refused(op: Any) -> None:
    """Whatever a browser sends, the sentence says that it was not understood."""
    with pytest.raises(InvalidRequestError, match="not understood"):
        read_operations([op])


def test_an_operation_nested_without_end_is_refused() -> None:
    """Not by running out of stack."""
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        read_operations([value("3", "steps", deep)])


def test_whatever_was_drawn_is_the_same_after_it_was_kept() -> None:
    """As the file of a draft, and read again."""
    diagram = do(
        replace(_kept(text_to_image()), parameters=(SEED,)),
        add("PrimitiveNode"),
        connect("10", 0, "3", "steps"),
        add("BatchImagesNode"),
        connect("8", 0, "11", "images.image0"),
        add("ResizeImageMaskNode", values={"resize_type": "match size"}),
        connect("11", 0, "12", "resize_type.match"),
        add("Reroute"),
        connect("12", 0, "13", ""),
        connect("13", 0, "9", "images"),
        add("MarkdownNote", values={"text": "# Read me"}),
        {"op": "group.add", "title": "All", "box": [0, 0, 500, 500]},
        {"op": "subgraph.make", "ids": ["3", "6", "7", "10"], "name": "Draw"},
    )
    first = _kept(diagram)
    assert _kept(first) == first
    assert first.root == diagram.root
    assert first.parameters == diagram.parameters
    (before,), (after,) = diagram.subgraphs.values(), first.subgraphs.values()
    assert before.level == after.level


def _kept(diagram: Diagram) -> Diagram:
    file = json.loads(json.dumps(write_ui(diagram, schemas=schemas())))
    read, findings = read_ui(file, schemas=schemas())
    assert findings == ()
    return read
