"""The app runs and everything around it misbehaves: each job ends, its picture is there once."""

import asyncio
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConflictError
from app.models import BackendInfo, Job, JobState
from app.services import Services
from main import open_services
from tests.recovery.audit import audit
from tests.recovery.crashing_app import QUICK, SOON, Plan
from tests.recovery.processes import ROOT, Engine, Lives
from tests.support.running import settings_for, submit, until_job

NewPlan = Callable[..., Plan]
_FAULTS: dict[str, dict[str, Any]] = {
    "socket dropped": {"drop_socket_at_step": 2},
    "zombie socket": {"zombie_socket": 2},
    "terminal message lost": {"lose_terminal": True},
    "messages twice": {"duplicate_messages": True},
    "messages out of order": {"reorder_messages": True},
    "history late": {"history_late_s": 0.5},
    "500 to the prompt": {"status_500": {"/prompt": 1}},
    "500 to looks": {"status_500": {"/history": 3, "/queue": 3}, "lose_terminal": True},
    "500 to the download": {"status_500": {"/view": 1}},
    "slow answers": {"slow_answers_s": {"value": 0.1, "times": 10}},
}


@pytest.mark.parametrize("fault", _FAULTS.values(), ids=list(_FAULTS))
def test_a_job_ends_well_although(
    fault: dict[str, Any], home: Path, engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    engine.fault(**fault)
    assert lives.run(plan(submit=2)) == 0
    jobs = audit(home, engine.executed())
    assert [(job.state, job.executed) for job in jobs] == [("done", 1)] * 2


def test_out_of_memory_fails_after_three_attempts_and_says_what_to_do(
    home: Path, engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    engine.fault(out_of_memory={"value": True, "times": 3})
    assert lives.run(plan(submit=1)) == 0
    (job,) = audit(home, engine.executed())
    assert (job.state, len(job.attempts)) == ("failed", 3)
    assert "out_of_memory" in job.failure
    assert "Choose a smaller" in job.failure


def test_a_hanging_run_can_be_cancelled(
    home: Path, engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    engine.fault(hang_at_step=2)
    assert lives.run(plan(submit=1, on_progress="cancel")) == 0
    (job,) = audit(home, engine.executed())
    assert job.state == "cancelled"


def test_a_file_that_cannot_be_written_whole_fails_the_job_and_leaves_nothing(
    home: Path, engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    """The kernel refuses to let a file grow, as on a full disk; works without any rights."""
    assert lives.run(plan(submit=1, size=1024, largest_file=600_000)) == 0
    (job,) = audit(home, engine.executed())
    assert job.state == "failed"
    assert "storage" in job.failure


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        ("mount -t tmpfs -o size=4k tmpfs {outputs}", "is full"),
        ("mount --bind {outputs} {outputs} && mount -o remount,ro,bind {outputs}", "written"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing_fails_the_job_and_says_so(
    prepare: str, says: str, home: Path, engine: Engine, plan: NewPlan
) -> None:
    outputs = home / "outputs"
    outputs.mkdir(parents=True)
    life = plan(submit=1, outputs=outputs).to_json()
    unshare = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount"]
    if _fails([*unshare, "mount", "-t", "tmpfs", "tmpfs", str(outputs)]):
        pytest.skip("missing: the right to mount in a namespace of one's own (unshare --mount)")
    script = f"{prepare.format(outputs=outputs)} && exec {sys.executable} -m {Plan.__module__} '$0'"
    command = [*unshare, "sh", "-c", script.replace("'$0'", '"$0"'), life]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60, capture_output=True)
    (job,) = audit(home, engine.executed())
    assert job.state == "failed"
    assert says in job.failure


def test_a_database_locked_by_another_process_for_three_seconds_is_waited_for(
    home: Path, engine: Engine, lives: Lives, plan: NewPlan
) -> None:
    assert lives.run(plan(submit=1)) == 0
    script = (
        "import sqlite3, sys, threading; "
        "held = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "held.execute('BEGIN EXCLUSIVE'); print('held', flush=True); "
        "threading.Event().wait(3); held.execute('ROLLBACK')"
    )
    command = [sys.executable, "-c", script, str(home / "orchestrator.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lives.run(plan(submit=2)) == 0
    jobs = audit(home, engine.executed())
    assert [(job.state, job.executed) for job in jobs] == [("done", 1)] * 3


@pytest.mark.parametrize("seed", range(4))
async def test_cancel_and_retry_raced_against_every_phase_lose_and_double_nothing(
    seed: int, home: Path, engine: Engine
) -> None:
    """After a chosen number of events of any kind, cancel; what was cancelled is often retried."""
    dice = random.Random(seed)  # noqa: S311 - picks moments, guards nothing
    info = BackendInfo(id="gpu-1", name="GPU 1", kind="comfyui", url=engine.url)
    async with _app(home, info) as services:
        for round_number in range(6):
            number = 10_000 + 100 * seed + round_number
            params = {"width": 64, "height": 64, "steps": 3, "seed": number}
            job = await submit(services, params=params)
            await _cancel_after(services, job, events=dice.randrange(14))
            job = await until_job(services, job.id)
            if job.state is JobState.CANCELLED and dice.random() < 0.7:
                await services.jobs.retry(job.id)
                job = await until_job(services, job.id)
                assert job.state is JobState.DONE
    audit(home, engine.executed())


@asynccontextmanager
async def _app(home: Path, info: BackendInfo) -> AsyncGenerator[Services]:
    settings = settings_for(home, backends=[info], timeouts=QUICK, retry=SOON)
    async with open_services(settings) as opened, asyncio.TaskGroup() as group:
        tasks = [group.create_task(work, name=name) for name, work in opened.background.items()]
        yield opened.services
        for task in tasks:
            task.cancel()


async def _cancel_after(services: Services, job: Job, *, events: int) -> None:
    with services.bus.subscribe() as inbox:
        async with asyncio.timeout(20):
            heard = 0
            while heard < events and not (await services.jobs.get(job.id)).state.is_terminal:
                await inbox.wait()
                heard += len(inbox.drain())
    with suppress(ConflictError):  # it was faster
        await services.jobs.cancel(job.id)


def _fails(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode != 0
    except OSError:
        return True
