"""The demo engine runs every kind of graph that the product offers, and shows what it made."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from backends.demo.nodes.table import RUNNERS
from backends.demo.server import DemoSettings, serve_demo
from tests.contract import demo_graphs as graphs
from tests.contract.demo_replay import blanked, wait_for_history

PATIENCE_S = 20
DATA = Path(__file__).parents[1] / "data" / "comfyui"
OBJECT_INFO = json.loads(files("backends.demo").joinpath("object_info.json").read_text("utf-8"))
RED = (200, 30, 30)


class Engine:
    """A served engine with a picture in its input folder."""

    def __init__(self, http: httpx.AsyncClient, home: Path) -> None:
        self.http = http
        self.home = home

    async def refused(self, graph: graphs.Graph) -> Any:
        answer = await self.http.post("/prompt", json={"prompt": graph})
        assert answer.status_code == 400, answer.text
        return answer.json()

    async def run(self, graph: graphs.Graph) -> dict[str, Any]:
        """The history entry of a graph that was accepted whole."""
        answer = await self.http.post("/prompt", json={"prompt": graph})
        assert answer.status_code == 200, answer.text
        assert answer.json()["node_errors"] == {}
        prompt_id = answer.json()["prompt_id"]
        return (await wait_for_history(self.http, prompt_id))[prompt_id]

    async def made(self, graph: graphs.Graph, *, node: str = "9") -> bytes:
        """The first file that a node of the graph saved."""
        entry = await self.run(graph)
        assert entry["status"]["completed"], entry["status"]["messages"][-1]
        item = entry["outputs"][node]["images"][0]
        return (await self.http.get("/view", params=item)).raise_for_status().content

    async def picture(self, graph: graphs.Graph, *, node: str = "9") -> Image.Image:
        return opened(await self.made(graph, node=node))

    async def error(self, graph: graphs.Graph) -> dict[str, Any]:
        entry = await self.run(graph)
        kind, data = entry["status"]["messages"][-1]
        assert kind == "execution_error"
        return data


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = DemoSettings(home=tmp_path, step_delay_s=0.0)
    async with (
        asyncio.timeout(PATIENCE_S),
        serve_demo(settings) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        picture = Image.new("RGBA", (64, 64), (*RED, 255))
        picture.paste((*RED, 0), (32, 0, 64, 64))  # the right half is to be painted anew
        picture.save(tmp_path / "input" / "red.png")
        yield Engine(http, tmp_path)


def opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return picture


def values(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("RGB"), np.float32)


def distance(first: Image.Image, second: Image.Image) -> float:
    return float(np.abs(values(first) - values(second)).mean())


def test_every_described_class_can_run_and_every_runner_is_described() -> None:
    assert set(OBJECT_INFO) == set(RUNNERS)


@pytest.mark.parametrize(
    "graph",
    [
        graphs.from_checkpoint("demo_sd15.safetensors"),
        graphs.from_checkpoint("demo_sdxl.safetensors"),
        graphs.from_checkpoint("demo_flux1-schnell-fp8.safetensors", latent="SD3"),
        graphs.from_checkpoint("demo/demo_storybook.safetensors"),
        graphs.from_checkpoint("demo_sd15.safetensors", latent="SD3"),
        graphs.sd35(),
        graphs.flux_dev(),
        graphs.with_lora(0.8),
    ],
    ids=["sd15", "sdxl", "flux schnell", "folder", "wide latent", "sd35", "flux dev", "lora"],
)
async def test_every_family_makes_a_picture_from_words(engine: Engine, graph: graphs.Graph) -> None:
    picture = await engine.picture(graph)

    assert picture.size == (64, 64)
    assert values(picture).std() > 8


async def test_a_vae_of_another_family_cannot_decode(engine: Engine) -> None:
    graph = graphs.flux_dev()
    graph["7"] = graphs.node("VAELoader", vae_name="demo_vae.safetensors")

    error = await engine.error(graph)

    assert error["node_type"] == "VAEDecode"
    assert "to have 4 channels, but got 16 channels" in error["exception_message"]


async def test_checkpoints_and_loras_change_the_colours(engine: Engine) -> None:
    plain = await engine.picture(graphs.from_checkpoint("demo_sd15.safetensors"))
    other = await engine.picture(graphs.from_checkpoint("demo_flux1-schnell-fp8.safetensors"))
    pictures = [await engine.picture(graphs.with_lora(weight)) for weight in (0.0, 0.5, 1.0)]

    assert distance(plain, other) > 2
    away = [distance(plain, picture) for picture in pictures]
    assert away[0] == 0
    assert 2 < away[1] < away[2]


async def test_image_to_image_goes_from_the_picture_to_the_words(engine: Engine) -> None:
    original = Image.new("RGB", (64, 64), RED)
    strengths = (0.0, 0.3, 0.7, 1.0)

    made = [
        await engine.picture(graphs.image_to_image("red.png", denoise=each)) for each in strengths
    ]

    away = [distance(original, picture) for picture in made]
    assert away[0] == 0
    assert away == sorted(away)
    assert away[3] > away[1] + 10


@pytest.mark.parametrize("with_grey", [True, False])
async def test_inpainting_changes_nothing_outside_the_mask(engine: Engine, with_grey: bool) -> None:
    picture = await engine.picture(graphs.inpaint("red.png", with_grey=with_grey))

    pixels = values(picture)
    assert np.abs(pixels[:, :28] - RED).max() <= 1
    assert np.abs(pixels[:, 36:] - RED).mean() > 10


async def test_a_result_can_be_loaded_as_the_next_input(engine: Engine) -> None:
    await engine.made(graphs.from_checkpoint("demo_sd15.safetensors"))

    picture = await engine.picture(graphs.upscale("t_00001_.png [output]", model="demo_2x.pth"))

    assert picture.size == (128, 128)


async def test_a_video_has_the_asked_frames_and_plays_in_browsers(engine: Engine) -> None:
    content = await engine.made(graphs.video("red.png", frames=14))

    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert "SVD_img2vid_Conditioning" in container.metadata["prompt"]
    assert [(frame.width, frame.height) for frame in frames] == [(128, 72)] * 14


async def test_the_seed_decides_how_a_video_moves(engine: Engine, tmp_path: Path) -> None:
    lake = await engine.picture(graphs.from_checkpoint("demo_sd15.safetensors"))
    lake.save(tmp_path / "input" / "lake.png")
    clips: list[Image.Image] = []
    for seed in (1, 1, 2):
        graph = graphs.video("lake.png", frames=6)
        graph["6"]["inputs"]["seed"] = seed
        graph["12"]["inputs"]["filename_prefix"] = f"clip{len(clips)}"
        del graph["9"], graph["11"]
        clips.append(Image.open(io.BytesIO(await engine.made(graph, node="12"))))

    first, again, other = (last_frame(clip) for clip in clips)

    assert [clip.n_frames for clip in clips] == [6, 6, 6]  # type: ignore[attr-defined]
    assert distance(first, again) == 0
    assert distance(first, other) > 0.5


def last_frame(clip: Image.Image) -> Image.Image:
    clip.seek(clip.n_frames - 1)  # type: ignore[attr-defined]
    return clip.convert("RGB")


async def test_video_files_are_shown_among_the_images_as_animated(engine: Engine) -> None:
    entry = await engine.run(graphs.video("red.png", frames=2))

    assert entry["outputs"] == {
        "9": {
            "images": [{"filename": "t_00001_.mp4", "subfolder": "clips", "type": "output"}],
            "animated": [True],
        },
        "12": {
            "images": [{"filename": "t_00001_.webp", "subfolder": "", "type": "output"}],
            "animated": [True],
        },
    }


@pytest.mark.parametrize(("model", "side"), [("demo_2x.pth", 128), ("demo_4x.pth", 256)])
async def test_upscaling_enlarges_by_the_model_and_then_by_the_factor(
    engine: Engine, model: str, side: int
) -> None:
    graph = graphs.upscale("red.png", model=model)

    sizes = [(await engine.picture(graph, node=node)).size for node in ("9", "10")]

    assert sizes == [(side, side), (side // 2, side // 2)]


async def test_a_picture_is_put_on_another_where_the_mask_lets_it(engine: Engine) -> None:
    graph = {
        "1": graphs.node("EmptyImage", width=64, height=64, batch_size=1, color=0x0000FF),
        "2": graphs.node("LoadImage", image="red.png"),
        "3": graphs.node(
            "ImageCompositeMasked",
            destination=["1", 0],
            source=["2", 0],
            x=0,
            y=0,
            resize_source=False,
            mask=["2", 1],
        ),
        "9": graphs.saved("3"),
    }

    picture = await engine.picture(graph)

    assert picture.getpixel((5, 5)) == (0, 0, 255)
    assert picture.getpixel((60, 5)) == RED


async def test_a_video_checkpoint_has_no_text_encoder(engine: Engine) -> None:
    error = await engine.error(graphs.from_checkpoint("demo_svd.safetensors"))

    assert (error["node_type"], error["exception_type"]) == ("CLIPTextEncode", "RuntimeError")
    assert error["exception_message"].startswith("ERROR: clip input is invalid: None")


async def test_another_checkpoint_cannot_make_videos(engine: Engine) -> None:
    error = await engine.error(
        graphs.video("red.png", frames=2, checkpoint="demo_sd15.safetensors")
    )

    assert error["node_type"] == "SVD_img2vid_Conditioning"
    assert error["exception_type"] == "AttributeError"


async def test_every_kind_of_output_is_shown_as_recorded(engine: Engine) -> None:
    recorded = json.loads((DATA / "history_output_kinds.json").read_text("utf-8"))
    graph = recorded["prompt"][2]
    names = Counter[str]()

    entry = await engine.run(graph)

    assert blanked(entry["outputs"]) == blanked(without_random_names(recorded["outputs"], entry))
    for shown in entry["outputs"].values():
        for items in shown.values():
            for item in (each for each in items if isinstance(each, dict)):
                content = (await engine.http.get("/view", params=item)).raise_for_status().content
                assert content
                names[item["filename"].rpartition(".")[2]] += 1
    assert names == recorded_endings(recorded["outputs"])


def without_random_names(outputs: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """The recorded outputs; each temporary file's name has five random letters of its own."""
    text = json.dumps(outputs)
    for node_id, shown in outputs.items():
        for key, items in shown.items():
            for index, item in enumerate(items):
                if isinstance(item, dict) and item["type"] == "temp":
                    ours = entry["outputs"][node_id][key][index]["filename"]
                    text = text.replace(item["filename"], ours)
    return json.loads(text)


