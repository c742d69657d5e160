"""When a backend rests, and what goes into quarantine."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from app.config import HealthSettings
from app.errors import ConflictError, NotFoundError, StorageError
from app.events import EventBus, LoggedEvent, QuarantineChanged
from app.health import Evidence, Health, Quarantine
from app.ids import new_id
from tests.support.fakes import START, FakeClock

JOB = new_id()


class Shelf:
    """Quarantines in a list."""

    def __init__(self) -> None:
        self.kept: dict[UUID, Quarantine] = {}
        self.full = False
        self.meanwhile: Callable[[], object] = lambda: None

    async def all(self) -> list[Quarantine]:
        """Newest first."""
        return list(reversed(self.kept.values()))

    async def put(self, quarantine: Quarantine, /) -> LoggedEvent:
        """Keep it, unless the disk is full."""
        if self.full:
            raise StorageError("The disk is full.")
        await asyncio.sleep(0)
        self.meanwhile()
        self.kept[quarantine.id] = quarantine
        return LoggedEvent(seq=1, at=START, type="quarantine.added", subject=str(quarantine.id))


class Ward:
    """A health service and what it is made of."""

    def __init__(self, **settings: float) -> None:
        self.clock, self.shelf, self.bus = FakeClock(), Shelf(), EventBus()
        self.settings = HealthSettings(**settings)  # pyright: ignore[reportArgumentType]
        self.health = self.anew()

    def anew(self) -> Health:
        """As after a restart, before it is opened."""
        return Health(store=self.shelf, bus=self.bus, clock=self.clock, settings=self.settings)

    async def fails(self, times: int, *, jobs: list[UUID] | None = None) -> None:
        """A workflow fails on gpu-1."""
        for number in range(times):
            job_id = (jobs or [new_id() for _ in range(times)])[number % len(jobs or [0] * times)]
            evidence = Evidence(job_id=job_id, at=self.clock.now(), message="It broke.")
            await self.health.workflow_failed(
                "gpu-1", "sdxl", evidence=evidence, code="node_failed"
            )


def test_faults_in_a_row_rest_a_backend_longer_each_time() -> None:
    ward = Ward(circuit_faults=2, circuit_pause_s=30, circuit_pause_max_s=50)
    health = ward.health

    health.faulted("gpu-1", "It is gone.")
    once = health.circuit("gpu-1")
    health.faulted("gpu-1", "It is gone again.")
    rests = health.circuit("gpu-1")
    ward.clock.advance(30)
    half = health.circuit("gpu-1")
    health.faulted("gpu-1", "Still gone.")
    again = health.circuit("gpu-1")

    assert (once.state, once.faults) == ("closed", 1)
    assert (rests.state, rests.reason) == ("open", "It is gone again.")
    assert rests.until is not None
    assert (rests.until - START).total_seconds() == 30
    assert half.state == "half_open"
    assert again.state == "open"
    assert again.until is not None
    assert (again.until - START).total_seconds() == 30 + 50


def test_a_half_open_circuit_lets_exactly_one_job_through() -> None:
    ward = Ward(circuit_faults=1)
    health = ward.health
    before = health.allowance("gpu-1")
    health.faulted("gpu-1", "It is gone.")
    resting = health.allowance("gpu-1")
    ward.clock.advance(30)
    due = health.allowance("gpu-1")
    health.trying("gpu-1", JOB)
    taken = health.allowance("gpu-1")
    health.released("gpu-1", new_id())
    of_another = health.allowance("gpu-1")
    health.released("gpu-1", JOB)
    back = health.allowance("gpu-1")

    assert (before, resting, due, taken, of_another, back) == (None, 0, 1, 0, 0, 1)


def test_a_success_closes_it_and_a_failure_of_the_probe_opens_it_at_once() -> None:
    ward = Ward(circuit_faults=3)
    for _ in range(3):
        ward.health.faulted("gpu-1", "It is gone.")
    ward.clock.advance(30)
    ward.health.trying("gpu-1", JOB)
    ward.health.worked("gpu-1")

    assert ward.health.circuit("gpu-1").state == "closed"
    assert ward.health.allowance("gpu-1") is None
    ward.health.faulted("gpu-1", "It is gone.")
    assert ward.health.circuit("gpu-1").state == "closed"


def test_the_next_time_is_when_the_first_circuit_may_be_tried() -> None:
    ward = Ward(circuit_faults=1)
    ward.health.faulted("gpu-1", "It is gone.")
    first = ward.health.circuit("gpu-1").until
    ward.clock.advance(10)
    ward.health.faulted("gpu-2", "It is gone.")

    assert ward.health.next_time() == first
    ward.clock.advance(300)
    assert ward.health.next_time() is None


def test_a_clock_that_was_set_back_keeps_no_backend_resting() -> None:
    ward = Ward(circuit_faults=1)
    ward.health.faulted("gpu-1", "It broke.")
    ward.clock.advance(-3600)

    state = ward.health.circuit("gpu-1").state

    assert (state, ward.health.allowance("gpu-1")) == ("half_open", 1)


async def test_a_workflow_that_fails_again_and_again_goes_into_quarantine_with_evidence() -> None:
    ward = Ward(quarantine_faults=3)
    jobs = [new_id(), new_id()]
    with ward.bus.subscribe(QuarantineChanged) as inbox:
        await ward.fails(2, jobs=jobs)
        before = ward.health.quarantines()
        await ward.fails(1, jobs=jobs)
        told = inbox.drain()

    (made,) = ward.health.quarantines()
    assert before == []
    assert (made.kind, made.subject, made.backend_id) == ("workflow", "sdxl", "gpu-1")
    assert [each.job_id for each in made.evidence] == [jobs[0], jobs[1], jobs[0]]
    assert "failed 3 times in a row on gpu-1: It broke." in made.reason
    assert len(told) == 1
    assert ward.health.quarantined("gpu-1", workflow="sdxl", models=[]) == made
    assert ward.health.quarantined("gpu-2", workflow="sdxl", models=[]) is None


async def test_the_attempts_of_one_job_alone_condemn_no_workflow() -> None:
    ward = Ward(quarantine_faults=3)

    await ward.fails(5, jobs=[JOB])

    assert ward.health.quarantines() == []


async def test_a_success_between_starts_the_count_anew() -> None:
    ward = Ward(quarantine_faults=3)

    await ward.fails(2)
    ward.health.worked("gpu-1", "sdxl")
    await ward.fails(2)

    assert ward.health.quarantines() == []


async def test_a_model_is_barred_at_once_and_only_once() -> None:
    ward = Ward()

    for _ in range(2):
        await ward.health.quarantine(
            "model", "bad.safetensors", backend_id="gpu-1", code="corrupt_model", reason="Broken."
        )

    (made,) = ward.health.quarantines()
    assert ward.health.quarantined("gpu-1", workflow="x", models=["a", "bad.safetensors"]) == made


async def test_a_quarantine_survives_a_restart_until_it_is_lifted() -> None:
    ward = Ward(quarantine_faults=2)
    await ward.fails(2)
    again = ward.anew()
    await again.open()
    (kept,) = again.quarantines()

    lifted = await again.lift(kept.id)

    assert lifted.lifted_at is not None
    assert again.quarantines() == []
    assert again.quarantines(lifted=True) == [lifted]
    assert again.quarantined("gpu-1", workflow="sdxl", models=[]) is None
    with pytest.raises(ConflictError):
        await again.lift(kept.id)
    with pytest.raises(NotFoundError):
        await again.lift(new_id())


async def test_a_full_disk_bars_nothing_but_breaks_nothing() -> None:
    ward = Ward(quarantine_faults=2)
    ward.shelf.full = True

    await ward.fails(2)

    assert ward.health.quarantines() == []


async def test_it_can_be_barred_again_after_it_was_lifted() -> None:
    ward = Ward(quarantine_faults=2)
    await ward.fails(2)
    await ward.health.lift(ward.health.quarantines()[0].id)

    await ward.fails(2)

    assert len(ward.health.quarantines()) == 1
    assert len(ward.health.quarantines(lifted=True)) == 2
    assert replace(ward.health.quarantines()[0], evidence=()).lifted_at is None


async def test_failures_at_the_same_moment_make_one_quarantine() -> None:
    ward = Ward(quarantine_faults=2)
    await ward.fails(1)

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(ward.fails(1))

    (only,) = ward.health.quarantines()
    await ward.health.lift(only.id)
    assert ward.health.quarantines() == []


async def test_a_success_while_a_quarantine_is_written_down_does_no_harm() -> None:
    ward = Ward(quarantine_faults=2)
    ward.shelf.meanwhile = lambda: ward.health.worked("gpu-1", "sdxl")

    await ward.fails(2)

    assert [each.subject for each in ward.health.quarantines()] == ["sdxl"]
