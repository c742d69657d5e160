"""From submission to picture: what goes when, and what people do with the queue."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import (
    ConflictError,
    InvalidRequestError,
    NodeFailedError,
    NotFoundError,
    UnknownBackendError,
)
from app.ids import new_id
from app.models import Attempt, Job, JobState, Progress
from app.ports import ImageFilter, JobFilter
from app.runs import RunFailed, RunPreviewed, RunProgressed, RunSilent
from app.services import Services
from tests.support.fakes import FakeBackend, info
from tests.support.running import asked, reason, running, submit, until, until_job


async def test_a_job_becomes_a_picture_in_the_gallery(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)

    async with running(home, backend) as services:
        job = await submit(services, "a 🦊\nin snow", params={"seed": 2**64 - 1})
        done = await until_job(services, job.id)
        (image,), _ = await services.gallery.page(ImageFilter(), limit=9)
        detail = await services.jobs.detail(job.id)

    assert (done.state, done.attempts, done.backend_id) == (JobState.DONE, 1, "gpu-1")
    assert (image.job_id, image.prompt, image.seed) == (job.id, "a 🦊\nin snow", 2**64 - 1)
    assert (image.width, image.height) == (64, 48)
    assert detail.result is not None
    assert [each.id for each in detail.result.images] == [image.id]
    assert [line.split(" ", 1)[1] for line in detail.logs or []] == [
        "Submitted for gpu-1",
        "Attempt 1 of 3 on gpu-1",
        "gpu-1 has accepted it",
        "Done: 1 picture",
    ]


async def test_several_outputs_of_one_run_are_all_kept_in_order(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        job = await submit(services)
        (await backend.next_prompt()).succeed(pictures=3)
        await until_job(services, job.id, JobState.DONE)
        detail = await services.jobs.detail(job.id)
        images = [await services.gallery.find(each.id) for each in detail.result.images]  # pyright: ignore[reportOptionalMemberAccess]

    assert [image.index for image in images] == [0, 1, 2]


async def test_the_attempt_is_on_disk_before_anything_is_sent(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)
    on_disk: list[list[tuple[str, str]]] = []

    async with running(home, backend) as services:

        def look(attempt: Attempt) -> None:
            query = (
                "SELECT attempt.state, job.state FROM attempt JOIN job ON job.id = attempt.job_id "
                "WHERE attempt.id = ?"
            )
            with closing(sqlite3.connect(services.settings.database)) as other:
                on_disk.append(other.execute(query, [attempt.id.hex]).fetchall())

        backend.before_submit = look
        await until_job(services, (await submit(services)).id, JobState.DONE)

    assert on_disk == [[("open", "running")]]


async def test_a_backend_gets_one_prompt_per_slot(home: Path) -> None:
    backend = FakeBackend(info(slots=2))

    async with running(home, backend) as services:
        jobs = await services.jobs.submit(asked(count=3))
        first, second = await backend.next_prompt(), await backend.next_prompt()
        await until(services, lambda: services.jobs.queue().running == 2)
        at_once = (len(backend.prompts), services.jobs.queue().queued)
        first.succeed()
        third = await backend.next_prompt()
        await until_job(services, jobs[0].id, JobState.DONE)

    assert at_once == (2, 1)
    assert [each.job_id for each in (first, second, third)] == [job.id for job in jobs]


async def test_priority_first_then_the_order_of_submission(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)

    async with running(home, backend) as services:
        await services.jobs.pause()
        for prompt, priority in (("c", 0), ("d", 0), ("e", -1), ("a", 7), ("b", 7)):
            last = await submit(services, prompt, priority=priority)
        await services.jobs.resume()
        await until(services, lambda: services.jobs.queue().queued == 0)
        await until_job(services, last.id, JobState.DONE)

    assert [each.requests[0].prompt for each in backend.submitted] == ["a", "b", "c", "d", "e"]


async def test_a_job_goes_past_one_whose_backend_is_away(home: Path) -> None:
    away = FakeBackend(info("gpu-1"), online=False)
    here = FakeBackend(info("gpu-2"), automatic=True)

    async with running(home, away, here) as services:
        waiting = await submit(services)
        quick = await submit(services, backend="gpu-2")
        await until_job(services, quick.id, JobState.DONE)
        why = reason(services, await services.jobs.get(waiting.id))
        away.automatic = True
        away.becomes(online=True, last_error=None)
        done = await until_job(services, waiting.id)

    assert why == "GPU-1 does not answer."
    assert done.state is JobState.DONE


async def test_auto_spreads_over_the_backends(home: Path) -> None:
    one, two = FakeBackend(info("gpu-1")), FakeBackend(info("gpu-2"))

    async with running(home, one, two) as services:
        await services.jobs.submit(asked(backend="auto", count=2))
        prompts = [await one.next_prompt(), await two.next_prompt()]

    assert {each.attempt.backend_id for each in prompts} == {"gpu-1", "gpu-2"}


async def test_a_held_job_waits_for_run(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)

    async with running(home, backend) as services:
        held = await submit(services, hold=True)
        await until_job(services, (await submit(services)).id, JobState.DONE)
        before = (await services.jobs.get(held.id)).state
        await services.jobs.run(held.id)
        done = await until_job(services, held.id)
        with pytest.raises(ConflictError, match="not held"):
            await services.jobs.run(held.id)

    assert (before, done.state) == (JobState.CREATED, JobState.DONE)


async def test_a_paused_queue_takes_nothing_and_says_so_also_after_a_restart(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        await services.jobs.pause()
        waiting = await submit(services)
        prompt.succeed()
        await until_job(services, job.id, JobState.DONE)
        why = reason(services, waiting)
    async with running(home, backend) as services:
        paused = services.jobs.queue()
        await services.jobs.resume()
        second = await backend.next_prompt()

    assert why == "The queue is paused."
    assert (paused.paused, paused.queued, paused.running) == (True, 1, 0)
    assert second.job_id == waiting.id
    assert len(backend.prompts) == 2


async def test_progress_and_previews_are_there_while_it_runs_and_gone_after(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.push(RunProgressed(progress=Progress(fraction=0.25, step=5, steps=20)))
        for step in range(7):
            prompt.push(RunPreviewed(step=step, mime="image/jpeg", data=b"%d" % step))
        await until(
            services, lambda: (each := services.jobs.preview(job.id)) is not None and each.rev == 7
        )
        view = services.jobs.view(await services.jobs.get(job.id))
        kept = [services.jobs.preview(job.id, rev) for rev in (2, 3, 7, 8)]
        prompt.succeed()
        done = services.jobs.view(await until_job(services, job.id, JobState.DONE))

    assert view.progress is not None
    assert (view.progress.fraction, view.progress.step) == (0.25, 5)
    assert (view.preview_revs, view.preview_steps) == ([3, 4, 5, 6, 7], [2, 3, 4, 5, 6])
    assert [each and each.data for each in kept] == [None, b"2", b"6", None]
    assert (done.progress, done.preview_rev) == (None, 0)


async def test_a_silent_backend_is_a_reason_until_it_speaks(home: Path) -> None:
    backend = FakeBackend(info())

    async with running(home, backend) as services:
        await submit(services)
        prompt = await backend.next_prompt()
        (job,) = (await services.jobs.page(JobFilter(), limit=1)).items
        heard: list[str | None] = []
        for said in ("GPU-1 does not answer.", None):
            prompt.push(RunSilent(reason=said))
            await until(services, lambda said=said: reason(services, job) == said)
            heard.append(reason(services, job))

    assert heard == ["GPU-1 does not answer.", None]


async def waiting_line(services: Services) -> list[Job]:
    """Three waiting jobs called a, b and c."""
    await services.jobs.pause()
    return [await submit(services, prompt) for prompt in "abc"]


async def order(services: Services) -> list[str]:
    """The prompts of the waiting jobs, next one first."""
    board = await services.jobs.board()
    waiting = [each for each in board.jobs if each.position is not None]
    return [each.prompt for each in sorted(waiting, key=lambda each: each.position or 0)]


Moving = Callable[[Services, list[Job]], Awaitable[Job]]


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (lambda s, j: s.jobs.move(j[2].id, before=j[0].id), "cab"),
        (lambda s, j: s.jobs.move(j[2].id, before=j[1].id), "acb"),
        (lambda s, j: s.jobs.move(j[0].id, after=j[2].id), "bca"),
        (lambda s, j: s.jobs.move(j[0].id, after=j[1].id), "bac"),
        (lambda s, j: s.jobs.move(j[1].id, before=j[2].id), "abc"),
        (lambda s, j: s.jobs.move(j[1].id, priority=5), "bac"),
        (lambda s, j: s.jobs.move(j[0].id, priority=0), "bca"),
        (lambda s, j: s.jobs.move(j[0].id, priority=-1), "bca"),
    ],
)
async def test_moving_a_waiting_job(home: Path, move: Moving, expected: str) -> None:
    async with running(home, FakeBackend(info())) as services:
        jobs = await waiting_line(services)

        await move(services, jobs)

        moved = await order(services)
    async with running(home, FakeBackend(info())) as services:
        after_restart = await order(services)
    assert "".join(moved) == expected
    assert "".join(after_restart) == expected


async def test_moving_beside_a_job_takes_its_priority(home: Path) -> None:
    async with running(home, FakeBackend(info())) as services:
        jobs = await waiting_line(services)
        await services.jobs.move(jobs[2].id, priority=9)

        moved = await services.jobs.move(jobs[0].id, after=jobs[2].id)

        assert moved.priority == 9
        assert await order(services) == ["c", "a", "b"]


async def test_moves_that_mean_nothing_are_refused(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend) as services:
        under_way = await submit(services)
        await backend.next_prompt()
        jobs = await waiting_line(services)

        with pytest.raises(InvalidRequestError):
            await services.jobs.move(jobs[0].id)
        with pytest.raises(InvalidRequestError):
            await services.jobs.move(jobs[0].id, before=jobs[1].id, priority=1)
        with pytest.raises(ConflictError):
            await services.jobs.move(jobs[0].id, before=jobs[0].id)
        with pytest.raises(ConflictError):
            await services.jobs.move(jobs[0].id, after=under_way.id)
        with pytest.raises(ConflictError):
            await services.jobs.move(under_way.id, before=jobs[0].id)
        with pytest.raises(NotFoundError):
            await services.jobs.move(jobs[0].id, before=new_id())
        with pytest.raises(NotFoundError):
            await services.jobs.move(new_id(), before=jobs[0].id)
        assert await order(services) == ["a", "b", "c"]


async def test_submissions_at_the_same_moment_get_different_places(home: Path) -> None:
    async with running(home, FakeBackend(info(), online=False)) as services:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(submit(services, str(number))) for number in range(20)]
        jobs = [task.result() for task in tasks]

        moved = await services.jobs.move(jobs[7].id, after=jobs[3].id)

        position = services.jobs.view(moved).position
        assert len({job.rank for job in jobs}) == 20
        assert position == (services.jobs.view(jobs[3]).position or 0) + 1


async def test_moves_at_the_same_moment_get_different_places(home: Path) -> None:
    async with running(home, FakeBackend(info(), online=False)) as services:
        jobs = await services.jobs.submit(asked(count=12))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(services.jobs.move(job.id, before=jobs[0].id)) for job in jobs[1:]
            ]

        assert len({task.result().rank for task in tasks}) == 11


async def test_an_unknown_backend_makes_no_job(home: Path) -> None:
    async with running(home, FakeBackend(info())) as services:
        with pytest.raises(UnknownBackendError, match="gpu-9"):
            await submit(services, backend="gpu-9")

        assert (await services.jobs.page(JobFilter(), limit=9)).items == ()


async def test_a_finished_job_can_be_removed_and_its_picture_stays(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        with pytest.raises(ConflictError, match="cancel it first"):
            await services.jobs.remove(job.id)
        prompt.succeed()
        await until_job(services, job.id, JobState.DONE)

        await services.jobs.remove(job.id)

        with pytest.raises(NotFoundError):
            await services.jobs.get(job.id)
        assert await services.gallery.count(ImageFilter()) == 1
        assert await services.jobs.restore([job.id]) == [job.id]
        assert (await services.jobs.get(job.id)).state is JobState.DONE


async def test_clearing_takes_the_finished_and_cancelling_the_waiting(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend) as services:
        first = await submit(services)
        (await backend.next_prompt()).succeed()
        await until_job(services, first.id, JobState.DONE)
        under_way = await submit(services)
        await backend.next_prompt()
        await services.jobs.submit(asked(count=3))
        held = await submit(services, hold=True)

        cancelled = await services.jobs.cancel_waiting()
        cleared = await services.jobs.clear_finished()

        left = await services.jobs.page(JobFilter(), limit=9)
        assert (cancelled, len(cleared)) == (3, 4)
        assert [job.id for job in left.items] == [held.id, under_way.id]


async def test_a_failed_job_is_retried_from_its_first_attempt_at_the_end(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend, retry={"max_attempts": 1}) as services:
        job = await submit(services)
        (await backend.next_prompt()).push(RunFailed(error=NodeFailedError("It broke.")))
        failed = await until_job(services, job.id, JobState.FAILED)
        await services.jobs.pause()
        other = await submit(services)

        again = await services.jobs.retry(job.id)
        with pytest.raises(ConflictError):
            await services.jobs.retry(job.id)
        await services.jobs.resume()

        assert (again.state, again.attempts, again.failure) == (JobState.QUEUED, 0, None)
        assert again.rank > other.rank
        assert failed.failure is not None
        (await backend.next_prompt()).succeed()
        (await backend.next_prompt()).succeed()
        assert (await until_job(services, job.id)).state is JobState.DONE
        assert len(await services.event_log.attempts(job.id)) == 2


async def test_two_jobs_survive_ten_thousand_submitted_at_once(home: Path) -> None:
    backend = FakeBackend(info())
    async with asyncio.timeout(40), running(home, backend) as services:
        jobs = await services.jobs.submit(asked(count=2, priority=1))
        first = await backend.next_prompt()
        async with asyncio.TaskGroup() as group:
            for _ in range(157):
                group.create_task(services.jobs.submit(asked(count=64)))
        first.succeed()
        second = await backend.next_prompt()
        second.succeed()
        states = [(await until_job(services, job.id)).state for job in jobs]
        await until(services, lambda: services.jobs.queue().running == 1)
        queue = services.jobs.queue()

    assert states == [JobState.DONE, JobState.DONE]
    assert (queue.queued, queue.running) == (157 * 64 - 1, 1)
