"""The ComfyUI backend against a real server: `ORCHESTRATOR_TEST_COMFY_URL` names it.

What it runs is small (64 × 64 pixels, a few steps) and needs no model, but for what says so. It
stops nothing but its own prompts, and leaves a few small files in the server's output folder.
"""

import asyncio
import io
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as Pillow

from app.config import Timeouts
from app.errors import BackendError, MissingCapabilityError
from app.models import Attempt, BackendInfo, GenerationRequest
from app.runs import (
    Run,
    RunEvent,
    RunInterrupted,
    RunLost,
    RunPreviewed,
    RunProgressed,
    RunStarted,
    RunSucceeded,
)
from backends.comfyui.proxy import open_proxy
from tests.contract.comfyui_farm import Watched, new_attempt
from tests.support.pictures import png

URL = os.environ.get("ORCHESTRATOR_TEST_COMFY_URL", "")
LIMIT_S = 300  # on a CPU, loading a model included
TIMEOUTS = Timeouts(check_s=1, lost_confirm_s=0.5)
REQUEST = GenerationRequest(target="real", prompt="a red fox", width=64, height=64, steps=4)

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(LIMIT_S),
    pytest.mark.skipif(not URL, reason="ORCHESTRATOR_TEST_COMFY_URL names no server"),
]


@asynccontextmanager
async def connected(**options: Any) -> AsyncGenerator[Watched]:
    """A backend that is online."""
    watched = Watched(url=URL, timeouts=TIMEOUTS, **options)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(watched.backend.serve(watched.on_change))
        await watched.until(lambda status: status.online)
        yield watched
        serving.cancel()


@pytest.fixture
async def real() -> AsyncGenerator[Watched]:
    async with connected() as watched:
        yield watched


