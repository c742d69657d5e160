"""The whole app killed around a paid order: bought once, or in doubt and never sent again."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.app_process import AppProcess
from tests.support.flux_server import KEY, LIMIT_S, FluxServer

NewApp = Callable[[], AppProcess]


@pytest.fixture
def server() -> Generator[FluxServer]:
    """A cloud that outlives the app."""
    with FluxServer() as started:
        yield started


@pytest.fixture
def new_app(tmp_path: Path, server: FluxServer) -> Generator[NewApp]:
    """Makes lives of the app on one home; they are gone after the test."""
    with ExitStack() as stack:

        def make() -> AppProcess:
            app = AppProcess(
                tmp_path / "home",
                demo_engine="false",
                allow_generation="true",
                flux__url=server.url,
                flux__api_key=KEY,
                flux__poll_s="0.05",
            )
            stack.callback(app.kill)
            return app

        yield make


def test_an_order_that_was_answered_is_polled_on_after_kill_9_and_paid_once(
    new_app: NewApp, server: FluxServer
) -> None:
    server.orders.pending = 1_000_000
    app = new_app().start()
    job_id = _order(app)
    _until(lambda: bool(server.tasks) and server.only.polls > 0)
    app.stop(signal.SIGKILL)
    server.only.pending = 0

    again = new_app().start()
    job = _ended(again, job_id)

    assert job["status"] == "done"
    assert (server.posts, server.paid, server.only.downloads) == (1, 1, 1)
    (charge,) = _ledger(again)["charges"]
    assert (charge["state"], charge["usd"]) == ("spent", 0.06)
    assert again.stop() == 0


def test_an_order_cut_off_by_kill_9_is_never_sent_again(
    new_app: NewApp, server: FluxServer
) -> None:
    server.orders.submit.append("hang")
    app = new_app().start()
    job_id = _order(app)
    assert server.arrived.wait(LIMIT_S)
    app.stop(signal.SIGKILL)
    server.release.set()

    again = new_app().start()
    job = _ended(again, job_id)

    assert job["status"] == "failed"
    assert job["result"]["diagnosis"]["code"] == "uncertain_charge"
    assert server.posts == 1
    book = _ledger(again)
    assert book["charges"][0]["state"] == "uncertain"
    assert book["totals"]["totalUsd"] == 0.06
    assert again.stop() == 0


def _order(app: AppProcess) -> str:
    body = {"prompt": "a red fox", "confirmed": True}
    answer = httpx.post(f"{app.url}/api/flux/generate", json=body, trust_env=False)
    assert answer.status_code == 202, answer.text
    return answer.json()["jobId"]


def _ledger(app: AppProcess) -> dict[str, Any]:
    return httpx.get(f"{app.url}/api/ledger", trust_env=False).json()


def _ended(app: AppProcess, job_id: str) -> dict[str, Any]:
    """The job, once it has ended; told by the event stream, from its beginning."""
    ends = ("job.done", "job.failed", "job.cancelled")
    stream = httpx.stream(
        "GET",
        f"{app.url}/api/events?topics=job",
        headers={"Last-Event-ID": "0"},
        timeout=LIMIT_S,
        trust_env=False,
    )
    with stream as answer:
        for line in answer.iter_lines():
            if line.removeprefix("event: ") in ends:
                break
    return httpx.get(f"{app.url}/api/jobs/{job_id}", trust_env=False).json()


def _until(ready: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(LIMIT_S * 100):
        if ready():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen in time")
