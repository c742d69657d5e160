"""Which job goes next, and where."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.errors import NodeFailedError, OutOfMemoryError
from app.ids import new_id
from app.matching import Candidate
from app.models import BackendInfo, BackendStatus, Fallback, Job, JobTerms
from app.outcomes import failure_of
from app.ranking import ranks_after
from app.scheduling import Outcome, Scheduler, Turns
from app.waiting import UnfinishedJobs
from tests.support.fakes import info
from tests.support.matching import (
    AWAY,
    ONLINE,
    FakePaces,
    candidate,
    decide,
    job_for,
    matching,
    with_models,
)
from tests.support.values import NOW

DEMO_INFO = BackendInfo(id="demo", name="Demo engine", kind="embedded", url="http://127.0.0.1:1")
CLOUD = BackendInfo(id="flux", name="FLUX", kind="bfl", url="https://api.example")


def where(outcome: Outcome) -> str | None:
    """The backend that was chosen."""
    return outcome.choice.backend_id if outcome.choice else None


@pytest.mark.parametrize(
    ("target", "candidates", "expected"),
    [
        ("gpu-1", [candidate("gpu-1")], "gpu-1"),
        ("gpu-1", [candidate("gpu-2")], None),
        ("gpu-1", [candidate("gpu-1", free=0)], None),
        ("gpu-1", [candidate("gpu-1", status=AWAY)], None),
        ("gpu-1", [candidate("gpu-1", resting="It rests.")], None),
        ("gpu-1", [candidate(replace(info(), enabled=False))], None),
        ("gpu-1", [candidate("gpu-1", status=BackendStatus(online=True))], None),
        ("demo", [candidate("gpu-1"), candidate(DEMO_INFO)], "demo"),
        ("auto", [candidate(DEMO_INFO)], None),
        ("auto", [candidate(DEMO_INFO), candidate("gpu-2")], "gpu-2"),
        ("auto", [candidate(CLOUD)], None),
        ("auto", [candidate("gpu-1"), candidate("gpu-2", free=3)], "gpu-2"),
        (
            "auto",
            [
                candidate("gpu-1", status=replace(ONLINE, latency_ms=90.0)),
                candidate("gpu-2", status=replace(ONLINE, latency_ms=5.0)),
            ],
            "gpu-2",
        ),
        ("auto", [], None),
    ],
)
def test_where_a_job_goes(target: str, candidates: list[Candidate], expected: str | None) -> None:
    assert where(decide([job_for(target)], candidates)) == expected


def test_cloud_workflows_go_to_the_cloud_and_nowhere_else() -> None:
    job = job_for(preset="flux")

    assert where(decide([job], [candidate("gpu-1"), candidate(CLOUD)])) == "flux"
    assert where(decide([job], [candidate("gpu-1")])) is None


def test_the_first_job_that_can_go_goes_past_those_that_cannot() -> None:
    ranks = ranks_after(None, count=52)
    blocked = [job_for("gpu-1", rank) for rank in ranks[:50]]
    later = job_for("gpu-2", ranks[50], not_before=NOW + timedelta(seconds=1))
    free = job_for("gpu-2", ranks[51])

    outcome = decide([*blocked, later, free], [candidate("gpu-1", free=0), candidate("gpu-2")])

    assert outcome.choice is not None
    assert (outcome.choice.job, where(outcome)) == (free, "gpu-2")


def test_a_job_whose_time_has_come_goes() -> None:
    assert where(decide([job_for(not_before=NOW)], [candidate()])) == "gpu-1"


def test_a_checkpoint_decides_who_can() -> None:
    job = job_for(checkpoint="rare.safetensors")
    rare = candidate("gpu-2", status=with_models("rare.safetensors"))

    outcome = decide([job], [candidate(free=9), rare])

    assert outcome.choice is not None
    assert where(outcome) == "gpu-2"
    assert outcome.choice.decision.reason == "The only backend with rare.safetensors: GPU-2."
    rejected = outcome.choice.decision.weighed[0]
    assert rejected.rejected == "Needs rare.safetensors; GPU-1 does not have it."


def test_tags_are_all_needed_and_capabilities_count() -> None:
    job = job_for(terms=JobTerms(tags=("fast", "xl")))
    half = replace(info("gpu-1"), tags=("fast",))
    whole = replace(info("gpu-2"), tags=("fast",), capabilities=("xl",))

    assert where(decide([job], [candidate(half), candidate(whole)])) == "gpu-2"


def test_a_quarantined_workflow_or_model_goes_elsewhere() -> None:
    both = [candidate("gpu-1", free=9), candidate("gpu-2")]
    job = job_for()

    assert where(decide([job], both, barred={("gpu-1", "text-to-image")})) == "gpu-2"
    assert where(decide([job], both, barred={("gpu-1", "model-a.safetensors")})) == "gpu-2"


def test_a_retry_prefers_a_backend_where_it_has_not_failed() -> None:
    failure = failure_of(NodeFailedError("It broke."))
    job = job_for(backend_id="gpu-1", failure=failure, failed_on=("gpu-1",))

    assert where(decide([job], [candidate("gpu-1", free=4), candidate("gpu-2")])) == "gpu-2"
    assert where(decide([job], [candidate("gpu-1")])) == "gpu-1"


def test_after_its_memory_was_freed_a_job_goes_there_once_more() -> None:
    failure = failure_of(OutOfMemoryError("Too big."))
    job = job_for(backend_id="gpu-1", failure=failure)
    both = [candidate("gpu-1"), candidate("gpu-2", free=4)]

    assert where(decide([job], both)) == "gpu-1"
    assert where(decide([replace(job, failed_on=("gpu-1",))], both)) == "gpu-2"


@pytest.mark.parametrize("fallback", Fallback)
def test_only_with_the_fallback_auto_a_job_goes_past_its_backend(fallback: Fallback) -> None:
    job = job_for("gpu-1", terms=JobTerms(fallback=fallback))
    away = [candidate("gpu-1", status=AWAY), candidate("gpu-2"), candidate(DEMO_INFO)]

    outcome = decide([job], away)

    assert where(outcome) == ("gpu-2" if fallback is Fallback.AUTO else None)
    if outcome.choice is not None:
        assert outcome.choice.decision.reason == "GPU-2 instead: GPU-1 does not answer."
    assert where(decide([job], [candidate("gpu-1", free=0), candidate("gpu-2")])) is None


def test_the_smallest_expected_finish_wins_and_is_told() -> None:
    paces = FakePaces(seconds={"gpu-1": 12.0, "gpu-2": 31.0})
    loaded = "model-a.safetensors"

    outcome = decide(
        [job_for()], [candidate("gpu-2", free=5), candidate(loaded=loaded)], paces=paces
    )

    assert outcome.choice is not None
    # Loading is not known yet, so it counts as a guess.
    expected = "GPU-1: its model is loaded, 12 s expected against 36 s on GPU-2."
    assert outcome.choice.decision.reason == expected
    weighed = {each.backend_id: each for each in outcome.choice.decision.weighed}
    assert (weighed["gpu-1"].expected_s, weighed["gpu-1"].loaded) == (12.0, True)
    assert (weighed["gpu-2"].expected_s, weighed["gpu-2"].loaded) == (36.0, False)


def test_a_job_waits_for_a_fast_backend_rather_than_going_to_a_slow_one() -> None:
    paces = FakePaces(seconds={"fast": 5.0, "slow": 60.0}, load=0.0)
    both = [candidate("fast", free=0, remaining_s=4.0), candidate("slow")]
    job = job_for()

    waits = decide([job], both, paces=paces)
    late = decide([job], both, paces=paces, passed_s={job.id: 61})

    assert (waits.choice, dict(waits.passed)) == (None, {job.id: "fast"})
    assert where(late) == "slow"


def test_a_slow_backend_gets_work_once_the_fast_one_has_more_than_enough() -> None:
    paces = FakePaces(seconds={"fast": 5.0, "slow": 20.0}, load=0.0)
    both = [candidate("fast", free=0, remaining_s=5.0), candidate("slow")]
    jobs = [job_for(rank=rank) for rank in ranks_after(None, count=10)]

    outcome = decide(jobs, both, paces=paces)

    assert outcome.choice is not None
    # Two are done on the fast one after 10 and 15 s; the third at 20 s, as on the slow one.
    assert (where(outcome), outcome.choice.job in jobs[2:4]) == ("slow", True)


def test_without_knowledge_work_is_spread() -> None:
    both = [candidate("gpu-1", free=0, ahead=1, remaining_s=None), candidate("gpu-2")]

    outcome = decide([job_for()], both)

    assert outcome.choice is not None
    assert (where(outcome), outcome.choice.ahead) == ("gpu-2", False)


@pytest.mark.parametrize(
    ("changes", "prefetch", "ahead"),
    [
        ({}, True, True),
        ({}, False, None),
        ({"losses": 1, "lost_on": ("gpu-9",)}, True, None),
        ({"failed_on": ("gpu-9",), "failure": failure_of(NodeFailedError("No."))}, True, None),
    ],
)
def test_a_busy_backend_gets_one_more_unless_the_job_made_trouble(
    changes: dict[str, Any], prefetch: bool, ahead: bool | None
) -> None:
    busy = candidate(free=0, ahead=1, remaining_s=None)

    outcome = decide([job_for(**changes)], [busy], prefetch=prefetch)

    assert (outcome.choice.ahead if outcome.choice else None) == ahead


def test_the_cloud_gets_nothing_ahead() -> None:
    busy = candidate(CLOUD, free=0, ahead=1)

    assert decide([job_for(preset="flux")], [busy]).choice is None


def test_nothing_is_sent_ahead_where_it_would_be_done_later() -> None:
    paces = FakePaces(seconds={"gpu-1": 10.0, "gpu-2": 10.0}, load=0.0)
    both = [candidate("gpu-1", free=0, ahead=1, remaining_s=3.0), candidate("gpu-2", free=0)]

    assert where(decide([job_for()], both, paces=paces)) is None  # gpu-2 is as good as free
    both[1] = replace(both[1], remaining_s=9.0)
    assert where(decide([job_for()], both, paces=paces)) == "gpu-1"


def test_a_job_whose_model_is_loaded_goes_first_for_a_while() -> None:
    status = with_models("a.safetensors", "b.safetensors")
    backend = candidate(status=status, loaded="b.safetensors")
    other = job_for(rank="a0", checkpoint="a.safetensors")
    same = job_for(rank="a1", checkpoint="b.safetensors")

    early = decide([other, same], [backend])
    late = decide([other, same], [backend], passed_s={other.id: 60})
    more_urgent = decide([replace(other, priority=1), same], [backend])

    assert early.choice is not None
    assert late.choice is not None
    assert more_urgent.choice is not None
    assert (early.choice.job, dict(early.passed)) == (same, {other.id: "gpu-1"})
    assert late.choice.job == other
    assert more_urgent.choice.job.id == other.id


def test_sources_of_one_priority_take_turns() -> None:
    ranks = ranks_after(None, count=9)
    many = [job_for(rank=rank, source="api") for rank in ranks[:8]]
    one = job_for(rank=ranks[8], source="page")

    fewest = decide([*many, one], [candidate()], turns=Turns(busy={"api": 2}))
    recent = decide([*many, one], [candidate()], turns=Turns(served={"api": 4, "page": 3}))
    nobody = decide([*many, one], [candidate()])
    urgent = decide(
        [replace(many[0], priority=1), one], [candidate()], turns=Turns(busy={"api": 2})
    )

    chosen = [each.choice.job.id for each in (fewest, recent, nobody, urgent) if each.choice]
    assert chosen == [one.id, one.id, many[0].id, many[0].id]


def test_nobody_is_left_out_however_long_the_queue() -> None:
    """Every job of a random crowd goes in the end, on backends that differ in speed and models."""
    status = with_models("a.safetensors", "b.safetensors")
    names = ("gpu-1", "gpu-2")
    paces = FakePaces(seconds={"gpu-1": 4.0, "gpu-2": 40.0}, load=15.0)
    waiting = UnfinishedJobs()
    for number, rank in enumerate(ranks_after(None, count=60)):
        checkpoint = "b.safetensors" if number % 3 == 0 else "a.safetensors"
        waiting.put(job_for(rank=rank, checkpoint=checkpoint, source=f"s{number % 4}"))
    scheduler = Scheduler(matching=matching(), paces=paces, patience_s=30, prefetch=False)
    now, since, gone = NOW, dict[Any, Any](), 0
    until = dict.fromkeys(names, 0.0)
    loaded: dict[str, str | None] = dict.fromkeys(names)
    for second in range(2000):
        now = NOW + timedelta(seconds=second)
        candidates = [
            candidate(
                each,
                status=status,
                free=int(until[each] <= second),
                remaining_s=max(0.0, until[each] - second),
                loaded=loaded[each],
            )
            for each in names
        ]
        outcome = scheduler.choose(waiting, candidates, now=now, passed_since=since)
        since = {each: since.get(each, now) for each in outcome.passed}
        assert all((now - each).total_seconds() <= 30 + 60 for each in since.values())
        if outcome.choice is not None:
            gone += 1
            waiting.discard(outcome.choice.job.id)
            until[outcome.choice.backend_id] = second + (outcome.choice.expected_s or 0)
            loaded[outcome.choice.backend_id] = outcome.choice.model

    assert gone == 60


def test_ten_thousand_jobs_that_cannot_go_do_not_hide_one_that_can() -> None:
    waiting = UnfinishedJobs()
    ranks = ranks_after(None, count=10_001)
    for rank in ranks[:-1]:
        waiting.put(job_for("gpu-1", rank))
    last = job_for("gpu-2", ranks[-1])
    waiting.put(last)
    scheduler = Scheduler(matching=matching(), paces=FakePaces(), patience_s=60, prefetch=True)

    outcome = scheduler.choose(
        waiting, [candidate("gpu-1", status=AWAY), candidate("gpu-2")], now=NOW
    )

    assert outcome.choice is not None
    assert outcome.choice.job == last


@pytest.mark.parametrize("status", [ONLINE, AWAY], ids=["busy", "away"])
def test_a_thousand_jobs_that_differ_do_not_hide_one_that_can_go(status: BackendStatus) -> None:
    waiting = UnfinishedJobs()
    ranks = ranks_after(None, count=1001)
    for number, rank in enumerate(ranks[:-1]):
        own = replace(job_for("gpu-1", rank), id=new_id())
        request = replace(own.request, options={"number": number})
        waiting.put(replace(own, request=request))
    last = job_for("gpu-2", ranks[-1])
    waiting.put(last)
    scheduler = Scheduler(matching=matching(), paces=FakePaces(), patience_s=60, prefetch=True)

    busy = candidate("gpu-1", status=status, free=0, remaining_s=50.0)
    outcome = scheduler.choose(waiting, [busy, candidate("gpu-2")], now=NOW)

    assert outcome.choice is not None
    assert outcome.choice.job == last


def test_the_next_time_is_the_earliest_still_to_come() -> None:
    waiting = UnfinishedJobs()
    jobs: list[Job] = []
    for each in (NOW - timedelta(1), NOW, None, NOW + timedelta(3), NOW + timedelta(2)):
        jobs.append(job_for(not_before=each))
        waiting.put(jobs[-1])

    assert waiting.next_time(now=NOW) == NOW + timedelta(2)
    waiting.discard(jobs[-1].id)
    waiting.discard(jobs[-2].id)
    assert waiting.next_time(now=NOW) is None


def test_what_was_sent_ahead_is_nobody_elses() -> None:
    assert decide([job_for(id=new_id(), ahead_on="gpu-2")], [candidate()]).choice is None
