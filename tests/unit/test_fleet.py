"""Backends that come, go and change while the app runs."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.addresses import plain_url
from app.config import Timeouts
from app.errors import ConflictError, NotFoundError
from app.events import BackendChanged, BackendRemoved, EventBus
from app.fleet import Fleet
from app.machines import BackendPatch, MachineService, NewBackend
from app.models import BackendInfo, BackendStatus, Catalog, JobState
from app.runs import Backend
from data.clock import SystemClock
from data.database import open_database
from data.fleet import SqlFleetStore
from tests.support.fakes import CATALOG, LIMIT_S, FakeBackend, info
from tests.support.running import (
    reason,
    running,
    submit,
    until,
    until_accepted,
    until_job,
    until_sent,
)
from tests.support.values import a_job, a_request, an_attempt

SEEN = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


@dataclass
class Workshop:
    """Makes a new fake backend for each connection, and remembers them."""

    made: list[tuple[BackendInfo, Catalog | None, FakeBackend]] = field(
        default_factory=list[tuple[BackendInfo, Catalog | None, FakeBackend]]
    )
    kind: Callable[[BackendInfo], FakeBackend] = FakeBackend
    answers: set[str] | None = None  # the addresses where something answers; None: everywhere

    def __call__(self, wanted: BackendInfo, catalog: Catalog | None) -> Backend:
        """As `BackendFactory`."""
        online = self.answers is None or wanted.url in self.answers
        backend = self.kind(wanted)
        if not online:
            backend.becomes(online=False, last_error=f"{wanted.name} does not answer.")
        self.made.append((wanted, catalog, backend))
        return backend

    def newest(self) -> FakeBackend:
        """The one made last."""
        return self.made[-1][2]


@dataclass
class Yard:
    """A fleet at work, with everything around it."""

    fleet: Fleet
    machines: MachineService
    store: SqlFleetStore
    bus: EventBus
    workshop: Workshop

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so that changes with what the bus tells."""
        with self.bus.subscribe() as inbox:
            async with asyncio.timeout(LIMIT_S):
                while not condition():
                    await inbox.wait()
                    inbox.drain()


@asynccontextmanager
async def yard(
    home: Path, *configured: BackendInfo, answers: set[str] | None = None
) -> AsyncGenerator[Yard]:
    """A fleet over the database in that folder."""
    async with open_database(home / "orchestrator.db") as database:
        bus, clock = EventBus(), SystemClock()
        workshop = Workshop(answers=answers)
        store = SqlFleetStore(database, clock=clock)
        fleet = Fleet(workshop, configured=configured, store=store, bus=bus, clock=clock)
        await fleet.open()
        machines = MachineService(
            fleet=fleet, store=store, factory=workshop, timeouts=Timeouts(connect_s=1)
        )
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(fleet.serve())
            yield Yard(fleet, machines, store, bus, workshop)
            serving.cancel()


def new(name: str = "Tower 3090", **changes: object) -> NewBackend:
    """What the page sends."""
    return NewBackend.model_validate({"name": name, "url": "http://10.0.0.5:8188", **changes})


async def test_a_backend_that_is_added_is_connected_at_once_and_there_after_a_restart(
    home: Path,
) -> None:
    async with yard(home) as here:
        with here.bus.subscribe(BackendChanged) as inbox:
            added = await here.machines.add(new(tags=["fast"]))
            async with asyncio.timeout(LIMIT_S):
                await inbox.wait()

        assert added == replace(
            info("tower-3090"), name="Tower 3090", url=added.url, tags=("fast",), origin="page"
        )
        await here.until(lambda: here.fleet.status("tower-3090").online)

    async with yard(home) as again:
        assert again.fleet.infos() == [added]


