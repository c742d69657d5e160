"""The form of a workflow: suggested, bound, found again, offered."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from app.drawing.diagram import Diagram, DiagramNode, Mode, Parameter, Socket
from app.drawing.form.parameters import (
    check_parameters,
    lost,
    options_of,
    parameter_for,
    rebind,
    suggest,
)
from app.errors import InvalidRequestError
from tests.support import diagrams as draw

STEPS = Parameter(
    name="steps",
    node="3",
    input="steps",
    type="int",
    label="Steps",
    min=1,
    max=50,
    class_type="KSampler",
)


def places(parameters: Iterable[Parameter]) -> dict[str, str]:
    """Which widget each parameter sets."""
    return {each.name: f"{each.node}.{each.input}" for each in parameters}


def suggested(diagram: Diagram) -> dict[str, str]:
    """What is suggested, and where."""
    return places(suggest(diagram, schemas=draw.schemas()))


def with_form(*parameters: Parameter, diagram: Diagram | None = None) -> Diagram:
    """Text to image with a form."""
    return replace(diagram or draw.text_to_image(), parameters=parameters)


def codes(diagram: Diagram) -> list[str]:
    """What is wrong with the form."""
    return [each.code for each in check_parameters(diagram, schemas=draw.schemas())]


def test_usual_fields_are_suggested_in_the_usual_order() -> None:
    assert list(suggested(draw.text_to_image()).items()) == [
        ("prompt", "6.text"),
        ("negative_prompt", "7.text"),
        ("checkpoint", "4.ckpt_name"),
        ("width", "5.width"),
        ("height", "5.height"),
        ("steps", "3.steps"),
        ("cfg", "3.cfg"),
        ("sampler", "3.sampler_name"),
        ("scheduler", "3.scheduler"),
        ("denoise", "3.denoise"),
        ("seed", "3.seed"),
    ]


def test_suggestions_have_the_type_and_limits_of_the_widget() -> None:
    by_name = {each.name: each for each in suggest(draw.text_to_image(), schemas=draw.schemas())}

    assert [by_name[each].type for each in ("prompt", "seed", "steps", "cfg", "sampler")] == [
        "multiline",
        "seed",
        "int",
        "float",
        "choice",
    ]
    assert (by_name["steps"].min, by_name["steps"].max) == (1, 10_000)
    assert (by_name["seed"].min, by_name["seed"].max) == (None, None)
    assert by_name["negative_prompt"].label == "Negative prompt"
    assert by_name["prompt"].title == "Positive"


def test_prompts_are_told_by_what_they_feed_not_by_their_order() -> None:
    swapped = draw.relinked(draw.relinked(draw.text_to_image(), "7", 0, "3", 1), "6", 0, "3", 2)

    found = suggested(swapped)

    assert (found["prompt"], found["negative_prompt"]) == ("7.text", "6.text")


def test_prompt_is_found_through_what_changes_the_conditioning() -> None:
    diagram = draw.text_to_image()
    control = draw.node("30", "ControlNetApplyAdvanced")
    nodes = {**diagram.root.nodes, "30": control}
    diagram = replace(diagram, root=replace(diagram.root, nodes=nodes))
    for source, output, target, slot in (
        ("6", 0, "30", 0),
        ("7", 0, "30", 1),
        ("30", 0, "3", 1),
        ("30", 1, "3", 2),
    ):
        diagram = draw.relinked(diagram, source, output, target, slot)

    found = suggested(diagram)

    assert (found["prompt"], found["negative_prompt"]) == ("6.text", "7.text")


def test_zeroed_conditioning_is_no_negative_prompt() -> None:
    diagram = draw.without(draw.text_to_image(), "7")
    nodes = {**diagram.root.nodes, "31": draw.node("31", "ConditioningZeroOut")}
    diagram = replace(diagram, root=replace(diagram.root, nodes=nodes))
    diagram = draw.relinked(draw.relinked(diagram, "6", 0, "31", 0), "31", 0, "3", 2)

    found = suggested(diagram)

    assert found["prompt"] == "6.text"
    assert "negative_prompt" not in found


def test_widget_shown_on_a_subgraph_is_suggested_there() -> None:
    assert suggested(draw.with_subgraph())["prompt"] == "20.text"


def test_value_that_comes_from_a_primitive_is_suggested_there() -> None:
    diagram = draw.text_to_image()
    width = draw.node("60", "PrimitiveInt", values={"value": 640}, title="Wide")
    latent = draw.as_input(diagram.root.nodes["5"], "width", kind="INT")
    nodes = {**diagram.root.nodes, "60": width, "5": latent}
    diagram = replace(diagram, root=replace(diagram.root, nodes=nodes))
    diagram = draw.relinked(diagram, "60", 0, "5", 0)

    by_name = {each.name: each for each in suggest(diagram, schemas=draw.schemas())}

    assert (by_name["width"].node, by_name["width"].input) == ("60", "value")
    assert (by_name["width"].type, by_name["width"].label) == ("int", "Width")


def test_several_pictures_and_loras_are_numbered() -> None:
    edit = draw.node("1", "ImageBatch")
    pictures = [draw.node(key, "LoadImage") for key in ("2", "3")]
    diagram = Diagram(
        root=draw.level(
            edit,
            *pictures,
            draw.node("4", "SaveImage"),
            links=(("2", 0, "1", 0), ("3", 0, "1", 1), ("1", 0, "4", 0)),
        )
    )

    assert suggested(diagram) == {"image": "2.image", "image_2": "3.image"}


def test_nothing_is_suggested_of_what_does_not_run() -> None:
    diagram = draw.changed(draw.text_to_image(), "9", mode=Mode.MUTED)

    assert suggested(diagram) == {}


def test_ticked_widget_becomes_the_usual_field_or_one_named_after_its_node() -> None:
    diagram = draw.text_to_image()

    usual = parameter_for(diagram, "6", "text", schemas=draw.schemas())
    other = parameter_for(diagram, "9", "filename_prefix", schemas=draw.schemas())

    assert (usual.name, usual.label) == ("prompt", "Prompt")
    assert (other.name, other.type) == ("save_image_filename_prefix", "text")
    assert other.label == "Save Image: filename prefix"


def test_ticked_widget_never_takes_a_name_that_is_taken() -> None:
    first = parameter_for(draw.text_to_image(), "6", "text", schemas=draw.schemas())
    form = with_form(replace(STEPS, name=first.name), diagram=draw.text_to_image())

    again = parameter_for(form, "6", "text", schemas=draw.schemas())

    assert again.name == "positive_text"


@pytest.mark.parametrize("title", ["Прогулка", "", "123", "<b>A & B</b>", "名前"])
def test_names_for_programs_are_made_of_any_title(title: str) -> None:
    diagram = draw.changed(draw.text_to_image(), "5", title=title)

    made = parameter_for(diagram, "5", "batch_size", schemas=draw.schemas())

    assert codes(with_form(made, diagram=diagram)) == []


def test_widget_that_is_not_there_or_ticked_already_is_refused() -> None:
    diagram = with_form(STEPS)

    for path, name in (("3", "model"), ("3", "nothing"), ("99", "steps"), ("3", "steps")):
        with pytest.raises(InvalidRequestError):
            parameter_for(diagram, path, name, schemas=draw.schemas())


def test_widget_of_an_unknown_class_is_told_by_its_value() -> None:
    mystery = DiagramNode(id="70", class_type="Mystery", values={"amount": 0.5})
    diagram = draw.text_to_image()
    nodes = {**diagram.root.nodes, "70": mystery}
    diagram = replace(diagram, root=replace(diagram.root, nodes=nodes))

    assert parameter_for(diagram, "70", "amount", schemas=draw.schemas()).type == "float"


def test_widget_that_an_older_file_shows_on_a_subgraph_is_found_inside() -> None:
    diagram = draw.with_subgraph()
    instance = replace(
        diagram.root.nodes["20"],
        inputs=(Socket(name="clip", type="CLIP"),),
        extra={"properties": {"proxyWidgets": [["34", "text"], ["99", "gone"], "nonsense"]}},
    )
    definition = diagram.subgraphs["encode"]
    sockets = (definition.inputs[0],)
    links = {key: link for key, link in definition.level.links.items() if link.output != 1}
    level = replace(definition.level, links=links)
    subgraph = replace(definition, inputs=sockets, level=level)
    diagram = replace(
        draw.changed(diagram, "20", inputs=instance.inputs, extra=instance.extra),
        subgraphs={"encode": subgraph},
    )

    made = parameter_for(diagram, "20", "text", schemas=draw.schemas())
    (option,) = options_of(replace(diagram, parameters=(made,)), schemas=draw.schemas())

    assert (made.name, option.default) == ("encode_text", "a hare")


def test_form_whose_widgets_are_all_there_is_left_as_it_is() -> None:
    diagram = with_form(replace(STEPS, title=""))

    again, findings = rebind(diagram, schemas=draw.schemas())

    assert again is diagram
    assert findings == ()


def moved(diagram: Diagram, key: str, to: str, **changes: Any) -> Diagram:
    """The diagram with a node of the top level under another id, its links with it."""
    nodes = {
        (to if each == key else each): replace(node, id=to, **changes) if each == key else node
        for each, node in diagram.root.nodes.items()
    }
    links = {
        number: replace(
            link,
            source=to if link.source == key else link.source,
            target=to if link.target == key else link.target,
        )
        for number, link in diagram.root.links.items()
    }
    return replace(diagram, root=replace(diagram.root, nodes=nodes, links=links))


def test_parameter_follows_the_node_of_the_same_class_and_title() -> None:
    prompts = suggest(draw.text_to_image(), schemas=draw.schemas())[:2]
    diagram = with_form(*prompts, diagram=draw.text_to_image())
    changed = moved(moved(diagram, "6", "106"), "7", "107")

    again, findings = rebind(changed, schemas=draw.schemas())

    assert places(again.parameters) == {"prompt": "106.text", "negative_prompt": "107.text"}
    assert {each.code for each in findings} == {"parameter_moved"}


def test_parameter_follows_the_only_node_of_its_class() -> None:
    changed = moved(with_form(STEPS), "3", "103", title="Mine")

    again, _ = rebind(changed, schemas=draw.schemas())

    assert places(again.parameters) == {"steps": "103.steps"}
    assert again.parameters[0].title == "Mine"


def test_parameter_without_a_widget_is_lost_and_stays_listed() -> None:
    diagram = draw.without(with_form(STEPS), "3")

    again, findings = rebind(diagram, schemas=draw.schemas())

    assert again.parameters == (STEPS,)
    assert [(each.code, each.severity.value) for each in findings] == [
        ("parameter_lost", "warning")
    ]
    assert lost(again, schemas=draw.schemas()) == ("steps",)
    assert options_of(again, schemas=draw.schemas()) == ()


def test_parameter_does_not_go_to_one_of_several_alike() -> None:
    diagram = with_form(STEPS)
    nodes = {**diagram.root.nodes, "103": replace(diagram.root.nodes["3"], id="103")}
    nodes["104"] = replace(nodes.pop("3"), id="104")

    again, _ = rebind(
        replace(diagram, root=replace(diagram.root, nodes=nodes, links={})),
        schemas=draw.schemas(),
    )

    assert lost(again, schemas=draw.schemas()) == ("steps",)


def test_parameter_of_another_class_under_the_old_id_is_not_taken() -> None:
    diagram = draw.changed(with_form(STEPS), "3", class_type="KSamplerAdvanced")

    assert lost(diagram, schemas=draw.schemas()) == ("steps",)


def test_options_have_the_value_of_the_graph_as_default() -> None:
    diagram = draw.with_subgraph()
    form = with_form(*suggest(diagram, schemas=draw.schemas()), diagram=diagram)

    options = {each.name: each for each in options_of(form, schemas=draw.schemas())}

    assert options["prompt"].default == "a fox"
    assert (options["prompt"].node, options["prompt"].input) == ("20", "text")
    assert (options["seed"].default, options["seed"].type) == (7, "seed")
    assert (options["denoise"].default, options["denoise"].max) == (1.0, 1.0)
    assert (options["sampler"].default, options["sampler"].choices) == ("euler", ())


def test_options_of_values_that_fit_no_type_are_still_of_their_type() -> None:
    broken = draw.valued(with_form(STEPS), "3", steps="many")

    (option,) = options_of(broken, schemas=draw.schemas())

    assert option.default == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "Steps!"}, "parameter_name"),
        ({"name": "width", "type": "text"}, "parameter_name"),
        ({"min": 60}, "parameter_range"),
        ({"max": 10}, "parameter_range"),
        ({"name": "how_many", "type": "choice", "choices": ("8", "30")}, "parameter_choices"),
    ],
)
def test_mistake_in_the_form_is_said(changes: dict[str, Any], code: str) -> None:
    assert codes(with_form(replace(STEPS, **changes))) == [code]


def test_two_fields_of_one_name_and_one_that_a_link_overrules_are_said() -> None:
    diagram = draw.text_to_image()
    latent = draw.as_input(diagram.root.nodes["5"], "width", kind="INT")
    nodes = {
        **diagram.root.nodes,
        "5": latent,
        "60": draw.node("60", "PrimitiveInt", values={"value": 640}),
    }
    diagram = replace(diagram, root=replace(diagram.root, nodes=nodes))
    diagram = draw.relinked(diagram, "60", 0, "5", 0)
    width = Parameter(name="width", node="5", input="width", type="int", label="Width")
    form = with_form(width, replace(STEPS, name="width"), diagram=diagram)

    assert codes(form) == ["parameter_linked", "parameter_name"]
    assert [each.node for each in options_of(form, schemas=draw.schemas())] == ["3"]
