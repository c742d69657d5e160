"""The ComfyUI backend against a server that misbehaves in every way we know of."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.errors import (
    MissingCapabilityError,
    NodeFailedError,
    NotSentError,
    OutOfMemoryError,
)
from app.models import GenerationRequest, NodeProgress
from app.runs import (
    RunFailed,
    RunInterrupted,
    RunNodesProgressed,
    RunPreviewed,
    RunProgressed,
    RunSucceeded,
)
from tests.contract.comfyui_farm import (
    REQUEST,
    STEPS,
    Farm,
    Hanging,
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


async def test_a_run_tells_progress_and_previews_and_ends_with_its_file(farm: Farm) -> None:
    watched = await farm.connected()
    attempt = new_attempt()

    async with watched.backend.open(attempt, REQUEST) as run:
        await run.submit()
        events = await finish(run)
        data = await fetched(run, events[-1])

    progress = [event.progress for event in events if isinstance(event, RunProgressed)]
    assert all(before.fraction <= after.fraction for before, after in pairwise(progress))
    assert (progress[-1].fraction, progress[-1].step, progress[-1].steps) == (1.0, STEPS, STEPS)
    assert {"Load checkpoint", "KSampler", "Decode"} <= {one.node_title for one in progress}
    nodes: dict[str, NodeProgress] = {}
    for event in events:
        nodes |= event.nodes if isinstance(event, RunNodesProgressed) else {}
    assert {each.state for each in nodes.values()} == {"done"}
    previews = [event for event in events if isinstance(event, RunPreviewed)]
    assert {preview.node_id for preview in previews} <= set(nodes)
    assert [preview.step for preview in previews] == [1, 2, 3, 4, 5]
    assert all(preview.data.startswith(b"\xff\xd8") for preview in previews)
    assert isinstance(events[-1], RunSucceeded)
    names = [output.filename for output in events[-1].outputs]
    assert names == [f"{attempt.id}_00001_.png"]
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
    attempt = new_attempt()
    await farm.fault(**fault)

    events = await run_through(watched, attempt=attempt)

    ends = [event for event in events if isinstance(event, RunSucceeded)]
    fractions = [event.progress.fraction for event in events if isinstance(event, RunProgressed)]
    assert events[-1:] == ends
    assert [len(end.outputs) for end in ends] == [1]
    assert fractions == sorted(fractions)
    assert await farm.executed() == {str(attempt.id): 1}


async def test_a_socket_found_deaf_is_replaced_and_the_next_run_is_heard(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(zombie_socket=True)

    await run_through(watched)
    await watched.until(lambda _: watched.backend.connection == 2)
    events = await run_through(watched, request=replace(REQUEST, seed=1))

    assert any(isinstance(event, RunPreviewed) for event in events)


async def test_a_dropped_socket_comes_back_and_goes_on_telling(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(drop_socket_at_step=1, hang_at_step=2)

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        await watched.until(lambda _: watched.backend.connection == 2)
        await farm.release()
        events = await finish(run)

    steps = {event.step for event in events if isinstance(event, RunPreviewed)}
    assert STEPS in steps


async def test_stopping_a_waiting_run_touches_nobody_elses(farm: Farm) -> None:
    watched = await farm.connected()
    client_id = watched.backend.client_id
    blocker, attempt = new_attempt(), new_attempt()
    await farm.fault(hang_at_step=2)

    async with watched.backend.open(blocker, REQUEST) as running:
        await running.submit()
        await until_step(running, step=1)
        foreign = await farm.submit_foreign()
        async with watched.backend.open(attempt, REQUEST) as waiting:
            await waiting.submit()
            await waiting.interrupt()
            stopped = await finish(waiting)
        await farm.release()
        ended = await finish(running)
    await farm.ended(foreign)

    assert stopped[-1] == RunInterrupted()
    assert watched.backend.client_id == client_id  # its silence was no sign of a deaf socket
    assert isinstance(ended[-1], RunSucceeded)
    assert (await farm.executed()).keys() == {str(blocker.id), foreign}


async def test_stopping_an_executing_run_touches_nobody_elses(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=2)

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        await until_step(run, step=1)
        follower = new_attempt()
        async with watched.backend.open(follower, REQUEST) as next_run:
            await next_run.submit()
            await run.interrupt()
            events = await finish(run)
            next_events = await finish(next_run)

    assert events[-1] == RunInterrupted()
    assert isinstance(next_events[-1], RunSucceeded)


async def test_a_run_that_somebody_else_stops_is_interrupted(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=2)

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        await until_step(run, step=1)
        await farm.http.post("/interrupt")
        events = await finish(run)

    assert events[-1] == RunInterrupted()


async def test_out_of_memory_is_told_from_other_failures(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(out_of_memory=True)

    end = (await run_through(watched))[-1]

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, OutOfMemoryError)
    assert end.error.fix


async def test_a_failed_node_is_named_with_what_it_said(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(fail_node={"class_type": "VAEDecode", "message": "bad colours\nline two"})

    end = (await run_through(watched))[-1]

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, NodeFailedError)
    assert end.error.message.endswith("node 8 'Decode' (VAEDecode) failed: bad colours")


async def test_an_unknown_checkpoint_never_reaches_the_server(farm: Farm) -> None:
    watched = await farm.connected()
    request = GenerationRequest(target="gpu-1", prompt="x", checkpoint="none.safetensors")

    async with watched.backend.open(new_attempt(), request) as run:
        with pytest.raises(MissingCapabilityError, match=r"gpu-1.*none\.safetensors"):
            await run.submit()

    assert (await farm.http.get("/demo/stats")).json()["prompts_received"] == []


async def test_the_status_tells_the_machine_and_its_queue(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=2)

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        status = await watched.until(lambda status: status.queue_depth == 1)
        await farm.release()
        await finish(run)

    assert (status.online, status.last_error, status.version) == (True, None, "0.33.0")
    assert status.catalog is not None
    assert status.catalog.checkpoints[0] == "demo-painter.safetensors"


async def test_a_backend_that_is_away_says_why_and_gets_no_prompt() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    watched = Watched(url=url)

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(watched.backend.serve(watched.on_change))
        status = await watched.until(lambda status: status.last_error is not None)
        async with watched.backend.open(new_attempt(), REQUEST) as run:
            with pytest.raises(NotSentError, match="connection refused"):
                await run.submit()
        serving.cancel()

    assert not status.online
    assert status.last_error == (
        f"Backend 'gpu-1' at {url} does not answer: connection refused. Is ComfyUI running?"
    )


async def test_a_server_that_hangs_behind_an_open_socket_goes_offline_and_comes_back(
    farm: Farm,
) -> None:
    transport = Hanging()
    watched = await farm.connected(transport=transport)

    transport.hangs = True
    away = await watched.until(lambda status: not status.online)
    transport.hangs = False
    back = await watched.until(lambda status: status.online)

    assert "no answer in time" in str(away.last_error)
    assert back.last_error is None