def picture_graph(colour: int, *, count: int = 1) -> dict[str, Any]:
    """Nodes that need no model."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 48, "batch_size": count, "color": colour},
        },
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "x"},
        },
    }


def given(graph: dict[str, Any]) -> GenerationRequest:
    return replace(REQUEST, graph=graph)


async def finished(run: Run) -> list[RunEvent]:
    async with asyncio.timeout(LIMIT_S):
        return [event async for event in run.events()]


async def run_through(
    watched: Watched, request: GenerationRequest, *, attempt: Attempt | None = None
) -> tuple[list[RunEvent], list[bytes]]:
    """Everything until the end, and the files."""
    async with watched.backend.open(attempt or new_attempt(), request) as run:
        await run.submit()
        events = await finished(run)
        end = events[-1]
        assert isinstance(end, RunSucceeded), end
        return events, [
            b"".join([chunk async for chunk in run.fetch(output)]) for output in end.outputs
        ]


async def test_the_server_tells_what_it_is_and_has(real: Watched) -> None:
    status = real.backend.status

    assert status.version
    assert status.ram_total_bytes
    assert status.catalog is not None
    assert {"KSampler", "SaveImage"} <= status.catalog.node_classes
    assert "checkpoints" in status.catalog.models
    assert "euler" in status.catalog.samplers
    assert "normal" in status.catalog.schedulers
    print(status.version, sorted(status.features))


async def test_pictures_that_need_no_model_come_home(real: Watched) -> None:
    events, files = await run_through(real, given(picture_graph(0x0000FF, count=2)))

    assert sum(isinstance(event, RunStarted) for event in events) == 1
    assert len(files) == 2
    with Pillow.open(io.BytesIO(files[0])) as picture:
        assert picture.size == (64, 48)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 0)
        assert "prompt" in picture.info


async def test_an_input_picture_is_uploaded_and_used(tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(png(seed=3, size=(64, 64)))
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "in.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    request = replace(given(graph), image="in.png")

    async with connected(inputs=lambda name: tmp_path / name) as watched:
        _, files = await run_through(watched, request)

    with (
        Pillow.open(io.BytesIO(files[0])) as made,
        Pillow.open(io.BytesIO(png(seed=3, size=(64, 64)))) as sent,
    ):
        assert made.convert("RGB").getpixel((5, 5)) == sent.getpixel((5, 5))


async def test_pictures_sent_over_the_socket_alone_come_home(real: Watched) -> None:
    graph = picture_graph(0x00FF00)
    graph["3"] = {"class_type": "SaveImageWebsocket", "inputs": {"images": ["2", 0]}}
    _skip_without(real, "SaveImageWebsocket")

    _, files = await run_through(real, given(graph))

    with Pillow.open(io.BytesIO(files[0])) as picture:
        assert picture.size == (64, 48)


async def test_a_video_and_a_text_come_home(real: Watched) -> None:
    _skip_without(real, "CreateVideo", "SaveVideo", "PreviewAny")
    graph = picture_graph(0x808080, count=8)
    graph["4"] = {"class_type": "CreateVideo", "inputs": {"images": ["2", 0], "fps": 8.0}}
    graph["5"] = {
        "class_type": "SaveVideo",
        "inputs": {
            "video": ["4", 0],
            "filename_prefix": "x",
            "format": "auto",
            "codec": "auto",
            "format.codec": "auto",
        },
    }
    graph["6"] = {"class_type": "PreviewAny", "inputs": {"source": "hello"}}

    events, files = await run_through(real, given(graph))

    end = events[-1]
    assert isinstance(end, RunSucceeded)
    suffixes = [Path(output.filename).suffix for output in end.outputs]
    assert suffixes == [".png"] * 8 + [".mp4", ".txt"]
    assert files[-1] == b"hello"
    assert files[-2][4:8] == b"ftyp"


async def test_a_run_is_taken_up_by_another_process_and_found_by_its_history(
    real: Watched,
) -> None:
    attempt, request = new_attempt(), given(picture_graph(0x123456))
    events, _ = await run_through(real, request, attempt=attempt)

    async with connected() as other, other.backend.open(attempt, request) as run:
        again = await finished(run)

    assert again[-1] == events[-1]


async def test_a_run_its_server_forgot_is_found_by_its_files(real: Watched) -> None:
    attempt, request = new_attempt(), given(picture_graph(0x654321, count=2))
    events, _ = await run_through(real, request, attempt=attempt)
    async with httpx.AsyncClient(base_url=URL, trust_env=False) as http:
        await http.post("/history", json={"delete": [str(attempt.id)]})

    async with real.backend.open(attempt, request) as run:
        again = await finished(run)

    assert again[-1] == events[-1]


async def test_an_attempt_that_was_never_sent_is_lost(real: Watched) -> None:
    async with real.backend.open(new_attempt(), given(picture_graph(1))) as run:
        assert (await finished(run))[-1] == RunLost()


async def test_a_wrong_value_is_refused_and_named(real: Watched) -> None:
    graph = picture_graph(1)
    graph["1"]["inputs"]["width"] = -5

    async with real.backend.open(new_attempt(), given(graph)) as run:
        with pytest.raises(BackendError, match="width"):
            await run.submit()


async def test_a_node_class_it_lacks_is_named(real: Watched) -> None:
    graph = picture_graph(1)
    graph["2"]["class_type"] = "NoSuchNode"

    async with real.backend.open(new_attempt(), given(graph)) as run:
        with pytest.raises(MissingCapabilityError, match="NoSuchNode"):
            await run.submit()


async def test_a_picture_is_drawn_with_a_checkpoint(real: Watched) -> None:
    _skip_without_checkpoint(real)

    events, files = await run_through(real, REQUEST)

    steps = [event.progress.step for event in events if isinstance(event, RunProgressed)]
    assert max(steps) == REQUEST.steps
    assert any(isinstance(event, RunPreviewed) for event in events) or not _shows_previews(real)
    with Pillow.open(io.BytesIO(files[0])) as picture:
        assert picture.size == (64, 64)


async def test_a_running_prompt_is_stopped_and_the_one_behind_it_is_not(real: Watched) -> None:
    _skip_without_checkpoint(real)
    behind = given(picture_graph(0xABCDEF))
    async with (
        real.backend.open(new_attempt(), replace(REQUEST, steps=400, seed=9)) as run,
        real.backend.open(new_attempt(), behind) as second,
        real.backend.open(new_attempt(), given(picture_graph(0xFEDCBA))) as third,
    ):
        await run.submit()
        await second.submit()
        await third.submit()
        await _until_step(run, step=1)

        await third.interrupt()
        dropped = await finished(third)
        await run.interrupt()
        stopped = await finished(run)
        done = await finished(second)

    assert dropped[-1] == RunInterrupted()
    assert not any(isinstance(event, RunStarted) for event in dropped)
    assert stopped[-1] == RunInterrupted()
    assert isinstance(done[-1], RunSucceeded)


async def test_its_api_is_passed_on() -> None:
    info = BackendInfo(id="real", name="Real", kind="comfyui", url=URL)

    async def nothing() -> AsyncGenerator[bytes]:
        for _ in ():
            yield b""

    async with (
        open_proxy(TIMEOUTS) as proxy,
        proxy.forward(
            info, method="GET", path="/queue", query="", headers=[], body=nothing()
        ) as answer,
    ):
        body = b"".join([chunk async for chunk in answer.body])

    assert answer.status == 200
    assert b"queue_running" in body


async def _until_step(run: Run, *, step: int) -> None:
    async with asyncio.timeout(LIMIT_S), aclosing(run.events()) as events:
        async for event in events:
            if isinstance(event, RunProgressed) and event.progress.step >= step:
                return


def _skip_without(watched: Watched, *classes: str) -> None:
    catalog = watched.backend.status.catalog
    lacking = set(classes) - (catalog.node_classes if catalog else frozenset())
    if lacking:
        pytest.skip(f"this server has no {', '.join(sorted(lacking))}")


def _skip_without_checkpoint(watched: Watched) -> None:
    catalog = watched.backend.status.catalog
    if catalog is None or not catalog.checkpoints:
        pytest.skip("this server has no checkpoint")


def _shows_previews(watched: Watched) -> bool:
    # Older servers take no wish for previews from a prompt; newer ones do.
    return "jobs" in watched.backend.status.features
