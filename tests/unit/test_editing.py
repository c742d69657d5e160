"""What follows from each operation on a drawn workflow, and what is refused."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from app.drawing.diagram import ENTRY, EXIT, Diagram, Group, Mode, Parameter
from app.drawing.editing.applying import apply
from app.drawing.editing.operations import MAX_IDS, read_operations
from app.drawing.editing.pasting import copied
from app.drawing.files.ui_format import read_ui, write_ui
from app.errors import InvalidRequestError
from tests.support.diagrams import schemas, text_to_image, with_subgraph

_SEED = Parameter(
    name="seed", node="3", input="seed", type="seed", label="Seed", class_type="KSampler"
)


def do(diagram: Diagram, *ops: dict[str, Any], path: str = "") -> Diagram:
    """The diagram after the operations, as a browser sends them."""
    for each in read_operations(json.loads(json.dumps(ops))):
        diagram = apply(diagram, path, each, schemas=schemas())
    return diagram


def refused(diagram: Diagram, *ops: dict[str, Any], path: str = "") -> str:
    """The sentence that the operations are refused with."""
    with pytest.raises(InvalidRequestError) as caught:
        do(diagram, *ops, path=path)
    return str(caught.value)


def add(class_type: str, *, x: float = 0, **more: Any) -> dict[str, Any]:
    """The operation which adds a node."""
    return {"op": "add", "class": class_type, "pos": [x, 0], **more}


def connect(source: str, output: int, target: str, name: str) -> dict[str, Any]:
    """The operation which links two nodes."""
    return {"op": "connect", "from": [source, output], "to": [target, name]}


def value(node_id: str, name: str, to: Any) -> dict[str, Any]:
    """The operation which sets a widget."""
    return {"op": "value", "id": node_id, "name": name, "value": to}


def drawn_links(diagram: Diagram) -> set[tuple[str, int, str, str]]:
    """The links of the top level, by the names of the inputs."""
    nodes = diagram.root.nodes
    return {
        (link.source, link.output, link.target, nodes[link.target].inputs[link.input].name)
        for link in diagram.root.links.values()
    }


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
    diagram = replace(text_to_image(), parameters=(replace(_SEED, node="20:31"),))
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


def test_a_subgraph_takes_nodes_in_with_links_and_fields() -> None:
    """Links into it and out of it become its inputs and outputs, each source once."""
    diagram = replace(text_to_image(), parameters=(_SEED,))
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
    diagram = replace(text_to_image(), parameters=(_SEED,))
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
        replace(_kept(text_to_image()), parameters=(_SEED,)),
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
