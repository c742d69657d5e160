"""ComfyUI's own file of a workflow: read, mended, written, and read again."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pytest

from app.drawing.diagram import (
    EXIT,
    Diagram,
    DiagramNode,
    Level,
    Mode,
    Parameter,
)
from app.drawing.files.ui_format import read_ui, settle, write_ui
from app.drawing.layout import size_of
from app.drawing.nesting import MAX_NODES
from app.errors import InvalidRequestError
from app.said import Said
from tests.support.diagrams import again, node, schemas, text_to_image

NONE: Mapping[str, Any] = {}
TEMPLATES = resources.files("comfyui_workflow_templates_json") / "templates"
LOST_LINKS = {
    "image_flux2_klein_image_edit_9b_distilled.json": 12,
    "image_qwen_Image_2512.json": 1,
    "image_qwen_image_instantx_inpainting_controlnet.json": 2,
    "sd3.5_large_depth.json": 1,
    "template_qwen_Image_2512_360_lora.json": 1,
    "template_rob_realistic_2k_images_quick_variations.json": 1,
    "templates_rob_realistic_2k_images_quick_variations.app.json": 1,
    "template_sirolim_image_script_video.json": 4,
    "utility_z_image_turbo_2k_upscaler.app.json": 1,
}
"""Official files in which connections end at nodes that are not there any more."""


def template(name: str) -> dict[str, Any]:
    """An official workflow."""
    return json.loads((TEMPLATES / name).read_bytes())


def levels(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The whole workflow and its subgraphs, as the file has them."""
    return [file, *file.get("definitions", {}).get("subgraphs", [])]


