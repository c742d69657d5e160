"""The real process, `python main.py`: killed, stopped, and refused."""

import ast
import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.recovery.audit import audit
from tests.recovery.processes import START_S, Engine
from tests.support.app_process import AppProcess

NewApp = Callable[..., AppProcess]
STOP_S = 10
_CROWD = 200


@pytest.fixture
def new_app(tmp_path: Path) -> Generator[NewApp]:
    """Makes apps on one home; they are gone after the test."""
    with ExitStack() as stack:

        def make(**settings: Any) -> AppProcess:
            app = AppProcess(tmp_path / "home", **settings)
            stack.callback(app.kill)
            return app

        yield make


def test_a_picture_is_finished_after_kill_9_mid_picture(new_app: NewApp, tmp_path: Path) -> None:
    app = new_app(demo_step_delay_s=0.2).start()
    _generate(app, steps=100)
    _wait_for(app, "job.progress", topics="job")
    app.stop(signal.SIGKILL)
    again = new_app(demo_step_delay_s=0).start()
    _wait_for(again, "job.done", topics="job")
    assert again.stop(signal.SIGTERM) == 0
    engine = Engine(tmp_path / "home" / "demo")
    (job,) = audit(tmp_path / "home", engine.executed())
    assert job.state == "done"
    # The engine inside the app died with it, so what it had begun was begun once more.
    assert job.executed == 2


def test_a_run_that_outlived_the_app_goes_on_showing_its_progress(
    new_app: NewApp, tmp_path: Path
) -> None:
    engine = Engine(tmp_path / "engine", step_delay_s=0.1).start()
    try:
        backends = json.dumps([{"id": "farm", "url": engine.url}])
        app = new_app(backends=backends).start()
        _generate(app, backend="farm", steps=60)
        _wait_for(app, "job.progress", topics="job")
        app.stop(signal.SIGKILL)
        again = new_app(backends=backends).start()
        _wait_for(again, "job.progress", topics="job")
        _wait_for(again, "job.done", topics="job")
    finally:
        engine.kill()
    (job,) = audit(tmp_path / "home", engine.executed())
    assert job.executed == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well_with_a_stream_open_and_a_job_running(
    number: signal.Signals, new_app: NewApp
) -> None:
    app = new_app(demo_step_delay_s=0.2).start()
    _generate(app, steps=1000)
    with httpx.stream("GET", f"{app.url}/api/events", timeout=START_S, trust_env=False) as stream:
        lines = stream.iter_lines()
        assert any("job.progress" in line for line in lines)
        began = time.monotonic()
        assert app.stop(number) == 0
        assert time.monotonic() - began < STOP_S


async def test_two_hundred_browsers_at_once_all_see_the_picture_come(new_app: NewApp) -> None:
    app = new_app(demo_step_delay_s=0).start()
    there = asyncio.Barrier(_CROWD + 1)

    async def browse() -> None:
        # A client each: every browser has its own cookies.
        async with httpx.AsyncClient(timeout=4 * START_S, trust_env=False) as http:
            page = (await http.get(app.url)).raise_for_status().text
        async with connect(_socket_address(page, app.url), max_size=None) as browser:
            await browser.send("40")
            while "snapshot" not in await _next_message(browser):
                pass
            await there.wait()
            while "status:done" not in re.sub(r'[\\" ]', "", await _next_message(browser)):
                pass

    async with asyncio.timeout(6 * START_S), asyncio.TaskGroup() as crowd:
        for _ in range(_CROWD):
            crowd.create_task(browse())
        await there.wait()
        await asyncio.to_thread(_generate, app, steps=1)
    assert app.stop(signal.SIGTERM) == 0
    assert app.errors() == []


def test_a_second_app_on_the_same_home_is_refused(new_app: NewApp) -> None:
    new_app().start()
    code, said = _refused(new_app())
    assert code == 1
    assert "ORCHESTRATOR_HOME" in said


def test_a_taken_port_is_named_with_its_setting(new_app: NewApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = _refused(new_app(port=taken.getsockname()[1]))
    assert code == 1
    assert "ORCHESTRATOR_PORT" in said


def _refused(app: AppProcess) -> tuple[int, str]:
    process = app.launch()
    said, _ = process.communicate(timeout=START_S)
    return process.returncode, said


def _generate(app: AppProcess, *, steps: int, backend: str = "demo") -> None:
    body = {
        "prompt": "a red fox",
        "backend": backend,
        "params": {"width": 64, "height": 64, "steps": steps},
    }
    httpx.post(f"{app.url}/api/generate", json=body, trust_env=False).raise_for_status()


def _wait_for(app: AppProcess, event: str, *, topics: str) -> None:
    """Until that event came, also one that is past already."""
    with httpx.stream(
        "GET",
        f"{app.url}/api/events?topics={topics}",
        headers={"Last-Event-ID": "0"},
        timeout=START_S,
        trust_env=False,
    ) as stream:
        assert any(line == f"event: {event}" for line in stream.iter_lines())


def _socket_address(page: str, url: str) -> str:
    """Where the browser that got this page connects to, as the script of the page would."""
    found = re.search(r"query: (\{.*?\})", page, flags=re.DOTALL)
    assert found is not None, page[:2000]
    query = ast.literal_eval(found[1])
    query |= {"EIO": 4, "transport": "websocket", "document_id": "d", "tab_id": str(uuid4())}
    query |= {"old_tab_id": "", "implicit_handshake": "true"}
    return f"{url.replace('http', 'ws')}/_nicegui_ws/socket.io/?{urlencode(query)}"


async def _next_message(browser: ClientConnection) -> str:
    """What the server says next; its pings are answered."""
    while (message := str(await browser.recv())) == "2":
        await browser.send("3")
    return message
