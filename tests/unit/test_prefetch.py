"""One prompt more than runs: sent ahead, still waiting, and taken back when it must not start."""

import asyncio
from pathlib import Path
from uuid import UUID

from app.errors import BackendUnreachableError, NodeFailedError, NotSentError
from app.models import AttemptState, JobState, Progress
from app.runs import RunFailed, RunLost, RunProgressed, RunStarted
from app.services import Services
from tests.support.fakes import FakeBackend, FakeClock, info
from tests.support.running import (
    reason,
    running,
    submit,
    until,
    until_accepted,
    until_job,
    until_sent,
    until_that,
)

AHEAD = {"scheduling": {"prefetch": True}}


async def states_of(services: Services, job_id: UUID) -> list[AttemptState]:
    """How the attempts of a job ended, oldest first."""
    return [each.state for each in await services.event_log.attempts(job_id)]


async def test_a_busy_backend_gets_one_prompt_more_which_goes_on_waiting(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        second, third = await submit(services), await submit(services)
        ahead = await until_sent(backend)
        await until_accepted(services, second)
        waiting, behind = await services.jobs.get(second.id), await services.jobs.get(third.id)
        why = reason(services, waiting)
        seen = len(backend.prompts)

    assert ahead.job_id == second.id
    assert (waiting.state, waiting.ahead_on, waiting.attempts) == (JobState.QUEUED, "gpu-1", 0)
    assert waiting.started_at is None
    assert why == "Next on GPU-1, where it waits already."
    assert (behind.ahead_on, seen) == (None, 2)


async def test_what_was_sent_ahead_runs_when_its_backend_begins_it(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        first = await until_sent(backend)
        second = await submit(services)
        ahead = await until_sent(backend)
        first.succeed()
        ahead.push(RunStarted())
        begun = await until_job(services, second.id, JobState.RUNNING)
        ahead.succeed()
        done = await until_job(services, second.id)

    assert (begun.ahead_on, begun.attempts, begun.backend_id) == (None, 1, "gpu-1")
    assert begun.started_at is not None
    assert (done.state, done.attempts, len(ahead.requests)) == (JobState.DONE, 1, 1)


async def test_a_run_that_ends_before_its_start_was_heard_of_is_done(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        second = await submit(services)
        (await until_sent(backend)).succeed()
        done = await until_job(services, second.id)

    assert (done.state, done.attempts, done.ahead_on) == (JobState.DONE, 1, None)
    assert done.started_at is not None


async def test_progress_is_a_sign_that_it_began(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        second = await submit(services)
        (await until_sent(backend)).push(RunProgressed(progress=Progress(fraction=0.5)))
        begun = await until_job(services, second.id, JobState.RUNNING)

    assert begun.attempts == 1


async def test_cancelling_it_removes_it_there_before_it_is_called_cancelled(home: Path) -> None:
    backend = FakeBackend(info())
    gate = asyncio.Event()
    backend.on_interrupt.append(gate)

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        second = await submit(services)
        ahead = await until_sent(backend)
        await until_accepted(services, second)
        asked = await services.jobs.cancel(second.id)
        between = asked.state
        gate.set()
        cancelled = await until_job(services, second.id)
        states = await states_of(services, second.id)

    assert (between, asked.cancel_requested) == (JobState.QUEUED, True)
    assert (cancelled.state, cancelled.ahead_on, ahead.interrupts) == (JobState.CANCELLED, None, 1)
    assert states == [AttemptState.CANCELLED]


async def test_a_pause_takes_it_back_uncounted_and_resuming_sends_it_anew(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        first = await until_sent(backend)
        second = await submit(services)
        ahead = await until_sent(backend)
        await until_accepted(services, second)
        await services.jobs.pause()
        waiting = await until_that(services, second.id, lambda job: job.ahead_on is None)
        first.succeed()
        await services.jobs.resume()
        again = await until_sent(backend)
        again.succeed()
        done = await until_job(services, second.id)
        states = await states_of(services, second.id)

    assert (waiting.state, waiting.attempts, ahead.interrupts) == (JobState.QUEUED, 0, 1)
    assert again is not ahead
    assert (done.state, done.attempts) == (JobState.DONE, 1)
    assert states == [AttemptState.CANCELLED, AttemptState.DONE]


async def test_a_pause_leaves_alone_what_has_begun(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        first = await submit(services)
        prompt = await until_sent(backend)
        prompt.push(RunStarted())
        await services.jobs.pause()
        prompt.succeed()
        done = await until_job(services, first.id)

    assert (done.state, prompt.interrupts) == (JobState.DONE, 0)


async def test_a_restart_takes_it_up_where_it_waits(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend, **AHEAD) as services:
        first = await submit(services)
        running_one = await until_sent(backend)
        second = await submit(services)
        ahead = await until_sent(backend)
        await until_accepted(services, second)

    async with running(home, backend, **AHEAD) as services:
        adopted = {(await backend.next_prompt()).job_id for _ in range(2)}
        between = await services.jobs.get(second.id)
        running_one.succeed()
        ahead.push(RunStarted())
        ahead.succeed()
        done = await until_job(services, second.id)

    assert adopted == {first.id, second.id}
    assert (between.state, between.ahead_on) == (JobState.QUEUED, "gpu-1")
    assert (done.state, done.attempts, len(ahead.requests)) == (JobState.DONE, 1, 1)


async def test_one_that_was_never_sent_before_a_restart_waits_again(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        backend.on_submit.append(asyncio.Event())
        second = await submit(services)
        unsent = await backend.next_prompt()

    async with running(home, backend, **AHEAD) as services:
        unsent.push(RunLost())
        await until(
            services,
            lambda: len([each for each in backend.submitted if each.job_id == second.id]) == 1,
        )
        waiting = await services.jobs.get(second.id)
        states = await states_of(services, second.id)

    assert (waiting.losses, waiting.attempts) == (0, 0)
    assert (states, unsent.requests) == ([AttemptState.LOST, AttemptState.OPEN], [])


async def test_a_prompt_that_was_refused_a_connection_waits_for_another_try(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        backend.on_submit.append(NotSentError("Refused."))
        second = await submit(services)
        waiting = await until_that(services, second.id, lambda job: job.failure is not None)

    assert (waiting.state, waiting.ahead_on, waiting.attempts) == (JobState.QUEUED, None, 0)


async def test_a_lost_answer_is_asked_after_there_too(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend, **AHEAD) as services:
        await submit(services)
        await until_sent(backend)
        backend.on_submit.append(BackendUnreachableError("The answer did not come."))
        second = await submit(services)
        ahead = await backend.next_prompt()
        ahead.push(RunStarted())
        ahead.succeed()
        done = await until_job(services, second.id)

    assert (done.state, done.attempts) == (JobState.DONE, 1)


async def test_a_job_that_failed_before_is_not_sent_ahead(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()

    async with running(home, backend, clock=clock, **AHEAD) as services:
        job = await submit(services)
        (await until_sent(backend)).push(RunFailed(error=NodeFailedError("It broke.")))
        await until_job(services, job.id, JobState.QUEUED)
        await submit(services)
        between = await until_sent(backend)
        clock.advance(120)
        backend.becomes()
        later = await submit(services)
        ahead = await until_sent(backend)
        between.succeed()

    assert ahead.job_id == later.id
