"""Groups of jobs in the stores, and what is written for webhooks when a job ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.ids import new_id
from app.models import Job, JobGroup, JobState, JobTerms, SeedStrategy
from app.ports import JobChange
from app.ranking import ranks_after
from app.submission import MAX_SEED
from app.webhooks import Delivery, DeliveryState, Try
from data.database import Database
from data.deliveries import SqlDeliveryStore
from tests.contract.conftest import Stores
from tests.support.values import NOW, a_job

URL = "http://127.0.0.1:9/told"


def a_group(**changes: object) -> JobGroup:
    """A group of two."""
    values: dict[str, object] = {
        "id": new_id(),
        "preset": "sdxl",
        "total": 2,
        "seed_strategy": SeedStrategy.GOLDEN_RATIO,
        "base_seed": MAX_SEED,
        "timeout_s": 300.0,
        "metadata": {"shot": [1, {"b": None}]},
        "created_at": NOW,
    }
    return JobGroup(**{**values, **changes})  # type: ignore[arg-type]


def children(group: JobGroup, **changes: object) -> list[Job]:
    """Its jobs, under way."""
    return [
        a_job(rank, state=JobState.RUNNING, group_id=group.id, **changes)
        for rank in ranks_after(None, count=group.total)
    ]


async def end(stores: Stores, job: Job, state: JobState = JobState.DONE) -> Job:
    """The job ends."""
    ended = job.to(state, finished_at=NOW)
    await stores.jobs.apply(JobChange(job=ended, note="End"))
    return ended


async def test_a_group_comes_back_exactly_as_it_was_put_in(stores: Stores) -> None:
    group = a_group()
    await stores.jobs.add(children(group), note="", group=group)

    assert await stores.jobs.group(group.id) == group
    assert await stores.jobs.group(new_id()) is None


async def test_groups_are_paged_newest_first(stores: Stores) -> None:
    groups = [a_group() for _ in range(5)]
    for group in groups:
        await stores.jobs.add(children(group), note="", group=group)

    first = await stores.jobs.groups(limit=2)
    rest = await stores.jobs.groups(limit=9, before=first[-1].id)

    assert [*first, *rest] == groups[::-1]


async def test_a_group_is_forgotten_with_the_last_of_its_jobs(stores: Stores) -> None:
    group, other = a_group(created_at=stores.clock.now()), a_group(created_at=stores.clock.now())
    jobs = children(group)
    await stores.jobs.add(jobs, note="", group=group)
    await stores.jobs.add(children(other), note="", group=other)
    ended = [await end(stores, job) for job in jobs]
    later = stores.clock.now() + timedelta(seconds=1)

    await stores.jobs.remove([ended[0].id])
    await stores.jobs.forget_removed(before=later)
    assert await stores.jobs.groups(limit=9) == [other, group]

    await stores.jobs.remove([ended[1].id])
    await stores.jobs.forget_removed(before=later)
    assert await stores.jobs.groups(limit=9) == [other]


async def test_the_jobs_of_a_group_come_in_order_also_those_off_the_list(stores: Stores) -> None:
    group, other = a_group(), a_group()
    jobs, others = children(group), children(other)
    await stores.jobs.add(jobs, note="", group=group)
    await stores.jobs.add(others, note="", group=other)
    await stores.jobs.add([a_job("zz")], note="")
    ended = await end(stores, jobs[0])
    await stores.jobs.remove([ended.id])

    found = await stores.jobs.of_groups([group.id, new_id()])

    assert found == {group.id: [ended, jobs[1]]}


@pytest.fixture
def deliveries(database: Database) -> SqlDeliveryStore:
    """What is to be told."""
    return SqlDeliveryStore(database)


async def told(deliveries: SqlDeliveryStore) -> list[str]:
    """The kinds of messages, oldest first."""
    return [each.event for each in await deliveries.page(limit=99)][::-1]


async def test_the_end_of_a_job_and_its_message_are_written_together(
    sql: Stores, deliveries: SqlDeliveryStore
) -> None:
    job = a_job(state=JobState.RUNNING, terms=JobTerms(webhook=URL))
    await sql.jobs.add([job, a_job("b0")], note="")
    assert await told(deliveries) == []

    await end(sql, job, JobState.FAILED)

    (one,) = await deliveries.due(sql.clock.now(), limit=9)
    assert (one.subject, one.url, one.event) == (str(job.id), URL, "job.failed")
    assert one.next_at == await deliveries.next_at() == sql.clock.now()


async def test_a_step_that_is_refused_tells_nobody(
    sql: Stores, deliveries: SqlDeliveryStore
) -> None:
    job = a_job(state=JobState.RUNNING, terms=JobTerms(webhook=URL))
    await sql.jobs.add([job], note="")
    stale = replace(job.to(JobState.DONE), version=9)

    with pytest.raises(Exception, match="changed meanwhile"):
        await sql.jobs.apply(JobChange(job=stale, note="End"))

    assert await told(deliveries) == []


async def test_a_group_is_told_once_its_last_job_has_ended(
    sql: Stores, deliveries: SqlDeliveryStore
) -> None:
    group = a_group(webhook=URL)
    first, second = children(group)
    await sql.jobs.add([first, second], note="", group=group)

    await end(sql, first)
    before = await told(deliveries)
    await end(sql, second, JobState.FAILED)

    assert before == []
    assert await told(deliveries) == ["group.complete"]
    (one,) = await deliveries.page(limit=9)
    assert '"status":"partial_complete"' in one.body


async def test_deliveries_come_back_as_they_were_put_in(
    sql: Stores, deliveries: SqlDeliveryStore
) -> None:
    ids = [await _delivery(sql, deliveries) for _ in range(3)]
    one = await deliveries.get(ids[1])
    assert one is not None
    tries = (Try(at=NOW, error="Nobody listens."), Try(at=NOW, status=503))
    later = replace(one, tries=tries, next_at=NOW + timedelta(hours=1))
    await deliveries.put(later)

    assert await deliveries.get(one.id) == later
    assert [each.id for each in await deliveries.due(NOW, limit=9)] == [ids[0], ids[2]]
    assert await deliveries.page(limit=2, before=ids[2]) == [later, await deliveries.get(ids[0])]


async def test_only_what_has_ended_is_forgotten(sql: Stores, deliveries: SqlDeliveryStore) -> None:
    ended, open_one = await _delivery(sql, deliveries), await _delivery(sql, deliveries)
    one = await deliveries.get(ended)
    assert one is not None
    done: Delivery = replace(one, state=DeliveryState.DELIVERED, next_at=None, ended_at=NOW)
    await deliveries.put(done)

    assert await deliveries.forget(before=NOW) == 0
    assert await deliveries.forget(before=NOW + timedelta(seconds=1)) == 1
    assert [each.id for each in await deliveries.page(limit=9)] == [open_one]


async def _delivery(sql: Stores, deliveries: SqlDeliveryStore):
    job = a_job(state=JobState.RUNNING, terms=JobTerms(webhook=URL))
    await sql.jobs.add([job], note="")
    await end(sql, job)
    return (await deliveries.page(limit=1))[0].id
