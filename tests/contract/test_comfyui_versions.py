"""Servers of several ages: what they can is found out by asking, and all of them are used well."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import BackendUnreachableError
from app.models import Attempt, Catalog
from app.runs import RunInterrupted, RunLost, RunProgressed, RunStarted, RunSucceeded
from backends.demo.settings import Protocol
from tests.contract.comfyui_farm import (
    REQUEST,
    Farm,
    LosingAnswers,
    Watched,
    fetched,
    finish,
    free_port,
    new_attempt,
    open_farm,
    run_through,
    until_step,
)


@pytest.fixture(params=list(Protocol), ids=str)
async def farm(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Farm]:
    async with open_farm(tmp_path, protocol=request.param) as farm:
        yield farm


@pytest.fixture
async def no_id_farm(tmp_path: Path) -> AsyncGenerator[Farm]:
    async with open_farm(tmp_path, protocol=Protocol.NO_ID) as farm:
        yield farm


async def test_a_run_goes_well_on_every_version(farm: Farm) -> None:
    watched = await farm.connected()

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        events = await finish(run)
        data = await fetched(run, events[-1])

    assert isinstance(events[0], RunStarted)
    assert [type(event) for event in events].count(RunStarted) == 1
    assert max(event.progress.step for event in events if isinstance(event, RunProgressed)) == 5
    assert data.startswith(b"\x89PNG")
    assert sum((await farm.executed()).values()) == 1


@pytest.mark.parametrize(
    ("protocol", "found"),
    [
        (Protocol.CURRENT, {"features", "preview_metadata", "jobs", "cancel", "prompt_id"}),
        (Protocol.OLD, {"features", "preview_metadata", "prompt_id"}),
        (Protocol.NO_ID, {"features", "preview_metadata"}),
    ],
)
async def test_features_are_found_by_asking(
    tmp_path: Path, protocol: Protocol, found: set[str]
) -> None:
    async with open_farm(tmp_path, protocol=protocol) as farm:
        watched = await farm.connected()
        await run_through(watched)

        assert watched.backend.status.features == found


async def test_stopping_touches_nobody_elses_on_any_version(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=2)

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        await until_step(run, step=1)
        foreign = await farm.submit_foreign()
        waiting_one = new_attempt()
        async with watched.backend.open(waiting_one, replace(REQUEST, seed=5)) as waiting:
            await waiting.submit()
            await waiting.interrupt()
            assert (await finish(waiting))[-1] == RunInterrupted()
        await run.interrupt()
        events = await finish(run)

    assert events[-1] == RunInterrupted()
    assert (await farm.ended(foreign))["status"]["status_str"] == "success"


async def test_what_is_taken_back_goes_if_it_waits_and_goes_on_if_it_runs(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(hang_at_step=2)

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        await until_step(run, step=1)
        async with watched.backend.open(new_attempt(), replace(REQUEST, seed=5)) as waiting:
            await waiting.submit()
            await waiting.interrupt(unless_begun=True)
            taken_back = await finish(waiting)
        await run.interrupt(unless_begun=True)
        await farm.release()
        events = await finish(run)

    assert taken_back[-1] == RunInterrupted()
    assert isinstance(events[-1], RunSucceeded)
    assert len(await farm.executed()) == 1


async def test_a_foreign_run_is_not_stopped_by_a_late_cancel(farm: Farm) -> None:
    watched = await farm.connected()

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        await run.submit()
        await finish(run)
        await farm.fault(hang_at_step=2)
        other = await farm.connected()
        async with other.backend.open(new_attempt(), replace(REQUEST, seed=8)) as others:
            await others.submit()
            await until_step(others, step=1)
            await run.interrupt()
            await farm.release()
            events = await finish(others)

    assert isinstance(events[-1], RunSucceeded)


async def test_an_invented_id_is_handed_over_and_found_by_it_later(no_id_farm: Farm) -> None:
    farm = no_id_farm
    before, after = await farm.connected(), await farm.connected()
    attempt = new_attempt()
    await farm.fault(hang_at_step=2)
    async with before.backend.open(attempt, REQUEST) as run:
        accepted = await run.submit()
        await until_step(run, step=1)
    assert accepted.handle is not None
    assert accepted.handle["promptId"] != str(attempt.id)

    await farm.release()
    adopted = replace(attempt, handle=accepted.handle)
    async with after.backend.open(adopted, REQUEST) as run:
        events = await finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert len(await farm.executed()) == 1


async def test_a_server_that_keeps_our_id_needs_no_handle(tmp_path: Path) -> None:
    async with open_farm(tmp_path) as farm:
        watched = await farm.connected()
        async with watched.backend.open(new_attempt(), REQUEST) as run:
            accepted = await run.submit()
            await finish(run)

    assert accepted.handle is None


@pytest.mark.parametrize("ended", [False, True], ids=["under way", "ended"])
async def test_an_invented_id_that_never_reached_us_is_found_by_our_mark(
    no_id_farm: Farm, ended: bool
) -> None:
    farm = no_id_farm
    watched = await farm.connected(transport=LosingAnswers())
    attempt = new_attempt()
    if not ended:
        await farm.fault(hang_at_step=2)

    async with watched.backend.open(attempt, REQUEST) as run:
        with pytest.raises(BackendUnreachableError):
            await run.submit()
        if ended:
            await farm.ended()
        else:
            await until_step(run, step=0)
            await farm.release()
        events = await finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert len(await farm.executed()) == 1


async def test_an_invented_id_that_its_server_forgot_is_found_by_its_file(no_id_farm: Farm) -> None:
    farm = no_id_farm
    watched = await farm.connected()
    attempt = new_attempt()
    await run_through(watched, attempt=attempt)
    await farm.fault(forget=True)

    async with watched.backend.open(attempt, REQUEST) as run:
        events = await finish(run)

    assert isinstance(events[-1], RunSucceeded)
    assert [output.filename for output in events[-1].outputs] == [f"{attempt.id}_00001_.png"]


class Old(httpx.AsyncBaseTransport):
    """A server without newer routes, whose queue changes with every look."""

    def __init__(self, attempt: Attempt, *, running: list[bool]) -> None:
        self._attempt = attempt
        self._running = running
        self.posted: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.posted.append(request.url.path)
            return httpx.Response(200)
        if request.url.path != "/queue":
            return httpx.Response(404)
        ours = [[1, str(self._attempt.id), {}, {}, []]]
        others = [[2, "somebody-elses", {}, {}, []]]
        running = self._running.pop(0) if len(self._running) > 1 else self._running[0]
        return httpx.Response(
            200, json={"queue_running": ours if running else others, "queue_pending": []}
        )


@pytest.mark.parametrize(
    ("running", "posted"),
    [([True], ["/interrupt"]), ([True, True, False], []), ([False], [])],
    ids=["still ours", "ended between the two looks", "somebody else's"],
)
async def test_a_global_interrupt_is_sent_only_while_ours_runs(
    running: list[bool], posted: list[str]
) -> None:
    attempt = new_attempt()
    server = Old(attempt, running=running)
    watched = Watched(url="http://gpu-1:8188", transport=server)

    async with watched.backend.open(attempt, REQUEST) as run:
        await run.interrupt()

    assert server.posted == posted


async def test_all_folders_and_embeddings_are_read(farm: Farm) -> None:
    watched = await farm.connected()

    catalog = watched.backend.status.catalog

    assert catalog is not None
    assert "demo_sdxl.safetensors" in catalog.models["checkpoints"]
    assert catalog.models["upscale_models"] == ("demo_2x.pth", "demo_4x.pth")
    assert catalog.models["text_encoders"]
    assert "styles/demo_neon.safetensors" in catalog.models["loras"]
    assert len(catalog.embeddings) == 2
    assert catalog.read_at is not None


DATA = Path(__file__).parent.parent / "data" / "comfyui"


def _server_of(routes: dict[str, Any]) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path in routes:
            return httpx.Response(200, json=routes[request.url.path])
        return httpx.Response(404)

    return httpx.MockTransport(answer)


STATS = json.loads((DATA / "http" / "system_stats.json").read_text())
COMBO = {"input": {"required": {"unet_name": [["flux.safetensors"], {}]}}}


async def test_without_lists_of_models_the_choices_of_the_loaders_stand_in() -> None:
    routes = {"/system_stats": STATS, "/object_info": {"UNETLoader": COMBO}}
    watched = Watched(url="http://gpu-1:8188", transport=_server_of(routes))

    status = await watched.backend.check()

    assert status.catalog is not None
    assert status.catalog.models == {"diffusion_models": ("flux.safetensors",)}
    assert status.features == frozenset()


async def test_folders_of_old_names_are_known_by_the_new_ones() -> None:
    routes = {
        "/system_stats": STATS,
        "/object_info": {},
        "/models": ["unet", "configs", "custom_nodes", "loras"],
        "/models/unet": ["flux.safetensors"],
        "/models/loras": [],
        "/models/custom_nodes": ["everything.py"],
    }
    watched = Watched(url="http://gpu-1:8188", transport=_server_of(routes))

    status = await watched.backend.check()

    assert status.catalog is not None
    assert status.catalog.models == {"diffusion_models": ("flux.safetensors",), "loras": ()}


async def test_a_reading_that_tells_the_same_is_the_same_catalog(tmp_path: Path) -> None:
    async with open_farm(tmp_path) as farm:
        watched = await farm.connected()
        before = watched.backend.status.catalog

        after = (await watched.backend.check()).catalog

    assert before is not None
    assert after is before


async def test_the_kept_catalog_is_there_while_the_backend_is_away() -> None:
    kept = Catalog(node_classes=frozenset({"KSampler"}))
    watched = Watched(url=f"http://127.0.0.1:{free_port()}", catalog=kept)

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(watched.backend.serve(watched.on_change))
        status = await watched.until(lambda status: status.last_error is not None)
        serving.cancel()

    assert not status.online
    assert status.catalog is kept


async def test_a_check_of_a_backend_that_is_away_says_why() -> None:
    watched = Watched(url=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(BackendUnreachableError, match="connection refused"):
        await watched.backend.check()


async def test_every_call_is_told_by_its_endpoint(tmp_path: Path) -> None:
    calls: list[tuple[str, int]] = []
    async with open_farm(tmp_path) as farm:
        watched = await farm.connected(on_call=lambda *call: calls.append(call))
        await run_through(watched)

    assert {("/system_stats", 200), ("/prompt", 200), ("/history", 200), ("/jobs", 200)} <= set(
        calls
    )


async def test_an_attempt_that_was_never_sent_is_lost_on_every_version(farm: Farm) -> None:
    watched = await farm.connected()

    async with watched.backend.open(new_attempt(), REQUEST) as run:
        assert await finish(run) == [RunLost()]
