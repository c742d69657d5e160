"""What is different between two versions of a workflow, in words."""

from dataclasses import replace

import pytest

from app.drawing.diagram import Diagram, DiagramNode, Group, Link, Mode, Parameter, Socket
from app.drawing.diffs.diffing import Comparison, compare
from app.said import Said
from components.i18n import say_in
from tests.support import diagrams as draw


def compared(old: Diagram, new: Diagram) -> Comparison:
    """The comparison with the classes of a real server."""
    return compare(old, new, schemas=draw.schemas())


def words(old: Diagram, new: Diagram) -> list[str]:
    """What is different, in words."""
    return [str(each.message) for each in compared(old, new).changes]


def test_same_workflow_has_no_changes() -> None:
    assert compared(draw.text_to_image(), draw.text_to_image()).same


def test_changed_value_is_said_from_what_to_what() -> None:
    old = draw.text_to_image()

    comparison = compared(old, draw.valued(old, "3", steps=30, sampler_name="ddim"))

    assert [str(each.message) for each in comparison.changes] == [
        "KSampler: steps 20 → 30",
        "KSampler: sampler_name euler → ddim",
    ]
    assert (comparison.changed, comparison.added, comparison.removed) == (("3",), (), ())


def test_value_that_is_the_default_of_its_class_is_no_change() -> None:
    old = draw.text_to_image()

    assert compared(old, draw.valued(old, "3", denoise=1.0)).same
    assert words(old, draw.valued(old, "3", denoise=0.5)) == ["KSampler: denoise 1.0 → 0.5"]


def test_long_texts_are_cut_and_stay_on_one_line() -> None:
    old = draw.text_to_image()

    (said,) = words(old, draw.valued(old, "6", text="a\nfox " * 100))

    assert said.startswith("Positive: text “a fox” → “a fox a fox")
    assert len(said) < 120


def test_added_and_removed_nodes_are_named_and_marked() -> None:
    old = draw.text_to_image()
    nodes = {**old.root.nodes, "10": draw.node("10", "LoraLoader")}
    new = draw.without(replace(old, root=replace(old.root, nodes=nodes)), "7")

    comparison = compared(old, new)

    assert [str(each.message) for each in comparison.changes] == [
        "Negative was removed.",
        "KSampler.negative is not connected any more.",
        "Load LoRA (Model and CLIP) was added.",
    ]
    assert (comparison.added, comparison.removed, comparison.changed) == (("10",), ("7",), ("3",))


def test_link_that_comes_from_elsewhere_names_the_node_and_its_output() -> None:
    old = draw.text_to_image()
    nodes = {**old.root.nodes, "10": draw.node("10", "LoraLoader")}
    old = replace(old, root=replace(old.root, nodes=nodes))

    assert words(old, draw.relinked(old, "10", 0, "3", 0)) == [
        "KSampler.model now comes from Load LoRA (Model and CLIP).MODEL."
    ]


def test_nodes_of_one_name_are_told_apart_by_their_ids() -> None:
    old = draw.text_to_image()
    nodes = {**old.root.nodes, "12": replace(old.root.nodes["3"], id="12")}
    old = replace(old, root=replace(old.root, nodes=nodes))

    assert words(old, draw.relinked(old, "12", 0, "8", 0)) == [
        "VAE Decode.samples now comes from KSampler 12."
    ]


def test_reroute_on_the_way_of_a_link_is_layout() -> None:
    old = draw.text_to_image()
    kind = (Socket(name="", type="*"),)
    reroute = DiagramNode(id="40", class_type="Reroute", inputs=kind, outputs=kind)
    new = replace(old, root=replace(old.root, nodes={**old.root.nodes, "40": reroute}))
    new = draw.relinked(draw.relinked(new, "4", 0, "40", 0), "40", 0, "3", 0)

    comparison = compared(old, new)

    assert comparison.changes == ()
    assert [str(each.message) for each in comparison.layout] == ["Reroute was added."]


