"""What the graph inside a picture says about how it was made."""

import json

import pytest

from app.graphs.embedded import as_drawn
from app.models import Catalog, GenerationRequest
from data.presets import load_presets

_REQUEST = GenerationRequest(target="gpu-1", prompt="a red fox", sampler="euler_a", seed=7)
_CATALOG = Catalog(
    node_classes=frozenset(),
    models={"checkpoints": ("sd15.safetensors",)},
    samplers=("euler", "euler_ancestral"),
    schedulers=("normal",),
)


def test_picture_remembers_what_its_backend_chose() -> None:
    graph = load_presets().build(_REQUEST, prefix="x", catalog=_CATALOG).graph

    drawn = as_drawn(_REQUEST, {"prompt": json.dumps(graph)})

    assert drawn.checkpoint == "sd15.safetensors"
    assert drawn.sampler == "euler_ancestral"
    assert (drawn.prompt, drawn.seed) == ("a red fox", 7)


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        ("ImageOnlyCheckpointLoader", "ckpt_name"),
        ("UNETLoader", "unet_name"),
        ("UpscaleModelLoader", "model_name"),
    ],
)
def test_the_model_is_told_whichever_node_loaded_it(loader: str, name: str) -> None:
    graph = {"1": {"class_type": loader, "inputs": {name: "model.safetensors"}}}

    drawn = as_drawn(_REQUEST, {"prompt": json.dumps(graph)})

    assert drawn.checkpoint == "model.safetensors"


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "null", '{"3": 5}', '{"3": {"class_type": "KSampler"}}',
     '{"3": {"class_type": "KSampler", "inputs": {"sampler_name": ["1", 0]}}}', "[" * 100_000],
)  # fmt: skip
def test_strange_metadata_changes_nothing(text: str) -> None:
    assert as_drawn(_REQUEST, {"prompt": text}) == _REQUEST
