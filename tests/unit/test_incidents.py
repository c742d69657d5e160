"""Trouble is noticed, counted once per thing, and over when it is over."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app.errors import ConflictError, NodeFailedError, NotFoundError, StorageError
from app.events import (
    BackendChanged,
    BackendRemoved,
    DeliveryChanged,
    EventBus,
    IncidentChanged,
    JobChanged,
)
from app.health import Evidence
from app.ids import new_id
from app.incidents import Incident
from app.models import BackendStatus, JobFailure, JobState
from app.runs import RunFailed
from app.services import Services
from app.watch import OFFLINE_AFTER, Watch
from app.webhooks import Delivery
from tests.support.fakes import LIMIT_S, FakeBackend, FakeClock, info
from tests.support.running import running, submit, until_job

AWAY_S = OFFLINE_AFTER.total_seconds()


@pytest.fixture
def clock() -> FakeClock:
    """Stands still."""
    return FakeClock()


@pytest.fixture
def backend() -> FakeBackend:
    """The only one."""
    return FakeBackend(info())


@pytest.fixture
async def services(home: Path, backend: FakeBackend, clock: FakeClock) -> AsyncGenerator[Services]:
    """The app on that backend."""
    async with running(home, backend, clock=clock, retry={"max_attempts": 1}) as opened:
        yield opened


async def until_open(services: Services, *codes: str) -> list[Incident]:
    """Wait until exactly these are open, in any order."""
    incidents = services.diagnostics.incidents
    with services.bus.subscribe(IncidentChanged) as inbox:
        async with asyncio.timeout(LIMIT_S):
            while sorted(each.code for each in incidents.now_open()) != sorted(codes):
                await inbox.wait()
                inbox.drain()
    return incidents.now_open()


async def test_a_backend_that_stays_away_is_an_incident_until_it_is_back(
    services: Services, backend: FakeBackend, clock: FakeClock
) -> None:
    look = services.diagnostics.watch.look_at_backend
    backend.becomes(online=False, last_error="Connection refused.")
    look(backend.info)
    clock.advance(AWAY_S - 1)
    look(backend.info)
    assert services.diagnostics.incidents.now_open() == []

    clock.advance(1)
    await services.diagnostics.sampler.look()

    (incident,) = await until_open(services, "backend_offline")
    assert (incident.subject, incident.cause) == ("backend:gpu-1", "Connection refused.")
    assert incident.fix
    backend.becomes(online=True, last_error=None)
    await until_open(services)


async def test_failures_of_one_kind_are_one_incident_that_names_the_jobs(
    services: Services, backend: FakeBackend
) -> None:
    jobs = [await submit(services) for _ in range(2)]
    for _ in jobs:
        prompt = await backend.next_prompt()
        prompt.push(RunFailed(error=NodeFailedError("It broke.", fix="Mend it.")))
    for job in jobs:
        await until_job(services, job.id, JobState.FAILED)

    (incident,) = await until_open(services, "node_failed")

    assert (incident.count, incident.cause, incident.fix) == (2, "It broke.", "Mend it.")
    assert set(incident.job_ids) == {str(job.id) for job in jobs}

    await submit(services)
    (await backend.next_prompt()).succeed()
    await until_open(services)


async def test_a_resting_backend_is_an_incident_while_it_rests(services: Services) -> None:
    health, watch = services.health, services.diagnostics.watch
    for _ in range(services.settings.health.circuit_faults):
        health.faulted("gpu-1", "It crashed.")
    watch.look_at_backend(info())
    (incident,) = await until_open(services, "circuit_open")
    assert (incident.severity, incident.cause) == ("warning", "It crashed.")

    health.close("gpu-1")
    watch.look_at_backend(info())
    await until_open(services)


async def test_a_quarantine_is_an_incident_until_it_is_lifted(services: Services) -> None:
    evidence = Evidence(job_id=new_id(), at=services.started_at, message="HeaderTooLarge")
    made = await services.health.quarantine(
        "model", "a.ckpt", backend_id="gpu-1", code="corrupt_model", reason="Bad.",
        because=[evidence],
    )  # fmt: skip
    assert made is not None
    (incident,) = await until_open(services, "quarantine")
    assert incident.data["what"] == "a.ckpt"
    assert incident.job_ids == [str(evidence.job_id)]

    await services.health.lift(made.id)
    await until_open(services)


async def test_a_held_poison_job_is_an_incident_until_it_is_let_go(services: Services) -> None:
    job = await submit(services, hold=True)
    failure = JobFailure(code="poison", message="It kills backends.", fix="Look at the log.")
    bus = services.bus
    bus.publish(JobChanged(job=job.changed(failure=failure)))
    (incident,) = await until_open(services, "poison")
    assert incident.subject == f"job:{job.id}"

    bus.publish(JobChanged(job=job.changed(failure=failure).to(JobState.QUEUED)))
    await until_open(services)


async def test_incidents_outlive_the_process_and_can_be_marked_as_over(
    home: Path, clock: FakeClock
) -> None:
    async with running(home, FakeBackend(info()), clock=clock) as services:
        services.diagnostics.incidents.notice("storage", "disk", cause="Full.")
        await services.diagnostics.incidents.write()
    async with running(home, FakeBackend(info()), clock=clock) as services:
        incidents = services.diagnostics.incidents
        (kept,) = incidents.now_open()
        clock.advance(60)
        over = await incidents.resolve(kept.id)
        with pytest.raises(ConflictError):
            await incidents.resolve(kept.id)
        with pytest.raises(NotFoundError):
            await incidents.resolve(new_id())
        history = await incidents.history(limit=10)
        forgotten = await incidents.forget(before=clock.now() + timedelta(seconds=1))

    assert (kept.code, kept.cause) == ("storage", "Full.")
    assert [each.resolved_at for each in history] == [over.resolved_at]
    assert over.resolved_at == clock.now()
    assert forgotten == 1


async def test_what_was_wrong_with_a_backend_that_was_taken_out_of_the_configuration_is_over(
    home: Path, clock: FakeClock
) -> None:
    async with running(home, FakeBackend(info("gpu-2")), clock=clock) as services:
        services.diagnostics.incidents.notice("backend_offline", "backend:gpu-2")
        await services.diagnostics.incidents.write()

    async with running(home, FakeBackend(info()), clock=clock) as services:
        await until_open(services)


async def test_the_watch_goes_on_when_a_delivery_cannot_be_read_or_a_backend_has_gone(
    services: Services, clock: FakeClock
) -> None:
    async def unreadable(_: UUID) -> Delivery | None:
        raise StorageError("The database is locked.")

    diagnostics, bus = services.diagnostics, EventBus()
    watch = Watch(
        incidents=diagnostics.incidents,
        fleet=services.fleet,
        health=services.health,
        sampler=diagnostics.sampler,
        delivery=unreadable,
        bus=bus,
        clock=clock,
    )
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.serve())
        await asyncio.wait([watching], timeout=0)
        bus.publish(DeliveryChanged(delivery_id=new_id()))
        bus.publish(BackendChanged(info=info("gone"), status=BackendStatus()))
        services.diagnostics.incidents.notice("backend_offline", "backend:gpu-1")
        bus.publish(BackendRemoved(backend_id="gpu-1"))
        await until_open(services)
        watching.cancel()


async def test_the_worst_is_listed_first(services: Services) -> None:
    incidents = services.diagnostics.incidents
    incidents.notice("loop_lag", "app", severity="warning")
    incidents.notice("storage", "disk")

    assert [each.code for each in incidents.now_open()] == ["storage", "loop_lag"]


async def test_what_goes_on_counts_once_what_happens_again_counts_again(
    services: Services,
) -> None:
    incidents = services.diagnostics.incidents
    for _ in range(3):
        incidents.ensure("disk_low", "disk", cause="Little.")
        incidents.notice("storage", "disk")

    counts = {each.code: each.count for each in incidents.now_open()}

    assert counts == {"disk_low": 1, "storage": 3}
