"""The ComfyUI backend against a server that misbehaves in every way we know of."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Timeouts
from app.errors import (
    BackendUnreachableError,
    MissingCapabilityError,
    NodeFailedError,
    NotSentError,
    OutOfMemoryError,
)
from app.ids import new_id
from app.models import Attempt, BackendInfo, BackendStatus, GenerationRequest
from app.ports import (
    Run,
    RunEvent,
    RunFailed,
    RunInterrupted,
    RunLost,
    RunPreviewed,
    RunProgressed,
    RunSilent,
    RunSucceeded,
)
from backends.comfyui.backend import ComfyBackend
from backends.demo.server import serve_demo
from backends.demo.settings import DemoSettings

LIMIT_S = 20
STEPS = 5
REQUEST = GenerationRequest(target="gpu-1", prompt="a red fox", width=64, height=64, steps=STEPS)
FAST = Timeouts(
    connect_s=2, request_s=5, check_s=0.2, reconnect_max_s=0.3, ping_s=5, lost_confirm_s=0.1
)


class SystemClock:
    """The time of day."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Farm:
    """A demo engine and backends that talk to it."""

    url: str
    home: Path
    http: httpx.AsyncClient
    group: asyncio.TaskGroup
    serving: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    async def connected(self, *, timeouts: Timeouts = FAST) -> "Watched":
        watched = Watched(url=self.url, timeouts=timeouts)
        self.serving.append(self.group.create_task(watched.backend.serve(watched.on_change)))
        await watched.until(lambda status: status.online)
        return watched

    async def fault(self, **faults: Any) -> None:
        (await self.http.post("/demo/faults", json=faults)).raise_for_status()

    async def release(self) -> None:
        await self.http.delete("/demo/faults")

    async def executed(self) -> dict[str, int]:
        return (await self.http.get("/demo/stats")).json()["executed"]

    async def submit_foreign(self, *, seed: int = 7) -> str:
        """A prompt of somebody else; its id."""
        graph: dict[str, Any] = {
            "1": {
                "class_type": "EmptyImage",
                "inputs": {"width": 64, "height": 64 + seed, "batch_size": 1, "color": 1},
            },
            "2": {
                "class_type": "SaveImage",
                "inputs": {"images": ["1", 0], "filename_prefix": "them"},
            },
        }
        prompt_id = str(new_id())
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": "them"}
        (await self.http.post("/prompt", json=body)).raise_for_status()
        return prompt_id

    async def history(self, prompt_id: str) -> dict[str, Any]:
        return (await self.http.get(f"/history/{prompt_id}")).json().get(prompt_id, {})


class Watched:
    """A backend, and a way to wait for its status."""

    def __init__(self, *, url: str, timeouts: Timeouts = FAST) -> None:
        info = BackendInfo(id="gpu-1", name="GPU 1", kind="comfyui", url=url)
        self.backend = ComfyBackend(info, timeouts=timeouts, clock=SystemClock())
        self._changed = asyncio.Event()

    def on_change(self, _: BackendStatus) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[BackendStatus], bool]) -> BackendStatus:
        async with asyncio.timeout(LIMIT_S):
            while not condition(self.backend.status):
                self._changed.clear()
                await self._changed.wait()
        return self.backend.status


@pytest.fixture
async def farm(tmp_path: Path) -> AsyncGenerator[Farm]:
    async with (
        serve_demo(DemoSettings(home=tmp_path, step_delay_s=0, faults=True)) as url,
        _farm(url, home=tmp_path) as farm,
    ):
        yield farm


@asynccontextmanager
async def _farm(url: str, *, home: Path) -> AsyncGenerator[Farm]:
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
        asyncio.TaskGroup() as group,
    ):
        farm = Farm(url=url, home=home, http=http, group=group)
        yield farm
        for task in farm.serving:
            task.cancel()


def _attempt() -> Attempt:
    return Attempt(
        id=new_id(), job_id=new_id(), number=1, backend_id="gpu-1", created_at=datetime.now(UTC)
    )


async def _finish(run: Run) -> list[RunEvent]:
    async with asyncio.timeout(LIMIT_S):
        return [event async for event in run.events()]


