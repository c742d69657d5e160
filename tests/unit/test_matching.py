"""Why a job waits, in words people use."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.matching import Candidate, ago, needs_of, workflow_of
from app.models import BackendStatus, Fallback, Job, JobTerms
from tests.support.fakes import info
from tests.support.matching import AWAY, ONLINE, candidate, job_for, matching, with_models
from tests.support.values import NOW, a_request
from tests.unit.test_scheduling import CLOUD, DEMO_INFO

RARE = "rare.safetensors"
HAS_RARE = with_models(RARE)
GONE = replace(
    HAS_RARE,
    online=False,
    last_error="GPU-2 does not answer.",
    last_seen=NOW - timedelta(minutes=12),
)
OFF = replace(info("gpu-2"), enabled=False)


@pytest.mark.parametrize(
    ("job", "candidates", "expected"),
    [
        (job_for("gpu-1"), [candidate(free=0)], None),
        (job_for("gpu-1"), [candidate(status=AWAY)], "GPU-1 does not answer."),
        (
            job_for("gpu-2"),
            [candidate("gpu-2", status=GONE)],
            "GPU-2 does not answer. It is offline for 12 min.",
        ),
        (job_for("gpu-1"), [candidate(status=BackendStatus())], "GPU-1 is not connected yet."),
        (
            job_for("gpu-1"),
            [candidate(status=BackendStatus(online=True))],
            "GPU-1 has not said yet what it can do.",
        ),
        (
            job_for("gpu-1", checkpoint=RARE),
            [candidate()],
            "Needs rare.safetensors; GPU-1 does not have it.",
        ),
        (job_for("gpu-2"), [candidate(OFF)], "GPU-2 is switched off."),
        (job_for("gpu-1"), [candidate(resting="It rests.")], "It rests."),
        (job_for("gpu-9"), [candidate()], "Backend 'gpu-9' is not configured, or switched off."),
        (job_for("demo"), [candidate()], "The demo engine is switched off (demo_engine: false)."),
        (
            job_for("auto"),
            [candidate(DEMO_INFO)],
            "No ComfyUI backend is configured. Add one in Settings, or choose Demo.",
        ),
        (
            job_for("auto"),
            [candidate(status=AWAY), candidate("gpu-2", status=BackendStatus())],
            "GPU-1 does not answer. GPU-2 is not connected yet.",
        ),
        (job_for("auto"), [candidate(status=AWAY), candidate("gpu-2")], None),
        (
            job_for("auto", checkpoint=RARE),
            [candidate(), candidate("gpu-2", status=GONE)],
            "Waits for a backend with rare.safetensors: GPU-2 has it and is offline for 12 min.",
        ),
        (
            job_for("auto", checkpoint=RARE),
            [candidate(), candidate(OFF, status=HAS_RARE)],
            "Waits for a backend with rare.safetensors: GPU-2 has it and is switched off.",
        ),
        (
            job_for("auto", checkpoint=RARE),
            [candidate(), candidate("gpu-3"), candidate(CLOUD)],
            "No backend has rare.safetensors.",
        ),
        (
            job_for("gpu-1", terms=JobTerms(tags=("xl", "fast"))),
            [candidate()],
            "GPU-1 does not have the tag fast, xl.",
        ),
        (
            job_for("gpu-1", preset="flux"),
            [candidate()],
            "GPU-1 cannot run the workflow flux.",
        ),
        (
            job_for("auto", checkpoint=RARE, terms=JobTerms(tags=("big",))),
            [candidate(replace(info("gpu-1"), tags=("big",))), candidate("gpu-2", status=HAS_RARE)],
            "GPU-2 does not have the tag big. Needs rare.safetensors; GPU-1 does not have it.",
        ),
        (job_for("auto", preset="gone"), [candidate()], "There is no workflow gone."),
        (
            job_for("gpu-1", terms=JobTerms(fallback=Fallback.ASK)),
            [candidate(status=AWAY), candidate("gpu-2")],
            "GPU-1 does not answer. It can run elsewhere if you say so.",
        ),
        (
            job_for("gpu-1", terms=JobTerms(fallback=Fallback.AUTO)),
            [candidate(status=AWAY), candidate("gpu-2")],
            None,
        ),
    ],
)
def test_why_a_job_waits(job: Job, candidates: list[Candidate], expected: str | None) -> None:
    assert matching().explain(job, candidates, now=NOW) == expected


def test_a_quarantine_is_told_with_its_reason() -> None:
    barred = {("gpu-1", "text-to-image")}

    why = matching(barred=barred).explain(job_for("gpu-1"), [candidate()], now=NOW)

    assert why == ("text-to-image is in quarantine on GPU-1: It broke. Diagnostics can lift it.")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7300, "2 h")],
)
def test_durations_are_told_in_the_unit_that_reads_best(seconds: int, expected: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), now=NOW) == expected


def test_jobs_that_differ_only_in_what_they_show_have_the_same_needs() -> None:
    one, other = job_for(), job_for()
    shown = replace(other, request=replace(other.request, prompt="a wolf", seed=9, steps=3))

    assert needs_of(one) == needs_of(shown)
    assert needs_of(one) != needs_of(job_for(checkpoint=RARE))
    assert needs_of(one) != needs_of(job_for(terms=JobTerms(tags=("fast",))))


def test_a_given_graph_is_known_again_by_its_content() -> None:
    graph = {"1": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}}}
    turned = {"1": {"inputs": {"images": ["2", 0]}, "class_type": "SaveImage"}}

    same = workflow_of(a_request(graph=graph))

    assert same == workflow_of(a_request(graph=turned))
    assert same.startswith("graph:")
    assert same != workflow_of(a_request(graph={}))
    assert workflow_of(a_request()) == "text-to-image"


def test_an_online_backend_is_no_reason() -> None:
    assert matching().verdict(job_for(), candidate(status=ONLINE), now=NOW).ok
