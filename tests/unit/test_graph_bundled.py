"""The bundled workflows against what a real server says of its nodes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.graphs.nodes import FOLDERS, is_link
from app.graphs.preset import Option, Preset, Variant
from data.preset_texts import MESSAGES
from data.presets import load_presets

_FILE = Path(__file__).parents[1] / "data" / "comfyui" / "object_info_of_presets.json"
NODES: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
PRESETS = [preset for preset in load_presets().all() if preset.kind == "comfyui"]
VARIANTS = [
    pytest.param(preset, variant, id=f"{preset.id}-{number}")
    for preset in PRESETS
    for number, variant in enumerate(preset.variants, start=1)
]
LITERALS = {"INT": int, "FLOAT": (int, float), "STRING": str, "BOOLEAN": bool}


def specs(class_type: str) -> dict[str, list[Any]]:
    """The inputs of a node class."""
    given = NODES[class_type]["input"]
    return {**given.get("required", {}), **given.get("optional", {})}


def inputs(variant: Variant) -> Iterator[tuple[str, str, Any, list[Any]]]:
    """Every input of a graph: node, name, value and what the server says of it."""
    for node_id, node in variant.graph.items():
        known = specs(node["class_type"])
        for name, value in node["inputs"].items():
            if "." not in name:  # those belong to a choice before the dot
                yield node_id, name, value, known[name]


def choices(spec: list[Any]) -> list[Any] | None:
    """What an input lets one choose of."""
    if isinstance(spec[0], list):
        return spec[0]
    if spec[0] == "COMBO":
        return spec[1]["options"]
    if spec[0] == "COMFY_DYNAMICCOMBO_V3":
        return [option["key"] for option in spec[1]["options"]]
    return None


@pytest.mark.parametrize(("preset", "variant"), VARIANTS)
def test_every_required_input_is_given(preset: Preset, variant: Variant) -> None:
    missing = [
        f"{node_id}.{name}"
        for node_id, node in variant.graph.items()
        for name in NODES[node["class_type"]]["input"]["required"]
        if name not in node["inputs"]
    ]

    assert missing == []


@pytest.mark.parametrize(("preset", "variant"), VARIANTS)
def test_every_literal_is_one_the_server_takes(preset: Preset, variant: Variant) -> None:
    files = {f"{slot.node}.{slot.input}" for slot in variant.models}
    files |= {place for name in ("image", "mask") for place in variant.bindings.get(name, ())}
    for node_id, name, value, spec in inputs(variant):
        if is_link(value) or f"{node_id}.{name}" in files:
            continue
        offered = choices(spec)
        if offered is not None:
            assert value in offered, (node_id, name)
        else:
            assert isinstance(value, LITERALS[spec[0]]), (node_id, name)
            limits = spec[1] if len(spec) > 1 else {}
            if not isinstance(value, str | bool):
                assert limits["min"] <= value <= limits["max"], (node_id, name)


@pytest.mark.parametrize(("preset", "variant"), VARIANTS)
def test_every_link_brings_what_its_input_wants(preset: Preset, variant: Variant) -> None:
    links = [(spec[0], value) for _, _, value, spec in inputs(variant) if is_link(value)]

    for wanted, (source, slot) in links:
        assert NODES[variant.graph[source]["class_type"]]["output"][slot] == wanted
    assert links


@pytest.mark.parametrize(("preset", "variant"), VARIANTS)
def test_every_binding_and_model_has_its_place(preset: Preset, variant: Variant) -> None:
    places = [place for each in variant.bindings.values() for place in each]
    places += [f"{slot.node}.{slot.input}" for slot in variant.models]
    for place in places:
        node_id, name = place.split(".", 1)
        assert name in variant.graph[node_id]["inputs"], place
        assert not is_link(variant.graph[node_id]["inputs"][name]), place
    for slot in variant.models:
        folders = FOLDERS[variant.graph[slot.node]["class_type"], slot.input]
        assert slot.folder == folders[0]


@pytest.mark.parametrize(("preset", "variant"), VARIANTS)
def test_its_files_come_from_nodes_that_save(preset: Preset, variant: Variant) -> None:
    savers = [
        key for key, node in variant.graph.items() if NODES[node["class_type"]]["output_node"]
    ]

    assert list(variant.saves) == savers
    assert all("filename_prefix" in variant.graph[key]["inputs"] for key in savers)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda each: each.id)
def test_what_it_takes_reaches_one_of_its_variants(preset: Preset) -> None:
    bound = {name for variant in preset.variants for name in variant.bindings}
    bound |= {slot.field or "" for variant in preset.variants for slot in variant.models}
    if any(variant.lora_model and variant.lora_clip for variant in preset.variants):
        bound.add("loras")
    if any(variant.vae for variant in preset.variants):
        bound.add("vae")

    assert {*preset.fields, *(option.name for option in preset.options)} - bound == set()
    # A guidance-distilled model runs at one CFG: it is told with the picture, not asked for.
    assert set(preset.defaults) - set(preset.fields) <= {"cfg"}
    assert preset.needs_image == ("image" in preset.fields)
    assert preset.needs_mask == ("mask" in preset.fields)


@pytest.mark.parametrize(
    ("preset", "option"),
    [
        pytest.param(preset, option, id=f"{preset.id}-{option.name}")
        for preset in PRESETS
        for option in preset.options
    ],
)
def test_the_limits_of_an_option_are_within_those_of_the_server(
    preset: Preset, option: Option
) -> None:
    for variant in preset.variants:
        for place in variant.bindings.get(option.name, ()):
            node_id, name = place.split(".", 1)
            spec = specs(variant.graph[node_id]["class_type"])[name]
            assert option.min is not None
            assert option.max is not None
            assert spec[1]["min"] <= option.min <= option.default <= option.max <= spec[1]["max"]


def test_every_text_of_the_files_is_listed_for_the_translators() -> None:
    texts = {
        text
        for preset in load_presets().all()
        for text in (
            preset.name,
            preset.description,
            *(option.label for option in preset.options),
            *(option.help for option in preset.options),
            *(variant.notice for variant in preset.variants),
            *(slot.label for variant in preset.variants for slot in variant.models),
        )
        if text
    }

    assert texts == set(MESSAGES)


def test_every_file_of_the_folder_is_a_preset_with_its_own_name() -> None:
    folder = Path(__file__).parents[2] / "data" / "workflows"

    names = sorted(file.stem for file in folder.glob("*.json"))

    assert sorted(preset.id for preset in load_presets().all()) == names
