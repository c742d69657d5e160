"""Graphs in the API format, drawn."""

from typing import Any

import pytest

from app.drawing.convert import to_api
from app.drawing.files.from_api import draw, from_api
from app.errors import InvalidRequestError
from tests.support.diagrams import schemas, text_to_image
from tests.unit.test_layout import overlapping


def test_a_graph_drawn_and_converted_is_the_same_graph() -> None:
    graph = to_api(text_to_image(), schemas=schemas()).graph

    diagram, findings = draw(graph, schemas=schemas())

    assert findings == ()
    assert to_api(diagram, schemas=schemas()).graph == graph
    assert overlapping(diagram.root) == []


def test_titles_sockets_and_values_are_those_of_the_class() -> None:
    graph = {
        "4": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["9:1", 0], "text": "fox"}},
        "9:1": {
            "class_type": "CLIPLoader",
            "inputs": {"clip_name": "a.safetensors"},
            "_meta": {"title": "My encoder"},
        },
    }

    nodes = from_api(graph, schemas=schemas()).root.nodes

    assert nodes["4"].values == {"text": "fox"}
    assert [(each.name, each.type) for each in nodes["4"].inputs] == [("clip", "CLIP")]
    assert [each.type for each in nodes["5"].outputs] == ["CLIP"]
    assert (nodes["4"].title, nodes["5"].title) == (None, "My encoder")
    assert nodes["5"].values["type"] == "stable_diffusion"


def test_a_linked_widget_is_an_input() -> None:
    graph = {
        "1": {"class_type": "PrimitiveInt", "inputs": {"value": 7}},
        "2": {"class_type": "EmptyLatentImage", "inputs": {"width": ["1", 0], "height": 64}},
    }

    root = from_api(graph, schemas=schemas()).root

    (socket,) = root.nodes["2"].inputs
    assert (socket.name, socket.type, socket.widget) == ("width", "INT", True)
    assert (root.links[1].source, root.links[1].type) == ("1", "INT")


def test_unknown_classes_get_the_sockets_that_their_links_need() -> None:
    graph = {
        "1": {"class_type": "Strange", "inputs": {"power": 3, "list": {"__value__": [1, 2]}}},
        "2": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 2], "vae": ["1", 0]}},
    }

    root = from_api(graph, schemas=schemas()).root

    assert root.nodes["1"].values == {"power": 3, "list": [1, 2]}
    assert [each.type for each in root.nodes["1"].outputs] == ["VAE", "*", "LATENT"]
    assert {link.output for link in root.links.values()} == {0, 2}


def test_what_is_broken_in_a_graph_is_left_out_and_said() -> None:
    graph: dict[str, Any] = {
        "1": {"class_type": "VAEDecode", "inputs": {"samples": ["77", 0], "vae": ["2", 99]}},
        "2": {"class_type": "VAELoader", "inputs": {"vae_name": "a", "more": float("nan")}},
        "3": "nothing",
    }

    diagram, findings = draw(graph, schemas=schemas())

    assert [each.code for each in findings] == ["bad_node", "bad_link"]
    assert diagram.root.links == {}
    assert set(diagram.root.nodes) == {"1", "2"}


def test_more_nodes_than_anybody_can_look_at_are_refused() -> None:
    graph = {str(n): {"class_type": "A", "inputs": {}} for n in range(10_001)}

    with pytest.raises(InvalidRequestError, match="more than 10000 nodes"):
        from_api(graph, schemas=schemas())
