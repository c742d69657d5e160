"""Node classes as servers describe them, plain and dynamic, and malformed ones."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drawing.schema import NodeSchema, read_input, read_schema

_FILE = Path(__file__).parents[1] / "data" / "comfyui" / "object_info_full.json.gz"
OBJECT_INFO: dict[str, Any] = json.loads(gzip.decompress(_FILE.read_bytes()))

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def schema(class_type: str) -> NodeSchema:
    """A class of the real server."""
    return read_schema(class_type, OBJECT_INFO[class_type])


def test_a_plain_class_has_its_inputs_in_order_with_their_limits() -> None:
    sampler = schema("KSampler")

    assert [each.name for each in sampler.inputs] == [
        "model", "seed", "steps", "cfg", "sampler_name", "scheduler",
        "positive", "negative", "latent_image", "denoise",
    ]  # fmt: skip
    model, seed, steps = sampler.inputs[:3]
    assert (model.type, model.widget) == ("MODEL", None)
    assert (seed.widget, seed.max, seed.control) == ("int", 2**64 - 1, True)
    assert (steps.default, steps.min, steps.control) == (20, 1, False)
    assert sampler.outputs[0].type == "LATENT"


def test_choices_are_read_in_both_of_their_forms() -> None:
    old = read_input("a", [["x", "y"], {"default": "y"}], required=True)
    new = read_input("a", ["COMBO", {"options": ["x", "y"], "multiselect": True}], required=True)

    assert (old.type, old.widget, old.choices, old.default) == ("COMBO", "choice", ("x", "y"), "y")
    assert (new.type, new.choices, new.multiselect, new.default) == (
        "COMBO", ("x", "y"), True, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("class_type", "name", "kind"),
    [
        ("LoadImage", "image", "image"),
        ("LoadVideo", "file", "video"),
        ("LoadAudio", "audio", "audio"),
        ("Load3D", "model_file", "file"),
        ("Load3D", "image", "json"),
        ("Painter", "mask", "image"),
        ("Painter", "bg_color", "color"),
        ("CLIPTextEncode", "text", "multiline"),
        ("SaveImage", "filename_prefix", "text"),
        ("CurveEditor", "curve", "json"),
        ("ImageCropV2", "crop_region", "json"),
        ("LTXVEmptyLatentAudio", "frame_rate", "float"),
        ("ComfyNumberConvert", "value", None),
        ("SAM3_Detect", "bboxes", None),
        ("SAM3_Detect", "positive_coords", None),
        ("ResizeImageMaskNode", "resize_type", "choice"),
    ],
)
def test_a_widget_is_told_by_type_and_options(class_type: str, name: str, kind: str | None) -> None:
    found = schema(class_type).input(name)

    assert found is not None
    assert found.widget == kind


def test_a_dynamic_choice_brings_the_inputs_of_each_choice() -> None:
    resize = schema("ResizeImageMaskNode").input("resize_type")

    assert resize is not None
    assert resize.default == "scale dimensions"
    assert "match size" in resize.choices
    names = {key: [each.name for each in children] for key, children in resize.children.items()}
    assert names["scale dimensions"] == [
        "resize_type.width", "resize_type.height", "resize_type.crop",
    ]  # fmt: skip
    match = resize.children["match size"][0]
    assert (match.name, match.type, match.widget) == ("resize_type.match", "IMAGE,MASK", None)


def test_dynamic_choices_lie_within_each_other() -> None:
    video = schema("SaveVideo")

    deep = video.input("format.codec.encoding.crf")

    assert deep is not None
    assert (deep.widget, deep.default) == ("float", 23.0)


def test_a_seed_within_a_choice_has_no_control_unless_it_says_so() -> None:
    told = {"control_after_generate": True}
    spec = ["COMFY_DYNAMICCOMBO_V3", {"options": [
        {"key": "on", "inputs": {"required": {"seed": ["INT", {}], "again": ["INT", told]}}},
    ]}]  # fmt: skip

    children = read_input("mode", spec, required=True).children["on"]

    assert [(each.name, each.control) for each in children] == [
        ("mode.seed", False), ("mode.again", True),
    ]  # fmt: skip


def test_a_growing_input_names_all_that_it_may_become() -> None:
    batch, texts = schema("BatchImagesNode").input("images"), schema("StringFormat").input("values")

    assert batch is not None
    assert texts is not None
    assert [each.name for each in batch.grows[:3]] == [
        "images.image0", "images.image1", "images.image2",
    ]  # fmt: skip
    assert (len(batch.grows), batch.grows_min, batch.widget) == (50, 1, None)
    assert [each.required for each in batch.grows[:2]] == [True, False]
    assert [each.name for each in texts.grows[:2]] == ["values.a", "values.b"]
    assert (texts.grows_min, texts.grows[0].type) == (0, "*")


def test_what_grows_takes_links_only_whatever_its_type() -> None:
    shader = schema("GLSLShader")

    for name in ("floats", "ints", "bools", "curves"):
        spec = shader.input(name)
        assert spec is not None
        assert {each.widget for each in spec.grows} == {None}


def test_types_that_match_share_their_template() -> None:
    switch = schema("ComfySwitchNode")
    one, other = switch.input("on_true"), switch.input("on_false")
    resized = schema("ResizeImageMaskNode")

    assert one is not None
    assert other is not None
    assert one.template == other.template == switch.outputs[0].template == "switch"
    assert (one.type, switch.outputs[0].type) == ("*", "*")
    assert resized.outputs[0].type == "IMAGE,MASK"


def test_every_class_of_a_real_server_can_be_read() -> None:
    for class_type, entry in OBJECT_INFO.items():
        found = read_schema(class_type, entry)
        given = entry["input"]
        named = [*given.get("required", {}), *given.get("optional", {})]
        assert sorted(each.name for each in found.inputs) == sorted(named)
        assert len(found.outputs) == len(entry["output"])


def test_choices_without_end_are_not_followed_for_ever() -> None:
    spec: Any = ["INT", {}]
    for _ in range(200):
        inputs = {"required": {"a": spec}}
        spec = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "k", "inputs": inputs}]}]

    assert read_input("a", spec, required=True).children["k"]


@settings(max_examples=60, deadline=None)
@given(
    entry=st.dictionaries(st.sampled_from(["input", "output", "output_name"]), _JSON), spec=_JSON
)
def test_whatever_a_server_says_is_read_somehow(entry: dict[str, Any], spec: Any) -> None:
    read_schema("X", {**entry, "input": {"required": {"a": spec}, "optional": entry.get("input")}})
    for kind in ("COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3", "COMBO"):
        read_input("a", [kind, spec], required=True)
        read_input("a", [kind, {"template": spec, "options": spec}], required=False)
