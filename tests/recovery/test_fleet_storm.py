"""The real app over three versions of ComfyUI, while it and they are killed, frozen and changed."""

import json
import sqlite3
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from backends.demo.settings import Protocol
from tests.recovery.audit import audit
from tests.recovery.processes import LIFE_S, Engine
from tests.support.app_process import AppProcess

GROUPS, EACH = 8, 5
_PRESETS = ("sdxl", "sd15", "text-to-image", "flux-schnell")
_TARGETS = ("auto", "gpu-0", "auto", "gpu-1", "auto", "gpu-2", "auto", "auto")
_QUICK = {
    "timeouts": {
        "connect_s": 1,
        "request_s": 2,
        "check_s": 0.3,
        "reconnect_max_s": 0.3,
        "ping_s": 2,
        "lost_confirm_s": 0.3,
    },
    "retry": {"backoff_s": 0.05, "backoff_max_s": 0.1},
    "health": {"circuit_pause_s": 0.3, "circuit_pause_max_s": 1},
}


@pytest.fixture
def engines(tmp_path: Path) -> Generator[list[Engine]]:
    """One of each version that we know."""
    with ExitStack() as stack:
        made = [
            Engine(tmp_path / f"engine-{n}", step_delay_s=0.02, protocol=protocol)
            for n, protocol in enumerate(Protocol)
        ]
        for each in made:
            stack.callback(each.kill)
            each.start()
        yield made


@pytest.fixture
def app(tmp_path: Path) -> Generator[AppProcess]:
    """The app; its backends are added while it runs."""
    settings: dict[str, Any] = {name: json.dumps(values) for name, values in _QUICK.items()}
    made = AppProcess(tmp_path / "home", demo_engine=False, **settings)
    yield made
    made.kill()


def test_a_fleet_in_a_storm_loses_nothing_and_draws_nothing_twice(
    app: AppProcess, engines: list[Engine]
) -> None:
    forgetful, frozen = engines[0], engines[1]
    app.start()
    for number, engine in enumerate(engines):
        _ask(app, "POST", "/api/backends", id=f"gpu-{number}", name=f"g{number}", url=engine.url)
    jobs = [job for number in range(GROUPS) for job in _submit(app, number)]

    _until_done(app, 8)
    app.kill()
    forgetful.kill()
    app.start()
    frozen.freeze()
    _until_done(app, 16)
    forgetful.start()
    frozen.thaw()
    for switch in ("/api/queue/pause", "/api/backends/gpu-2/disable"):
        _ask(app, "POST", switch)
    app.kill()
    app.start()
    for switch in ("/api/queue/resume", "/api/backends/gpu-2/enable"):
        _ask(app, "POST", switch)
    _until_none_waits(app)
    assert app.stop() == 0

    executed = [_by_attempt(app.home, engine) for engine in engines]
    found = audit(app.home, sum(executed, Counter()))
    assert {str(each.id) for each in found} == set(jobs)
    assert Counter(each.state for each in found) == {"done": len(jobs)}
    # Only the engine that forgot what it had drawn may be the reason for drawing it again.
    kept = sum(executed[1:], Counter[str]())
    assert all(sum(kept[key] for key in each.attempts) <= 1 for each in found)
    assert app.errors() == []


def _submit(app: AppProcess, number: int) -> list[str]:
    answer = _ask(
        app,
        "POST",
        "/api/generate",
        prompt=f"fox {number}",
        backend=_TARGETS[number % len(_TARGETS)],
        workflowId=_PRESETS[number % len(_PRESETS)],
        priority=5 * (number % 3),
        count=EACH,
        params={"width": 64, "height": 64, "steps": 3, "seed": 1000 * number},
    )
    return answer["jobIds"]


def _ask(app: AppProcess, method: str, path: str, **body: Any) -> Any:
    """What it answers to that; a failure is one of the test."""
    url = f"{app.url}{path}"
    answer = httpx.request(method, url, json=body or None, timeout=LIFE_S, trust_env=False)
    return answer.raise_for_status().json()


def _until_done(app: AppProcess, count: int) -> None:
    """Returns when that many jobs have been done since the home was new."""
    url, seen = f"{app.url}/api/events?topics=job", {"Last-Event-ID": "0"}
    with httpx.stream("GET", url, headers=seen, timeout=LIFE_S, trust_env=False) as stream:
        done = (line for line in stream.iter_lines() if line == "event: job.done")
        for _ in range(count):
            assert next(done, None) is not None, "the stream ended early"


def _until_none_waits(app: AppProcess) -> None:
    """Returns when all jobs have ended; those that are held, with evidence, are let go."""
    url = f"{app.url}/api/events?topics=job"
    with httpx.stream("GET", url, timeout=LIFE_S, trust_env=False) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: ") and _nothing_left(app):
                return
    raise AssertionError("the stream ended early")


def _nothing_left(app: AppProcess) -> bool:
    held = _ask(app, "GET", "/api/jobs?status=created&limit=200")["jobs"]
    for each in held:
        assert each["result"]["error"], "held without a reason"
        _ask(app, "POST", f"/api/jobs/{each['id']}/run")
    queue = _ask(app, "GET", "/api/queue")
    return not held and queue["queued"] == queue["running"] == 0


def _by_attempt(home: Path, engine: Engine) -> Counter[str]:
    """What an engine ran, by our names: one version gives its own to prompts."""
    ran = engine.executed()
    with closing(sqlite3.connect(f"file:{home / 'orchestrator.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT id, handle FROM attempt").fetchall()
    counted: Counter[str] = Counter()
    for key, handle in rows:
        own = (json.loads(handle) or {}).get("promptId") if handle else None
        counted[str(UUID(key))] += ran[own or str(UUID(key))]
    return counted
