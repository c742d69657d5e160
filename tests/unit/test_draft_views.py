"""What a browser is told of a workflow: a level at once, and then only what changed."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from app.draft_views import State, patch, view
from app.drawing.diagram import Diagram, DiagramNode, Level, Parameter, level_at
from app.drawing.editing.applying import apply
from app.drawing.editing.operations import read_operations
from app.drawing.editing.pasting import copied
from app.drawing.files.ui_format import read_ui, write_ui
from app.errors import InvalidRequestError
from tests.support.diagrams import as_input, level, node, schemas, text_to_image, with_subgraph

_STATE = State(rev=7)


def seen(diagram: Diagram, path: str = "") -> dict[str, Any]:
    """The whole view, as it comes out of the wire."""
    shown = view(diagram, path, state=_STATE, schemas=schemas())
    return json.loads(json.dumps(shown, allow_nan=False))


def told(old: Diagram, new: Diagram, path: str = "") -> dict[str, Any]:
    """The patch, as it comes out of the wire."""
    changes = patch(old, new, path, state=_STATE, schemas=schemas())
    return json.loads(json.dumps(changes, allow_nan=False))


def widget(shown: dict[str, Any], node_id: str, name: str) -> dict[str, Any]:
    """A widget of a node, with what is said of it."""
    found = next(each for each in shown["nodes"][node_id]["widgets"] if each["name"] == name)
    return {**found, "spec": shown["specs"][found["spec"]]}


def test_a_view_says_everything_about_a_node() -> None:
    """Sockets, widgets with their kind, the control behind the seed, what is on the form."""
    parameter = Parameter(name="steps", node="3", input="steps", type="int", label="Steps")
    shown = seen(replace(text_to_image(), parameters=(parameter,)))
    sampler = shown["nodes"]["3"]
    assert (sampler["kind"], sampler["known"], sampler["isOutput"]) == ("node", True, False)
    assert [each["name"] for each in sampler["widgets"]][:3] == [
        "seed",
        "control_after_generate",
        "steps",
    ]
    assert widget(shown, "3", "steps")["exposed"] == "steps"
    assert widget(shown, "3", "cfg")["exposed"] is False
    assert widget(shown, "3", "steps")["spec"]["max"] == 10_000
    assert widget(shown, "3", "control_after_generate")["spec"]["choices"][0] == "fixed"
    assert widget(shown, "6", "text")["spec"]["kind"] == "multiline"
    assert shown["nodes"]["9"]["isOutput"]
    assert shown["links"]["1"]["from"] == ["4", 0]
    assert shown["crumbs"] == [{"path": "", "name": ""}]


def test_integers_that_a_browser_cannot_hold_cross_as_text() -> None:
    """Values and limits."""
    diagram = text_to_image()
    changed = replace(diagram.root.nodes["3"], values={"seed": 2**64 - 1})
    diagram = replace(
        diagram, root=replace(diagram.root, nodes={**diagram.root.nodes, "3": changed})
    )
    seed = widget(seen(diagram), "3", "seed")
    assert seed["value"] == "18446744073709551615"
    assert seed["spec"]["max"] == "18446744073709551615"


def test_a_widget_shows_as_a_socket_only_while_something_feeds_it() -> None:
    """It is marked as linked then."""
    sampler = as_input(node("3", "KSampler"), "steps", kind="INT")
    lone = Diagram(root=level(sampler, node("4", "PrimitiveInt")))
    assert "steps" not in [each["name"] for each in seen(lone)["nodes"]["3"]["inputs"]]
    linked = Diagram(root=level(sampler, node("4", "PrimitiveInt"), links=(("4", 0, "3", 4),)))
    shown = seen(linked)
    assert shown["nodes"]["3"]["inputs"][-1] == {
        "index": 4,
        "name": "steps",
        "label": "steps",
        "type": "INT",
        "required": True,
        "widget": True,
    }
    assert widget(shown, "3", "steps")["linked"]


def test_equal_lists_of_choices_cross_once() -> None:
    """Two loaders of the same files share what is said of them."""
    diagram = Diagram(root=level(node("1", "KSampler"), node("2", "KSampler")))
    shown = seen(diagram)
    first, second = (shown["nodes"][key]["widgets"] for key in ("1", "2"))
    assert [each["spec"] for each in first] == [each["spec"] for each in second]
    assert len(shown["specs"]) == len({each["spec"] for each in first})


def test_a_node_of_an_unknown_class_shows_the_values_that_the_file_has() -> None:
    """By name or number; what has a shape of its own as JSON text."""
    unknown = DiagramNode(
        id="1", class_type="Mystery", values={"deep": {"a": [1]}}, loose=("x", 3, None)
    )
    shown = seen(Diagram(root=Level(nodes={"1": unknown})))
    assert not shown["nodes"]["1"]["known"]
    values = {each["name"]: each["value"] for each in shown["nodes"]["1"]["widgets"]}
    assert values == {"deep": '{"a": [1]}', "#0": "x", "#1": 3, "#2": None}


def test_a_subgraph_shows_what_it_promotes_and_has_two_ends_inside() -> None:
    """The value outside counts; each end has a free place."""
    shown = seen(with_subgraph())
    assert shown["nodes"]["20"]["kind"] == "subgraph"
    assert widget(shown, "20", "text")["value"] == "a fox"
    inside = seen(with_subgraph(), "20")
    assert inside["crumbs"] == [{"path": "", "name": ""}, {"path": "20", "name": "Encode"}]
    assert [each["name"] for each in inside["nodes"]["-10"]["outputs"]] == ["clip", "text", ""]
    assert [each["name"] for each in inside["nodes"]["-20"]["inputs"]] == ["CONDITIONING", ""]
    assert inside["nodes"]["34"]["path"] == "20:34"
    assert widget(inside, "34", "text")["linked"]


def test_what_is_nowhere_has_no_view() -> None:
    """The page goes up to the next level that is there."""
    with pytest.raises(KeyError):
        seen(with_subgraph(), "3")
    with pytest.raises(KeyError):
        seen(with_subgraph(), "77")


def test_a_patch_says_only_what_changed() -> None:
    """And sends no list of choices that the page has already."""
    diagram = text_to_image()
    (op,) = read_operations([{"op": "value", "id": "3", "name": "steps", "value": 31}])
    changes = told(diagram, apply(diagram, "", op, schemas=schemas()))
    assert list(changes["nodes"]) == ["3"]
    assert (changes["links"], changes["specs"], "groups" in changes) == ({}, {}, False)


@pytest.mark.parametrize("seed", range(4))
def test_a_page_that_follows_patches_shows_what_a_fresh_page_shows(seed: int) -> None:
    """Whatever is done, on every level; and a draft that is kept comes back as it was."""
    chance = random.Random(seed)  # noqa: S311
    file = json.loads(json.dumps(write_ui(with_subgraph(), schemas=schemas())))
    diagram, _ = read_ui(file, schemas=schemas())
    pages = {path: seen(diagram, path) for path in ("", "20")}
    done = 0
    for _ in range(120):
        path = chance.choice(["", "", "20"])
        before = diagram
        try:
            (op,) = read_operations([_some(chance, diagram, path)])
            diagram = apply(diagram, path, op, schemas=schemas())
        except (InvalidRequestError, KeyError):
            continue
        done += 1
        for at in [*pages]:
            _follow(pages, at, before, diagram)
    assert done > 30
    kept, _ = read_ui(
        json.loads(json.dumps(write_ui(diagram, schemas=schemas()))), schemas=schemas()
    )
    assert seen(kept)["nodes"] == seen(diagram)["nodes"]
    assert seen(kept)["links"] == seen(diagram)["links"]


def _follow(pages: dict[str, dict[str, Any]], path: str, old: Diagram, new: Diagram) -> None:
    """Apply the patch to a page as a browser does, and compare with a fresh one."""
    try:
        fresh = seen(new, path)
        changes = told(old, new, path)
    except KeyError:
        pages.pop(path)
        return
    page = pages[path]
    for kind in ("nodes", "links", "specs"):
        for key, each in changes[kind].items():
            page[kind].pop(key, None)
            if each is not None:
                page[kind][key] = each
    page["groups"] = changes.get("groups", page["groups"])
    assert page["nodes"] == fresh["nodes"]
    assert page["links"] == fresh["links"]
    assert page["groups"] == fresh["groups"]
    assert page["specs"].items() >= fresh["specs"].items()


_CLASSES = [
    "KSampler",
    "CLIPTextEncode",
    "BatchImagesNode",
    "ResizeImageMaskNode",
    "PrimitiveNode",
    "Reroute",
    "LoadImage",
    "VAEDecode",
    "PreviewImage",
    "MarkdownNote",
    "PrimitiveInt",
    "StringConcatenate",
]


def _some(chance: random.Random, diagram: Diagram, path: str) -> dict[str, Any]:
    """Some operation that may or may not fit."""
    at = level_at(diagram, path)
    ids = [*at.nodes] or ["1"]
    one = chance.choice(ids)
    shown = seen(diagram, path)
    any_id = chance.choice([*shown["nodes"]] or ["1"])
    to = chance.choice([*shown["nodes"]] or ["1"])
    ports = [each["name"] for each in shown["nodes"][to]["inputs"]]
    widgets = shown["nodes"][to]["widgets"]
    value = chance.choice([1, 7.5, True, "match size", "scale dimensions", "text", "fixed"])
    few = chance.sample(ids, min(len(ids), 2))
    name = chance.choice([*ports, *(each["name"] for each in widgets), "text"])
    parameters = [each.name for each in diagram.parameters]
    ways: list[dict[str, Any]] = [
        {"op": "add", "class": chance.choice(_CLASSES), "pos": [chance.random() * 900, 5]},
        *[{"op": "connect", "from": [any_id, chance.randrange(3)], "to": [to, name]}] * 5,
        *[{"op": "value", "id": to, "name": name, "value": value}] * 3,
        {"op": "remove", "ids": [one]},
        {"op": "mode", "ids": few, "mode": "bypassed"},
        {"op": "move", "places": {any_id: [3, 4]}},
        {"op": "disconnect", "links": [chance.choice([*at.links, 1])]},
        {"op": "group.add", "title": "g", "box": [0, 0, 10, 10]},
        {"op": "expose", "id": one, "name": name},
        {"op": "unexpose", "name": chance.choice([*parameters, "steps"])},
        {"op": "subgraph.make", "ids": few, "name": "made"},
        {"op": "subgraph.unpack", "id": one},
        {"op": "subgraph.rename", "id": one, "name": f"name {chance.randrange(9)}"},
        {"op": "subgraph.drop", "side": "input", "name": "clip"},
        {"op": "paste", "fragment": copied(diagram, path, few, schemas=schemas()), "pos": [1, 2]},
    ]
    return chance.choice(ways)
