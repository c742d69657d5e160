"""Killed at every await point of a job's way and started again: nothing lost, nothing twice."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.audit import audit
from tests.recovery.crashing_app import Plan
from tests.recovery.processes import Engine, Lives


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens up to the crash, and what must have come of it in the end."""

    faults: dict[str, Any] = field(default_factory=dict[str, Any])
    plan: dict[str, Any] = field(default_factory=dict[str, Any])
    state: str = "done"
    executed: int = 1
    release: bool = False  # what hangs goes on while the app is down


_HANG = {"hang_at_step": 2}
_CANCEL = Story(faults=_HANG, plan={"on_progress": "cancel"}, state="cancelled")
_KEPT = Story(faults=_HANG, plan={"on_progress": "cancel"}, release=True)
_ONE_FAILS = {"fail_node": {"class_type": "KSampler", "message": "no", "times": 1}}
_ALL_FAIL = {"fail_node": {"class_type": "KSampler", "message": "no", "times": 3}}
_AGAIN = Story(faults=_ONE_FAILS, executed=2)
_FAILED = Story(faults=_ALL_FAIL, plan={"retry_failed": True}, state="failed", executed=3)
_RETRIED = Story(faults=_ALL_FAIL, plan={"retry_failed": True}, executed=4)
_LOST = Story(faults=_HANG, plan={"on_progress": "forget"}, executed=2, release=True)

POINTS: dict[str, Story] = {
    # The straight way.
    "store.add:after": Story(),
    "store.apply.claim:before": Story(),
    "store.apply.claim:after": Story(),
    "run.submit:before": Story(),
    "run.submit:after": Story(),
    "store.apply.accepted:before": Story(),
    "store.apply.accepted:after": Story(),
    "run.events.RunStarted:before": Story(),
    "run.events.RunProgressed:before": Story(),
    "run.events.RunProgressed:before#3": Story(),
    "run.events.RunNodesProgressed:before": Story(),
    "run.events.RunPreviewed:before": Story(),
    "run.events.RunSucceeded:before": Story(),
    "files.save:before": Story(),
    "run.fetch:before": Story(),
    "run.fetch.half:after": Story(),
    "run.fetch:after": Story(),
    "files.save:after": Story(),
    "store.apply.done:before": Story(),
    "store.apply.done:after": Story(),
    # Cancelled while it runs: the wish counts from the moment it is on disk.
    "store.apply.cancel_requested:before": _KEPT,
    "store.apply.cancel_requested:after": _CANCEL,
    "run.interrupt:before": _CANCEL,
    "run.interrupt:after": _CANCEL,
    "run.events.RunInterrupted:before": _CANCEL,
    "store.apply.cancelled:before": _CANCEL,
    "store.apply.cancelled:after": _CANCEL,
    # A node fails once: the second attempt draws it.
    "run.events.RunFailed:before": _AGAIN,
    "store.apply.requeue:before": _AGAIN,
    "store.apply.requeue:after": _AGAIN,
    "store.apply.claim:before#2": _AGAIN,
    "store.apply.claim:after#2": _AGAIN,
    "run.submit:after#2": _AGAIN,
    "store.apply.done:before#1": _AGAIN,
    # It fails for good, and somebody presses Retry.
    "store.apply.failed:before": _FAILED,
    "store.apply.failed:after": _FAILED,
    "store.apply.retry:before": _FAILED,
    "store.apply.retry:after": _RETRIED,
    "store.apply.claim:after#4": _RETRIED,
    # The engine forgets it half-way.
    "run.events.RunLost:before": _LOST,
    "store.apply.lost:before": _LOST,
    "store.apply.lost:after": _LOST,
}

_QUEUE_AHEAD: dict[str, Any] = {"submit": 3, "prefetch": True}
_PAUSED = {**_QUEUE_AHEAD, "on_ahead": "pause"}
_CANCELLED = {**_QUEUE_AHEAD, "on_ahead": "cancel"}

# A prompt is sent ahead while another runs.
POINTS_AHEAD: dict[str, dict[str, Any]] = {
    "store.apply.ahead:before": _QUEUE_AHEAD,
    "store.apply.ahead:after": _QUEUE_AHEAD,
    "run.submit:after#2": _QUEUE_AHEAD,
    "store.apply.accepted:after#2": _QUEUE_AHEAD,
    "store.apply.begun:before": _QUEUE_AHEAD,
    "store.apply.begun:after": _QUEUE_AHEAD,
    "files.save:after#2": _QUEUE_AHEAD,
    "run.interrupt:before": _PAUSED,
    "run.interrupt:after": _PAUSED,
    "store.apply.recalled:before": _PAUSED,
    "store.apply.recalled:after": _PAUSED,
    "store.apply.cancel_requested:after": _CANCELLED,
    "run.interrupt:after#1": _CANCELLED,
    "store.apply.cancelled:before": _CANCELLED,
}

