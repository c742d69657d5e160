"""How a group does, read from its jobs; what its followers hear."""

from pathlib import Path

import pytest

from app.errors import NodeFailedError, NotFoundError, TimedOutError
from app.groups import GroupStatus, status_of
from app.ids import new_id
from app.models import JobState, Progress
from app.runs import RunFailed, RunProgressed
from app.submission import ManifestGroup
from app.submitting import Asker
from tests.support.fakes import FakeBackend, info
from tests.support.running import asked, running, until_job, until_sent

WAITS, HELD, RUNS = JobState.QUEUED, JobState.CREATED, JobState.RUNNING
DONE, FAILED, CANCELLED = JobState.DONE, JobState.FAILED, JobState.CANCELLED


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([WAITS, WAITS], GroupStatus.PENDING),
        ([HELD, WAITS], GroupStatus.PENDING),
        ([RUNS, WAITS], GroupStatus.RUNNING),
        ([DONE, WAITS], GroupStatus.RUNNING),
        ([FAILED, HELD], GroupStatus.RUNNING),
        ([CANCELLED, RUNS], GroupStatus.RUNNING),
        ([DONE, DONE], GroupStatus.COMPLETED),
        ([DONE, FAILED], GroupStatus.PARTIAL_COMPLETE),
        ([DONE, CANCELLED], GroupStatus.PARTIAL_COMPLETE),
        ([FAILED, FAILED], GroupStatus.FAILED),
        ([FAILED, CANCELLED], GroupStatus.FAILED),
        ([CANCELLED, CANCELLED], GroupStatus.CANCELLED),
    ],
)
def test_the_status_of_a_group_is_read_from_its_jobs(
    states: list[JobState], status: GroupStatus
) -> None:
    assert status_of(states) is status
    assert status_of(reversed(states)) is status


async def test_jobs_submitted_together_are_a_group_that_can_be_asked_after(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)
    async with running(home, backend) as services:
        jobs = await services.jobs.submit(asked(count=3, params={"seed": 5}, metadata={"a": 1}))
        for job in jobs:
            await until_job(services, job.id, DONE)
        group_id = jobs[0].group_id
        assert group_id is not None
        group = await services.groups.get(group_id)
        listed = await services.groups.page(limit=9)

    assert [child.job_id for child in group.child_jobs] == [job.id for job in jobs]
    assert [child.seed for child in group.child_jobs] == [5, 6, 7]
    assert (group.status, group.completed_count, group.total_count) == ("completed", 3, 3)
    assert (group.base_seed, group.seed_strategy, group.metadata) == (5, "sequential", {"a": 1})
    assert group.completed_at is not None
    assert listed == [group]


async def test_a_job_alone_is_no_group(home: Path) -> None:
    async with running(home, FakeBackend(info(), online=False)) as services:
        (job,) = await services.jobs.submit(asked())

        assert job.group_id is None
        assert await services.groups.page(limit=9) == []


async def test_a_group_goes_on_counting_jobs_that_were_taken_off_the_list(home: Path) -> None:
    async with running(home, FakeBackend(info(), automatic=True)) as services:
        jobs = await services.jobs.submit(asked(count=2))
        for job in jobs:
            await until_job(services, job.id, DONE)
        await services.jobs.clear_finished()
        group = await services.groups.get(jobs[0].group_id or new_id())

    assert (group.status, group.completed_count) == ("completed", 2)


async def test_cancelling_a_group_stops_the_rest_and_keeps_what_is_done(home: Path) -> None:
    backend = FakeBackend(info(slots=2))
    async with running(home, backend) as services:
        jobs = await services.jobs.submit(asked(count=3, fallback="none"))
        (await until_sent(backend)).succeed()
        await until_job(services, jobs[0].id, DONE)
        for _ in (jobs[1], jobs[2]):
            await until_sent(backend)
        group_id = jobs[0].group_id or new_id()
        told = await services.groups.cancel(group_id)
        for job in jobs[1:]:
            await until_job(services, job.id, CANCELLED)
        group = await services.groups.get(group_id)

    assert (told.already_complete, told.already_failed) == (1, 0)
    assert told.cancelled + told.interrupted == 2
    assert (group.status, group.completed_count, group.cancelled_count) == (
        "partial_complete",
        1,
        2,
    )


