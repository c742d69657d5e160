"""What a stop leaves behind, and what the next start makes of it."""

import asyncio
from pathlib import Path

from app.models import JobState
from app.ports import ImageFilter
from app.runs import RunLost
from tests.support.fakes import LIMIT_S, FakeBackend, info, output
from tests.support.running import (
    reason,
    running,
    submit,
    until,
    until_accepted,
    until_job,
    until_sent,
)


async def test_a_stop_changes_nothing_and_the_next_start_adopts(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await until_sent(backend)
        await until_accepted(services, job)

    async with running(home, backend) as services:
        adopted = await backend.next_prompt()
        between = await services.jobs.get(job.id)
        prompt.succeed()
        done = await until_job(services, job.id)
        images = await services.gallery.count(ImageFilter())

    assert adopted is prompt
    assert (between.state, between.attempts, between.cancel_requested) == (
        JobState.RUNNING,
        1,
        False,
    )
    assert (done.state, images, len(prompt.requests)) == (JobState.DONE, 1, 1)


async def test_a_stop_before_the_prompt_was_sent_sends_it_once_after(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_submit.append(asyncio.Event())
    async with running(home, backend) as services:
        job = await submit(services)
        unsent = await backend.next_prompt()

    async with running(home, backend) as services:
        assert await backend.next_prompt() is unsent
        unsent.push(RunLost())
        second = await until_sent(backend)
        second.succeed()
        done = await until_job(services, job.id)

    assert (done.state, done.attempts, done.losses) == (JobState.DONE, 1, 0)
    assert [len(each.requests) for each in (unsent, second)] == [0, 1]


async def test_a_stop_while_fetching_collects_after_the_start(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_fetch.append(asyncio.Event())
    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.succeed()
        async with asyncio.timeout(LIMIT_S):
            await prompt.fetching.wait()
    backend.on_fetch.clear()

    async with running(home, backend) as services:
        prompt.succeed()
        done = await until_job(services, job.id)
        files = [each for each in services.settings.outputs_dir.rglob("*") if each.is_file()]

    assert done.state is JobState.DONE
    assert len(files) == 1


async def test_a_wish_to_cancel_survives_a_stop(home: Path) -> None:
    backend = FakeBackend(info())
    backend.on_interrupt.append(asyncio.Event())
    async with running(home, backend) as services:
        job = await submit(services)
        await until_sent(backend)
        await services.jobs.cancel(job.id)

    async with running(home, backend) as services:
        cancelled = await until_job(services, job.id)

    assert cancelled.state is JobState.CANCELLED


async def test_waiting_and_held_jobs_survive_a_stop(home: Path) -> None:
    backend = FakeBackend(info(), online=False)
    async with running(home, backend) as services:
        waiting, held = await submit(services), await submit(services, hold=True)

    backend.automatic = True
    backend.becomes(online=True, last_error=None)
    async with running(home, backend) as services:
        done = await until_job(services, waiting.id)
        kept = await services.jobs.get(held.id)

    assert (done.state, kept.state) == (JobState.DONE, JobState.CREATED)


async def test_a_job_whose_backend_is_gone_after_a_restart_waits_for_people(home: Path) -> None:
    backend, other = FakeBackend(info()), FakeBackend(info("gpu-2"), automatic=True)
    async with running(home, backend) as services:
        job = await submit(services)
        await until_sent(backend)

    async with running(home, other) as services:
        between = await services.jobs.get(job.id)
        await until(services, lambda: reason(services, between) is not None)
        why = reason(services, between)
        await until_job(services, (await submit(services, backend="gpu-2")).id, JobState.DONE)
        await services.jobs.cancel(job.id)
        cancelled = await until_job(services, job.id)

    assert between.state is JobState.RUNNING
    assert why is not None
    assert "no longer configured" in why
    assert cancelled.state is JobState.CANCELLED


async def test_files_of_attempts_are_no_strays_but_others_are_taken_in(home: Path) -> None:
    backend = FakeBackend(info())
    data = output().locator["data"]
    async with running(home, backend) as services:
        await submit(services)
        prompt = await until_sent(backend)
        outputs = services.settings.outputs_dir

    (outputs / "mine").mkdir(parents=True)
    (outputs / "mine" / "holiday.png").write_bytes(data)
    (outputs / f"{prompt.attempt.id}_9_0.png").write_bytes(data)
    (outputs / "mine" / "notes.png").write_bytes(b"no picture")
    async with running(home, backend) as services:
        taken = await services.gallery.sweep()
        again = await services.gallery.sweep()
        images, _ = await services.gallery.page(ImageFilter(), limit=9)

    assert [image.file for image in images] == ["mine/holiday.png"]
    assert taken + again <= 1
