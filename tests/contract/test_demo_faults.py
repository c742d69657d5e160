"""The demo engine misbehaves exactly as it was asked to, and stops when it is told to."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from PIL import Image
from websockets.asyncio.client import ClientConnection

from backends.demo.server import DemoSettings, serve_demo
from tests.contract.demo_replay import wait_for_history

pytestmark = pytest.mark.timeout(30)

ROOT = Path(__file__).parents[2]
CLIENT_ID = "caller"
PATIENCE_S = 20


def graph(
    *, steps: int = 4, seed: int = 1, checkpoint: str = "demo-painter.safetensors"
) -> dict[str, Any]:
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": seed,
                "steps": steps,
                "cfg": 7.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        },
        "4": {
            "class_type": "CheckpointLoaderSimple",
            "inputs": {"ckpt_name": checkpoint},
        },
        "5": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1},
        },
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lake", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "t", "images": ["8", 0]}},
    }


class Caller:
    """A client with one socket."""

    def __init__(self, http: httpx.AsyncClient, socket: ClientConnection) -> None:
        self.http = http
        self.socket = socket

    async def arm(self, **faults: Any) -> None:
        answer = await self.http.post("/demo/faults", json=faults)
        assert answer.status_code == 200, answer.text

    async def post(self, **kwargs: Any) -> str:
        body = {"prompt": graph(**kwargs), "client_id": CLIENT_ID}
        answer = await self.http.post("/prompt", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["prompt_id"]

    async def run(self, **kwargs: Any) -> dict[str, Any]:
        """Posts a prompt and returns its history entry."""
        prompt_id = await self.post(**kwargs)
        return (await wait_for_history(self.http, prompt_id))[prompt_id]

    async def hear_until(self, kind: str, *, step: int | None = None) -> list[dict[str, Any]]:
        """The text messages up to the first of a kind."""
        heard: list[dict[str, Any]] = []
        async for message in self.socket:
            if isinstance(message, str):
                heard.append(json.loads(message))
                data = heard[-1]["data"]
                if heard[-1]["type"] == kind and (step is None or data.get("value") == step):
                    return heard
        raise AssertionError(f"The socket closed before {kind}")


@asynccontextmanager
async def caller_of(url: str) -> AsyncIterator[Caller]:
    address = f"{url.replace('http', 'ws')}/ws?clientId={CLIENT_ID}"
    async with (
        asyncio.timeout(PATIENCE_S),
        httpx.AsyncClient(base_url=url) as http,
        websockets.connect(address, max_queue=None, proxy=None) as socket,
    ):
        yield Caller(http, socket)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    settings = DemoSettings(home=tmp_path, step_delay_s=0.0, faults=True)
    async with serve_demo(settings) as url, caller_of(url) as made:
        yield made


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in messages]


async def test_a_dropped_socket_dies_without_a_close_frame_and_the_run_goes_on(
    caller: Caller,
) -> None:
    await caller.arm(drop_socket_at_step=2)

    entry = await caller.run()

    with pytest.raises(websockets.ConnectionClosedError):
        await caller.hear_until("execution_success")
    assert caller.socket.close_code == 1006
    assert entry["status"]["completed"] is True


async def test_a_zombie_socket_stays_open_and_says_nothing_more(caller: Caller) -> None:
    await caller.hear_until("status")
    await caller.arm(zombie_socket=True)

    entry = await caller.run()
    await caller.socket.close()

    assert [message async for message in caller.socket] == []
    assert entry["status"]["completed"] is True


async def test_a_socket_can_turn_zombie_in_the_middle_of_a_run(caller: Caller) -> None:
    await caller.arm(zombie_socket=3)

    await caller.run()
    heard = await caller.hear_until("progress", step=2)
    await caller.socket.close()

    assert "execution_start" in types(heard)
    assert [each async for each in caller.socket if isinstance(each, str)] == []


async def test_a_lost_ending_is_in_history_all_the_same(caller: Caller) -> None:
    await caller.arm(lose_terminal=True)
    entry = await caller.run()

    await caller.run(seed=2)
    heard = await caller.hear_until("execution_success")

    started = [each for each in heard if each["type"] == "execution_start"]
    assert len(started) == 2  # the first run's ending was never told
    assert not any(each["data"].get("node", "") is None for each in heard)
    assert entry["status"]["messages"][-1][0] == "execution_success"


async def test_messages_are_told_twice_for_one_run_only(caller: Caller) -> None:
    await caller.arm(duplicate_messages=True)

    await caller.run()
    await caller.run(seed=2)
    first = await caller.hear_until("execution_success")
    rest = await caller.hear_until("progress", step=4)

    assert types(first).count("execution_start") == 2
    assert types(rest).count("execution_start") == 1


async def test_reordered_messages_are_all_told(caller: Caller) -> None:
    await caller.arm(reorder_messages=True)

    await caller.run()
    await caller.run(seed=2)
    first = await caller.hear_until("execution_success")
    rest = await caller.hear_until("execution_start")

    told = types(first + rest)
    assert told.index("execution_cached") < told.index("execution_start")
    assert told.count("executing") == 8  # seven nodes and the end marker


async def test_late_history_is_empty_after_the_end_marker(caller: Caller) -> None:
    await caller.arm(history_late_s=0.3)
    prompt_id = await caller.post()
    await caller.hear_until("execution_success")
    await caller.hear_until("executing")

    early = (await caller.http.get(f"/history/{prompt_id}")).json()
    late = await wait_for_history(caller.http, prompt_id)

    assert early == {}
    assert late[prompt_id]["status"]["completed"] is True


async def test_a_path_answers_500_as_often_as_asked(caller: Caller) -> None:
    await caller.arm(status_500={"/history": 2})

    codes = [(await caller.http.get("/history/x")).status_code for _ in range(3)]

    assert codes == [500, 500, 200]


async def test_running_out_of_memory_is_reported_like_a_real_server_does(caller: Caller) -> None:
    await caller.arm(out_of_memory=True)

    entry = await caller.run()
    again = await caller.run()

    event, error = entry["status"]["messages"][-1]
    assert (event, error["exception_type"]) == ("execution_error", "torch.OutOfMemoryError")
    assert error["node_type"] == "KSampler"
    assert error["exception_message"].startswith("CUDA out of memory")
    assert again["status"]["completed"] is True


async def test_a_chosen_node_fails_until_cleared(caller: Caller) -> None:
    await caller.arm(fail_node={"class_type": "VAEDecode", "message": "broken", "times": None})
    failed = [await caller.run(seed=seed) for seed in (1, 2)]
    await caller.http.delete("/demo/faults")

    mended = await caller.run(seed=3)

    for entry in failed:
        assert entry["status"]["messages"][-1][1]["exception_message"] == "broken\n"
    assert mended["status"]["completed"] is True


async def test_memory_can_run_out_at_a_chosen_step(caller: Caller) -> None:
    await caller.arm(out_of_memory=3)

    prompt_id = await caller.post(steps=4)
    heard = await caller.hear_until("execution_error")

    steps = [each["data"]["value"] for each in heard if each["type"] == "progress"]
    assert steps == [1, 2]
    assert heard[-1]["data"]["exception_type"] == "torch.OutOfMemoryError"
    assert heard[-1]["data"]["prompt_id"] == prompt_id


async def test_a_corrupt_checkpoint_fails_in_its_loader_and_no_other_one_does(
    caller: Caller,
) -> None:
    await caller.arm(corrupt_checkpoint={"value": "demo_sdxl.safetensors", "times": None})

    fine = await caller.run()
    broken = await caller.run(checkpoint="demo_sdxl.safetensors")
    again = await caller.run(checkpoint="demo_sdxl.safetensors", seed=2)

    assert fine["status"]["completed"] is True
    for entry in (broken, again):
        _kind, error = entry["status"]["messages"][-1]
        assert error["node_type"] == "CheckpointLoaderSimple"
        assert error["exception_type"] == "safetensors_rust.SafetensorError"
        assert error["exception_message"].startswith(
            "Error while deserializing header: HeaderTooLarge"
        )
        assert "demo_sdxl.safetensors" in error["exception_message"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("disk_full", "[Errno 28] No space left on device"),
        ("read_only_output", "[Errno 30] Read-only file system"),
    ],
)
async def test_a_picture_that_cannot_be_saved_fails_the_run(
    caller: Caller, tmp_path: Path, fault: str, message: str
) -> None:
    await caller.arm(**{fault: True})

    entry = await caller.run()
    retried = await caller.run()

    _kind, error = entry["status"]["messages"][-1]
    assert (error["node_type"], error["exception_type"]) == ("SaveImage", "OSError")
    assert error["exception_message"].startswith(message)
    assert retried["status"]["completed"] is True
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["t_00001_.png"]


async def test_a_lost_history_is_never_there_though_the_end_was_told(
    caller: Caller, tmp_path: Path
) -> None:
    await caller.arm(lose_history=True)

    prompt_id = await caller.post()
    heard = await caller.hear_until("execution_success")
    next_entry = await caller.run(seed=2)

    assert heard[-1]["data"]["prompt_id"] == prompt_id
    assert (await caller.http.get(f"/history/{prompt_id}")).json() == {}
    assert next_entry["status"]["completed"] is True
    assert len(list((tmp_path / "output").iterdir())) == 2


async def test_a_hang_ends_when_faults_are_cleared(caller: Caller) -> None:
    await caller.arm(hang_at_step=2)
    prompt_id = await caller.post()
    await caller.hear_until("progress", step=1)
    hanging = (await caller.http.get("/queue")).json()["queue_running"]

    await caller.http.delete("/demo/faults")
    entry = (await wait_for_history(caller.http, prompt_id))[prompt_id]

    assert hanging[0][1] == prompt_id
    assert entry["status"]["completed"] is True


async def test_a_hang_ends_by_interrupt(caller: Caller) -> None:
    await caller.arm(hang_at_step=2)
    prompt_id = await caller.post()
    await caller.hear_until("progress", step=1)

    await caller.http.post("/interrupt")
    entry = (await wait_for_history(caller.http, prompt_id))[prompt_id]

    assert entry["status"]["messages"][-1][0] == "execution_interrupted"


async def test_a_forgetful_engine_knows_no_prompt_but_kept_the_counts(caller: Caller) -> None:
    finished = await caller.post()
    await wait_for_history(caller.http, finished)
    await caller.arm(hang_at_step=1)
    running = await caller.post(seed=2)
    waiting = await caller.post(seed=3)

    await caller.arm(forget=True)
    queue = (await caller.http.get("/queue")).json()
    known = (await caller.http.get("/history")).json()
    stats = (await caller.http.get("/demo/stats")).json()
    await caller.http.delete("/demo/faults")  # it may have been too quick for the hang
    after = await caller.run(seed=4)

    assert queue["queue_pending"] == []
    assert known == {}
    assert stats["prompts_received"] == [finished, running, waiting]
    assert waiting not in stats["executed"]
    assert after["prompt"][0] == 0


async def test_slow_answers_are_slow_once(caller: Caller) -> None:
    await caller.arm(slow_answers_s=0.2)

    started = time.monotonic()
    await caller.http.get("/queue")
    slow_s = time.monotonic() - started

    assert slow_s >= 0.2
    assert (await caller.http.get("/demo/faults")).json() == {}


async def test_an_unknown_fault_is_refused_and_nothing_is_armed(caller: Caller) -> None:
    answer = await caller.http.post("/demo/faults", json={"lose_terminal": True, "explode": 1})

    assert answer.status_code == 400
    assert (await caller.http.get("/demo/faults")).json() == {}


async def test_an_ordinary_engine_offers_no_faults(tmp_path: Path) -> None:
    async with serve_demo(DemoSettings(home=tmp_path)) as url, httpx.AsyncClient() as http:
        answer = await http.post(f"{url}/demo/faults", json={"die_at_step": 1})

    assert answer.status_code == 404


async def test_serving_ends_at_once_with_a_running_prompt_and_an_open_socket(
    tmp_path: Path,
) -> None:
    settings = DemoSettings(home=tmp_path, step_delay_s=30)
    async with serve_demo(settings) as url, caller_of(url) as caller:
        await caller.post()
        await caller.hear_until("executing")
        started = time.monotonic()

    assert time.monotonic() - started < 2


@asynccontextmanager
async def process(
    home: Path, *options: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """An engine of its own, and its address."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "backends.demo", "--port", "0", "--home", str(home), "--announce"),
        *("--step-delay", "0", "--faults", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert started.stdout is not None
            ready = (await started.stdout.readline()).decode().split()
            assert ready[0] == "READY"
            yield started, ready[1]
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_ends_cleanly_on_signals(tmp_path: Path, number: signal.Signals) -> None:
    async with process(tmp_path) as (engine, _url):
        engine.send_signal(number)

        assert await engine.wait() == 0


async def test_a_process_ends_when_the_watched_one_is_gone(tmp_path: Path) -> None:
    watched = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    async with process(tmp_path, "--parent", str(watched.pid)) as (engine, _url):
        await watched.communicate(b"\n")

        assert await engine.wait() == 0


async def test_death_at_a_step_leaves_no_picture_and_the_count_of_the_start(
    tmp_path: Path,
) -> None:
    async with process(tmp_path) as (engine, url), caller_of(url) as caller:
        await caller.arm(die_at_step=2)
        prompt_id = await caller.post()
        code = await engine.wait()
    async with process(tmp_path) as (_engine, url), caller_of(url) as caller:
        forgotten = (await caller.http.get(f"/history/{prompt_id}")).json()
        stats = (await caller.http.get("/demo/stats")).json()

    assert code == 1
    assert forgotten == {}
    assert stats["executed"] == {prompt_id: 1}
    assert list((tmp_path / "output").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "kept"),
    [({"die_at_node": "VAEDecode"}, []), ({"die_at_end": True}, ["t_00001_.png"])],
    ids=["at a node", "at the end"],
)
async def test_death_between_two_steps_of_the_way_keeps_what_was_saved(
    tmp_path: Path, fault: dict[str, Any], kept: list[str]
) -> None:
    async with process(tmp_path) as (engine, url), caller_of(url) as caller:
        await caller.arm(**fault)
        await caller.post()

        assert await engine.wait() == 1

    assert [path.name for path in (tmp_path / "output").iterdir()] == kept


@pytest.mark.parametrize("fault", ["die_before_accept", "die_after_accept"])
async def test_death_while_a_prompt_is_posted_gives_no_answer(tmp_path: Path, fault: str) -> None:
    async with process(tmp_path) as (engine, url), caller_of(url) as caller:
        await caller.arm(**{fault: True})
        with pytest.raises(httpx.TransportError):
            await caller.post()

        assert await engine.wait() == 1


async def test_pictures_of_a_killed_engine_are_whole(tmp_path: Path) -> None:
    async with process(tmp_path) as (engine, url), caller_of(url) as caller:
        first = await caller.post()
        await wait_for_history(caller.http, first)
        for seed in range(2, 6):
            await caller.post(seed=seed, steps=1)
        os.kill(engine.pid, signal.SIGKILL)
        await engine.wait()

    pictures = list((tmp_path / "output").glob("*.png"))
    assert pictures
    for path in pictures:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (64, 64)