async def _run_through(
    watched: Watched, *, attempt: Attempt | None = None, request: GenerationRequest = REQUEST
) -> list[RunEvent]:
    async with watched.backend.open(attempt or _attempt()) as run:
        await run.submit(request)
        return await _finish(run)


async def _until_step(run: Run, *, step: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        async for event in run.events():
            if isinstance(event, RunProgressed) and event.progress.step >= step:
                return


async def _fetch(run: Run, end: RunEvent) -> bytes:
    assert isinstance(end, RunSucceeded)
    return b"".join([chunk async for chunk in run.fetch(end.outputs[0])])


async def test_a_run_tells_progress_and_previews_and_ends_with_its_file(farm: Farm) -> None:
    watched = await farm.connected()
    attempt = _attempt()

    async with watched.backend.open(attempt) as run:
        await run.submit(REQUEST)
        events = await _finish(run)
        data = await _fetch(run, events[-1])

    progress = [event.progress for event in events if isinstance(event, RunProgressed)]
    assert all(before.fraction <= after.fraction for before, after in pairwise(progress))
    assert (progress[-1].fraction, progress[-1].step, progress[-1].steps) == (1.0, STEPS, STEPS)
    assert {"Load checkpoint", "KSampler", "Decode"} <= {one.node_title for one in progress}
    previews = [event for event in events if isinstance(event, RunPreviewed)]
    assert [preview.step for preview in previews] == [1, 2, 3, 4, 5]
    assert all(preview.data.startswith(b"\xff\xd8") for preview in previews)
    (output,) = events[-1].outputs if isinstance(events[-1], RunSucceeded) else ()
    assert output.filename == f"{attempt.id}_00001_.png"
    assert data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "fault",
    [
        {"drop_socket_at_step": 2},
        {"zombie_socket": True},
        {"zombie_socket": 2},
        {"lose_terminal": True},
        {"duplicate_messages": True},
        {"reorder_messages": True},
        {"history_late_s": 0.4},
        {"history_late_s": 0.4, "zombie_socket": True},
        {"status_500": {"/queue": 2, "/history": 2}, "lose_terminal": True},
    ],
    ids=str,
)
async def test_a_run_ends_once_and_well_whatever_the_socket_does(
    farm: Farm, fault: dict[str, Any]
) -> None:
    watched = await farm.connected()
    attempt = _attempt()
    await farm.fault(**fault)

    events = await _run_through(watched, attempt=attempt)

    ends = [event for event in events if isinstance(event, RunSucceeded)]
    fractions = [event.progress.fraction for event in events if isinstance(event, RunProgressed)]
    assert events[-1:] == ends
    assert [len(end.outputs) for end in ends] == [1]
    assert fractions == sorted(fractions)
    assert await farm.executed() == {str(attempt.id): 1}


