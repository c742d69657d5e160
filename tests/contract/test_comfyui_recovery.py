"""Attempts the ComfyUI backend did not see from start to end: what became of them?"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import (
    BackendUnreachableError,
)
from app.models import Attempt
from app.runs import Run, RunEvent, RunLost, RunSilent, RunSucceeded
from backends.demo.server import serve_demo
from backends.demo.settings import DemoSettings
from tests.contract.comfyui_farm import (
    LIMIT_S,
    REQUEST,
    Farm,
    LosingAnswers,
    Script,
    Watched,
    fetched,
    finish,
    free_port,
    new_attempt,
    open_farm,
    run_through,
    until_step,
)


@pytest.fixture
async def farm(tmp_path: Path) -> AsyncGenerator[Farm]:
    async with open_farm(tmp_path) as farm:
        yield farm


async def test_a_run_of_an_earlier_process_is_adopted_while_it_executes(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    attempt = new_attempt()
    await farm.fault(hang_at_step=2)
    async with before.backend.open(attempt, REQUEST) as run:
        await run.submit()
        await until_step(run, step=1)

    await farm.release()
    async with after.backend.open(attempt, REQUEST) as run:
        events = await finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert await farm.executed() == {str(attempt.id): 1}


async def test_a_run_of_an_earlier_process_is_adopted_while_it_waits(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    blocker, attempt = new_attempt(), new_attempt()
    await farm.fault(hang_at_step=2)
    async with before.backend.open(blocker, REQUEST) as run:
        await run.submit()
        await until_step(run, step=1)
    async with before.backend.open(attempt, REQUEST) as run:
        await run.submit()

    await farm.release()
    async with after.backend.open(attempt, REQUEST) as run:
        events = await finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert await farm.executed() == {str(blocker.id): 1, str(attempt.id): 1}


async def test_a_run_that_ended_meanwhile_is_collected_from_the_history(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    attempt = new_attempt()
    ended = await run_through(before, attempt=attempt)

    async with after.backend.open(attempt, REQUEST) as run:
        events = await finish(run)

    assert events == ended[-1:]


async def test_a_run_its_server_forgot_is_found_by_its_file(farm: Farm) -> None:
    watched = await farm.connected()
    attempt = new_attempt()
    ended = await run_through(watched, attempt=attempt)
    await farm.fault(forget=True)

    async with watched.backend.open(attempt, REQUEST) as run:
        events = await finish(run)
        data = await fetched(run, events[-1])

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
    attempt = new_attempt()
    await run_through(watched, attempt=attempt)
    await farm.fault(forget=True)
    damage(farm.home / "output" / f"{attempt.id}_00001_.png")

    async with watched.backend.open(attempt, REQUEST) as run:
        events = await finish(run)

    assert events == [RunLost()]


async def test_an_attempt_that_was_never_sent_is_lost(farm: Farm) -> None:
    watched = await farm.connected()

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        events = await finish(run)

    assert events == [RunLost()]


async def test_a_500_to_a_prompt_that_is_not_there_ends_as_lost(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(status_500={"/prompt": 1})

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        with pytest.raises(BackendUnreachableError) as caught:
            await run.submit()
        events = await finish(run)

    assert type(caught.value) is BackendUnreachableError
    assert events == [RunLost()]
    assert await farm.executed() == {}


async def test_a_prompt_whose_answer_is_lost_is_found_on_the_server(farm: Farm) -> None:
    watched = await farm.connected(transport=LosingAnswers())
    attempt = new_attempt()

    async with watched.backend.open(attempt, REQUEST) as run:
        with pytest.raises(BackendUnreachableError) as caught:
            await run.submit()
        events = await finish(run)

    assert type(caught.value) is BackendUnreachableError
    assert isinstance(events[-1], RunSucceeded)
    assert await farm.executed() == {str(attempt.id): 1}


async def test_a_run_survives_the_outage_of_its_backend_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="backends.comfyui")
    port = free_port()
    settings = DemoSettings(home=tmp_path, step_delay_s=0, faults=True)
    watched = Watched(url=f"http://127.0.0.1:{port}")
    attempt = new_attempt()
    events: list[RunEvent] = []

    async with asyncio.TaskGroup() as group, watched.backend.open(attempt, REQUEST) as run:
        async with serve_demo(settings, port=port) as url, httpx.AsyncClient(base_url=url) as http:
            serving = group.create_task(watched.backend.serve(watched.on_change))
            await watched.until(lambda status: status.online)
            await http.post("/demo/faults", json={"hang_at_step": 2})
            await run.submit()
            await until_step(run, step=1)
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


NOWHERE: dict[str, Any] = {"queue_running": [], "queue_pending": []}


def _running(attempt: Attempt) -> dict[str, Any]:
    return {"queue_running": [[1, str(attempt.id), {}, {}, []]], "queue_pending": []}


def _ended(attempt: Attempt) -> dict[str, Any]:
    files = {"images": [{"filename": "x.png", "subfolder": "", "type": "output"}]}
    status = {"status_str": "success", "messages": []}
    return {str(attempt.id): {"outputs": {"9": files}, "status": status}}


async def _ask(attempt: Attempt, *, queue: list[Any], history: list[Any]) -> list[RunEvent]:
    script = Script(queue=queue, history=history)
    watched = Watched(url="http://gpu-1:8188", transport=script)
    async with watched.backend.open(attempt, REQUEST) as run:
        return await finish(run)


async def test_one_look_that_finds_nothing_is_not_enough() -> None:
    attempt = new_attempt()

    events = await _ask(
        attempt, queue=[NOWHERE, NOWHERE, _running(attempt), NOWHERE], history=[{}, _ended(attempt)]
    )

    assert isinstance(events[-1], RunSucceeded)


async def test_an_outage_is_told_once_and_its_end_once() -> None:
    attempt = new_attempt()
    outage = [httpx.ReadTimeout("")] * 3

    events = await _ask(attempt, queue=[*outage, NOWHERE], history=[_ended(attempt)])

    reasons = [event.reason for event in events if isinstance(event, RunSilent)]
    assert len(reasons) == 2
    assert "no answer in time" in str(reasons[0])
    assert reasons[1] is None
    assert isinstance(events[-1], RunSucceeded)
