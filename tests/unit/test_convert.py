"""The graph that runs, made of small drawn workflows: one rule at a time."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.drawing.convert import Conversion, to_api
from app.drawing.diagram import (
    ENTRY,
    EXIT,
    Diagram,
    DiagramNode,
    Level,
    Link,
    Mode,
    Socket,
    Subgraph,
)
from app.drawing.findings import Severity
from app.drawing.schema import read_schema
from app.drawing.widgets import visible_inputs

_FILE = Path(__file__).parents[1] / "data" / "comfyui" / "object_info_full.json.gz"
_OWN_CLASSES: dict[str, Any] = {
    "Free": {
        "input": {"required": {"a": ["INT", {"default": 3}]}},
        "output": ["IMAGE"],
        "python_module": "custom_nodes.free",
    },
    "Picks": {
        "input": {"required": {"which": ["COMBO", {"options": ["x", "y"], "multiselect": True}]}},
        "output_node": True,
        "python_module": "custom_nodes.free",
    },
}
_OBJECT_INFO: dict[str, Any] = json.loads(gzip.decompress(_FILE.read_bytes())) | _OWN_CLASSES
SCHEMAS = {name: read_schema(name, entry) for name, entry in _OBJECT_INFO.items()}

Ends = tuple[str, int, str, str]
"""From a node's output by its index to a node's input by its name."""


def n(node_id: str, class_type: str, mode: Mode = Mode.ACTIVE, **values: Any) -> DiagramNode:
    """A node; its sockets come with `drawn`."""
    return DiagramNode(id=node_id, class_type=class_type, mode=mode, values=values)


def level(nodes: Sequence[DiagramNode], *links: Ends, subgraph: Subgraph | None = None) -> Level:
    """These nodes, linked like that; inputs that only a link makes are added."""
    placed = {node.id: _with_sockets(node, links) for node in nodes}
    made: dict[int, Link] = {}
    for number, (source, output, target, name) in enumerate(links, start=1):
        sockets = subgraph.outputs if target == EXIT and subgraph else placed[target].inputs
        index = [socket.name for socket in sockets].index(name)
        made[number] = Link(id=number, source=source, output=output, target=target, input=index)
    return Level(nodes=placed, links=made)


def _with_sockets(node: DiagramNode, links: Sequence[Ends]) -> DiagramNode:
    schema = SCHEMAS.get(node.class_type)
    sockets: dict[str, Socket] = {each.name: each for each in node.inputs}
    if schema is not None:
        for spec in visible_inputs(node, schema):
            wanted = any(link[2:] == (node.id, spec.name) for link in links)
            if not spec.grows and (spec.widget is None or wanted):
                sockets[spec.name] = Socket(
                    name=spec.name, type=spec.type, widget=spec.widget is not None
                )
    for _, _, target, name in links:
        if target == node.id:
            sockets.setdefault(name, Socket(name=name, type="*"))
    return replace(node, inputs=tuple(sockets.values()))


def definition(
    name: str,
    nodes: Sequence[DiagramNode],
    *links: Ends,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = ("IMAGE",),
) -> Subgraph:
    """A subgraph with these ends."""
    bare = Subgraph(
        id=name,
        name=name,
        inputs=tuple(Socket(name=each, type="*") for each in inputs),
        outputs=tuple(Socket(name=each, type="*") for each in outputs),
    )
    return replace(bare, level=level(nodes, *links, subgraph=bare))


def convert(nodes: Sequence[DiagramNode], *links: Ends, **subgraphs: Subgraph) -> Conversion:
    """What becomes of the drawing."""
    diagram = Diagram(root=level(nodes, *links), subgraphs=subgraphs)
    return to_api(diagram, schemas=SCHEMAS)


def inputs(conversion: Conversion, node_id: str) -> Mapping[str, Any]:
    """What a node got."""
    return conversion.graph[node_id]["inputs"]


def codes(conversion: Conversion) -> list[tuple[str, Severity, str | None]]:
    """What was found, in short."""
    return [(each.code, each.severity, each.node_id) for each in conversion.findings]


def picture(node_id: str = "1") -> DiagramNode:
    """A node that gives a picture."""
    return n(node_id, "EmptyImage", width=64, height=64, batch_size=1, color=0)


def test_values_links_and_titles_become_a_graph() -> None:
    made = convert(
        [picture(), replace(n("2", "SaveImage", filename_prefix="a"), title="Keep")],
        ("1", 0, "2", "images"),
    )

    assert made.graph == {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
            "_meta": {"title": SCHEMAS["EmptyImage"].name},
        },
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "a"},
            "_meta": {"title": "Keep"},
        },
    }
    assert made.findings == ()


def test_what_a_file_does_not_say_is_the_default_of_the_class() -> None:
    made = convert([n("1", "EmptyImage", width=None, gone="x"), n("2", "ImageCompare")])

    assert inputs(made, "1") == {"width": 512, "height": 512, "batch_size": 1, "color": 0}
    # A server asks for it, no file has it.
    assert inputs(made, "2") == {"compare_view": {}}


def test_a_seed_goes_without_what_happens_to_it_after_the_run() -> None:
    made = convert([n("1", "RandomNoise", noise_seed=5.0, control_after_generate="randomize")])

    assert inputs(made, "1") == {"noise_seed": 5}
    assert isinstance(inputs(made, "1")["noise_seed"], int)


def test_a_list_as_a_value_is_not_taken_for_a_link() -> None:
    made = convert([n("1", "Picks", which=["x", "y"]), n("2", "Unheard", pair=["1", 0])])

    assert inputs(made, "1") == {"which": {"__value__": ["x", "y"]}}
    assert inputs(made, "2") == {"pair": {"__value__": ["1", 0]}}


def test_a_linked_widget_takes_the_link() -> None:
    made = convert([n("1", "PrimitiveInt", value=8), picture("2")], ("1", 0, "2", "width"))

    assert inputs(made, "2")["width"] == ["1", 0]


def test_notes_are_left_out_and_muted_nodes_too() -> None:
    made = convert(
        [
            n("1", "MarkdownNote", text="hello"),
            replace(picture("2"), mode=Mode.MUTED),
            n("3", "SaveImage"),
        ],
        ("2", 0, "3", "images"),
    )

    assert list(made.graph) == ["3"]
    assert codes(made) == [("muted_source", Severity.ERROR, "3")]


def test_a_widget_whose_source_is_muted_has_its_own_value_again() -> None:
    made = convert(
        [n("1", "PrimitiveInt", Mode.MUTED, value=8), picture("2")], ("1", 0, "2", "width")
    )

    assert inputs(made, "2")["width"] == 64


def test_what_nothing_needs_is_no_error() -> None:
    made = convert(
        [n("1", "VAEEncode"), picture("2"), n("3", "SaveImage")], ("2", 0, "3", "images")
    )

    assert codes(made) == [("unconnected", Severity.WARNING, "1")] * 2


def test_a_bypassed_node_gives_on_what_fits_by_type() -> None:
    lora = replace(
        n("2", "LoraLoader", Mode.BYPASSED),
        outputs=(Socket(name="MODEL", type="MODEL"), Socket(name="CLIP", type="CLIP")),
    )
    made = convert(
        [
            n("1", "CheckpointLoaderSimple"),
            lora,
            replace(lora, id="3"),
            n("4", "CLIPTextEncode"),
            n("5", "KSampler"),
        ],
        ("1", 0, "2", "model"), ("1", 1, "2", "clip"),
        ("2", 0, "3", "model"), ("2", 1, "3", "clip"),
        ("3", 1, "4", "clip"), ("3", 0, "5", "model"),
    )  # fmt: skip

    assert inputs(made, "4")["clip"] == ["1", 1]
    assert inputs(made, "5")["model"] == ["1", 0]
    assert "2" not in made.graph


def test_a_bypassed_node_without_anything_that_fits_gives_nothing() -> None:
    decode = replace(
        n("2", "VAEDecode", Mode.BYPASSED), outputs=(Socket(name="IMAGE", type="IMAGE"),)
    )
    made = convert(
        [n("1", "EmptyLatentImage"), decode, n("3", "SaveImage")],
        ("1", 0, "2", "samples"), ("2", 0, "3", "images"),
    )  # fmt: skip

    assert "images" not in inputs(made, "3")
    assert codes(made) == [("bypassed_source", Severity.ERROR, "3")]


def test_reroutes_are_followed_and_loops_of_them_end() -> None:
    made = convert(
        [picture(), n("2", "Reroute"), n("3", "Reroute"), n("4", "SaveImage"),
         n("5", "Reroute"), n("6", "Reroute"), n("7", "SaveImage")],
        ("1", 0, "2", ""), ("2", 0, "3", ""), ("3", 0, "4", "images"),
        ("5", 0, "6", ""), ("6", 0, "5", ""), ("6", 0, "7", "images"),
    )  # fmt: skip

    assert inputs(made, "4")["images"] == ["1", 0]
    assert "images" not in inputs(made, "7")


def test_a_primitive_is_put_in_as_its_value() -> None:
    made = convert(
        [n("1", "PrimitiveNode", value=96), n("2", "Reroute"), picture("3")],
        ("1", 0, "2", ""), ("2", 0, "3", "width"), ("1", 0, "3", "height"),
    )  # fmt: skip

    assert (inputs(made, "3")["width"], inputs(made, "3")["height"]) == (96, 96)
    assert list(made.graph) == ["3"]


def test_a_dynamic_choice_brings_only_what_belongs_to_it() -> None:
    resize = n(
        "2", "ResizeImageMaskNode", resize_type="scale width", scale_method="area",
        **{"resize_type.width": 100, "resize_type.height": 5, "resize_type.multiplier": 2.0},
    )  # fmt: skip
    made = convert([picture(), resize], ("1", 0, "2", "input"))

    assert inputs(made, "2") == {
        "input": ["1", 0],
        "resize_type": "scale width",
        "resize_type.width": 100,
        "scale_method": "area",
    }


def test_growing_inputs_keep_the_names_they_were_linked_under() -> None:
    made = convert(
        [picture(), picture("2"), n("3", "BatchImagesNode"), n("4", "BatchImagesNode"),
         n("5", "SaveImage"), n("6", "SaveImage")],
        ("1", 0, "3", "images.image0"), ("2", 0, "3", "images.image2"),
        ("3", 0, "5", "images"), ("4", 0, "6", "images"),
    )  # fmt: skip

    assert inputs(made, "3") == {"images.image0": ["1", 0], "images.image2": ["2", 0]}
    assert codes(made) == [("unconnected", Severity.ERROR, "4")]


def test_the_class_of_our_own_drops_what_it_has_no_more_and_says_so() -> None:
    made = convert([picture(), n("2", "SaveImage", old=1)], ("1", 0, "2", "mask"))

    assert inputs(made, "2").keys() == {"filename_prefix"}
    assert ("unknown_input", Severity.WARNING, "2") in codes(made)


def test_nodes_of_others_keep_what_they_never_told_of() -> None:
    free = n("2", "Free", a=1, lora_1={"on": True}, control_after_generate="fixed")
    made = convert([picture(), free], ("1", 0, "2", "any_01"))

    assert inputs(made, "2") == {"a": 1, "any_01": ["1", 0], "lora_1": {"on": True}}
    assert made.findings == ()


def test_a_node_of_an_unknown_class_goes_as_the_file_has_it() -> None:
    unknown = replace(n("2", "Unheard", strength=0.5), loose=(1, "x"))
    made = convert([picture(), unknown], ("1", 0, "2", "image"))

    assert inputs(made, "2") == {"strength": 0.5, "image": ["1", 0]}
    assert made.graph["2"].get("_meta") == {"title": "Unheard"}
    assert codes(made) == [("unnamed_values", Severity.WARNING, "2")]


BLUR = definition(
    "blur",
    [n("7", "ImageBlur", blur_radius=3, sigma=1.0), picture("8")],
    (ENTRY, 0, "7", "image"), (ENTRY, 1, "7", "blur_radius"), ("7", 0, EXIT, "IMAGE"),
    inputs=("image", "radius"),
)  # fmt: skip


def test_a_subgraph_is_laid_open_with_the_path_as_id() -> None:
    made = convert(
        [picture(), n("2", "blur", radius=9), n("3", "blur"), n("4", "SaveImage")],
        ("1", 0, "2", "image"), ("2", 0, "3", "image"), ("3", 0, "4", "images"),
        blur=BLUR,
    )  # fmt: skip

    assert sorted(made.graph) == ["1", "2:7", "2:8", "3:7", "3:8", "4"]
    assert inputs(made, "2:7") == {"image": ["1", 0], "blur_radius": 9, "sigma": 1.0}
    # The node itself says nothing of the radius: what is inside counts.
    assert inputs(made, "3:7") == {"image": ["2:7", 0], "blur_radius": 3, "sigma": 1.0}
    assert inputs(made, "4")["images"] == ["3:7", 0]


def test_the_outermost_subgraph_node_says_what_a_shown_widget_holds() -> None:
    outer = definition(
        "outer",
        [n("5", "blur", radius=4), picture("6")],
        ("6", 0, "5", "image"), (ENTRY, 0, "5", "radius"), ("5", 0, EXIT, "IMAGE"),
        inputs=("strength",),
    )  # fmt: skip
    nodes = [n("1", "outer", strength=7), n("2", "outer"), n("3", "SaveImage")]
    made = convert(nodes, ("1", 0, "3", "images"), blur=BLUR, outer=outer)

    assert inputs(made, "1:5:7")["blur_radius"] == 7
    assert inputs(made, "2:5:7")["blur_radius"] == 4
    assert inputs(made, "1:5:7")["image"] == ["1:6", 0]
    assert inputs(made, "3")["images"] == ["1:5:7", 0]


def test_a_shown_widget_also_feeds_what_has_no_widget_inside() -> None:
    both = definition(
        "both",
        [picture("7"), n("8", "PreviewAny")],
        (ENTRY, 0, "7", "width"), (ENTRY, 0, "8", "source"), ("7", 0, EXIT, "IMAGE"),
        inputs=("width",),
    )  # fmt: skip
    made = convert([n("1", "both", width=256), n("2", "both")], both=both)

    assert inputs(made, "1:8") == {"source": 256}
    assert inputs(made, "2:8") == {"source": 64}
    assert made.findings == ()


def test_a_shown_choice_decides_what_comes_with_it() -> None:
    values = {"resize_type": "scale width", "resize_type.width": 5}
    sized = definition(
        "sized",
        [DiagramNode(id="7", class_type="ResizeImageMaskNode", values=values)],
        (ENTRY, 0, "7", "input"), (ENTRY, 1, "7", "resize_type"), ("7", 0, EXIT, "IMAGE"),
        inputs=("image", "how"),
    )  # fmt: skip
    nodes = [picture(), n("2", "sized", how="scale height")]
    made = convert(nodes, ("1", 0, "2", "image"), sized=sized)

    assert inputs(made, "2:7")["resize_type"] == "scale height"
    assert "resize_type.width" not in inputs(made, "2:7")
    assert inputs(made, "2:7")["resize_type.height"] == 512


@pytest.mark.parametrize("mode", [Mode.MUTED, Mode.BYPASSED])
def test_a_subgraph_that_is_switched_off_has_nothing_inside(mode: Mode) -> None:
    off = replace(n("2", "blur", mode), outputs=(Socket(name="IMAGE", type="IMAGE"),))
    off = replace(off, inputs=(Socket(name="image", type="IMAGE"),))
    made = convert(
        [picture(), off, n("3", "SaveImage")],
        ("1", 0, "2", "image"), ("2", 0, "3", "images"),
        blur=BLUR,
    )  # fmt: skip

    assert sorted(made.graph) == ["1", "3"]
    assert inputs(made, "3").get("images") == (["1", 0] if mode is Mode.BYPASSED else None)


def test_what_a_subgraph_lacks_is_said_of_the_node_that_stands_for_it() -> None:
    made = convert([n("2", "blur"), n("4", "SaveImage")], ("2", 0, "4", "images"), blur=BLUR)

    found = [(each.node_id, each.input, each.severity) for each in made.findings]
    assert found == [("2", "image", Severity.ERROR)]


def test_nodes_that_need_their_own_result_are_an_error() -> None:
    made = convert(
        [n("1", "ImageBlur"), n("2", "ImageBlur"), n("3", "SaveImage")],
        ("1", 0, "2", "image"), ("2", 0, "1", "image"), ("2", 0, "3", "images"),
    )  # fmt: skip

    assert codes(made) == [("cycle", Severity.ERROR, "1"), ("cycle", Severity.ERROR, "2")]


def test_chosen_outputs_take_along_only_what_they_need() -> None:
    nodes = [picture(), n("2", "SaveImage"), picture("3"), n("4", "SaveImage"), n("5", "VAEEncode")]
    root = level(nodes, ("1", 0, "2", "images"), ("3", 0, "4", "images"))

    made = to_api(Diagram(root=root), schemas=SCHEMAS, outputs=["4", "gone"])

    assert sorted(made.graph) == ["3", "4"]
    assert made.findings == ()


def test_a_subgraph_within_itself_is_an_error_and_ends() -> None:
    loop = definition("loop", [n("1", "loop"), n("2", "SaveImage")], ("1", 0, EXIT, "IMAGE"))
    made = convert([n("9", "loop"), n("8", "SaveImage")], ("9", 0, "8", "images"), loop=loop)

    assert sorted(made.graph) == ["8", "9:2"]
    assert ("cycle", Severity.ERROR, "9:1") in codes(made)


def test_a_handful_of_subgraphs_cannot_stand_for_billions_of_nodes() -> None:
    subgraphs = {
        f"s{depth}": definition(
            f"s{depth}", [n(str(each), f"s{depth - 1}") for each in range(10)], outputs=()
        )
        for depth in range(1, 10)
    } | {"s0": definition("s0", [n("1", "Unheard")], outputs=())}

    made = convert([n("1", "s9")], **subgraphs)

    assert codes(made)[0] == ("too_large", Severity.ERROR, None)