async def test_cancelling_a_group_takes_back_what_was_sent_ahead(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend, scheduling={"prefetch": True}) as services:
        jobs = await services.jobs.submit(asked(count=3))
        prompts = [await until_sent(backend) for _ in range(2)]  # the second waits there
        told = await services.groups.cancel(jobs[0].group_id or new_id())
        for job in jobs:
            await until_job(services, job.id, CANCELLED)

    assert told.cancelled + told.interrupted == 3
    assert [prompt.interrupts for prompt in prompts] == [1, 1]


async def test_a_group_that_is_not_there_is_named(home: Path) -> None:
    async with running(home, FakeBackend(info())) as services:
        missing = new_id()
        with pytest.raises(NotFoundError, match=str(missing)):
            await services.groups.get(missing)
        with pytest.raises(NotFoundError, match=str(missing)):
            await services.groups.cancel(missing)


async def test_a_follower_hears_of_every_child_until_the_group_is_complete(home: Path) -> None:
    backends = [FakeBackend(info(f"gpu-{n}")) for n in (1, 2, 3)]
    names = tuple(each.info.id for each in backends)
    manifest = ManifestGroup(
        workflow_id="text-to-image", parameters={"prompt": "a fox"}, backend_ids=names
    )
    async with running(home, *backends) as services:
        ids = await services.submitting.submit_group(manifest, asker=Asker())
        group_id = (await services.jobs.get(ids[0])).group_id or new_id()
        news = services.groups.follow(group_id)
        first = await anext(news)
        prompts = [await until_sent(each) for each in backends]
        prompts[0].push(RunProgressed(progress=Progress(fraction=0.5, step=1, steps=2)))
        heard = [message async for message in _until(news, "child_progress", progress=0.5)]
        prompts[0].succeed()
        heard += [message async for message in _until(news, "child_completed")]
        prompts[1].push(RunFailed(error=TimedOutError("Took too long.")))
        heard += [message async for message in _until(news, "child_timeout")]
        await services.jobs.cancel(ids[2])
        heard += [message async for message in _until(news, "child_cancelled")]
        last = await anext(news)
        await news.aclose()

    assert first["type"] == "initial_state"
    assert [child["job_id"] for child in first["child_jobs"]] == [str(each) for each in ids]
    assert {message["job_group_id"] for message in (first, *heard, last)} == {str(group_id)}
    done = next(message for message in heard if message["type"] == "child_completed")
    assert (done["job_id"], done["backend_id"]) == (str(ids[0]), "gpu-1")
    assert done["images"][0]["url"].startswith("/api/images/")
    late = next(message for message in heard if message["type"] == "child_timeout")
    assert (late["error"], late["code"]) == ("Took too long.", "timeout")
    assert (last["type"], last["status"]) == ("group_complete", "partial_complete")
    assert (last["completed_count"], last["failed_count"], last["cancelled_count"]) == (1, 1, 1)


async def test_a_follower_that_comes_late_is_told_the_end_at_once(home: Path) -> None:
    backend = FakeBackend(info(slots=2))
    async with running(home, backend, retry={"max_attempts": 1}) as services:
        jobs = await services.jobs.submit(asked(count=2))
        prompts = [await until_sent(backend) for _ in jobs]
        prompts[0].succeed()
        prompts[1].push(RunFailed(error=NodeFailedError("Broken.")))
        for job in jobs:
            await until_job(services, job.id)
        news = services.groups.follow(jobs[0].group_id or new_id())
        first, second = await anext(news), await anext(news)
        await news.aclose()

    images = [len(child["images"]) for child in first["child_jobs"]]
    assert (first["type"], sorted(images)) == ("initial_state", [0, 1])
    assert (second["type"], second["status"]) == ("group_complete", "partial_complete")


async def _until(news, type_: str, **values: object):
    async for message in news:
        yield message
        if message["type"] == type_ and all(message[name] == v for name, v in values.items()):
            return
