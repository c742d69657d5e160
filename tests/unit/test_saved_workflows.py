"""Saved workflows as presets: which values go where, what a backend lacks, what is refused."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.drawing.diagram import Diagram, Parameter, ParameterType
from app.drawing.files.from_api import from_api
from app.drawing.files.importing import read_file
from app.drawing.saved import preset_of
from app.drawing.schema import NodeSchema, read_schema
from app.errors import InvalidRequestError
from app.graphs.preset import Preset
from app.graphs.running import split_id
from app.ids import new_id
from app.intake import aim_of, checked, request_of
from app.models import Catalog, GenerationRequest, Workflow, WorkflowVersion
from app.presets import Option, Presets, uploaded_name
from app.submission import MAX_SEED, Submission
from app.workflows import convert
from tests.support.fakes import info
from tests.support.values import NOW

FULL = Path(__file__).resolve().parents[1] / "data" / "comfyui" / "object_info_full.json.gz"
PICTURE = f"{'0a' * 32}.png"
GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd\\base.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["1", 1]}},
    "3": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "4": {"class_type": "VAEEncode", "inputs": {"pixels": ["3", 0], "vae": ["1", 2]}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 7,
            "steps": 20,
            "cfg": 6.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 0.7,
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["2", 0],
            "latent_image": ["4", 0],
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
}
CATALOG = Catalog(
    node_classes=frozenset(each["class_type"] for each in GRAPH.values()),
    models={"checkpoints": ("sd/base.safetensors", "other.safetensors")},
)


class Known:
    """The classes of a real server."""

    def __init__(self) -> None:
        self._entries: Mapping[str, Any] = json.loads(gzip.decompress(FULL.read_bytes()))

    @cache  # noqa: B019 - one of them lives as long as the tests
    def get(self, class_type: str, /) -> NodeSchema | None:
        """The class of that name."""
        entry = self._entries.get(class_type)
        return None if entry is None else read_schema(class_type, entry)


KNOWN = Known()


def param(name: str, place: str, type: ParameterType = "text", **more: Any) -> Parameter:
    """A field of the form."""
    node, _, input = place.partition(".")
    return Parameter(name=name, node=node, input=input, type=type, label=name.title(), **more)


def a_preset(*parameters: Parameter, diagram: Diagram | None = None, number: int = 1) -> Preset:
    """The workflow with this form, saved."""
    drawn = replace(diagram or from_api(GRAPH, schemas=KNOWN), parameters=parameters)
    made = convert(drawn, schemas=KNOWN)
    workflow = Workflow(id=new_id(), name="Foxes", created_at=NOW, updated_at=NOW)
    version = WorkflowVersion(
        workflow_id=workflow.id,
        number=number,
        author="you",
        document=made.document,
        graph=made.graph,
        created_at=NOW,
    )
    return preset_of(workflow, version, drawn, schemas=KNOWN)


def presets_with(*saved: Preset) -> Presets:
    """All the presets there are."""
    presets = Presets([])
    for each in saved:
        presets.put_saved(each, is_head=True)
    return presets


def a_request(preset: Preset, **body: Any) -> GenerationRequest:
    """What a submission asks for."""
    workflow_id, _ = split_id(preset.id)
    submission = Submission.model_validate({"backend": "auto", "workflowId": workflow_id, **body})
    aim = aim_of("auto", workflow_id, presets=presets_with(preset), infos=[info()])
    return request_of(submission, aim=aim)


def built(preset: Preset, request: GenerationRequest, catalog: Catalog = CATALOG) -> Any:
    """What is sent."""
    return presets_with(preset).build(request, prefix="job", catalog=catalog)


FORM = (
    param("prompt", "2.text", "multiline"),
    param("checkpoint", "1.ckpt_name", "choice"),
    param("strength", "5.denoise", "float", min=0.1, max=0.9),
    param("image", "3.image", "image"),
    param("seed", "5.seed", "seed"),
)


def test_each_value_of_a_request_goes_to_its_node_and_the_rest_stays_as_drawn() -> None:
    preset = a_preset(*FORM)
    request = a_request(
        preset, prompt="an owl", params={"options": {"strength": 0.5}, "image": PICTURE}
    )
    made = built(preset, replace(request, seed=42))

    assert request.preset == preset.id
    assert (request.prompt, request.image, request.options) == (
        "an owl",
        PICTURE,
        {"strength": 0.5},
    )
    assert made.graph["2"]["inputs"]["text"] == "an owl"
    assert made.graph["5"]["inputs"] == {
        **GRAPH["5"]["inputs"],
        "seed": 42,
        "denoise": 0.5,
    }
    assert made.graph["3"]["inputs"]["image"] == uploaded_name(PICTURE)
    assert made.inputs == (PICTURE,)
    assert made.graph["7"]["inputs"]["filename_prefix"] == "job"
    assert [each.node_id for each in made.saves] == ["7"]


def test_what_is_left_out_has_the_value_of_the_graph() -> None:
    preset = a_preset(*FORM)
    request = a_request(preset)
    made = built(preset, request)

    assert request.prompt == "a red fox"
    assert request.options == {"strength": 0.7}
    assert request.image is None
    assert made.graph["3"]["inputs"]["image"] == "example.png"
    assert made.inputs == ()


def test_a_model_file_is_sent_as_the_backend_calls_it_or_is_missing() -> None:
    preset = a_preset(*FORM)
    presets = presets_with(preset)
    usual, other, absent = (
        a_request(preset, params=params)
        for params in ({}, {"checkpoint": "other.safetensors"}, {"checkpoint": "none.safetensors"})
    )

    assert presets.fit(usual, CATALOG).ok
    assert presets.fit(other, CATALOG).model_key == "other.safetensors"
    assert [str(each) for each in presets.fit(absent, CATALOG).missing] == ["none.safetensors"]
    loaded = built(preset, usual).graph["1"]["inputs"]["ckpt_name"]
    assert loaded == "sd/base.safetensors"
    few = replace(CATALOG, node_classes=frozenset({"KSampler"}))
    assert "node class SaveImage" in presets.fit(usual, few).missing


def test_a_sampler_that_a_backend_does_not_have_is_replaced_by_the_nearest() -> None:
    preset = a_preset(param("sampler", "5.sampler_name"), param("scheduler", "5.scheduler"))
    catalog = replace(
        CATALOG, samplers=("euler", "euler_ancestral"), schedulers=("normal", "karras")
    )

    asked = a_request(preset, params={"sampler": "euler_a", "scheduler": "uniform"})
    made = built(preset, asked, catalog)
    usual = built(preset, a_request(preset), catalog)

    sampler = made.graph["5"]["inputs"]
    assert (sampler["sampler_name"], sampler["scheduler"]) == ("euler_ancestral", "normal")
    assert [str(each) for each in made.notices] == [
        "There is no sampler euler_a: euler_ancestral is used.",
        "There is no scheduler uniform: normal is used.",
    ]
    assert usual.notices == ()


def test_an_old_version_that_is_not_at_hand_is_called_like_its_workflow() -> None:
    preset = a_preset(FORM[0], number=2)
    presets = presets_with(preset)
    workflow_id, _ = split_id(preset.id)

    assert presets.called(f"{workflow_id}@1") == "Foxes"
    assert presets.called("sdxl") == "sdxl"


def test_a_seed_that_nobody_exposed_is_new_for_each_job_unless_it_is_fixed() -> None:
    free = a_preset(FORM[0])
    drawn = from_api(GRAPH, schemas=KNOWN)
    sampler = drawn.root.nodes["5"]
    held = replace(sampler, values={**sampler.values, "control_after_generate": "fixed"})
    level = replace(drawn.root, nodes={**drawn.root.nodes, "5": held})
    fixed = a_preset(FORM[0], diagram=replace(drawn, root=level))

    for preset, expected in ((free, 99), (fixed, 7)):
        request = replace(a_request(preset, prompt="x"), seed=99)
        assert built(preset, request).graph["5"]["inputs"]["seed"] == expected


def test_a_value_on_a_primitive_reaches_every_node_that_it_feeds() -> None:
    document = {
        "version": 0.4,
        "nodes": [
            {
                "id": 1,
                "type": "PrimitiveNode",
                "pos": [0, 0],
                "outputs": [{"name": "INT", "type": "INT", "links": [1, 2]}],
                "widgets_values": [512, "fixed"],
            },
            {
                "id": 2,
                "type": "EmptyImage",
                "pos": [300, 0],
                "inputs": [
                    {"name": "width", "type": "INT", "link": 1, "widget": {"name": "width"}},
                    {"name": "height", "type": "INT", "link": 2, "widget": {"name": "height"}},
                ],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [3]}],
                "widgets_values": [512, 512, 1, 0],
            },
            {
                "id": 3,
                "type": "SaveImage",
                "pos": [600, 0],
                "inputs": [{"name": "images", "type": "IMAGE", "link": 3}],
                "widgets_values": ["x"],
            },
        ],
        "links": [
            [1, 1, 0, 2, 0, "INT"],
            [2, 1, 0, 2, 1, "INT"],
            [3, 2, 0, 3, 0, "IMAGE"],
        ],
    }
    drawn = read_file(json.dumps(document).encode(), schemas=KNOWN).diagram
    value = next(iter(drawn.root.nodes["1"].values))
    preset = a_preset(param("side", f"1.{value}", "int"), diagram=drawn)
    made = built(
        preset,
        a_request(preset, params={"options": {"side": 128}}),
        Catalog(node_classes=frozenset()),
    )

    assert preset.variants[0].bindings["side"] == ("2.width", "2.height")
    assert made.graph["2"]["inputs"]["width"] == made.graph["2"]["inputs"]["height"] == 128


def test_a_field_whose_node_takes_no_part_is_not_in_the_form() -> None:
    preset = a_preset(FORM[0], param("gone", "99.text"))

    assert [each.name for each in preset.options] == ["prompt"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"options": {"strength": 0.95}}, "params.options.strength"),
        ({"options": {"unknown": 1}}, "params.options.unknown"),
        ({"width": 512}, "params.width"),
        ({"loras": [{"name": "x"}]}, "params.loras"),
        ({"mask": PICTURE}, "params.mask"),
    ],
    ids=["range", "unknown", "width", "loras", "mask"],
)
def test_a_value_that_the_form_does_not_take_is_refused_by_name(
    params: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        a_request(a_preset(*FORM), prompt="x", params=params)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("type_", "good", "kept", "bad"),
    [
        ("text", "x", "x", 3),
        ("multiline", "x\ny", "x\ny", "x" * 20_001),
        ("choice", "b", "b", "c"),
        ("image", "x.png", "x.png", True),
        ("seed", MAX_SEED, MAX_SEED, MAX_SEED + 1),
        ("int", 4.0, 4, 4.5),
        ("float", 4, 4.0, float("nan")),
        ("bool", True, True, 1),
    ],
)
def test_a_value_is_taken_only_in_the_kind_of_its_field(
    type_: Any, good: Any, kept: Any, bad: Any
) -> None:
    choices = ("a", "b") if type_ == "choice" else ()
    option = Option(name="x", label="X", type=type_, default="", choices=choices)

    assert checked(option, good) == kept
    assert type(checked(option, good)) is type(kept)
    with pytest.raises(InvalidRequestError):
        checked(option, bad)


def test_the_newest_version_stands_for_the_workflow_and_the_others_keep_their_ids() -> None:
    first = a_preset(FORM[0])
    workflow_id, number = split_id(first.id)
    second = replace(first, id=f"{workflow_id}@2", version=2)
    presets = presets_with(first, second)

    assert number == 1
    assert presets.get(workflow_id) is second
    assert presets.get(first.id) is first
    assert presets.all() == [second]

    presets.rename_saved(workflow_id, name="Owls", description="")
    assert {each.name for each in (presets.get(first.id), presets.get(second.id)) if each} == {
        "Owls"
    }
    presets.withdraw_saved(workflow_id)
    assert presets.get(workflow_id) is None
    assert presets.get(first.id) is not None
    assert presets.all() == []


async def test_a_version_that_nobody_asked_for_yet_is_loaded_when_it_is() -> None:
    saved = a_preset(FORM[0])
    workflow_id, _ = split_id(saved.id)
    asked: list[tuple[str, int]] = []

    async def load(wanted: str, number: int) -> Preset | None:
        asked.append((wanted, number))
        return saved if (wanted, number) == (workflow_id, 1) else None

    presets = Presets([])
    presets.consult(load)
    request = GenerationRequest(target="auto", preset=saved.id, prompt="x")
    assert not presets.fit(request, CATALOG).ok

    assert await presets.fetch(saved.id) is saved
    assert await presets.fetch(saved.id) is saved
    assert await presets.fetch("sdxl") is None
    assert await presets.fetch(f"{workflow_id}@9") is None
    assert presets.fit(request, CATALOG).ok
    assert asked == [(workflow_id, 1), (workflow_id, 9)]
