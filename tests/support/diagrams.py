"""Small drawn workflows for tests, and the classes of a real server."""

import functools
import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.drawing.diagram import Diagram, DiagramNode, Level, Link, Socket, Subgraph
from app.drawing.files.ui_format import read_ui, write_ui
from app.drawing.schema import NodeSchema, read_schema

CATALOG = Path(__file__).parents[1] / "data" / "comfyui" / "object_info_full.json.gz"


@functools.cache
def schemas() -> Mapping[str, NodeSchema]:
    """The classes of a real server."""
    entries: dict[str, Any] = json.loads(gzip.decompress(CATALOG.read_bytes()))
    return {name: read_schema(name, entry) for name, entry in entries.items()}


def node(key: str, class_type: str, **changes: Any) -> DiagramNode:
    """A node with the sockets of its class; `changes` as of `DiagramNode`."""
    schema = schemas().get(class_type)
    inputs = [
        Socket(name=spec.name, type=spec.type)
        for spec in (schema.inputs if schema else ())
        if spec.widget is None and not spec.grows
    ]
    outputs = [
        Socket(name=each.name, type=each.type) for each in (schema.outputs if schema else ())
    ]
    made = DiagramNode(id=key, class_type=class_type, inputs=tuple(inputs), outputs=tuple(outputs))
    return replace(made, **changes)


def as_input(given: DiagramNode, name: str, *, kind: str) -> DiagramNode:
    """The node with one of its widgets turned into an input."""
    return replace(given, inputs=(*given.inputs, Socket(name=name, type=kind, widget=True)))


def level(*nodes: DiagramNode, links: tuple[tuple[str, int, str, int], ...] = ()) -> Level:
    """A level of nodes, and links as (source, output, target, input)."""
    made = {
        key: Link(id=key, source=source, output=output, target=target, input=slot)
        for key, (source, output, target, slot) in enumerate(links, start=1)
    }
    return Level(nodes={each.id: each for each in nodes}, links=made)


def text_to_image() -> Diagram:
    """The workflow everybody begins with, as ComfyUI numbers it."""
    root = level(
        node("3", "KSampler", values={"seed": 7, "steps": 20, "cfg": 8.0, "sampler_name": "euler"}),
        node("4", "CheckpointLoaderSimple", values={"ckpt_name": "tiny_sd15_random.safetensors"}),
        node("5", "EmptyLatentImage", values={"width": 512, "height": 512, "batch_size": 1}),
        node("6", "CLIPTextEncode", values={"text": "a fox"}, title="Positive"),
        node("7", "CLIPTextEncode", values={"text": "blurry"}, title="Negative"),
        node("8", "VAEDecode"),
        node("9", "SaveImage", values={"filename_prefix": "ComfyUI"}),
        links=(
            ("4", 0, "3", 0),
            ("6", 0, "3", 1),
            ("7", 0, "3", 2),
            ("5", 0, "3", 3),
            ("4", 1, "6", 0),
            ("4", 1, "7", 0),
            ("3", 0, "8", 0),
            ("4", 2, "8", 1),
            ("8", 0, "9", 0),
        ),
    )
    return Diagram(root=root)


def changed(diagram: Diagram, key: str, **changes: Any) -> Diagram:
    """The diagram with one node of the top level changed."""
    nodes = {**diagram.root.nodes, key: replace(diagram.root.nodes[key], **changes)}
    return replace(diagram, root=replace(diagram.root, nodes=nodes))


def valued(diagram: Diagram, key: str, **values: Any) -> Diagram:
    """The diagram with values of one node of the top level changed."""
    return changed(diagram, key, values={**diagram.root.nodes[key].values, **values})


def without(diagram: Diagram, *keys: str) -> Diagram:
    """The diagram without some nodes of the top level, and without their links."""
    root = diagram.root
    nodes = {key: each for key, each in root.nodes.items() if key not in keys}
    links = {
        key: link
        for key, link in root.links.items()
        if link.source not in keys and link.target not in keys
    }
    return replace(diagram, root=replace(root, nodes=nodes, links=links))


def unlinked(diagram: Diagram, key: str, slot: int) -> Diagram:
    """The diagram without the link into an input of the top level."""
    root = diagram.root
    links = {
        number: link
        for number, link in root.links.items()
        if (link.target, link.input) != (key, slot)
    }
    return replace(diagram, root=replace(root, links=links))


def relinked(diagram: Diagram, source: str, output: int, target: str, slot: int) -> Diagram:
    """The diagram with another link into an input of the top level."""
    cut = unlinked(diagram, target, slot)
    key = max(cut.root.links, default=0) + 1
    link = Link(id=key, source=source, output=output, target=target, input=slot)
    return replace(cut, root=replace(cut.root, links={**cut.root.links, key: link}))


def with_subgraph() -> Diagram:
    """Text to image with the encoding of the prompt inside a subgraph, node 20, as its input."""
    diagram = without(text_to_image(), "6")
    encode = as_input(
        node("34", "CLIPTextEncode", values={"text": "a hare"}), "text", kind="STRING"
    )
    inside = level(
        encode,
        links=(("-10", 0, "34", 0), ("-10", 1, "34", 1), ("34", 0, "-20", 0)),
    )
    sockets = (Socket(name="clip", type="CLIP"), Socket(name="text", type="STRING"))
    gives = (Socket(name="CONDITIONING", type="CONDITIONING"),)
    definition = Subgraph(id="encode", name="Encode", inputs=sockets, outputs=gives, level=inside)
    instance = DiagramNode(
        id="20",
        class_type="encode",
        inputs=(sockets[0], replace(sockets[1], widget=True)),
        outputs=gives,
        values={"text": "a fox"},
    )
    nodes = {**diagram.root.nodes, "20": instance}
    diagram = replace(
        diagram,
        root=replace(diagram.root, nodes=nodes),
        subgraphs={"encode": definition},
    )
    diagram = relinked(diagram, "20", 0, "3", 1)
    return relinked(diagram, "4", 1, "20", 0)


def again(diagram: Diagram) -> Diagram:
    """The diagram written as a file and read from it."""
    text = json.dumps(write_ui(diagram, schemas=schemas()))
    read, findings = read_ui(json.loads(text), schemas=schemas())
    assert findings == ()
    return read