def recorded_endings(outputs: dict[str, Any]) -> Counter[str]:
    return Counter(
        item["filename"].rpartition(".")[2]
        for shown in outputs.values()
        for items in shown.values()
        for item in items
        if isinstance(item, dict)
    )


async def test_a_missing_model_is_refused_with_the_choices(engine: Engine) -> None:
    graph = graphs.with_lora(1.0, lora="nowhere.safetensors")

    answer = await engine.refused(graph)

    error = answer["node_errors"]["2"]["errors"][0]
    assert error["type"] == "value_not_in_list"
    assert "styles/demo_neon.safetensors" in error["details"]


async def test_an_input_of_the_chosen_option_is_required(engine: Engine) -> None:
    graph = {
        "1": graphs.node("EmptyImage", width=64, height=64, batch_size=1, color=0),
        "9": graphs.node(
            "SaveImageAdvanced",
            images=["1", 0],
            filename_prefix="t",
            format="png",
            **{"format.bit_depth": "7-bit"},
        ),
    }

    answer = await engine.refused(graph)

    errors = answer["node_errors"]["9"]["errors"]
    assert [(error["type"], error["extra_info"]["input_name"]) for error in errors] == [
        ("value_not_in_list", "format.bit_depth"),
        ("required_input_missing", "format.input_color_space"),
    ]


async def test_model_folders_embeddings_and_headers_are_listed(engine: Engine) -> None:
    folders = (await engine.http.get("/models")).json()
    listed = {
        folder: (await engine.http.get(f"/models/{folder}")).json()
        for folder in ("loras", "upscale_models", "diffusion_models", "controlnet")
    }
    embeddings = (await engine.http.get("/embeddings")).json()
    header = await engine.http.get(
        "/view_metadata/checkpoints", params={"filename": "demo_sdxl.safetensors"}
    )

    assert set(listed) <= set(folders)
    assert "styles/demo_neon.safetensors" in listed["loras"]
    assert listed["upscale_models"] == ["demo_2x.pth", "demo_4x.pth"]
    assert listed["controlnet"] == []
    assert embeddings == ["demo_calm", "demo_negative"]
    assert header.json()["modelspec.architecture"] == "stable-diffusion-xl-v1-base"