# Reads and housekeeping: nothing of a job can be lost between them.
_NO_STEPS = (
    *("unfinished", "paused", "last_rank", "attempts", "attempt_ids", "forget"),
    *("strays", "discard_halves"),
)


@pytest.mark.parametrize(("place", "story"), POINTS.items(), ids=list(POINTS))
def test_a_job_survives_kill_9_at(
    place: str,
    story: Story,
    home: Path,
    engine: Engine,
    lives: Lives,
    plan: Callable[..., Plan],
) -> None:
    engine.fault(**story.faults)
    code = lives.run(plan(submit=1, crash_at=place, **story.plan))
    assert code == -signal.SIGKILL, f"the app never came to {place}"
    if story.release:
        engine.release()
    assert lives.run(plan()) == 0
    (job,) = audit(home, engine.executed())
    assert (job.state, job.executed) == (story.state, story.executed)


@pytest.mark.parametrize(("place", "story"), POINTS_AHEAD.items(), ids=list(POINTS_AHEAD))
def test_a_prompt_sent_ahead_survives_kill_9_at(
    place: str,
    story: dict[str, Any],
    home: Path,
    engine: Engine,
    lives: Lives,
    plan: Callable[..., Plan],
) -> None:
    if "on_ahead" in story:
        engine.fault(hang_at_step=2)  # so that there is time to change one's mind
    assert lives.run(plan(crash_at=place, **story)) == -signal.SIGKILL
    engine.release()
    assert lives.run(plan(prefetch=True)) == 0
    jobs = audit(home, engine.executed())
    states = {job.state for job in jobs}
    # What was released while the app was down may be done before the wish to cancel is heard.
    assert states <= ({"done", "cancelled"} if story is _CANCELLED else {"done"})
    assert len(jobs) == 3
    assert all(job.executed == 1 for job in jobs if job.state == "done")
    assert all(job.executed <= 1 for job in jobs)


def test_a_prompt_taken_back_by_a_pause_is_drawn_once(
    home: Path, engine: Engine, lives: Lives, plan: Callable[..., Plan]
) -> None:
    engine.fault(hang_at_step=2)
    assert lives.run(plan(**_PAUSED)) == 0
    jobs = audit(home, engine.executed())
    assert [(job.state, job.executed) for job in jobs] == [("done", 1)] * 3
    assert max(len(job.attempts) for job in jobs) == 2


def test_a_job_that_was_never_on_disk_is_never_drawn(
    home: Path, engine: Engine, lives: Lives, plan: Callable[..., Plan]
) -> None:
    received = len(engine.stats()["prompts_received"])
    assert lives.run(plan(submit=1, crash_at="store.add:before")) == -signal.SIGKILL
    assert lives.run(plan()) == 0
    assert audit(home, engine.executed()) == ()
    assert len(engine.stats()["prompts_received"]) == received


def test_every_call_on_the_way_of_a_job_is_a_crash_point(
    home: Path, engine: Engine, lives: Lives, plan: Callable[..., Plan]
) -> None:
    trace = home.parent / "trace.txt"
    assert lives.run(plan(submit=1, trace=trace)) == 0
    on_the_way = {
        place.partition(":")[0]
        for place in trace.read_text("utf-8").splitlines()
        if not any(name in place for name in (*_NO_STEPS, "backend.serve"))
    }
    assert on_the_way - {place.partition(":")[0] for place in POINTS} <= {"run.events.RunSilent"}
    audit(home, engine.executed())


@pytest.mark.parametrize(
    "place",
    ["store.apply.claim:after#2", "run.events.RunProgressed:before#9", "files.save:after#3"],
)
def test_a_queue_of_four_survives_kill_9_at(
    place: str, home: Path, engine: Engine, lives: Lives, plan: Callable[..., Plan]
) -> None:
    assert lives.run(plan(submit=4, crash_at=place)) == -signal.SIGKILL
    assert lives.run(plan()) == 0
    jobs = audit(home, engine.executed())
    assert [(job.state, job.executed) for job in jobs] == [("done", 1)] * 4


def test_a_job_survives_kill_9_in_five_lives_in_a_row(
    home: Path, engine: Engine, lives: Lives, plan: Callable[..., Plan]
) -> None:
    assert lives.run(plan(submit=1, crash_at="run.submit:after")) == -signal.SIGKILL
    for place in ("run.fetch.half:after", "run.fetch:after", "files.save:after"):
        assert lives.run(plan(crash_at=place)) == -signal.SIGKILL
    assert lives.run(plan(crash_at="store.apply.done:before")) == -signal.SIGKILL
    assert lives.run(plan()) == 0
    (job,) = audit(home, engine.executed())
    assert (job.state, job.executed) == ("done", 1)
