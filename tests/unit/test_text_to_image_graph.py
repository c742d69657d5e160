"""The text-to-image graph: what of the request ends up where."""

import pytest

from app.errors import MissingCapabilityError
from app.graphs.text_to_image import SAVE_NODE, build_text_to_image, required_classes
from app.models import Catalog, GenerationRequest

CATALOG = Catalog(
    node_classes=frozenset({"KSampler"}),
    models={"checkpoints": ("first.safetensors", "second.safetensors")},
    samplers=("euler", "euler_ancestral", "dpmpp_2m"),
    schedulers=("normal", "karras"),
)
REQUEST = GenerationRequest(
    target="gpu-1",
    prompt="a fox",
    negative_prompt="rain",
    width=640,
    height=384,
    steps=7,
    cfg=4.5,
    sampler="dpmpp_2m",
    scheduler="karras",
    seed=2**64 - 1,
    checkpoint="second.safetensors",
)


def _inputs(node_id: str, **changes: object) -> dict[str, object]:
    request = GenerationRequest(**({"target": "gpu-1", "prompt": "a fox"} | changes))  # pyright: ignore[reportArgumentType]
    return build_text_to_image(request, prefix="p", catalog=CATALOG)[node_id]["inputs"]


def test_every_value_of_the_request_reaches_its_node() -> None:
    graph = build_text_to_image(REQUEST, prefix="attempt-7", catalog=CATALOG)

    sampler = graph["3"]["inputs"]
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (2**64 - 1, 7, 4.5)
    assert (sampler["sampler_name"], sampler["scheduler"]) == ("dpmpp_2m", "karras")
    assert graph["4"]["inputs"] == {"ckpt_name": "second.safetensors"}
    assert graph["5"]["inputs"] == {"width": 640, "height": 384, "batch_size": 1}
    assert graph["6"]["inputs"]["text"] == "a fox"
    assert graph["7"]["inputs"]["text"] == "rain"
    assert graph[SAVE_NODE]["inputs"]["filename_prefix"] == "attempt-7"


def test_every_link_leads_to_a_node_of_the_graph() -> None:
    graph = build_text_to_image(REQUEST, prefix="p", catalog=CATALOG)

    links = [
        value
        for node in graph.values()
        for value in node["inputs"].values()
        if isinstance(value, list)
    ]

    assert len(links) == 9
    assert {link[0] for link in links} <= graph.keys()


def test_nodes_have_titles_for_people() -> None:
    graph = build_text_to_image(REQUEST, prefix="p", catalog=CATALOG)

    assert {node["_meta"]["title"] for node in graph.values()} == {
        "Load checkpoint",
        "Prompt",
        "Negative prompt",
        "Empty latent",
        "KSampler",
        "Decode",
        "Save image",
    }


def test_without_a_checkpoint_the_first_one_of_the_backend_is_used() -> None:
    assert _inputs("4", checkpoint=None)["ckpt_name"] == "first.safetensors"


def test_an_unknown_checkpoint_names_itself_and_what_is_there() -> None:
    with pytest.raises(MissingCapabilityError, match=r"nope\.safetensors") as caught:
        _inputs("4", checkpoint="nope.safetensors")

    assert "first.safetensors" in caught.value.fix


def test_a_backend_without_checkpoints_cannot_run_it() -> None:
    empty = Catalog(node_classes=frozenset())

    with pytest.raises(MissingCapabilityError, match="has no checkpoint"):
        build_text_to_image(REQUEST, prefix="p", catalog=empty)


@pytest.mark.parametrize(
    ("wanted", "used"),
    [("euler", "euler"), ("euler_a", "euler_ancestral"), ("DPM++ 2M", "dpmpp_2m"), ("x", "euler")],
)
def test_a_sampler_not_offered_becomes_the_nearest(wanted: str, used: str) -> None:
    assert _inputs("3", sampler=wanted)["sampler_name"] == used


@pytest.mark.parametrize(("wanted", "used"), [("karras", "karras"), ("x", "normal")])
def test_a_scheduler_not_offered_becomes_normal(wanted: str, used: str) -> None:
    assert _inputs("3", scheduler=wanted)["scheduler"] == used


def test_required_classes_are_those_of_the_nodes() -> None:
    graph = build_text_to_image(REQUEST, prefix="p", catalog=CATALOG)

    assert required_classes(graph) == {
        "CheckpointLoaderSimple",
        "CLIPTextEncode",
        "EmptyLatentImage",
        "KSampler",
        "VAEDecode",
        "SaveImage",
    }
