"""The port JobStore: the same promises from SQL and from memory."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.errors import StaleWriteError
from app.ids import new_id
from app.models import (
    AttemptState,
    Decision,
    Fallback,
    Job,
    JobFailure,
    JobState,
    JobTerms,
    Lora,
    Weighed,
)
from app.ports import JobChange, JobFilter
from app.ranking import ranks_after
from app.said import Said
from data.database import Database
from tests.contract.conftest import Stores
from tests.support.values import NOW, a_job, a_request, an_attempt, an_image

TEXTS = [
    "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten",
    "🦊 in the 🌧️ with 👩‍👩‍👧",
    "ثعلب أحمر في الثلج",
    "<script>alert('x')</script> & \"quotes\" \\ %s {0}",
    "  spaces kept  ",
]


def started(job: Job, **changes: Any) -> JobChange:
    """The step from queued to running."""
    running = job.to(JobState.RUNNING, backend_id="gpu-1", attempts=1, **changes)
    return JobChange(job=running, note="Attempt 1", attempt=an_attempt(job))


async def test_a_job_comes_back_exactly_as_it_was_put_in(stores: Stores) -> None:
    job = a_job(
        group_id=new_id(),
        priority=-7,
        attempts=2,
        losses=1,
        lost_on=("gpu-2",),
        failed_on=("gpu-1", "gpu-2"),
        source="storyboard",
        terms=JobTerms(
            fallback=Fallback.ASK,
            tags=("study",),
            webhook="http://127.0.0.1:9/done",
            metadata={"shot": [1, {"b": None}]},
            confirmed_usd=0.06,
            timeout_s=300.0,
        ),
        ahead_on="gpu-3",
        placement=Said("{backend}: its model is loaded.", backend="gpu-1"),
        notices=(Said("{used} is used.", used="euler"), "plain"),
        backend_id="gpu-1",
        cancel_requested=True,
        not_before=NOW + timedelta(seconds=3.5),
        queued_at=NOW,
        started_at=NOW,
        finished_at=NOW,
        failure=JobFailure(code="node_failed", message="It raised.", fix="Look."),
        request=a_request(
            seed=2**64 - 1,
            cfg=6.25,
            checkpoint="model-a.safetensors",
            preset="sdxl-inpaint",
            loras=(Lora(name="a/b.safetensors", weight=-0.5, clip_weight=0.25),),
            image="picture.png",
            mask="mask.png",
            denoise=0.4,
            options={"frames": 25, "raw": True, "ratio": "16:9", "x": 0.5},
            graph={"1": {"class_type": "EmptyImage", "inputs": {"width": 64}}},
        ),
    )

    await stores.jobs.add([job], note="Submitted")

    assert await stores.jobs.get(job.id) == job


@pytest.mark.parametrize("text", TEXTS)
async def test_prompts_survive_as_typed(stores: Stores, text: str) -> None:
    job = a_job(request=a_request(text, negative_prompt=text))

    await stores.jobs.add([job], note=text)

    stored = await stores.jobs.get(job.id)
    assert stored is not None
    assert (stored.request.prompt, stored.request.negative_prompt) == (text, text)
    assert [event.note for event in await stores.jobs.log(job.id)] == [text]


async def test_an_unknown_job_is_none(stores: Stores) -> None:
    assert await stores.jobs.get(new_id()) is None


async def test_a_step_writes_job_attempt_images_and_events_together(stores: Stores) -> None:
    job = a_job(state=JobState.RUNNING)
    await stores.jobs.add([job], note="")
    attempt = an_attempt(job, state=AttemptState.DONE)
    image = an_image(job_id=job.id, attempt_id=attempt.id)

    written = await stores.jobs.apply(
        JobChange(job=job.to(JobState.DONE), note="Done", attempt=attempt, images=[image])
    )

    assert await stores.jobs.attempts(job.id) == [attempt]
    assert (await stores.images.of_jobs([job.id]))[job.id] == list(written.images)
    assert written.logged.type == "job.done"
    assert [event.type for event in written.image_events] == ["image.created"]
    assert written.image_events[0].seq < written.logged.seq  # the order in which they are told


async def test_a_stale_step_writes_nothing_at_all(stores: Stores) -> None:
    job = a_job()
    await stores.jobs.add([job], note="Submitted")
    await stores.jobs.apply(started(job))
    before = await stores.jobs.events_span()
    stale = JobChange(
        job=job.to(JobState.CANCELLED),
        note="Too late",
        attempt=an_attempt(job, number=9),
        images=[an_image(job_id=job.id)],
    )

    with pytest.raises(StaleWriteError):
        await stores.jobs.apply(stale)

    kept = await stores.jobs.get(job.id)
    assert kept is not None
    assert kept.state is JobState.RUNNING
    assert [each.number for each in await stores.jobs.attempts(job.id)] == [1]
    assert await stores.images.of_jobs([job.id]) == {}
    assert await stores.jobs.events_span() == before


async def test_a_step_of_an_unknown_job_is_stale(stores: Stores) -> None:
    with pytest.raises(StaleWriteError):
        await stores.jobs.apply(started(a_job()))


async def test_of_two_steps_from_the_same_version_one_wins(stores: Stores) -> None:
    job = a_job()
    await stores.jobs.add([job], note="")

    async def attempted(change: JobChange) -> bool:
        try:
            await stores.jobs.apply(change)
        except StaleWriteError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        first = group.create_task(attempted(started(job)))
        second = group.create_task(
            attempted(JobChange(job=job.to(JobState.CANCELLED), note="Cancelled"))
        )

    assert sorted([first.result(), second.result()]) == [False, True]


async def test_the_same_output_is_stored_once(stores: Stores) -> None:
    job = a_job(state=JobState.RUNNING)
    await stores.jobs.add([job], note="")
    image = an_image(job_id=job.id)
    first = await stores.jobs.apply(JobChange(job=job.changed(), note="", images=[image]))
    again = replace(image, id=new_id())

    second = await stores.jobs.apply(
        JobChange(job=job.changed().changed(), note="", images=[again])
    )

    assert second.images == first.images
    assert len((await stores.images.of_jobs([job.id]))[job.id]) == 1


async def test_an_attempt_is_overwritten_by_its_newer_self(stores: Stores) -> None:
    job = a_job()
    await stores.jobs.add([job], note="")
    change = started(job)
    await stores.jobs.apply(change)
    assert change.attempt is not None
    failure = JobFailure(code="rejected", message="No.")
    weighed = (
        Weighed(backend_id="gpu-1", expected_s=12.5, loaded=True),
        Weighed(backend_id="gpu-2", rejected=Said("{id} is offline.", id="gpu-2")),
    )
    ended = replace(
        change.attempt,
        state=AttemptState.FAILED,
        accepted_at=NOW,
        ended_at=NOW,
        failure=failure,
        decision=Decision(reason="The only one.", weighed=weighed),
        handle={"id": "task-1", "polling_url": "https://example.org/1"},
    )

    await stores.jobs.apply(
        JobChange(job=change.job.to(JobState.FAILED), note="Failed", attempt=ended)
    )

    assert await stores.jobs.attempts(job.id) == [ended]


async def test_attempts_come_oldest_first_and_are_known_by_id(stores: Stores) -> None:
    job = a_job()
    await stores.jobs.add([job], note="")
    late = an_attempt(job, number=2, created_at=NOW + timedelta(seconds=9))
    early = an_attempt(job, number=1)
    await stores.jobs.apply(JobChange(job=job.changed(), note="", attempt=late))
    await stores.jobs.apply(JobChange(job=job.changed().changed(), note="", attempt=early))

    assert await stores.jobs.attempts(job.id) == [early, late]
    assert await stores.jobs.attempt_ids([late.id, new_id()]) == {late.id}


async def test_unfinished_jobs_come_in_queue_order(stores: Stores) -> None:
    low = a_job("a0", priority=-5)
    third = a_job("a2")
    held = a_job("a1", state=JobState.CREATED)
    urgent = a_job("a9", priority=5, state=JobState.RUNNING)
    done = a_job("a0", state=JobState.DONE)

    await stores.jobs.add([low, third, held, urgent, done], note="")

    assert await stores.jobs.unfinished() == [urgent, held, third, low]


async def test_jobs_page_newest_first_without_gap_or_repeat(stores: Stores) -> None:
    jobs = [a_job() for _ in range(7)]
    await stores.jobs.add(jobs, note="")

    first = await stores.jobs.page(JobFilter(), limit=3)
    await stores.jobs.add([a_job()], note="arrives between two pages")
    second = await stores.jobs.page(JobFilter(), limit=3, cursor=first.next_cursor)
    third = await stores.jobs.page(JobFilter(), limit=3, cursor=second.next_cursor)

    assert list(first.items + second.items + third.items) == jobs[::-1]
    assert third.next_cursor is None


async def test_a_cursor_stays_right_when_jobs_are_removed_between_pages(stores: Stores) -> None:
    jobs = [a_job(state=JobState.DONE) for _ in range(6)]
    await stores.jobs.add(jobs, note="")

    first = await stores.jobs.page(JobFilter(), limit=2)
    await stores.jobs.remove([jobs[0].id, jobs[1].id, jobs[5].id])
    second = await stores.jobs.page(JobFilter(), limit=9, cursor=first.next_cursor)

    assert list(second.items) == [jobs[3], jobs[2]]


async def test_a_page_that_is_just_full_is_the_last(stores: Stores) -> None:
    await stores.jobs.add([a_job(), a_job()], note="")

    page = await stores.jobs.page(JobFilter(), limit=2)

    assert page.next_cursor is None


async def test_filters_of_jobs(stores: Stores) -> None:
    group = new_id()
    fox = a_job(request=a_request("A Red Fox, 50% done"), group_id=group)
    cat = a_job(request=a_request("a cat", target="auto"), backend_id="gpu-2")
    done = a_job(state=JobState.DONE, request=a_request("a dog"))
    await stores.jobs.add([fox, cat, done], note="")

    async def found(**wanted: Any) -> list[Job]:
        return list((await stores.jobs.page(JobFilter(**wanted), limit=9)).items)

    assert await found(text="red fox") == [fox]
    assert await found(text="50%") == [fox]
    assert await found(text="5_%") == []
    assert await found(backend="gpu-2") == [cat]
    assert await found(backend="auto") == [cat]
    assert await found(group_id=group) == [fox]
    assert await found(states=frozenset({JobState.DONE, JobState.FAILED})) == [done]


async def test_only_finished_jobs_are_removed_and_their_images_stay(stores: Stores) -> None:
    waiting, running = a_job(), a_job(state=JobState.RUNNING)
    await stores.jobs.add([waiting, running], note="")
    attempt, image = an_attempt(running), an_image(job_id=running.id)
    await stores.jobs.apply(
        JobChange(job=running.to(JobState.DONE), note="", attempt=attempt, images=[image])
    )

    events = await stores.jobs.remove([waiting.id, running.id, new_id()])

    assert [(event.type, event.subject) for event in events] == [("job.removed", str(running.id))]
    assert await stores.jobs.get(running.id) is None
    assert await stores.jobs.get(waiting.id) == waiting
    assert (await stores.jobs.page(JobFilter(), limit=9)).items == (waiting,)
    assert await stores.jobs.finished_ids() == []
    assert len((await stores.images.of_jobs([running.id]))[running.id]) == 1


async def test_removed_jobs_come_back_to_their_place(stores: Stores) -> None:
    jobs = [a_job(state=JobState.DONE) for _ in range(3)]
    await stores.jobs.add(jobs, note="")
    await stores.jobs.remove([jobs[1].id])

    back = await stores.jobs.restore([jobs[1].id, jobs[2].id, new_id()])

    assert [(job, event.type) for job, event in back] == [(jobs[1], "job.restored")]
    assert list((await stores.jobs.page(JobFilter(), limit=9)).items) == jobs[::-1]


async def test_removed_jobs_are_forgotten_with_their_attempts_in_time(stores: Stores) -> None:
    running, kept = a_job(state=JobState.RUNNING), a_job(state=JobState.DONE)
    await stores.jobs.add([running, kept], note="")
    attempt = an_attempt(running)
    await stores.jobs.apply(JobChange(job=running.to(JobState.DONE), note="", attempt=attempt))
    await stores.jobs.remove([running.id])
    removed_at = stores.clock.now()

    assert await stores.jobs.forget_removed(before=removed_at) == 0
    assert await stores.jobs.attempt_ids([attempt.id]) == {attempt.id}
    assert await stores.jobs.forget_removed(before=removed_at + timedelta(seconds=1)) == 1

    assert await stores.jobs.restore([running.id]) == []
    assert await stores.jobs.attempt_ids([attempt.id]) == set()
    assert await stores.jobs.get(kept.id) == kept


async def test_finished_ids_are_newest_first(stores: Stores) -> None:
    failed, waiting, done = a_job(state=JobState.FAILED), a_job(), a_job(state=JobState.DONE)
    await stores.jobs.add([failed, waiting, done], note="")

    assert await stores.jobs.finished_ids() == [done.id, failed.id]


async def test_the_last_rank_is_the_greatest(stores: Stores) -> None:
    assert await stores.jobs.last_rank() is None
    ranks = ranks_after(None, count=70)

    await stores.jobs.add([a_job(rank) for rank in reversed(ranks)], note="")

    assert await stores.jobs.last_rank() == ranks[-1]


async def test_the_log_of_a_job_is_in_order_and_its_own(stores: Stores) -> None:
    job, other = a_job(), a_job()
    await stores.jobs.add([job, other], note="Submitted")
    change = started(job)
    await stores.jobs.apply(change)
    await stores.jobs.apply(
        JobChange(job=change.job.changed(), note="Accepted", event="job.accepted")
    )

    events = await stores.jobs.log(job.id)

    assert [(event.type, event.note) for event in events] == [
        ("job.queued", "Submitted"),
        ("job.running", "Attempt 1"),
        ("job.accepted", "Accepted"),
    ]
    assert all(event.at == stores.clock.now() for event in events)
    assert events[1].data["status"] == "running"
    assert events[1].data["backendId"] == "gpu-1"


async def test_pausing_is_remembered_and_logged(stores: Stores) -> None:
    assert not await stores.jobs.paused()

    logged = [await stores.jobs.set_paused(True), await stores.jobs.set_paused(True)]
    paused = await stores.jobs.paused()
    logged.append(await stores.jobs.set_paused(False))

    assert paused
    assert not await stores.jobs.paused()
    assert [event.type for event in logged] == ["queue.paused", "queue.paused", "queue.resumed"]


async def test_the_event_log_is_read_onwards_from_a_number(stores: Stores) -> None:
    assert await stores.jobs.events_span() is None
    logged = await stores.jobs.add([a_job() for _ in range(5)], note="")

    page = await stores.jobs.events_after(logged[1].seq, limit=2)

    assert page == logged[2:4]
    assert await stores.jobs.events_span() == (logged[0].seq, logged[-1].seq)
    assert await stores.jobs.events_after(logged[-1].seq, limit=9) == []


@pytest.mark.parametrize("unfinished", [1, 501])
async def test_forgetting_keeps_young_events_and_those_of_unfinished_jobs(
    stores: Stores, unfinished: int
) -> None:
    waiting = [a_job() for _ in range(unfinished)]
    done = a_job(state=JobState.DONE)
    await stores.jobs.add([*waiting, done], note="old")
    stores.clock.advance(3600)
    young = a_job(state=JobState.DONE)
    await stores.jobs.add([young], note="young")

    forgotten = await stores.jobs.forget_events(before=stores.clock.now())

    assert forgotten == 1
    assert await stores.jobs.log(done.id) == []
    assert len(await stores.jobs.log(waiting[0].id)) == 1
    assert len(await stores.jobs.log(young.id)) == 1


async def test_numbers_of_events_are_never_given_twice(sql: Stores) -> None:
    first = await sql.jobs.add([a_job(state=JobState.DONE)], note="")
    sql.clock.advance(10)
    await sql.jobs.forget_events(before=sql.clock.now())

    second = await sql.jobs.add([a_job()], note="")

    assert second[0].seq > first[0].seq


async def test_probing_leaves_no_event(stores: Stores) -> None:
    await stores.jobs.probe()

    assert await stores.jobs.events_span() is None


async def test_new_jobs_are_written_all_or_none(sql: Stores) -> None:
    job = a_job()
    clash = a_job(id=job.id)

    with pytest.raises(Exception, match="UNIQUE"):
        await sql.jobs.add([job, clash], note="")

    assert await sql.jobs.get(job.id) is None
    assert await sql.jobs.events_span() is None


async def test_a_write_cancelled_while_the_database_is_locked_leaves_it_usable(
    sql: Stores, database: Database
) -> None:
    lost, kept = a_job(), a_job()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await sql.jobs.add([lost], note="")
        other.execute("ROLLBACK")

    await sql.jobs.add([kept], note="")

    assert await sql.jobs.get(lost.id) is None
    assert await sql.jobs.get(kept.id) == kept