async def test_an_id_is_made_from_the_name_and_is_never_one_that_is_taken(home: Path) -> None:
    async with yard(home, info("gpu")) as here:
        second = await here.machines.add(new("GPU!"))
        third = await here.machines.add(new("gpu", url="http://10.0.0.6:8188"))
        odd = await here.machines.add(new("башня", url="http://10.0.0.7:8188"))
        reserved = await here.machines.add(new("Demo", url="http://10.0.0.8:8188"))

    assert [each.id for each in (second, third, odd, reserved)] == [
        "gpu-2",
        "gpu-3",
        "backend",
        "demo-2",
    ]


async def test_one_server_is_not_added_twice_however_its_address_is_written(home: Path) -> None:
    async with yard(home, replace(info("gpu-1"), url="http://localhost:8188")) as here:
        for url in ("http://127.0.0.1:8188", "LOCALHOST:8188/", "https://localhost:8188"):
            with pytest.raises(ConflictError, match=r"GPU-1 has this address already\."):
                await here.machines.add(new(url=url))
        with pytest.raises(ConflictError, match="There is a backend 'gpu-1' already"):
            await here.machines.add(new(id="gpu-1"))

        assert [each.id for each in here.fleet.infos()] == ["gpu-1"]


async def test_a_backend_of_the_configuration_cannot_be_changed(home: Path) -> None:
    async with yard(home, info()) as here:
        for change in (
            here.machines.remove("gpu-1"),
            here.machines.set_enabled("gpu-1", enabled=False),
            here.machines.edit("gpu-1", BackendPatch(name="Other")),
        ):
            with pytest.raises(ConflictError) as refused:
                await change
            assert "defined by the configuration" in refused.value.message
            assert "`backends` in config.yaml" in refused.value.fix
        with pytest.raises(NotFoundError):
            await here.machines.remove("gpu-9")


async def test_another_address_is_connected_anew_and_tags_are_not(home: Path) -> None:
    async with yard(home) as here:
        added = await here.machines.add(new())
        await here.until(lambda: here.fleet.status(added.id).online)
        await here.machines.edit(added.id, BackendPatch(tags=("night",), max_concurrent_jobs=2))
        assert len(here.workshop.made) == 1
        assert here.fleet.info(added.id) == replace(added, tags=("night",), max_concurrent_jobs=2)

        moved = await here.machines.edit(added.id, BackendPatch(url="http://10.0.0.9:8188"))
        await here.until(lambda: len(here.workshop.made) > 1 and here.fleet.status(added.id).online)

        assert here.workshop.made[-1][:2] == (moved, None)  # another machine: nothing is known


class SlowToClose(FakeBackend):
    """Takes its leave only when it may."""

    def __init__(self, wanted: BackendInfo) -> None:
        super().__init__(wanted)
        self.closing = asyncio.Event()
        self.may_close = asyncio.Event()

    async def serve(self, on_change: Callable[[BackendStatus], None]) -> None:
        """Like any, but for the end."""
        try:
            await super().serve(on_change)
        finally:
            self.closing.set()
            await self.may_close.wait()


async def test_a_job_that_comes_while_the_address_changes_goes_to_the_new_one(home: Path) -> None:
    async with yard(home) as here:
        here.workshop.kind = SlowToClose
        added = await here.machines.add(new())
        await here.until(lambda: here.fleet.status(added.id).online)
        old = here.workshop.newest()
        assert isinstance(old, SlowToClose)
        await here.machines.edit(added.id, BackendPatch(url="http://10.0.0.9:8188"))
        async with asyncio.timeout(LIMIT_S):
            await old.closing.wait()
        line = here.fleet.get(added.id)
        assert line is not None
        attempt = an_attempt(a_job())

        async def run_it() -> None:
            async with line.open(attempt, a_request()) as run:
                await run.submit()

        async with asyncio.TaskGroup() as group:
            group.create_task(run_it())
            await asyncio.sleep(0)
            here.workshop.kind = FakeBackend
            old.may_close.set()

        assert old.submitted == []
        assert [each.attempt for each in here.workshop.newest().submitted] == [attempt]


