"""Attempts that fail, are cancelled, get lost, or outlive the process that began them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.errors import (
    BackendError,
    BackendUnreachableError,
    BadOutputError,
    ConflictError,
    MissingCapabilityError,
    NodeFailedError,
    NotSentError,
    OutOfMemoryError,
    PromptRejectedError,
    StorageError,
)
from app.models import AttemptState, Job, JobState
from app.ports import Clock, ImageFilter, JobChange, Written
from app.runs import RunFailed, RunInterrupted, RunLost
from app.services import Services
from data.database import Database
from data.jobs import SqlJobStore
from tests.support.fakes import LIMIT_S, FakeBackend, FakeClock, info
from tests.support.running import asked, reason, running, submit, until_job, until_sent


async def states_of(services: Services, job: Job) -> list[AttemptState]:
    """How the attempts of a job ended, oldest first."""
    return [each.state for each in await services.event_log.attempts(job.id)]


async def pass_back_off(
    services: Services, clock: FakeClock, backend: FakeBackend, job: Job
) -> Job:
    """Wait until the job waits for its next attempt, then let that time come."""
    waiting = await until_job(services, job.id, JobState.QUEUED)
    clock.advance(120)
    backend.becomes()
    return waiting


async def test_an_error_that_may_pass_is_tried_three_times_in_all(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        whys: list[str | None] = []
        for _ in range(2):
            (await backend.next_prompt()).push(RunFailed(error=NodeFailedError("It broke.")))
            waiting = await until_job(services, job.id, JobState.QUEUED)
            whys.append(reason(services, waiting))
            await pass_back_off(services, clock, backend, job)
        (await backend.next_prompt()).push(RunFailed(error=NodeFailedError("It broke.")))
        failed = await until_job(services, job.id)

        assert await states_of(services, job) == [AttemptState.FAILED] * 3
    assert (failed.state, failed.attempts) == (JobState.FAILED, 3)
    assert failed.failure is not None
    assert failed.failure.message == "It broke."
    assert all(why is not None and why.startswith("It broke. Tries again in") for why in whys)


async def test_a_clock_that_was_set_back_keeps_no_retry_waiting(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        (await backend.next_prompt()).push(RunFailed(error=NodeFailedError("It broke.")))
        await until_job(services, job.id, JobState.QUEUED)
        clock.advance(-86_400)
        backend.becomes()
        (await backend.next_prompt()).succeed()
        done = await until_job(services, job.id)

    assert (done.state, done.attempts) == (JobState.DONE, 2)


async def test_a_clock_that_was_set_forward_ends_no_run(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        clock.advance(30 * 86_400)
        backend.becomes()
        prompt.succeed()
        done = await until_job(services, job.id)

    assert (done.state, done.attempts) == (JobState.DONE, 1)


async def test_a_retry_does_not_start_before_its_time(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        (await backend.next_prompt()).push(RunFailed(error=OutOfMemoryError("Too big.")))
        await until_job(services, job.id, JobState.QUEUED)
        clock.advance(1.9)
        other = await submit(services, "meanwhile")
        between = await backend.next_prompt()
        clock.advance(120)
        between.succeed()
        last = await backend.next_prompt()

    assert [between.job_id, last.job_id] == [other.id, job.id]


async def test_a_retry_that_goes_well_leaves_no_failure(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        (await backend.next_prompt()).push(RunFailed(error=NodeFailedError("It broke.")))
        await pass_back_off(services, clock, backend, job)
        (await backend.next_prompt()).succeed()
        done = await until_job(services, job.id)

    assert (done.state, done.attempts, done.failure) == (JobState.DONE, 2, None)


@pytest.mark.parametrize(
    "error",
    [PromptRejectedError("steps: too many."), MissingCapabilityError("No KSampler.")],
    ids=lambda each: each.code,
)
async def test_a_refused_prompt_fails_at_once_with_the_cause(
    home: Path, error: BackendError
) -> None:
    backend = FakeBackend(info())
    backend.on_submit.append(error)

    async with running(home, backend) as services:
        job = await submit(services)
        failed = await until_job(services, job.id)

    assert failed.state is JobState.FAILED
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.message) == (error.code, error.message)
    assert len(backend.prompts) == 1


async def test_prompts_that_were_never_sent_do_not_count(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()
    backend.on_submit.extend(NotSentError("Refused.") for _ in range(5))

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        for _ in range(5):
            await backend.next_prompt()
            waiting = await pass_back_off(services, clock, backend, job)
            assert waiting.attempts == 0
        (await backend.next_prompt()).succeed()
        done = await until_job(services, job.id)

        assert await states_of(services, job) == [*[AttemptState.UNSENT] * 5, AttemptState.DONE]
    assert (done.state, done.attempts) == (JobState.DONE, 1)


async def test_a_lost_prompt_is_sent_again_without_counting(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        job = await submit(services)
        (await until_sent(backend)).push(RunLost())
        (await until_sent(backend)).succeed()
        done = await until_job(services, job.id)

        assert await states_of(services, job) == [AttemptState.LOST, AttemptState.DONE]
    assert (done.state, done.attempts, done.losses) == (JobState.DONE, 1, 1)


async def test_a_job_under_which_its_backend_goes_away_again_is_held_until_somebody_runs_it(
    home: Path,
) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        job = await submit(services)
        for _ in range(2):
            (await until_sent(backend)).push(RunLost())
        held = await until_job(services, job.id, JobState.CREATED)
        seen = len(backend.prompts)
        await services.jobs.run(job.id)
        (await until_sent(backend)).succeed()
        done = await until_job(services, job.id, JobState.DONE)

    assert held.failure is not None
    assert (held.failure.code, held.losses, held.lost_on) == ("poison", 2, ("gpu-1", "gpu-1"))
    assert seen == 2
    assert (done.losses, done.failure) == (0, None)


async def test_when_a_prompt_was_accepted_is_kept_at_its_end(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        (await until_sent(backend)).succeed()
        await until_job(services, job.id, JobState.DONE)
        (attempt,) = await services.event_log.attempts(job.id)

    assert attempt.accepted_at == clock.now()


async def test_a_prompt_that_may_have_arrived_is_asked_after_not_repeated(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_submit.append(BackendUnreachableError("The answer did not come."))

    async with running(home, backend) as services:
        job = await submit(services)
        (await backend.next_prompt()).succeed()
        done = await until_job(services, job.id)

    assert done.state is JobState.DONE
    assert len(backend.prompts) == 1


async def test_somebody_elses_interrupt_cancels_the_job(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        job = await submit(services)
        (await backend.next_prompt()).push(RunInterrupted())
        ended = await until_job(services, job.id)

    assert ended.state is JobState.CANCELLED


async def test_a_run_without_a_picture_says_so(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, retry={"max_attempts": 1}) as services:
        job = await submit(services)
        (await backend.next_prompt()).succeed(pictures=0)
        failed = await until_job(services, job.id)

    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.fix) == (
        "bad_output",
        "Does the workflow end in Save Image?",
    )


async def test_a_disk_that_refuses_the_picture_fails_the_job_with_the_cause(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)
    home.mkdir()
    blocked = home / "no-folder"
    blocked.write_bytes(b"")

    async with running(home, backend, outputs=blocked) as services:
        job = await submit(services)
        failed = await until_job(services, job.id)
        images = await services.gallery.count(ImageFilter())

    assert failed.state is JobState.FAILED
    assert failed.failure is not None
    assert failed.failure.code == "storage"
    assert str(blocked) in failed.failure.message
    assert images == 0


async def test_an_output_that_is_no_picture_is_not_kept(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_fetch.append(BadOutputError("The file is gone."))

    async with running(home, backend, retry={"max_attempts": 1}) as services:
        job = await submit(services)
        (await backend.next_prompt()).succeed()
        failed = await until_job(services, job.id)
        files = [each for each in services.settings.outputs_dir.rglob("*") if each.is_file()]

    assert failed.failure is not None
    assert failed.failure.code == "bad_output"
    assert files == []


async def test_pictures_are_collected_later_when_the_backend_goes_away_meanwhile(
    home: Path,
) -> None:
    backend = FakeBackend(info())
    backend.on_fetch.append(BackendUnreachableError("Away."))

    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.succeed()
        prompt.succeed()  # what the server answers when it is back and asked again
        done = await until_job(services, job.id)

    assert (done.state, done.attempts) == (JobState.DONE, 1)
    assert (prompt.fetched, len(backend.prompts)) == (2, 1)


async def test_a_half_collected_batch_is_kept_once(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_fetch.extend([None, BackendUnreachableError("Away.")])

    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.succeed(pictures=3)
        prompt.succeed(pictures=3)
        await until_job(services, job.id, JobState.DONE)
        images, _ = await services.gallery.page(ImageFilter(), limit=9)

    assert len({image.file for image in images}) == len(images) == 3


class RefusingOnce(SqlJobStore):
    """Cannot write that a job is done, once."""

    refused = False

    async def apply(self, change: JobChange) -> Written:
        """Write, but not the first end."""
        if change.job.state is JobState.DONE and not self.refused:
            self.refused = True
            raise StorageError("The disk is full.")
        return await super().apply(change)


async def test_an_end_that_cannot_be_written_is_written_later(home: Path) -> None:
    backend = FakeBackend(info())

    def refusing(database: Database, clock: Clock) -> SqlJobStore:
        return RefusingOnce(database, clock=clock)

    async with running(home, backend, job_store=refusing) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.succeed()
        prompt.succeed()
        done = await until_job(services, job.id, JobState.DONE)
        images = await services.gallery.count(ImageFilter())

    assert done.attempts == 1
    assert (images, len(prompt.requests), len(backend.prompts)) == (1, 1, 1)


async def test_a_held_job_is_cancelled_at_once(home: Path) -> None:
    async with running(home, FakeBackend(info(), automatic=True)) as services:
        job = await submit(services, hold=True)

        cancelled = await services.jobs.cancel(job.id)

        assert cancelled.state is JobState.CANCELLED
        with pytest.raises(ConflictError, match="already"):
            await services.jobs.cancel(job.id)


async def test_cancel_while_queued_never_reaches_the_backend(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)
    async with running(home, backend) as services:
        await services.jobs.pause()
        job = await submit(services)

        cancelled = await services.jobs.cancel(job.id)
        await services.jobs.resume()
        await until_job(services, (await submit(services)).id, JobState.DONE)

    assert cancelled.state is JobState.CANCELLED
    assert job.id not in [prompt.job_id for prompt in backend.prompts.values()]


async def test_cancel_while_a_retry_waits(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()
    async with running(home, backend, clock=clock) as services:
        job = await submit(services)
        (await backend.next_prompt()).push(RunFailed(error=NodeFailedError("It broke.")))
        await until_job(services, job.id, JobState.QUEUED)

        cancelled = await services.jobs.cancel(job.id)

    assert (cancelled.state, cancelled.failure) == (JobState.CANCELLED, None)
    assert len(backend.prompts) == 1


async def test_cancel_while_submitting_interrupts_what_was_sent(home: Path) -> None:
    backend = FakeBackend(info())
    gate = asyncio.Event()
    backend.on_submit.append(gate)
    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()

        asked_for = await services.jobs.cancel(job.id)
        gate.set()
        cancelled = await until_job(services, job.id)

    assert (asked_for.state, asked_for.cancel_requested) == (JobState.RUNNING, True)
    assert cancelled.state is JobState.CANCELLED
    assert prompt.interrupts == 1


async def test_cancel_while_submitting_what_is_never_sent(home: Path) -> None:
    backend = FakeBackend(info())
    gate = asyncio.Event()
    backend.on_submit.append(gate)
    async with running(home, backend) as services:
        job = await submit(services)
        await backend.next_prompt()
        await services.jobs.cancel(job.id)
        backend.on_interrupt.append(BackendUnreachableError("Away."))
        gate.set()
        cancelled = await until_job(services, job.id)

    assert cancelled.state is JobState.CANCELLED


async def test_cancel_while_running_frees_the_slot(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend) as services:
        first, second = await services.jobs.submit(asked(count=2))
        prompt = await until_sent(backend)

        await services.jobs.cancel(first.id)
        cancelled = await until_job(services, first.id)
        following = await backend.next_prompt()

        assert await states_of(services, first) == [AttemptState.CANCELLED]
    assert (cancelled.state, prompt.interrupts) == (JobState.CANCELLED, 1)
    assert following.job_id == second.id


async def test_a_cancel_that_comes_while_fetching_is_too_late(home: Path) -> None:
    backend = FakeBackend(info())
    gate = asyncio.Event()
    backend.on_fetch.append(gate)
    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.succeed()
        async with asyncio.timeout(LIMIT_S):
            await prompt.fetching.wait()

        await services.jobs.cancel(job.id)
        gate.set()
        done = await until_job(services, job.id)
        images = await services.gallery.count(ImageFilter())

    assert (done.state, done.cancel_requested, images) == (JobState.DONE, False, 1)


async def test_cancel_ends_the_job_even_if_its_backend_is_silent(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_interrupt.append(BackendUnreachableError("Away."))
    async with running(home, backend) as services:
        job = await submit(services)
        await until_sent(backend)

        await services.jobs.cancel(job.id)
        cancelled = await until_job(services, job.id)
        log = await services.event_log.log(job.id)

    assert cancelled.state is JobState.CANCELLED
    assert log[-1].note == "Cancelled; GPU-1 does not answer"


async def test_cancelling_many_counts_those_that_were_not_finished(home: Path) -> None:
    async with running(home, FakeBackend(info(), online=False)) as services:
        jobs: Sequence[Job] = await services.jobs.submit(asked(count=3))
        await services.jobs.cancel(jobs[0].id)

        cancelled = await services.jobs.cancel_many([job.id for job in jobs])
        retried = await services.jobs.retry_many([job.id for job in jobs])

    assert (cancelled, retried) == (2, 3)
