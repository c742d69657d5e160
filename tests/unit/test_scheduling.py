"""Which job goes next, where, and why one waits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.errors import NodeFailedError
from app.models import BackendInfo, BackendStatus, Job
from app.outcomes import failure_of
from app.scheduling import Candidate, Choice, choose, explain, next_time
from tests.support.fakes import CATALOG, info
from tests.support.values import NOW, a_job, a_request

DEMO_INFO = BackendInfo(id="demo", name="Demo engine", kind="embedded", url="http://127.0.0.1:1")
ONLINE = BackendStatus(online=True, catalog=CATALOG)
AWAY = BackendStatus(online=False, last_error="GPU-1 does not answer.")


def candidate(
    backend: str | BackendInfo = "gpu-1", *, status: BackendStatus = ONLINE, free: int = 1
) -> Candidate:
    """A backend as the scheduler sees it."""
    which = info(backend) if isinstance(backend, str) else backend
    return Candidate(info=which, status=status, free_slots=free)


def job_for(target: str, **changes: Any) -> Job:
    """A waiting job."""
    checkpoint = changes.pop("checkpoint", None)
    return a_job(request=a_request(target=target, checkpoint=checkpoint), **changes)


@pytest.mark.parametrize(
    ("target", "candidates", "expected"),
    [
        ("gpu-1", [candidate("gpu-1")], "gpu-1"),
        ("gpu-1", [candidate("gpu-2")], None),
        ("gpu-1", [candidate("gpu-1", free=0)], None),
        ("gpu-1", [candidate("gpu-1", status=AWAY)], None),
        ("gpu-1", [candidate("gpu-1", status=BackendStatus(online=True))], None),
        ("demo", [candidate("gpu-1"), candidate(DEMO_INFO)], "demo"),
        ("auto", [candidate(DEMO_INFO)], None),
        ("auto", [candidate(DEMO_INFO), candidate("gpu-2")], "gpu-2"),
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
    job = job_for(target)

    choice = choose([job], candidates, now=NOW)

    assert choice == (Choice(job=job, backend_id=expected) if expected else None)


def test_the_first_job_that_can_go_goes_past_one_that_cannot() -> None:
    blocked, later, free = job_for("gpu-1"), job_for("gpu-2"), job_for("gpu-2")
    waiting = replace(later, not_before=NOW + timedelta(seconds=1))

    choice = choose([blocked, waiting, free], [candidate("gpu-2")], now=NOW)

    assert choice == Choice(job=free, backend_id="gpu-2")


def test_a_job_whose_time_has_come_goes() -> None:
    job = job_for("gpu-1", not_before=NOW)

    assert choose([job], [candidate()], now=NOW) is not None


def test_a_checkpoint_decides_who_can() -> None:
    job = job_for("auto", checkpoint="rare.safetensors")
    rare = replace(ONLINE, catalog=replace(CATALOG, models={"checkpoints": ("rare.safetensors",)}))

    choice = choose([job], [candidate(free=9), candidate("gpu-2", status=rare)], now=NOW)

    assert choice == Choice(job=job, backend_id="gpu-2")


def test_a_retry_prefers_a_backend_where_it_has_not_failed() -> None:
    failure = failure_of(NodeFailedError("It broke."))
    job = job_for("auto", backend_id="gpu-1", failure=failure)

    choice = choose([job], [candidate("gpu-1", free=4), candidate("gpu-2")], now=NOW)

    assert choice == Choice(job=job, backend_id="gpu-2")


@pytest.mark.parametrize(
    ("job", "candidates", "expected"),
    [
        (job_for("gpu-1"), [candidate(free=0)], None),
        (job_for("gpu-1"), [candidate(status=AWAY)], "GPU-1 does not answer."),
        (job_for("gpu-1"), [candidate(status=BackendStatus())], "GPU-1 is not connected yet."),
        (
            job_for("gpu-1"),
            [candidate(status=BackendStatus(online=True))],
            "GPU-1 has not said yet what it can do.",
        ),
        (
            job_for("gpu-1", checkpoint="rare.safetensors"),
            [candidate()],
            "Needs rare.safetensors; GPU-1 does not have it.",
        ),
        (job_for("gpu-9"), [candidate()], "Backend 'gpu-9' is not configured, or switched off."),
        (job_for("demo"), [candidate()], "The demo engine is switched off (demo_engine: false)."),
        (
            job_for("auto"),
            [candidate(DEMO_INFO)],
            "No ComfyUI backend is configured. Add one to config.yaml, or choose Demo.",
        ),
        (
            job_for("auto"),
            [candidate(status=AWAY), candidate("gpu-2", status=BackendStatus())],
            "GPU-1 does not answer. GPU-2 is not connected yet.",
        ),
        (job_for("auto"), [candidate(status=AWAY), candidate("gpu-2")], None),
        (
            job_for("gpu-1", not_before=NOW + timedelta(seconds=7.2)),
            [candidate()],
            "Tries again in 7 s.",
        ),
        (
            job_for(
                "gpu-1",
                not_before=NOW + timedelta(seconds=0.1),
                failure=failure_of(NodeFailedError("It broke.")),
            ),
            [candidate()],
            "It broke. Tries again in 1 s.",
        ),
    ],
)
def test_why_a_job_waits(job: Job, candidates: list[Candidate], expected: str | None) -> None:
    assert explain(job, candidates, now=NOW) == expected


def test_the_next_time_is_the_earliest_still_to_come() -> None:
    times = [NOW - timedelta(seconds=1), NOW, None, NOW + timedelta(3), NOW + timedelta(2)]
    waiting = [job_for("gpu-1", not_before=each) for each in times]

    assert next_time(waiting, now=NOW) == NOW + timedelta(2)
    assert next_time(waiting[:3], now=NOW) is None
