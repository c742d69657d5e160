"""What the end of an attempt means for its backend, from claim to end."""

import asyncio
from pathlib import Path

import pytest

from app.errors import (
    BackendUnreachableError,
    CorruptModelError,
    NodeFailedError,
    NotSentError,
    OutOfMemoryError,
)
from app.events import BackendChanged
from app.models import AttemptState, JobState, Progress
from app.runs import RunFailed, RunInterrupted, RunProgressed, RunStarted
from app.services import Services
from app.submission import ManifestGroup
from app.submitting import Asker
from tests.support.fakes import LIMIT_S, FakeBackend, FakeClock, info
from tests.support.running import reason, running, submit, until, until_job, until_sent, until_that

QUICK_RETRY = {"retry": {"backoff_s": 0.01, "backoff_max_s": 0.01, "max_attempts": 5}}


async def fails(services: Services, backend: FakeBackend, error: Exception, **how: object) -> None:
    """A job that fails for good."""
    job = await submit(services, **how)
    while (await services.jobs.get(job.id)).state is not JobState.FAILED:
        (await until_sent(backend)).push(RunFailed(error=error))  # pyright: ignore[reportArgumentType]
        await until_job(services, job.id, JobState.QUEUED, JobState.FAILED)


async def test_out_of_memory_frees_it_tries_once_more_there_and_then_goes_elsewhere(
    home: Path,
) -> None:
    first, second = FakeBackend(info()), FakeBackend(info("gpu-2"))
    second.becomes(latency_ms=500.0)

    async with running(home, first, second, **QUICK_RETRY) as services:
        job = await submit(services, backend="auto")
        (await until_sent(first)).push(RunFailed(error=OutOfMemoryError("Too big.")))
        (await until_sent(first)).push(RunFailed(error=OutOfMemoryError("Too big.")))
        (await until_sent(second)).succeed()
        done = await until_job(services, job.id)

    assert (done.state, done.backend_id, done.failed_on) == (JobState.DONE, "gpu-2", ("gpu-1",))
    assert (first.frees, second.frees) == (2, 0)


async def test_a_backend_that_cannot_free_its_memory_does_not_hold_the_job_up(home: Path) -> None:
    class Stubborn(FakeBackend):
        async def free(self) -> None:
            raise BackendUnreachableError("No answer.")

    backend = Stubborn(info())
    async with running(home, backend, **QUICK_RETRY) as services:
        job = await submit(services)
        (await until_sent(backend)).push(RunFailed(error=OutOfMemoryError("Too big.")))
        (await until_sent(backend)).succeed()
        done = await until_job(services, job.id)

    assert done.state is JobState.DONE


async def test_a_broken_model_file_is_barred_there_at_once_and_the_job_goes_elsewhere(
    home: Path,
) -> None:
    first, second = FakeBackend(info()), FakeBackend(info("gpu-2"))
    second.becomes(latency_ms=500.0)
    error = CorruptModelError("Header too large.", model="model-a.safetensors")

    async with running(home, first, second, **QUICK_RETRY) as services:
        job = await submit(services, backend="auto")
        (await until_sent(first)).push(RunFailed(error=error))
        (await until_sent(second)).succeed()
        done = await until_job(services, job.id)
        named = await submit(services, backend="gpu-1")
        await until(services, lambda: reason(services, named) is not None)
        why = reason(services, named)
        (barred,) = services.health.quarantines()
        await services.health.lift(barred.id)
        (await until_sent(first)).succeed()
        lifted = await until_job(services, named.id)

    assert (done.state, done.backend_id) == (JobState.DONE, "gpu-2")
    assert why is not None
    assert why.startswith("model-a.safetensors is in quarantine on GPU-1: Header too large.")
    assert (barred.kind, barred.evidence[0].job_id) == ("model", job.id)
    assert lifted.state is JobState.DONE


async def test_a_workflow_that_fails_job_after_job_is_barred_there(home: Path) -> None:
    backend = FakeBackend(info())
    one_try = {"retry": {"max_attempts": 1}, "health": {"quarantine_faults": 2}}

    async with running(home, backend, **one_try) as services:
        await fails(services, backend, NodeFailedError("It broke."))
        before = services.health.quarantines()
        await fails(services, backend, NodeFailedError("It broke again."))
        (barred,) = services.health.quarantines()
        waiting = await submit(services)
        await until(services, lambda: reason(services, waiting) is not None)
        sent = len(backend.submitted)

    assert before == []
    assert (barred.kind, barred.subject, len(barred.evidence)) == ("workflow", "text-to-image", 2)
    assert sent == 2


