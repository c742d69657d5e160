"""The engine dies, forgets or stays away, in each phase, with the app down or running."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from tests.recovery.audit import audit
from tests.recovery.crashing_app import Plan
from tests.recovery.processes import Engine, Lives

MID_PICTURE = "run.events.RunProgressed:before#2"
NewPlan = Callable[..., Plan]


def test_a_picture_finished_while_the_app_was_down_is_collected_from_a_forgetful_engine(
    home: Path, own_engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    assert lives.run(plan(submit=1, crash_at=MID_PICTURE)) == -signal.SIGKILL
    own_engine.wait_until_idle()
    own_engine.kill()
    own_engine.start()
    assert lives.run(plan()) == 0
    (job,) = audit(home, own_engine.executed())
    assert (job.state, job.executed) == ("done", 1)


def test_a_picture_lost_with_its_engine_while_the_app_was_down_is_drawn_once_more(
    home: Path, own_engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    own_engine.fault(hang_at_step=2)
    place = "run.events.RunProgressed:before"
    assert lives.run(plan(submit=1, crash_at=place)) == -signal.SIGKILL
    own_engine.kill()
    own_engine.start()
    assert lives.run(plan()) == 0
    (job,) = audit(home, own_engine.executed())
    assert (job.state, job.executed) == ("done", 2)
    assert len(job.attempts) == 2


def test_an_engine_that_dies_in_each_phase_and_comes_back_loses_no_job(
    home: Path, own_engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    faults = ({"die_before_accept": True}, {"die_after_accept": True}, {"die_at_step": 2})
    life = None
    for fault in faults:
        own_engine.fault(**fault)
        life = lives.start(plan(submit=1))
        own_engine.wait_for_death()
        own_engine.start()
        assert lives.finish(life) == 0
    jobs = audit(home, own_engine.executed())
    assert [job.state for job in jobs] == ["done"] * 3
    assert jobs[0].executed == 1, "it died before it had the prompt"
    assert all(job.executed <= 2 for job in jobs)


def test_an_engine_that_is_away_at_the_restart_is_waited_for(
    home: Path, own_engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    assert lives.run(plan(submit=2, crash_at=MID_PICTURE)) == -signal.SIGKILL
    own_engine.wait_until_idle()
    own_engine.kill()
    trace = home.parent / "trace"
    os.mkfifo(trace)
    # For writing, too: there is always somebody at the other end of what the app tells.
    with open(os.open(trace, os.O_RDWR), encoding="utf-8") as told:
        life = lives.start(plan(trace=trace))
        while told.readline() != "run.events.RunSilent:before\n":
            pass
        own_engine.start()
        assert lives.finish(life) == 0
    jobs = audit(home, own_engine.executed())
    assert [(job.state, job.executed) for job in jobs] == [("done", 1)] * 2


def test_half_a_file_of_a_picture_that_its_engine_lost_does_not_stay(
    home: Path, own_engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    assert lives.run(plan(submit=1, crash_at="run.fetch.half:after")) == -signal.SIGKILL
    assert list(home.rglob("*.part")), "there is nothing half-written to clear"
    own_engine.kill()
    shutil.rmtree(own_engine.home / "output")
    own_engine.start()
    assert lives.run(plan()) == 0
    (job,) = audit(home, own_engine.executed())
    assert (job.state, job.executed) == ("done", 2)