async def test_a_socket_found_deaf_is_replaced_and_the_next_run_is_heard(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(zombie_socket=True)

    await _run_through(watched)
    await watched.until(lambda _: watched.backend.connection == 2)
    events = await _run_through(watched, request=replace(REQUEST, seed=1))

    assert any(isinstance(event, RunPreviewed) for event in events)


async def test_a_dropped_socket_comes_back_and_goes_on_telling(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(drop_socket_at_step=1, hang_at_step=2)

    async with watched.backend.open(_attempt()) as run:
        await run.submit(REQUEST)
        await watched.until(lambda _: watched.backend.connection == 2)
        await farm.release()
        events = await _finish(run)

    steps = {event.step for event in events if isinstance(event, RunPreviewed)}
    assert STEPS in steps


async def test_a_run_of_an_earlier_process_is_adopted_while_it_executes(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    attempt = _attempt()
    await farm.fault(hang_at_step=2)
    async with before.backend.open(attempt) as run:
        await run.submit(REQUEST)
        await _until_step(run, step=2)

    await farm.release()
    async with after.backend.open(attempt) as run:
        events = await _finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert await farm.executed() == {str(attempt.id): 1}


async def test_a_run_of_an_earlier_process_is_adopted_while_it_waits(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    blocker, attempt = _attempt(), _attempt()
    await farm.fault(hang_at_step=1)
    async with before.backend.open(blocker) as run:
        await run.submit(REQUEST)
        await _until_step(run, step=1)
    async with before.backend.open(attempt) as run:
        await run.submit(REQUEST)

    await farm.release()
    async with after.backend.open(attempt) as run:
        events = await _finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert await farm.executed() == {str(blocker.id): 1, str(attempt.id): 1}


async def test_a_run_that_ended_meanwhile_is_collected_from_the_history(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    attempt = _attempt()
    ended = await _run_through(before, attempt=attempt)

    async with after.backend.open(attempt) as run:
        events = await _finish(run)

    assert events == ended[-1:]


async def test_a_run_its_server_forgot_is_found_by_its_file(farm: Farm) -> None:
    watched = await farm.connected()
    attempt = _attempt()
    ended = await _run_through(watched, attempt=attempt)
    await farm.fault(forget=True)

    async with watched.backend.open(attempt) as run:
        events = await _finish(run)
        data = await _fetch(run, events[-1])

    assert events == ended[-1:]
    assert data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "damage",
    [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-5])],
    ids=["deleted", "cut short"],
)
async def test_a_run_its_server_forgot_without_a_whole_file_is_lost(
    farm: Farm, damage: Callable[[Path], None]
) -> None:
    watched = await farm.connected()
    attempt = _attempt()
    await _run_through(watched, attempt=attempt)
    await farm.fault(forget=True)
    damage(farm.home / "output" / f"{attempt.id}_00001_.png")

    async with watched.backend.open(attempt) as run:
        events = await _finish(run)

    assert events == [RunLost()]


async def test_an_attempt_that_was_never_sent_is_lost(farm: Farm) -> None:
    watched = await farm.connected()

    async with watched.backend.open(_attempt()) as run:
        events = await _finish(run)

    assert events == [RunLost()]


async def test_stopping_a_waiting_run_touches_nobody_elses(farm: Farm) -> None:
    watched = await farm.connected()
    blocker, attempt = _attempt(), _attempt()
    await farm.fault(hang_at_step=1)

    async with watched.backend.open(blocker) as running:
        await running.submit(REQUEST)
        await _until_step(running, step=1)
        foreign = await farm.submit_foreign()
        async with watched.backend.open(attempt) as waiting:
            await waiting.submit(REQUEST)
            await waiting.interrupt()
            stopped = await _finish(waiting)
        await farm.release()
        ended = await _finish(running)

    assert stopped[-1] == RunInterrupted()
    assert isinstance(ended[-1], RunSucceeded)
    assert (await farm.executed()).keys() == {str(blocker.id), foreign}


async def test_stopping_an_executing_run_touches_nobody_elses(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=1)

    async with watched.backend.open(_attempt()) as run:
        await run.submit(REQUEST)
        await _until_step(run, step=1)
        follower = _attempt()
        async with watched.backend.open(follower) as next_run:
            await next_run.submit(REQUEST)
            await run.interrupt()
            events = await _finish(run)
            next_events = await _finish(next_run)

    assert events[-1] == RunInterrupted()
    assert isinstance(next_events[-1], RunSucceeded)


async def test_a_run_that_somebody_else_stops_is_interrupted(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=1)

    async with watched.backend.open(_attempt()) as run:
        await run.submit(REQUEST)
        await _until_step(run, step=1)
        await farm.http.post("/interrupt")
        events = await _finish(run)

    assert events[-1] == RunInterrupted()


async def test_out_of_memory_is_told_from_other_failures(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(out_of_memory=True)

    end = (await _run_through(watched))[-1]

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, OutOfMemoryError)
    assert end.error.fix


async def test_a_failed_node_is_named_with_what_it_said(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(fail_node={"class_type": "VAEDecode", "message": "bad colours\nline two"})

    end = (await _run_through(watched))[-1]

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, NodeFailedError)
    assert end.error.message.endswith("node 8 'Decode' (VAEDecode) failed: bad colours")


async def test_a_500_to_a_prompt_that_is_not_there_ends_as_lost(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(status_500={"/prompt": 1})

    async with watched.backend.open(_attempt()) as run:
        with pytest.raises(BackendUnreachableError) as caught:
            await run.submit(REQUEST)
        events = await _finish(run)

    assert type(caught.value) is BackendUnreachableError
    assert events == [RunLost()]
    assert await farm.executed() == {}


async def test_a_server_that_answers_too_late_has_the_prompt_and_it_is_collected(
    farm: Farm,
) -> None:
    watched = await farm.connected(timeouts=FAST.model_copy(update={"request_s": 0.5}))
    attempt = _attempt()
    await farm.fault(slow_answers_s=1)

    async with watched.backend.open(attempt) as run:
        with pytest.raises(BackendUnreachableError):
            await run.submit(REQUEST)
        events = await _finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert await farm.executed() == {str(attempt.id): 1}


async def test_an_unknown_checkpoint_never_reaches_the_server(farm: Farm) -> None:
    watched = await farm.connected()
    request = GenerationRequest(target="gpu-1", prompt="x", checkpoint="none.safetensors")

    async with watched.backend.open(_attempt()) as run:
        with pytest.raises(MissingCapabilityError, match=r"gpu-1.*none\.safetensors"):
            await run.submit(request)

    assert (await farm.http.get("/demo/stats")).json()["prompts_received"] == []


async def test_the_status_tells_the_machine_and_its_queue(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=1)

    async with watched.backend.open(_attempt()) as run:
        await run.submit(REQUEST)
        status = await watched.until(lambda status: status.queue_depth == 1)
        await farm.release()
        await _finish(run)

    assert (status.online, status.last_error, status.version) == (True, None, "0.33.0")
    assert status.catalog is not None
    assert status.catalog.checkpoints == ("demo-painter.safetensors",)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def test_a_backend_that_is_away_says_why_and_gets_no_prompt() -> None:
    url = f"http://127.0.0.1:{_free_port()}"
    watched = Watched(url=url)

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(watched.backend.serve(watched.on_change))
        status = await watched.until(lambda status: status.last_error is not None)
        async with watched.backend.open(_attempt()) as run:
            with pytest.raises(NotSentError, match="connection refused"):
                await run.submit(REQUEST)
        serving.cancel()

    assert not status.online
    assert status.last_error == (
        f"Backend 'gpu-1' at {url} does not answer: connection refused. Is ComfyUI running?"
    )


async def test_a_run_survives_the_outage_of_its_backend_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="backends.comfyui")
    port = _free_port()
    settings = DemoSettings(home=tmp_path, step_delay_s=0, faults=True)
    watched = Watched(url=f"http://127.0.0.1:{port}")
    attempt = _attempt()
    events: list[RunEvent] = []

    async with asyncio.TaskGroup() as group, watched.backend.open(attempt) as run:
        async with serve_demo(settings, port=port) as url, httpx.AsyncClient(base_url=url) as http:
            serving = group.create_task(watched.backend.serve(watched.on_change))
            await watched.until(lambda status: status.online)
            await http.post("/demo/faults", json={"hang_at_step": 2})
            await run.submit(REQUEST)
            await _until_step(run, step=2)
        away = await watched.until(lambda status: not status.online)
        silence = asyncio.Event()
        async with asyncio.timeout(LIMIT_S):
            following = group.create_task(_follow(run, into=events, silence=silence))
            await silence.wait()
            async with serve_demo(settings, port=port):
                await following
                await watched.until(lambda status: status.online)
        serving.cancel()

    assert away.last_error is not None
    assert "connection refused" in away.last_error
    silences = [event.reason for event in events if isinstance(event, RunSilent)]
    assert silences == [away.last_error, None]
    assert events[-1] == RunLost()
    levels = [
        record.levelname for record in caplog.records if record.name.startswith("backends.comfyui")
    ]
    assert levels == ["INFO", "WARNING", "INFO"]


async def _follow(run: Run, *, into: list[RunEvent], silence: asyncio.Event) -> None:
    async for event in run.events():
        into.append(event)
        if isinstance(event, RunSilent):
            silence.set()