async def test_a_disabled_backend_is_let_go_and_keeps_what_is_known_of_it(home: Path) -> None:
    async with yard(home) as here:
        added = await here.machines.add(new())
        await here.until(lambda: here.fleet.status(added.id).online)
        here.workshop.newest().becomes(last_seen=SEEN, gpu_name="RTX 3090", queue_depth=3)
        await here.machines.set_enabled(added.id, enabled=False)
        await here.until(lambda: not here.fleet.status(added.id).online)

        view = here.fleet.view(added.id)
        assert view is not None
        assert (view.enabled, view.online, view.queue_depth) == (False, False, 0)
        assert (view.last_seen, view.gpu_name) == (SEEN, "RTX 3090")
        assert view.models["checkpoints"] == ["model-a.safetensors"]

        await here.machines.set_enabled(added.id, enabled=True)
        await here.until(lambda: here.fleet.status(added.id).online)


async def test_what_a_backend_can_do_is_kept_for_when_it_is_away(home: Path) -> None:
    async with yard(home, info()) as here:
        await here.until(lambda: here.fleet.status("gpu-1").online)
        kept = {}
        async with asyncio.timeout(LIMIT_S):
            while not kept:
                kept = await here.store.catalogs()

    async with yard(home, info(), answers=set()) as again:
        given = again.workshop.made[0][1]
        assert given is not None
        assert given.models == CATALOG.models
        assert given.node_classes == CATALOG.node_classes
        assert given.samplers == CATALOG.samplers

    async with yard(home, replace(info(), url="http://10.0.0.1:8188")) as moved:
        assert moved.workshop.made[0][1] is None


async def test_a_removed_backend_is_gone_at_once_and_can_be_put_back(home: Path) -> None:
    async with yard(home) as here:
        added = await here.machines.add(new())
        await here.until(lambda: here.fleet.status(added.id).online)
        with here.bus.subscribe(BackendRemoved) as inbox:
            removed = await here.machines.remove(added.id)
            (told,) = inbox.drain()

        assert isinstance(told, BackendRemoved)
        assert told.logged is not None
        assert told.logged.type == "backend.removed"
        assert here.fleet.infos() == []
        assert here.fleet.view(added.id) is None
        assert await here.store.backends() == []

        assert await here.machines.restore(removed) == added
        await here.until(lambda: here.fleet.status(added.id).online)


async def test_prompts_of_others_are_told_from_ours(home: Path) -> None:
    async with yard(home, info()) as here:
        await here.until(lambda: here.fleet.status("gpu-1").online)
        here.workshop.newest().becomes(queue_depth=3)
        line = here.fleet.get("gpu-1")
        assert line is not None
        attempt = an_attempt(a_job())
        async with line.open(attempt, a_request()):
            view = here.fleet.view("gpu-1")
        after = here.fleet.view("gpu-1")

    assert view is not None
    assert (view.queue_depth, view.foreign_prompts) == (3, 2)
    assert view.running_jobs == [attempt.job_id]
    assert after is not None
    assert (after.foreign_prompts, after.running_jobs) == (3, [])


async def test_trying_an_address_says_what_is_there_and_adds_nothing(home: Path) -> None:
    async with yard(home, info(), answers={"http://10.0.0.5:8188"}) as here:
        found = await here.machines.try_url("10.0.0.5:8188")
        wrong_port = await here.machines.try_url("http://10.0.0.5:8118")
        nobody = await here.machines.try_url("http://10.0.0.6:8188")
        known = await here.machines.try_url(info().url)

        assert found.status.online
        assert found.status.catalog is CATALOG
        assert not wrong_port.status.online
        assert wrong_port.better_url == "http://10.0.0.5:8188"
        assert (nobody.status.online, nobody.better_url) == (False, None)
        assert nobody.status.last_error == "10.0.0.6 does not answer."
        assert known.known == info()
        assert [each.id for each in here.fleet.infos()] == ["gpu-1"]