def drawn(level: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    """What people see of the nodes of a level."""
    return {
        (each["id"], each["type"], *each["pos"], *each["size"], each["mode"], each.get("title"))
        for each in level["nodes"]
    }


def connected(level: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    """What is connected with what: outputs by number, inputs by name."""
    names: dict[tuple[int, int], str] = {}
    for each in level["nodes"]:
        for socket in each.get("inputs") or []:
            if socket.get("link") is not None:
                names[each["id"], socket["link"]] = socket["name"]
    found: set[tuple[Any, ...]] = set()
    for link in level["links"]:
        link_id, source, slot, target, *_ = link if isinstance(link, list) else link.values()
        if target == int(EXIT) or (target, link_id) in names:
            found.add((link_id, source, slot, target, names.get((target, link_id))))
    return found


def file_of(*nodes: dict[str, Any], links: Any = (), **more: Any) -> dict[str, Any]:
    """A file of a workflow."""
    return {"nodes": list(nodes), "links": list(links), "version": 0.4, **more}


def codes(findings: Any) -> list[str]:
    """What was mended."""
    return [each.code for each in findings]


def test_every_official_workflow_survives_being_read_and_written() -> None:
    changed: list[str] = []
    lost: dict[str, int] = {}
    count = 0
    for entry in sorted(TEMPLATES.iterdir(), key=lambda each: each.name):
        file = json.loads(entry.read_bytes()) if entry.name.endswith(".json") else None
        if not isinstance(file, dict) or "nodes" not in file:
            continue
        count += 1
        read, findings = read_ui(file, schemas=schemas())
        for finding in findings:
            assert isinstance(finding.message, Said)
            lost[entry.name] = finding.message.params["count"]
        written = write_ui(read, schemas=schemas())
        pairs = zip(levels(file), levels(written), strict=True)
        same = read_ui(written, schemas=schemas()) == (read, ())
        if not same or any(drawn(a) != drawn(b) for a, b in pairs):
            changed.append(entry.name)

    assert count == 644
    assert changed == []
    assert lost == LOST_LINKS


@pytest.mark.parametrize(
    "name",
    [
        "hidream_i1_fast.json",
        "3d_hunyuan3d-v2.1.json",
        "Image_capybara_v0_1_text_to_image.json",
        "api_bytedance_seedream4.json",
        "flux_schnell.json",
        "video_wan2_2_14B_i2v.json",
    ],
)
def test_a_written_file_has_the_connections_and_values_of_the_original(name: str) -> None:
    file = template(name)

    written = write_ui(read_ui(file, schemas=schemas())[0], schemas=schemas())

    assert [connected(each) for each in levels(written)] == [connected(e) for e in levels(file)]
    for before, after in zip(levels(file), levels(written), strict=True):
        for old, new in zip(before["nodes"], after["nodes"], strict=True):
            values = [each.get("widgets_values") or [] for each in (old, new)]
            assert all(a == b for a, b in zip(*values, strict=False))
            named = old.get("widgets_values_named") or {}
            assert named.items() <= (new.get("widgets_values_named") or named).items()
    assert written["groups"] == file["groups"]
    assert written["extra"]["ds"] == file["extra"]["ds"]


def test_a_file_without_known_classes_is_read_and_written_all_the_same() -> None:
    file = template("3d_hunyuan3d-v2.1.json")

    read, _ = read_ui(file, schemas=NONE)
    written = write_ui(read, schemas=NONE)

    assert read_ui(written, schemas=NONE) == (read, ())
    assert connected(written) == connected(file)


def test_loose_values_get_names_once_the_class_is_known() -> None:
    file = write_ui(text_to_image(), schemas=schemas())
    for each in file["nodes"]:
        each.pop("widgets_values_named", None)
    read, _ = read_ui(file, schemas=NONE)
    assert read.root.nodes["5"].loose == (512, 512, 1)

    settled = settle(read, schemas=schemas())

    assert settled.root.nodes["5"].values == {"width": 512, "height": 512, "batch_size": 1}
    assert settled.root.nodes["5"].loose == ()
    assert settle(settled, schemas=schemas()) is settled


def test_a_new_input_of_a_class_is_there_when_an_old_file_is_opened() -> None:
    sockets = [{"name": "latent_image", "type": "LATENT", "link": 1}]
    file = file_of(
        {"id": 1, "type": "KSampler", "pos": [0, 0], "inputs": sockets, "widgets_values": [5]},
        {"id": 2, "type": "EmptyLatentImage", "pos": [0, 0]},
        links=[[1, 2, 0, 1, 0, "LATENT"]],
    )

    read, findings = read_ui(file, schemas=schemas())

    sampler = read.root.nodes["1"]
    names = [each.name for each in sampler.inputs]
    assert names == ["model", "positive", "negative", "latent_image"]
    assert names[read.root.links[1].input] == "latent_image"
    assert sampler.values["seed"] == 5
    assert sampler.values["steps"] == 20
    assert [each.type for each in read.root.nodes["2"].outputs] == ["LATENT"]
    assert findings == ()


def test_the_input_that_names_a_link_is_where_it_ends() -> None:
    sockets = [
        {"name": "a", "type": "X", "link": None},
        {"name": "b", "type": "X", "link": 7},
    ]
    file = file_of(
        {"id": 1, "type": "Strange", "pos": [0, 0], "outputs": [{"name": "x", "type": "X"}]},
        {"id": 2, "type": "Strange", "pos": [0, 0], "inputs": sockets},
        links=[[7, 1, 0, 2, 0, "X"]],
    )

    read, _ = read_ui(file, schemas=schemas())

    assert read.root.links[7].input == 1


def test_version_1_with_links_as_objects_and_bends_is_read() -> None:
    file = {
        "version": 1,
        "state": {"lastNodeId": 2, "lastLinkId": 1, "lastGroupId": 0, "lastRerouteId": 3},
        "nodes": [
            {"id": 1, "type": "A", "pos": {"0": 3, "1": 4}, "outputs": [{"name": "", "type": "X"}]},
            {
                "id": 2,
                "type": "B",
                "pos": [5, 6],
                "inputs": [{"name": "x", "type": "X", "link": 1}],
            },
        ],
        "links": [
            {
                "id": 1,
                "origin_id": 1,
                "origin_slot": 0,
                "target_id": 2,
                "target_slot": 0,
                "type": "X",
                "parentId": 3,
            }
        ],
        "reroutes": [{"id": 3, "pos": [1, 1], "linkIds": [1]}],
    }

    read, findings = read_ui(file, schemas=NONE)
    written = write_ui(read, schemas=NONE)

    assert findings == ()
    assert read.root.nodes["1"].pos == (3, 4)
    assert written["version"] == 0.4
    assert written["links"] == [[1, 1, 0, 2, 0, "X"]]
    assert written["extra"]["reroutes"] == file["reroutes"]
    assert written["extra"]["linkExtensions"] == [{"id": 1, "parentId": 3}]
    assert read_ui(written, schemas=NONE) == (read, ())


def test_modes_notes_primitives_and_values_as_an_object_are_understood() -> None:
    file = file_of(
        {"id": 1, "type": "A", "pos": [0, 0], "mode": 2, "widgets_values": {"x": 1, "y": [2]}},
        {"id": 2, "type": "B", "pos": [0, 0], "mode": 4, "flags": {"collapsed": True, "pinned": 1}},
        {"id": 3, "type": "C", "pos": [0, 0], "mode": 3, "color": "#233", "bgcolor": "#355"},
        {"id": 4, "type": "Note", "pos": [0, 0], "widgets_values": ["<b>hello</b>"]},
        {"id": 5, "type": "PrimitiveNode", "pos": [0, 0], "widgets_values": [5, "fixed", "a.*"]},
    )

    read, _ = read_ui(file, schemas=schemas())
    nodes = read.root.nodes
    written = {each["id"]: each for each in write_ui(read, schemas=schemas())["nodes"]}

    assert [nodes[key].mode for key in "123"] == [Mode.MUTED, Mode.BYPASSED, Mode.ACTIVE]
    assert nodes["1"].values == {"x": 1, "y": [2]}
    assert nodes["4"].values == {"text": "<b>hello</b>"}
    assert nodes["5"].values == {"value": 5, "control_after_generate": "fixed"}
    assert (nodes["2"].collapsed, nodes["3"].color) == (True, "#233")
    assert written[1]["widgets_values"] == {"x": 1, "y": [2]}
    assert written[2]["flags"] == {"collapsed": True, "pinned": 1}
    assert (written[3]["mode"], written[3]["bgcolor"]) == (3, "#355")
    assert written[5]["widgets_values"] == [5, "fixed", "a.*"]


def test_two_seeds_keep_what_follows_each() -> None:
    seeds = {"seed": 1, "control_after_generate": "increment"}
    sampler = node("1", "KSampler", values=seeds)

    written = write_ui(Diagram(root=Level(nodes={"1": sampler})), schemas=schemas())

    assert written["nodes"][0]["widgets_values"][:2] == [1, "increment"]
    assert written["nodes"][0]["widgets_values_named"] == seeds


def test_what_is_broken_is_mended_and_said() -> None:
    file = file_of(
        {"id": 1, "type": "A", "pos": ["x", float("nan")], "inputs": [{"name": "i", "type": "X"}]},
        {"id": 1, "type": "B", "pos": [0, 1e300]},
        {"id": "abc", "type": "C", "pos": [1, 1], "outputs": [{"name": "", "type": "X"}]},
        {"id": 9, "type": None},
        "nothing",  # type: ignore[arg-type]
        links=[[1, "abc", 0, 1, 0, "X"], [2, 77, 0, 1, 0, "X"], [3, 1], None],
        groups=[{"title": "g", "bounding": [0, 0, 1]}, {"title": "h", "bounding": [0, 0, 5, 5]}],
        definitions={"subgraphs": [{"name": "no id"}]},
        extra={"orchestrator": {"parameters": [{"name": "Bad name!"}]}},
    )

    read, findings = read_ui(file, schemas=NONE)

    assert [each.class_type for each in read.root.nodes.values()] == ["A", "B", "C"]
    assert len({int(key) for key in read.root.nodes}) == 3
    (link,) = read.root.links.values()
    assert (read.root.nodes[link.source].class_type, link.target) == ("C", "1")
    assert codes(findings) == [
        "bad_node",
        "bad_id",
        "bad_place",
        "bad_link",
        "bad_group",
        "bad_subgraph",
        "bad_parameter",
    ]
    assert again(read) == read


def test_nodes_without_places_are_laid_out() -> None:
    file = file_of({"id": 1, "type": "A"}, {"id": 2, "type": "B"})

    read, findings = read_ui(file, schemas=NONE)

    assert read.root.nodes["1"].pos != read.root.nodes["2"].pos
    assert findings == ()


def subgraph(key: str, *inside: str) -> dict[str, Any]:
    """A definition with nodes of these classes in it."""
    nodes = [{"id": n, "type": each, "pos": [0, 0]} for n, each in enumerate(inside, start=1)]
    return {"id": key, "name": key, "nodes": nodes, "links": [], "inputs": [], "outputs": []}


def test_a_subgraph_inside_itself_leads_nowhere() -> None:
    definitions = {"subgraphs": [subgraph("a", "b"), subgraph("b", "a", "Strange")]}
    file = file_of({"id": 1, "type": "a", "pos": [0, 0]}, definitions=definitions)

    read, findings = read_ui(file, schemas=NONE)

    assert codes(findings) == ["cyclic_subgraph"]
    assert read.subgraphs["a"].level.nodes["1"].class_type == "b"
    assert read.subgraphs["b"].level.nodes["1"].class_type == "a (inside itself)"
    assert again(read) == read


def test_few_subgraphs_that_stand_for_billions_of_nodes_are_refused() -> None:
    chain = [subgraph(str(n), *[str(n + 1)] * 10) for n in range(10)]
    file = file_of({"id": 1, "type": "0", "pos": [0, 0]}, definitions={"subgraphs": chain})

    with pytest.raises(InvalidRequestError, match="more than 10000 nodes"):
        read_ui(file, schemas=NONE)


def test_subgraphs_too_deep_in_each_other_are_refused() -> None:
    chain = [subgraph(str(n), str(n + 1)) for n in range(3000)]
    file = file_of({"id": 1, "type": "0", "pos": [0, 0]}, definitions={"subgraphs": chain})

    with pytest.raises(InvalidRequestError, match="deep in each other"):
        read_ui(file, schemas=NONE)


def test_too_many_nodes_are_refused() -> None:
    nodes = [{"id": n, "type": "A"} for n in range(MAX_NODES + 1)]

    with pytest.raises(InvalidRequestError, match="more than 10000 nodes"):
        read_ui(file_of(*nodes), schemas=NONE)


def test_values_nested_beyond_reason_are_refused() -> None:
    value: Any = 1
    for _ in range(500):
        value = [value]

    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        read_ui(file_of({"id": 1, "type": "A", "widgets_values": value}), schemas=NONE)


def test_a_size_nobody_chose_stays_nobodys_choice() -> None:
    diagram = Diagram(root=Level(nodes={"1": DiagramNode(id="1", class_type="A")}))

    written = write_ui(diagram, schemas=NONE)

    assert written["nodes"][0]["size"] == list(size_of(diagram.root.nodes["1"], None))
    assert again(diagram) == diagram
    written["nodes"][0]["size"] = [400, 300]
    assert read_ui(written, schemas=NONE)[0].root.nodes["1"].size == (400, 300)


def test_a_form_and_the_limits_of_its_seeds_are_kept() -> None:
    parameter = Parameter(
        name="seed",
        node="12:3",
        input="noise_seed",
        type="seed",
        label="Samen <i>",
        min=0,
        max=2**64 - 1,
        section="More",
    )
    diagram = Diagram(parameters=(parameter,), extra={"extra": {"orchestrator": {"mine": 1}}})

    written = write_ui(diagram, schemas=NONE)

    assert written["extra"]["orchestrator"]["mine"] == 1
    assert again(diagram) == diagram


def test_a_promoted_widget_of_a_subgraph_gets_its_value_by_name() -> None:
    read, _ = read_ui(template("3d_hunyuan3d-v2.1.json"), schemas=NONE)
    plain, _ = read_ui(without_names(template("3d_hunyuan3d-v2.1.json")), schemas=NONE)

    assert read.root.nodes["19"].values["resolution"] == 4096
    assert plain.root.nodes["19"].values == read.root.nodes["19"].values


def without_names(file: dict[str, Any]) -> dict[str, Any]:
    """The file as earlier versions of ComfyUI wrote it."""
    for level in levels(file):
        for each in level["nodes"]:
            each.pop("widgets_values_named", None)
    return file
