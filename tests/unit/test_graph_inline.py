"""A workflow given with the job."""

import json
from dataclasses import replace
from typing import Any

import pytest

from app.errors import InvalidRequestError, MissingCapabilityError
from app.models import Catalog, GenerationRequest
from app.presets import Presets, SavedAs, uploaded_name

PRESETS = Presets([])
PICTURE = "c" * 64 + ".webp"
GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "base.ckpt"}},
    "2": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 20, "model": ["1", 0]}},
    "3": {"class_type": "SamplerCustom", "inputs": {"noise_seed": 2, "steps": 8, "cfg": 1.0}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "mine"}},
    "5": {"class_type": "SaveVideo", "inputs": {"video": ["3", 0], "filename_prefix": "video/x"}},
    "6": {"class_type": "LoadImage", "inputs": {"image": PICTURE}},
    "7": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
}
CLASSES = frozenset(node["class_type"] for node in GRAPH.values())
CATALOG = Catalog(node_classes=CLASSES, models={"checkpoints": ("base.ckpt",)})


def request(graph: dict[str, Any] | None = None, **changes: Any) -> GenerationRequest:
    """A job that brings its workflow."""
    return GenerationRequest(
        **{"target": "auto", "prompt": "", "graph": graph or GRAPH, "seed": 77, **changes}
    )


def test_every_node_that_saves_gets_a_prefix_of_its_own() -> None:
    built = PRESETS.build(request(), prefix="attempt", catalog=CATALOG)

    assert built.saves == (
        SavedAs(node_id="4", prefix="attempt", suffixes=(".png",)),
        SavedAs(node_id="5", prefix="attempt-5", suffixes=(".mp4", ".webm", ".mkv")),
    )
    assert built.graph["4"]["inputs"]["filename_prefix"] == "attempt"
    assert built.graph["5"]["inputs"]["filename_prefix"] == "attempt-5"
    assert built.model_key == "base.ckpt"


def test_seeds_and_options_are_put_in_and_the_original_is_left_alone() -> None:
    asked = request(options={"2.steps": 30, "cfg": 3.5})

    built = PRESETS.build(asked, prefix="p", catalog=CATALOG)

    assert built.graph["2"]["inputs"]["seed"] == built.graph["3"]["inputs"]["noise_seed"] == 77
    assert built.graph["2"]["inputs"]["steps"] == 30
    assert built.graph["3"]["inputs"] == {"noise_seed": 77, "steps": 8, "cfg": 3.5}
    assert GRAPH["2"]["inputs"] == {"seed": 1, "steps": 20, "model": ["1", 0]}


VIDEO = "d" * 64 + ".mp4"


@pytest.mark.parametrize(
    ("class_type", "name", "given"),
    [
        ("LoadVideo", "file", VIDEO),
        ("LoadAudio", "audio", "d" * 64 + ".flac"),
        ("VHS_LoadVideo", "video", VIDEO),
        ("OwnLoader", "clip", VIDEO),  # known by what its server says of it
    ],
)
def test_videos_and_sounds_of_ours_are_uploaded_where_a_node_loads_them(
    class_type: str, name: str, given: str
) -> None:
    told = json.dumps({"input": {"required": {"clip": ["COMBO", {"video_upload": True}]}}})
    catalog = replace(CATALOG, node_classes=CLASSES | {class_type}, specs={"OwnLoader": told})
    inputs = {name: given, "title": VIDEO}
    graph = {
        **GRAPH,
        "8": {"class_type": class_type, "inputs": inputs},
        "9": {"class_type": class_type, "inputs": {name: "clip.mp4"}},
    }

    built = PRESETS.build(request(graph), prefix="p", catalog=catalog)

    assert built.inputs == (PICTURE, given)
    assert built.graph["8"]["inputs"] == {name: uploaded_name(given), "title": VIDEO}
    assert built.graph["9"]["inputs"] == {name: "clip.mp4"}


def test_a_seed_that_comes_from_another_node_stays_a_link() -> None:
    graph = {**GRAPH, "2": {"class_type": "KSampler", "inputs": {"seed": ["9", 0]}}}

    built = PRESETS.build(request(graph), prefix="p", catalog=CATALOG)

    assert built.graph["2"]["inputs"]["seed"] == ["9", 0]


@pytest.mark.parametrize("option", ["steps", "nothing", "2.nothing", "99.steps", ""])
def test_an_option_without_one_single_place_is_named(option: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        PRESETS.build(request(options={option: 1}), prefix="p", catalog=CATALOG)

    assert f"'{option}'" in caught.value.message
    assert caught.value.field == f"options.{option}"


def test_only_pictures_that_were_given_to_us_are_uploaded() -> None:
    built = PRESETS.build(request(), prefix="p", catalog=CATALOG)

    assert built.inputs == (PICTURE,)
    assert built.graph["6"]["inputs"]["image"] == uploaded_name(PICTURE)
    assert built.graph["7"]["inputs"]["image"] == "example.png"


def test_missing_classes_and_files_are_named() -> None:
    lacking = Catalog(node_classes=CLASSES - {"SaveVideo"}, models={"checkpoints": ("other.ckpt",)})

    assert PRESETS.fit(request(), lacking).missing == ("node class SaveVideo", "base.ckpt")
    with pytest.raises(MissingCapabilityError, match=r"node class SaveVideo, base\.ckpt"):
        PRESETS.build(request(), prefix="p", catalog=lacking)


def test_folders_that_the_backend_did_not_list_are_left_for_it_to_check() -> None:
    graph = {**GRAPH, "8": {"class_type": "VAELoader", "inputs": {"vae_name": "any.vae"}}}
    catalog = Catalog(node_classes=CLASSES | {"VAELoader"}, models={"checkpoints": ("base.ckpt",)})

    assert PRESETS.fit(request(graph), catalog).ok


def test_what_is_no_node_is_left_out() -> None:
    graph = {**GRAPH, "extra": {"note": 1}, "8": {"class_type": 5, "inputs": {}}, "9": None}

    built = PRESETS.build(request(graph), prefix="p", catalog=CATALOG)

    assert built.graph.keys() == GRAPH.keys()