async def test_a_backend_that_is_switched_off_finishes_its_job_and_gets_no_other(
    home: Path,
) -> None:
    machine = FakeBackend(replace(info("tower"), origin="page"))
    async with running(home, machine, configured=False) as services:
        await services.machines.add(new("tower"))
        first = await submit(services, backend="tower")
        prompt = await until_sent(machine)
        second = await submit(services, "a blue fox", backend="tower")
        await services.machines.set_enabled("tower", enabled=False)

        prompt.succeed()
        await until_job(services, first.id, JobState.DONE)
        await until(services, lambda: not services.fleet.status("tower").online)

        assert (await services.jobs.get(second.id)).state is JobState.QUEUED
        assert [each.job_id for each in machine.submitted if each.fetched] == [first.id]


async def test_removing_a_backend_that_runs_a_job_asks_and_then_sees_the_job_through(
    home: Path,
) -> None:
    machine = FakeBackend(replace(info("tower"), origin="page"))
    async with running(home, machine, configured=False) as services:
        await services.machines.add(new("tower"))
        job = await submit(services, backend="tower")
        prompt = await until_sent(machine)
        with pytest.raises(ConflictError, match=r"tower still runs jobs: 1\."):
            await services.machines.remove("tower")
        with pytest.raises(ConflictError, match=r"tower still runs jobs: 1\."):
            await services.machines.edit("tower", BackendPatch(url="http://10.0.0.9:8188"))

        await services.machines.remove("tower", force=True)
        assert services.fleet.infos() == []
        prompt.succeed()
        await until_job(services, job.id, JobState.DONE)
        await until(services, lambda: services.fleet.get("tower") is None)


async def test_a_job_whose_backend_is_gone_goes_on_when_that_is_added_again(home: Path) -> None:
    machine = FakeBackend(info("tower"))
    async with running(home, machine, configured=False) as services:
        await services.machines.add(new("tower"))
        job = await submit(services, backend="tower")
        prompt = await until_sent(machine)
        await until_accepted(services, job)
        await services.machines.remove("tower", force=True)

    async with running(home, machine, configured=False) as services:
        taken_up = await services.jobs.get(job.id)
        await until(services, lambda: "no longer configured" in str(reason(services, taken_up)))
        await services.machines.add(new("tower"))
        prompt.succeed()
        await until_job(services, job.id, JobState.DONE)

    assert len(prompt.requests) == 1


async def test_the_app_can_stop_while_it_waits_for_a_backend_that_is_gone(home: Path) -> None:
    async with yard(home) as here, asyncio.TaskGroup() as group:
        coming = group.create_task(here.fleet.arrival("tower"))
        await asyncio.wait([coming], timeout=0)

        here.bus.close()
        await asyncio.wait([coming], timeout=0)

        assert not coming.done()
        coming.cancel()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://192.168.1.20:8188/", "http://192.168.1.20:8188"),
        (" tower:8188 ", "http://tower:8188"),
        ("https://gpu.example/comfy/", "https://gpu.example/comfy"),
        ("HTTP://Tower:8188", "http://tower:8188"),
        ("http://[fd00::5]:8188", "http://[fd00::5]:8188"),
        ("http://башня.рф:8188", "http://xn--80ab1b4bwb.xn--p1ai:8188"),
        ("http://gpu_1.lan:8188", "http://gpu_1.lan:8188"),
    ],
)
def test_an_address_is_kept_in_one_way(given: str, kept: str) -> None:
    assert plain_url(given) == kept


@pytest.mark.parametrize(
    "given",
    ["", "http://", "ftp://tower", "file:///etc/passwd", "http://me:pw@tower:8188",
     "http://tower:8188/?a=1", "http://tower:99999", "http://¤tower", "http://-tower",
     "http://a..b", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="address"):
        plain_url(given)
