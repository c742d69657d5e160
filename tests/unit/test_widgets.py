"""The values of a node's widgets: as a list in a file, and by name."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.drawing.diagram import DiagramNode
from app.drawing.schema import NodeSchema, read_schema
from app.drawing.widgets import (
    control_of,
    default_of,
    names_of_values,
    split_values,
    values_list,
    visible_inputs,
    visible_widgets,
)

_FILE = Path(__file__).parents[1] / "data" / "comfyui" / "object_info_full.json.gz"
OBJECT_INFO: dict[str, Any] = json.loads(gzip.decompress(_FILE.read_bytes()))
TWO_SEEDS = {
    "input": {
        "required": {
            "seed": ["INT", {}],
            "noise_seed": ["INT", {}],
            "start": ["INT", {"control_after_generate": "fixed"}],
            "text": ["STRING", {}],
        }
    }
}


def schema(class_type: str) -> NodeSchema:
    """A class of the real server, or of these tests."""
    return read_schema(class_type, OBJECT_INFO.get(class_type, TWO_SEEDS))


def node(class_type: str, **values: Any) -> DiagramNode:
    """A node with these values."""
    return DiagramNode(id="1", class_type=class_type, values=values)


@pytest.mark.parametrize(
    ("class_type", "listed", "named"),
    [
        (
            "KSampler",
            [7, "fixed", 20, 8.0, "euler", "normal", 1.0],
            {"seed": 7, "control_after_generate": "fixed", "steps": 20, "cfg": 8.0,
             "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0},
        ),
        ("LoadImage", ["a.png", "image"], {"image": "a.png"}),
        ("LoadImageMask", ["a.png", "red", "image"], {"image": "a.png", "channel": "red"}),
        (
            "ResizeImageMaskNode",
            ["scale dimensions", 640, 480, "center", "area"],
            {"resize_type": "scale dimensions", "resize_type.width": 640,
             "resize_type.height": 480, "resize_type.crop": "center", "scale_method": "area"},
        ),
        (
            "ResizeImageMaskNode",
            ["scale by multiplier", 2.0, "area"],
            {"resize_type": "scale by multiplier", "resize_type.multiplier": 2.0,
             "scale_method": "area"},
        ),
        ("ImageCropV2", [{"x": 1, "y": 2, "width": 3, "height": 4}, 1, 2, 3, 4],
         {"crop_region": {"x": 1, "y": 2, "width": 3, "height": 4}}),
        (
            "Load3D",
            ["a.glb", "upload3dmodel", "uploadExtraResources", "clear", "", 64, 32],
            {"model_file": "a.glb", "image": "", "width": 64, "height": 32},
        ),
        (
            "Two",
            [1, "increment", 2, "randomize", 3, "fixed", "fixed"],
            {"seed": 1, "control_after_generate": "increment",
             "noise_seed": 2, "noise_seed.control_after_generate": "randomize",
             "start": 3, "start.control_after_generate": "fixed", "text": "fixed"},
        ),
    ],
    ids=["seed", "image", "mask", "choice", "other choice", "box", "buttons", "seeds"],
)  # fmt: skip
def test_lists_and_names_say_the_same(
    class_type: str, listed: list[Any], named: dict[str, Any]
) -> None:
    assert split_values(schema(class_type), listed) == (named, ())
    assert values_list(schema(class_type), named) == listed


def test_a_list_without_controls_is_read_as_well() -> None:
    old = names_of_values(schema("KSampler"), [7, 20, 8.0, "euler", "normal", 1.0])

    assert (old["seed"], old["steps"], old["sampler_name"]) == (7, 20, "euler")
    assert "control_after_generate" not in old


def test_a_control_where_the_class_tells_of_none_is_passed_over() -> None:
    plain = read_schema("P", {"input": {"required": {"value": ["INT", {}], "n": ["INT", {}]}}})

    assert names_of_values(plain, [5, "fixed", 6]) == {"value": 5, "n": 6}


def test_what_is_too_much_is_kept_apart_and_written_again() -> None:
    found, rest = split_values(schema("CLIPTextEncode"), ["a cat", None, "more"])

    assert (found, rest) == ({"text": "a cat"}, (None, "more"))
    assert values_list(schema("CLIPTextEncode"), found, rest=rest) == ["a cat", None, "more"]


def test_what_is_missing_in_a_list_is_the_default_when_it_is_written() -> None:
    found = names_of_values(schema("KSampler"), [7, "fixed", 12])

    assert found == {"seed": 7, "control_after_generate": "fixed", "steps": 12}
    assert values_list(schema("KSampler"), found)[2:4] == [12, 8.0]


def test_names_in_the_file_count_more_than_the_order_of_its_list() -> None:
    found = names_of_values(
        schema("RemeshMesh"),
        [768, "solid", 20, False, 1],
        named={"resolution": 768, "band": 1, "sign_mode": "udf", "unheard_of": 3},
    )

    assert found == {"resolution": 768, "sign_mode": "udf", "band": 1}


def test_short_names_and_words_for_controls_are_understood() -> None:
    saved = names_of_values(
        schema("SaveAudioAdvanced"), [], named={"format": "mp3", "quality": "V0"}
    )
    number = names_of_values(schema("PrimitiveInt"), [], named={"value": 3, "fixed": "increment"})
    seeds = names_of_values(
        schema("Two"), [], named={
            "seed": 1, "control_after_generate": "fixed",
            "noise_seed": 2, "control_after_generate#1": "increment",
        },
    )  # fmt: skip

    assert saved["format.quality"] == "V0"
    assert number == {"value": 3, "control_after_generate": "increment"}
    assert seeds["noise_seed.control_after_generate"] == "increment"


def test_a_node_shows_the_widgets_of_the_choice_it_holds() -> None:
    resize = schema("ResizeImageMaskNode")

    chosen = visible_widgets(node("ResizeImageMaskNode", resize_type="match size"), resize)
    unknown = visible_widgets(node("ResizeImageMaskNode", resize_type="gone"), resize)

    assert [each.name for each in chosen] == ["resize_type", "resize_type.crop", "scale_method"]
    assert [each.name for each in unknown] == ["resize_type", "scale_method"]
    both = visible_inputs(node("ResizeImageMaskNode", resize_type="match size"), resize)
    assert [each.name for each in both][:3] == ["input", "resize_type", "resize_type.match"]


def test_what_is_only_for_display_or_for_old_graphs_is_not_shown() -> None:
    compare, video = schema("ImageCompare"), schema("SaveVideo")

    assert visible_widgets(node("ImageCompare"), compare) == ()
    assert [each.name for each in visible_widgets(node("SaveVideo"), video)] == [
        "filename_prefix", "format", "format.codec",
    ]  # fmt: skip
    old = visible_widgets(node("SaveVideo", codec="h264"), video)
    assert "codec" in [each.name for each in old]


def test_the_control_of_a_seed_starts_with_what_the_class_says() -> None:
    seed, _, start, text = visible_widgets(node("Two"), schema("Two"))
    shown = visible_widgets(node("Two"), schema("Two"))

    first, third = control_of(seed, shown), control_of(start, shown)

    assert first is not None
    assert third is not None
    assert (first.name, default_of(first)) == ("control_after_generate", "randomize")
    assert (third.name, default_of(third)) == ("start.control_after_generate", "fixed")
    assert control_of(text, shown) is None


def test_defaults_lie_within_the_limits_of_their_inputs() -> None:
    for class_type, entry in OBJECT_INFO.items():
        for spec in visible_widgets(node(class_type), read_schema(class_type, entry)):
            value = default_of(spec)
            if spec.widget in ("int", "float"):
                assert spec.min is None or value >= spec.min, (class_type, spec.name)
                assert spec.max is None or value <= spec.max, (class_type, spec.name)
            if spec.choices and not spec.multiselect:
                assert value in spec.choices, (class_type, spec.name)