def test_moved_nodes_and_groups_are_layout() -> None:
    old = draw.text_to_image()
    group = Group(id=1, title="Prompts", box=(0, 0, 100, 100))
    new = draw.changed(draw.changed(old, "3", pos=(50.0, 60.0)), "4", color="#335533")
    new = replace(new, root=replace(new.root, groups=(group,)))

    comparison = compared(old, new)

    assert (comparison.changes, comparison.changed) == ((), ())
    assert [str(each.message) for each in comparison.layout] == [
        "Nodes that lie or look different: 2.",
        "The group Prompts was added.",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (Mode.ACTIVE, Mode.MUTED, "Negative is muted."),
        (Mode.ACTIVE, Mode.BYPASSED, "Negative is bypassed."),
        (Mode.MUTED, Mode.ACTIVE, "Negative runs again."),
    ],
)
def test_switched_node_is_said(before: Mode, after: Mode, said: str) -> None:
    diagram = draw.text_to_image()

    old, new = (draw.changed(diagram, "7", mode=mode) for mode in (before, after))

    assert words(old, new) == [said]


def test_title_is_said_with_the_one_before() -> None:
    old = draw.text_to_image()

    assert words(old, draw.changed(old, "7", title="Not this")) == [
        "Negative is called Not this now."
    ]


def test_text_of_a_note_is_a_change_of_its_own() -> None:
    note = DiagramNode(id="50", class_type="Note", values={"text": "one"})
    diagram = draw.text_to_image()
    old = replace(diagram, root=replace(diagram.root, nodes={**diagram.root.nodes, "50": note}))

    (change,) = compared(old, draw.valued(old, "50", text="two")).changes

    assert (change.about, str(change.message)) == ("note", "The text of Note is different.")


def test_change_inside_a_subgraph_marks_every_node_that_stands_for_it() -> None:
    old = draw.with_subgraph()
    nodes = {**old.root.nodes, "21": replace(old.root.nodes["20"], id="21")}
    old = replace(old, root=replace(old.root, nodes=nodes))
    definition = old.subgraphs["encode"]
    inner = {"34": replace(definition.level.nodes["34"], mode=Mode.MUTED)}
    subgraph = replace(definition, level=replace(definition.level, nodes=inner))

    comparison = compared(old, replace(old, subgraphs={"encode": subgraph}))

    assert [str(each.message) for each in comparison.changes] == [
        "In Encode: CLIP Text Encode (Prompt) is muted."
    ]
    assert set(comparison.changed) == {"20:34", "21:34", "20", "21"}


def test_subgraph_with_another_name_and_output_is_said() -> None:
    old = draw.with_subgraph()
    definition = old.subgraphs["encode"]
    links = {key: link for key, link in definition.level.links.items() if link.target != "-20"} | {
        9: Link(id=9, source="34", output=1, target="-20", input=0)
    }
    subgraph = replace(
        definition,
        name="Encoder",
        outputs=(Socket(name="out", type="CONDITIONING"),),
        level=replace(definition.level, links=links),
    )

    assert words(old, replace(old, subgraphs={"encode": subgraph})) == [
        "The subgraph Encode is called Encoder now.",
        "The inputs or outputs of Encoder are different.",
        "In Encoder: Output 1 comes from another place.",
    ]


def test_fields_of_the_form_are_compared_by_name() -> None:
    steps = Parameter(name="steps", node="3", input="steps", type="int", label="Steps", max=50)
    seed = Parameter(name="seed", node="3", input="seed", type="seed", label="Seed")
    cfg = Parameter(name="cfg", node="3", input="cfg", type="float", label="CFG")
    old = replace(draw.text_to_image(), parameters=(steps, seed, cfg))
    form = (seed, replace(steps, max=40, label="Number of steps"), replace(seed, name="noise"))

    assert words(old, replace(old, parameters=form)) == [
        "CFG is no field of the form any more.",
        "Number of steps takes other values.",
        "Number of steps reads differently in the form.",
        "Seed is a field of the form now.",
        "The fields of the form are in another order.",
    ]


def test_changes_can_be_read_in_russian() -> None:
    old = draw.text_to_image()
    (change,) = compared(old, draw.changed(old, "7", mode=Mode.MUTED)).changes

    assert isinstance(change.message, Said)
    assert say_in("ru", change.message) == "«Negative» отключён."
