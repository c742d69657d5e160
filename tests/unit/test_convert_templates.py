"""The official templates, converted and held against what a real server says of its nodes.

`template_graphs.json` keeps a digest of each graph, so that no change of them goes unseen. Where a
change is meant, write it anew: `python -m tests.unit.test_convert_templates`.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from app.drawing.convert import Conversion, to_api
from app.drawing.diagram import VIRTUAL, Diagram
from app.drawing.files.ui_format import read_ui
from app.drawing.findings import Severity
from app.drawing.schema import NodeSchema, read_schema
from app.graphs.nodes import required_classes
from tests.support.server_validation import faults

_DATA = Path(__file__).parents[1] / "data" / "comfyui"
_DIGESTS = _DATA / "template_graphs.json"
_NEWER = {
    # Drawn for later versions of these node classes than the server has that we ask.
    "3d_pixal3d_trellis2_image_to_model": ["RemeshMesh.sign_mode"],
    "image_moss_image_base_t2i": ["CLIPLoader.type"],
    "image_moss_image_t2i": ["CLIPLoader.type"],
    "video_ltx2_3_ia2v": ["CreateVideo.bit_depth"],
    "video_ltx2_3_ic_lora": ["CreateVideo.bit_depth"],
    "video_ltx2_3_t2v": ["CreateVideo.bit_depth"],
    "video_minimax_h3_multiframe_reference": ["CreateVideo.bit_depth"],
    # Wants a package that the server has not installed.
    "image_ming_image_01_design_t2i": ["ModelAttentionBackend.attention"],
    "image_minimax_h3_t2i": ["ModelAttentionBackend.attention"],
    # Broken as it comes: nothing in its subgraph is linked to the output.
    "video_ltx2_i2v_lora": ["SaveVideo.video"],
}


@cache
def _object_info() -> Mapping[str, Any]:
    return json.loads(gzip.decompress((_DATA / "object_info_full.json.gz").read_bytes()))


@cache
def _schemas() -> dict[str, NodeSchema]:
    return {name: read_schema(name, entry) for name, entry in _object_info().items()}


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    folder = resources.files("comfyui_workflow_templates_json") / "templates"
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        document = json.loads(file.read_bytes()) if file.name.endswith(".json") else None
        if isinstance(document, dict) and "nodes" in document:
            yield file.name.removesuffix(".json"), document


def _classes(diagram: Diagram) -> set[str]:
    levels = [diagram.root, *(each.level for each in diagram.subgraphs.values())]
    found = {node.class_type for level in levels for node in level.nodes.values()}
    return found - set(diagram.subgraphs) - VIRTUAL


@cache
def _converted() -> Mapping[str, Conversion]:
    """Every template that uses only classes the server has."""
    found: dict[str, Conversion] = {}
    for name, document in _documents():
        diagram, _ = read_ui(document, schemas=_schemas())
        if _classes(diagram) <= set(_schemas()):
            found[name] = to_api(diagram, schemas=_schemas())
    return found


def _digest(conversion: Conversion) -> str:
    text = json.dumps(conversion.graph, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_server_would_refuse_no_template_but_those_that_are_not_made_for_it() -> None:
    found = {
        name: sorted({each.split(": ")[0].split(" ")[1] for each in wrong})
        for name, conversion in _converted().items()
        if (wrong := faults(conversion.graph, _object_info()))
    }

    assert found == _NEWER
    assert len(_converted()) == 230
    # Where we say that a server would refuse, it would.
    errors = {
        name
        for name, conversion in _converted().items()
        if any(each.severity is Severity.ERROR for each in conversion.findings)
    }
    assert errors <= set(_NEWER)


def test_nothing_that_only_exists_while_drawing_is_left() -> None:
    for name, conversion in _converted().items():
        assert required_classes(conversion.graph) <= set(_schemas()), name


def test_the_graphs_are_the_same_as_ever() -> None:
    kept = json.loads(_DIGESTS.read_text(encoding="utf-8"))

    assert {name: _digest(each) for name, each in _converted().items()} == kept


def test_templates_of_unknown_classes_convert_as_far_as_they_can() -> None:
    known = _schemas()
    for name, document in _documents():
        if name in _converted():
            continue
        diagram, _ = read_ui(document, schemas=known)

        graph = to_api(diagram, schemas=known).graph

        assert required_classes(graph) <= _classes(diagram), name
        for node in graph.values():
            links = [each for each in node["inputs"].values() if isinstance(each, list)]
            assert all(link[0] in graph for link in links), name


def _write() -> None:
    digests = {name: _digest(each) for name, each in _converted().items()}
    _DIGESTS.write_text(json.dumps(digests, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
