"""Every bundled preset, from the request to the file, on the demo engine."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from app.models import JobState
from data.presets import load_presets
from tests.support.http import Api, api
from tests.support.running import until_job

PRESETS = [preset for preset in load_presets().all() if preset.kind == "comfyui"]
SMALL = {"width": 128, "height": 64, "steps": 2}


@pytest.fixture
async def app(home: Path) -> AsyncGenerator[Api]:
    """The app with its demo engine."""
    async with api(home) as running:
        yield running


async def given(app: Api, picture: Pillow.Image) -> str:
    """The name of an input picture."""
    path = app.services.settings.home / "given.png"
    await asyncio.to_thread(picture.save, path)
    data = await asyncio.to_thread(path.read_bytes)
    answer = await app.http.post("/api/inputs", files={"file": ("x.png", data)})
    return answer.json()["name"]


async def made(app: Api, preset: Any, **params: Any) -> tuple[dict[str, Any], Path]:
    """What a preset makes of a small request: the image, and its file."""
    sizes = {name: value for name, value in SMALL.items() if name in preset.fields}
    body = {"workflowId": preset.id, "params": {**sizes, **params}}
    job_id = await app.generate("a red fox", **body)
    job = await until_job(app.services, job_id)
    assert job.state is JobState.DONE, job.failure
    listed = await app.http.get("/api/images", params={"jobId": str(job_id)})
    image = listed.json()["images"][0]
    return image, app.services.settings.outputs_dir / image["file"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda each: each.id)
async def test_every_preset_makes_what_it_promises(app: Api, preset: Any) -> None:
    source = Pillow.effect_noise((128, 64), 90).convert("RGB")
    params: dict[str, Any] = {}
    if preset.needs_image:
        params["image"] = await given(app, source)
    if preset.needs_mask:
        params["mask"] = await given(app, Pillow.new("RGB", (128, 64), "white"))
    if preset.media == "video":
        params["options"] = {"frames": 3}

    image, file = await made(app, preset, **params)

    assert file.is_file()
    assert (image["width"], image["height"]) in {(128, 64), (256, 128), (512, 256)}
    assert file.suffix == (".mp4" if preset.media == "video" else ".png")


async def test_outside_of_the_mask_not_a_pixel_changes(app: Api) -> None:
    source = Pillow.effect_noise((128, 64), 90).convert("RGB")
    mask = Pillow.new("RGB", (128, 64), "black")
    mask.paste("white", (32, 16, 96, 48))
    preset = next(each for each in PRESETS if each.id == "sd15-inpaint")

    names = {"image": await given(app, source), "mask": await given(app, mask)}
    _, file = await made(app, preset, **names)

    with Pillow.open(file) as result:
        changed = np.asarray(result.convert("RGB")) != np.asarray(source)
    outside = np.asarray(mask.convert("L")) == 0
    assert not changed[outside].any()
    assert changed[~outside].any()


async def test_a_picture_keeps_the_checkpoint_that_was_chosen_for_it(app: Api) -> None:
    preset = next(each for each in PRESETS if each.id == "sdxl")

    image, _ = await made(app, preset)

    assert image["params"]["checkpoint"] == "demo_sdxl.safetensors"


async def test_an_input_picture_that_is_gone_is_named_at_once(app: Api) -> None:
    name = await given(app, Pillow.effect_noise((32, 32), 50))
    app.services.inputs.path(name).unlink()
    body = {"prompt": "x", "backend": "demo", "workflowId": "upscale", "params": {"image": name}}

    answer = await app.http.post("/api/generate", json=body)

    assert answer.status_code == 422
    assert name in answer.json()["detail"]