async def test_a_backend_that_takes_nothing_rests_and_is_tried_with_one_job(home: Path) -> None:
    backend, clock = FakeBackend(info(slots=2)), FakeClock()
    settings = {"health": {"circuit_faults": 1, "circuit_pause_s": 30}, **QUICK_RETRY}
    backend.on_submit.append(NotSentError("Refused."))

    async with running(home, backend, clock=clock, **settings) as services:
        with services.bus.subscribe(BackendChanged) as inbox:
            job = await submit(services)
            await backend.next_prompt()
            await until_that(services, job.id, lambda each: each.failure is not None)
            async with asyncio.timeout(LIMIT_S):
                while services.health.circuit("gpu-1").state != "open":
                    await inbox.wait()
                    inbox.drain()
        clock.advance(5)
        backend.becomes()
        await until(services, lambda: "rests" in (reason(services, job) or ""))
        why, seen = reason(services, job), len(backend.prompts)
        other = await submit(services)
        clock.advance(26)
        backend.becomes()
        probe = await until_sent(backend)
        await until(services, lambda: services.jobs.queue().running == 1)
        alone = len(backend.submitted)
        half = services.health.circuit("gpu-1").state
        probe.succeed()
        (await until_sent(backend)).succeed()
        for each in (job, other):
            await until_job(services, each.id, JobState.DONE)
        closed = services.health.circuit("gpu-1").state

    assert why == "GPU-1 rests for 25 s after 1 faults in a row: Refused."
    assert (seen, alone, half, closed) == (1, 1, "half_open", "closed")


async def test_the_limit_of_a_run_counts_from_its_start_also_over_a_restart(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()
    manifest = ManifestGroup.model_validate(
        {
            "workflow_id": "text-to-image",
            "backend_ids": ["gpu-1"],
            "parameters": {"prompt": "a red fox"},
            "timeout_seconds": 30,
        }
    )
    async with running(home, backend, clock=clock) as services:
        (job_id,) = await services.submitting.submit_group(manifest, asker=Asker())
        prompt = await until_sent(backend)
        prompt.push(RunStarted())
        await until_job(services, job_id, JobState.RUNNING)

    clock.advance(31)
    async with running(home, backend, clock=clock) as services:
        failed = await until_job(services, job_id)
        states = [each.state for each in await services.event_log.attempts(job_id)]

    assert (failed.state, prompt.interrupts) == (JobState.FAILED, 1)
    assert failed.failure is not None
    assert (failed.failure.code, states) == ("timeout", [AttemptState.FAILED])
    assert failed.failure.message == "It ran on GPU-1 for more than 30 s."


async def test_clean_runs_teach_what_to_expect(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        for _ in range(2):
            job = await submit(services)
            prompt = await until_sent(backend)
            prompt.push(RunProgressed(progress=Progress(fraction=0.5)))
            await until(
                services,
                lambda job=job: services.jobs.progress_of(job.id) == Progress(fraction=0.5),
            )
            clock.advance(8)
            prompt.succeed()
            await until_job(services, job.id, JobState.DONE)
        request = (await services.jobs.get(job.id)).request
        await until(services, lambda: not services.engine.slots.works("gpu-1"))
        expected = services.engine.estimates.expected_s(request, "gpu-1")

    async with running(home, backend, clock=clock) as services:
        kept = services.engine.estimates.expected_s(request, "gpu-1")

    assert (expected, kept) == (8.0, 8.0)


@pytest.mark.parametrize("fallback", ["none", "auto"])
async def test_with_a_fallback_a_job_goes_elsewhere_while_its_backend_is_away(
    home: Path, fallback: str
) -> None:
    away, other = FakeBackend(info(), online=False), FakeBackend(info("gpu-2"), automatic=True)

    async with running(home, away, other) as services:
        job = await submit(services, fallback=fallback)
        if fallback == "auto":
            done = await until_job(services, job.id, JobState.DONE)
            assert done.placement == "GPU-2 instead: GPU-1 does not answer."
        await until_job(services, (await submit(services, backend="gpu-2")).id, JobState.DONE)
        ended = await services.jobs.get(job.id)

    assert ended.state is (JobState.DONE if fallback == "auto" else JobState.QUEUED)


async def test_every_decision_is_kept_with_the_attempt(home: Path) -> None:
    chosen, other = FakeBackend(info(), automatic=True), FakeBackend(info("gpu-2"), online=False)

    async with running(home, chosen, other) as services:
        job = await submit(services, backend="auto")
        done = await until_job(services, job.id, JobState.DONE)
        (attempt,) = await services.event_log.attempts(job.id)

    assert done.placement == "GPU-1 is the only one that can take it."
    assert attempt.decision is not None
    assert attempt.decision.reason == done.placement
    rejected = {each.backend_id: each.rejected for each in attempt.decision.weighed}
    assert rejected == {"gpu-1": None, "gpu-2": "GPU-2 does not answer."}


async def test_somebody_elses_interrupt_is_no_fault(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, health={"circuit_faults": 1}) as services:
        job = await submit(services)
        (await until_sent(backend)).push(RunInterrupted())
        await until_job(services, job.id, JobState.CANCELLED)

        assert services.health.circuit("gpu-1").state == "closed"
