"""What is said about a drawn workflow, and which backends can run it."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.drawing.checks.checking import check, runs_on
from app.drawing.checks.readiness import summary
from app.drawing.convert import to_api
from app.drawing.diagram import Diagram, Level, Mode
from app.drawing.findings import Finding, Severity
from app.drawing.schema import InputSpec, NodeSchema
from app.models import BackendInfo, BackendStatus, Catalog
from tests.support import diagrams as draw


def found(diagram: Diagram) -> list[tuple[str, str, str | None, str | None]]:
    """Everything that is said, short."""
    return [
        (each.severity.value, each.code, each.node_id, each.input)
        for each in check(diagram, schemas=draw.schemas())
    ]


def only(diagram: Diagram) -> Finding:
    """The one thing that is said."""
    (finding,) = check(diagram, schemas=draw.schemas())
    return finding


def test_workflow_that_runs_has_no_findings() -> None:
    assert found(draw.text_to_image()) == []
    assert found(draw.with_subgraph()) == []


def test_number_out_of_range_comes_with_the_range_and_the_nearest_that_fits() -> None:
    finding = only(draw.valued(draw.text_to_image(), "3", steps=0))

    assert (finding.severity, finding.code, finding.node_id, finding.input) == (
        Severity.ERROR,
        "bad_value",
        "3",
        "steps",
    )
    assert (finding.message, finding.fix) == ("steps is 0: out of range.", "Use 1 … 10000.")
    assert finding.choices == (1,)


@pytest.mark.parametrize("value", ["many", [1, 2], None, math.nan, math.inf, {"a": 1}])
def test_value_that_no_server_could_read_is_of_the_wrong_type(value: Any) -> None:
    diagram = draw.text_to_image()
    values = {**diagram.root.nodes["3"].values, "cfg": value}

    assert found(draw.changed(diagram, "3", values=values)) == [("error", "bad_type", "3", "cfg")]


@pytest.mark.parametrize("value", ["20", 20.0, 2**53 + 1])
def test_number_that_servers_take_is_a_number(value: Any) -> None:
    assert found(draw.valued(draw.text_to_image(), "3", seed=value)) == []


def test_choice_that_is_not_offered_comes_with_near_ones() -> None:
    finding = only(draw.valued(draw.text_to_image(), "3", sampler_name="euler_ancestrall"))

    assert (finding.severity, finding.code) == (Severity.ERROR, "bad_value")
    assert finding.choices[0] == "euler_ancestral"


def test_model_that_no_backend_has_is_a_warning_with_near_ones() -> None:
    finding = only(draw.valued(draw.text_to_image(), "4", ckpt_name="tiny_sd15.safetensors"))

    assert (finding.severity, finding.code) == (Severity.WARNING, "missing_model")
    assert finding.message == "No known backend has tiny_sd15.safetensors."
    assert finding.choices == ("tiny_sd15_random.safetensors",)


def test_model_in_another_folder_is_only_called_differently() -> None:
    name = "some\\folder\\tiny_sd15_random.safetensors"

    finding = only(draw.valued(draw.text_to_image(), "4", ckpt_name=name))

    assert (finding.severity, finding.code) == (Severity.INFO, "renamed_model")
    assert finding.choices == ("tiny_sd15_random.safetensors",)


def test_unknown_class_is_a_warning_and_hides_no_other_finding() -> None:
    diagram = draw.changed(draw.text_to_image(), "8", class_type="MyDecode")

    assert found(draw.valued(diagram, "3", steps=0)) == [
        ("error", "bad_value", "3", "steps"),
        ("warning", "missing_class", "8", None),
    ]


def test_required_input_without_a_link_is_an_error() -> None:
    assert found(draw.unlinked(draw.text_to_image(), "3", 0)) == [
        ("error", "unconnected", "3", "model")
    ]


def test_link_of_the_wrong_type_names_both_types() -> None:
    finding = only(draw.relinked(draw.text_to_image(), "5", 0, "9", 0))

    assert (finding.code, finding.node_id, finding.input) == ("bad_link", "9", "images")
    assert finding.message == "images takes IMAGE, but Empty Latent Image gives LATENT."


def test_link_from_an_output_that_is_not_there_is_an_error() -> None:
    assert found(draw.relinked(draw.text_to_image(), "8", 5, "9", 0)) == [
        ("error", "bad_link", "9", "images")
    ]


def test_muted_source_leaves_a_required_input_empty() -> None:
    finding = only(draw.changed(draw.text_to_image(), "6", mode=Mode.MUTED))

    assert (finding.code, finding.node_id, finding.input) == ("muted_source", "3", "positive")
    assert finding.message == "positive comes from Positive, which is muted."


def test_bypassed_node_gives_on_what_fits_and_nothing_else() -> None:
    scaled = draw.node("10", "ImageScaleBy")
    diagram = draw.text_to_image()
    nodes = {**diagram.root.nodes, "10": replace(scaled, mode=Mode.BYPASSED)}
    diagram = replace(diagram, root=replace(diagram.root, nodes=nodes))
    through = draw.relinked(draw.relinked(diagram, "8", 0, "10", 0), "10", 0, "9", 0)

    assert found(through) == []
    assert found(draw.changed(draw.text_to_image(), "5", mode=Mode.BYPASSED)) == [
        ("error", "bypassed_source", "3", "latent_image")
    ]


def test_workflow_without_an_output_says_so_once() -> None:
    finding, *others = found(draw.without(draw.text_to_image(), "9"))

    assert finding == ("error", "no_output", None, None)
    assert others == []


def test_empty_workflow_has_no_output() -> None:
    assert found(Diagram()) == [("error", "no_output", None, None)]


def test_circle_is_told_at_each_of_its_nodes() -> None:
    diagram = draw.relinked(draw.text_to_image(), "3", 0, "3", 3)

    assert found(diagram) == [("error", "cycle", "3", None)]


def test_mistake_that_no_result_depends_on_is_a_warning() -> None:
    diagram = draw.text_to_image()
    nodes = {**diagram.root.nodes, "30": draw.node("30", "VAEDecode")}
    beside = replace(diagram, root=replace(diagram.root, nodes=nodes))

    assert found(beside) == [
        ("warning", "unconnected", "30", "samples"),
        ("warning", "unconnected", "30", "vae"),
    ]


def test_findings_inside_a_subgraph_carry_its_path() -> None:
    diagram = draw.unlinked(draw.with_subgraph(), "3", 0)
    definition = diagram.subgraphs["encode"]
    inner = {"34": replace(definition.level.nodes["34"], class_type="MyEncode")}
    subgraph = replace(definition, level=replace(definition.level, nodes=inner))
    diagram = replace(diagram, subgraphs={"encode": subgraph})

    assert ("warning", "missing_class", "20:34", None) in found(diagram)


def test_input_of_a_subgraph_is_told_where_people_can_connect_it() -> None:
    assert found(draw.unlinked(draw.with_subgraph(), "20", 0)) == [
        ("error", "unconnected", "20", "clip")
    ]


def test_subgraph_within_itself_is_a_circle_and_ends() -> None:
    diagram = draw.with_subgraph()
    definition = diagram.subgraphs["encode"]
    again = replace(diagram.root.nodes["20"], id="50")
    nodes = {**definition.level.nodes, "50": again}
    subgraph = replace(definition, level=replace(definition.level, nodes=nodes))

    assert ("error", "cycle", "20:50", None) in found(
        replace(diagram, subgraphs={"encode": subgraph})
    )


def test_subgraphs_that_multiply_are_not_looked_at_without_end() -> None:
    diagram = draw.with_subgraph()
    base = diagram.root.nodes["20"]
    definitions = dict(diagram.subgraphs)
    for depth in range(40):
        inner = "encode" if depth == 0 else f"deep{depth - 1}"
        nodes = {key: replace(base, id=key, class_type=inner) for key in ("1", "2", "3")}
        made = replace(definitions["encode"], id=f"deep{depth}", level=Level(nodes=nodes))
        definitions[made.id] = made
    root = Level(nodes={"1": replace(base, id="1", class_type="deep39")})
    began = time.perf_counter()

    said = check(Diagram(root=root, subgraphs=definitions), schemas=draw.schemas())

    assert "too_large" in {each.code for each in said}
    assert time.perf_counter() - began < 5


def test_growing_input_wants_its_least_links() -> None:
    batch = draw.node("1", "BatchImagesNode")
    shown = draw.node("2", "PreviewImage")
    diagram = Diagram(root=draw.level(batch, shown, links=(("1", 0, "2", 0),)))

    assert found(diagram) == [("error", "unconnected", "1", "images")]


def test_three_hundred_nodes_are_checked_while_somebody_types() -> None:
    diagram = draw.text_to_image()
    nodes = dict(diagram.root.nodes)
    for number in range(100, 400):
        nodes[str(number)] = replace(
            nodes["3"], id=str(number), values={"steps": 0, "sampler_name": "eulr"}
        )
    large = replace(diagram, root=replace(diagram.root, nodes=nodes))
    check(large, schemas=draw.schemas())  # what is near is found once
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        check(large, schemas=draw.schemas())
        times.append(time.perf_counter() - began)

    assert min(times) < 0.2  # a tenth of it on an idle machine


def backend(
    name: str, *, online: bool = True, known: Mapping[str, NodeSchema] | None = None
) -> tuple[BackendInfo, BackendStatus, Mapping[str, NodeSchema]]:
    """A backend with its classes."""
    classes = draw.schemas() if known is None else known
    info = BackendInfo(id=name, name=name, kind="comfyui", url="http://127.0.0.1:8188")
    catalog = Catalog(node_classes=frozenset(classes))
    return info, BackendStatus(online=online, catalog=catalog), classes


def with_choices(class_type: str, name: str, *choices: str) -> dict[str, NodeSchema]:
    """The classes of the real server, one choice changed."""
    schema = draw.schemas()[class_type]
    inputs = [
        replace(each, choices=choices) if each.name == name else each for each in schema.inputs
    ]
    return {**draw.schemas(), class_type: replace(schema, inputs=tuple(inputs))}


def graph() -> Mapping[str, Any]:
    """Text to image as it runs."""
    return to_api(draw.text_to_image(), schemas=draw.schemas()).graph


def test_backend_with_everything_runs_it() -> None:
    (readiness,) = runs_on(graph(), backends=[backend("gpu-1")])

    assert readiness.ok
    assert (readiness.standing, readiness.lacks, readiness.advice) == ("ok", (), "")


def test_backend_that_is_away_is_said_to_be_away_and_what_it_lacks_all_the_same() -> None:
    other = with_choices("CheckpointLoaderSimple", "ckpt_name", "sdxl.safetensors")

    away, lacking = runs_on(
        graph(),
        backends=[
            backend("gpu-1", online=False),
            backend("gpu-2", online=False, known=other),
        ],
    )

    assert (away.standing, away.advice) == ("offline", "gpu-1 is offline.")
    assert (lacking.standing, lacking.missing_models) == (
        "lacks",
        ("tiny_sd15_random.safetensors",),
    )


def test_what_a_backend_lacks_is_named_with_what_is_near() -> None:
    classes = with_choices("CheckpointLoaderSimple", "ckpt_name", "tiny_sd15.safetensors")
    del classes["VAEDecode"]

    (readiness,) = runs_on(graph(), backends=[backend("gpu-4", known=classes)])

    assert readiness.missing_classes == ("VAEDecode",)
    assert readiness.missing_models == ("tiny_sd15_random.safetensors",)
    assert readiness.lacks[0].choices == ("tiny_sd15.safetensors",)
    assert readiness.advice == "On gpu-4 add tiny_sd15_random.safetensors, VAEDecode."


def test_file_in_another_folder_keeps_nothing_from_running() -> None:
    name = "sd15/tiny_sd15_random.safetensors"
    classes = with_choices("CheckpointLoaderSimple", "ckpt_name", name)

    (readiness,) = runs_on(graph(), backends=[backend("gpu-1", known=classes)])

    assert readiness.ok
    assert dict(readiness.renamed) == {"4.ckpt_name": name}


def test_value_that_only_one_backend_refuses_is_told_of_that_one() -> None:
    schema = draw.schemas()["KSampler"]
    inputs = [
        replace(each, choices=("ddim",)) if each.name == "sampler_name" else each
        for each in (*schema.inputs, InputSpec(name="new_one", type="INT", widget="int"))
    ]
    older = {**draw.schemas(), "KSampler": replace(schema, inputs=tuple(inputs))}

    first, second = runs_on(graph(), backends=[backend("gpu-1"), backend("gpu-2", known=older)])

    assert first.ok
    assert [(each.kind, each.node_id, each.input) for each in second.lacks] == [
        ("value", "3", "sampler_name"),
        ("input", "3", "new_one"),
    ]
    assert second.advice == "On gpu-2: sampler_name has no choice “euler”."


def test_backend_that_told_nothing_yet_is_unknown_and_the_cloud_is_left_out() -> None:
    info, _, classes = backend("gpu-1")
    cloud = replace(info, kind="bfl")

    (readiness,) = runs_on(
        graph(),
        backends=[(info, BackendStatus(online=True), classes), (cloud, BackendStatus(), classes)],
    )

    assert (readiness.standing, readiness.ok) == ("unknown", False)


def test_backend_whose_classes_are_known_by_name_only_is_asked_for_files() -> None:
    info, _, classes = backend("gpu-1")
    catalog = Catalog(node_classes=frozenset(classes), models={"checkpoints": ("a.ckpt",)})

    (readiness,) = runs_on(graph(), backends=[(info, BackendStatus(catalog=catalog), {})])

    assert [(each.kind, each.name) for each in readiness.lacks] == [
        ("model", "tiny_sd15_random.safetensors")
    ]


def test_summary_counts_and_names_what_the_nearest_other_needs() -> None:
    other = with_choices("CheckpointLoaderSimple", "ckpt_name")
    poor = {key: each for key, each in other.items() if key != "VAEDecode"}

    readiness = runs_on(
        graph(),
        backends=[
            backend("gpu-1"),
            backend("gpu-2", online=False),
            backend("gpu-3", known=poor),
            backend("gpu-4", known=other),
        ],
    )

    assert summary(readiness) == "Runs on 1 of 4. On gpu-4 add tiny_sd15_random.safetensors."
    assert summary(readiness[:2]) == "Runs on 1 of 2."
