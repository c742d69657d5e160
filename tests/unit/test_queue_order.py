"""The waiting line: ranks between ranks, and the mirror of the unfinished jobs."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import new_id
from app.models import Job, JobState
from app.ranking import rank_between, ranks_after
from app.waiting import UnfinishedJobs
from tests.support.values import a_job

_IDS = [new_id() for _ in range(12)]
_RANKS = ranks_after(None, count=12)


def test_new_ranks_are_in_order_after_the_last() -> None:
    first = ranks_after(None, count=64)
    second = ranks_after(first[-1], count=64)

    assert all(a < b for a, b in pairwise([*first, *second]))


@pytest.mark.parametrize("end", [("before", "after"), ("after", "before")])
def test_ten_thousand_moves_into_one_gap_keep_order(end: tuple[str, str]) -> None:
    edges: dict[str, str] = dict(zip(("before", "after"), ranks_after(None, count=2), strict=True))
    low, high = edges["before"], edges["after"]

    for _ in range(10_000):
        between = rank_between(edges["before"], edges["after"])
        assert low < between < high
        assert edges["before"] < between < edges["after"]
        edges[end[0]] = between


def test_random_moves_keep_order() -> None:
    chance = random.Random(7)  # noqa: S311 - the same moves in every run
    ranks = ranks_after(None, count=5)

    for _ in range(2_000):
        place = chance.randrange(len(ranks) + 1)
        before = ranks[place - 1] if place else None
        after = ranks[place] if place < len(ranks) else None
        ranks.insert(place, rank_between(before, after))

    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def _a_job_of(number: int, state: JobState, priority: int, rank: str) -> Job:
    return a_job(rank, id=_IDS[number], state=state, priority=priority)


jobs_of_a_dozen = st.builds(
    _a_job_of,
    st.integers(0, 11),
    st.sampled_from(JobState),
    st.sampled_from([-1, 0, 5]),
    st.sampled_from(_RANKS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(jobs_of_a_dozen, max_size=40), st.sets(st.integers(0, 11), max_size=4))
def test_the_mirror_is_what_sorting_gives(puts: list[Job], discarded: set[int]) -> None:
    mirror = UnfinishedJobs()
    model: dict[object, Job] = {}
    for job in puts:
        mirror.put(job)
        model[job.id] = job
    for number in discarded:
        mirror.discard(_IDS[number])
        model.pop(_IDS[number], None)

    alive = [job for job in model.values() if not job.state.is_terminal]
    ordered = sorted(alive, key=lambda job: (-job.priority, job.rank, job.id))
    queued = [job for job in ordered if job.state is JobState.QUEUED]
    assert mirror.all() == ordered
    assert list(mirror.queued()) == queued
    assert mirror.ids(JobState.QUEUED) == [job.id for job in queued]
    assert mirror.count(JobState.QUEUED) == len(queued)
    assert [mirror.position(job) for job in queued] == list(range(1, len(queued) + 1))
    assert {mirror.position(job) for job in ordered if job not in queued} <= {None}
    for state in JobState:
        assert set(mirror.ids(state)) == {job.id for job in alive if job.state is state}
    found = {each: job for each in _IDS if (job := mirror.get(each)) is not None}
    assert found == {job.id: job for job in alive}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([-1, 0, 5]), min_size=2, max_size=12), st.data())
def test_neighbours_are_those_of_the_same_priority(
    priorities: list[int], data: st.DataObject
) -> None:
    jobs = [
        _a_job_of(number, JobState.QUEUED, priority, _RANKS[number])
        for number, priority in enumerate(priorities)
    ]
    mirror = UnfinishedJobs()
    for job in jobs:
        mirror.put(job)
    of, without = data.draw(st.permutations(jobs).map(lambda each: each[:2]))

    before, after = mirror.neighbour_ranks(of, without=without.id)

    ranks = [each.rank for each in jobs if each.priority == of.priority and each is not without]
    place = ranks.index(of.rank)
    assert before == (ranks[place - 1] if place else None)
    assert after == (ranks[place + 1] if place + 1 < len(ranks) else None)
