"""A demo engine that misbehaves on demand, and ComfyUI backends that talk to it."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from app.config import Timeouts
from app.ids import new_id
from app.models import Attempt, BackendInfo, BackendStatus, GenerationRequest
from app.runs import Run, RunEvent, RunProgressed, RunSucceeded
from backends.comfyui.backend import ComfyBackend
from backends.demo.server import serve_demo
from backends.demo.settings import DemoSettings
from data.presets import load_presets

LIMIT_S = 20
PRESETS = load_presets()
STEPS = 5
REQUEST = GenerationRequest(target="gpu-1", prompt="a red fox", width=64, height=64, steps=STEPS)
FAST = Timeouts(
    connect_s=2, request_s=5, check_s=0.2, reconnect_max_s=0.3, ping_s=0.5, lost_confirm_s=0.1
)


class SystemClock:
    """The time of day."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class LosingAnswers(httpx.AsyncHTTPTransport):
    """Delivers every prompt, but never what the server answers to it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST" and request.url.path == "/prompt":
            await response.aclose()
            raise httpx.ReadTimeout("", request=request)
        return response


class Hanging(httpx.AsyncHTTPTransport):
    """Lets nothing through while `hangs`; the WebSocket is not concerned."""

    hangs = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.hangs:
            raise httpx.ReadTimeout("", request=request)
        return await super().handle_async_request(request)


class Script(httpx.AsyncBaseTransport):
    """A server that answers from a list, the last answer for ever; knows no files.

    An answer that is an exception stands for none.
    """

    def __init__(self, *, queue: list[Any], history: list[Any]) -> None:
        self._answers = {"queue": queue, "history": history}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind = request.url.path.split("/")[1]
        if kind not in self._answers:
            return httpx.Response(404)
        answers = self._answers[kind]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, json=answer)


@dataclass
class Farm:
    """A demo engine and backends that talk to it."""

    url: str
    home: Path
    http: httpx.AsyncClient
    group: asyncio.TaskGroup
    serving: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    async def connected(self, **options: Any) -> "Watched":
        """A backend that is online, made with those options."""
        watched = Watched(url=self.url, **options)
        self.serving.append(self.group.create_task(watched.backend.serve(watched.on_change)))
        await watched.until(lambda status: status.online)
        return watched

    async def fault(self, **faults: Any) -> None:
        (await self.http.post("/demo/faults", json=faults)).raise_for_status()

    async def release(self) -> None:
        await self.http.delete("/demo/faults")

    async def executed(self) -> dict[str, int]:
        return (await self.http.get("/demo/stats")).json()["executed"]

    async def submit_foreign(self, *, seed: int = 7) -> str:
        """A prompt of somebody else; its id."""
        graph: dict[str, Any] = {
            "1": {
                "class_type": "EmptyImage",
                "inputs": {"width": 64, "height": 64 + seed, "batch_size": 1, "color": 1},
            },
            "2": {
                "class_type": "SaveImage",
                "inputs": {"images": ["1", 0], "filename_prefix": "them"},
            },
        }
        prompt_id = str(new_id())
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": "them"}
        answer = (await self.http.post("/prompt", json=body)).raise_for_status()
        return answer.json()["prompt_id"]

    async def history(self, prompt_id: str) -> dict[str, Any]:
        return (await self.http.get(f"/history/{prompt_id}")).json().get(prompt_id, {})

    async def ended(self, prompt_id: str | None = None) -> dict[str, Any]:
        """What the history says of that prompt, or of any, as soon as it does."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                entries = (await self.http.get("/history")).json()
                if entry := entries.get(prompt_id or next(iter(entries), None)):
                    return entry


class Watched:
    """A backend, and a way to wait for its status."""

    def __init__(self, *, url: str, **options: Any) -> None:
        info = BackendInfo(id="gpu-1", name="GPU 1", kind="comfyui", url=url)
        self.backend = ComfyBackend(
            info, **{"timeouts": FAST, "clock": SystemClock(), "presets": PRESETS, **options}
        )
        self._changed = asyncio.Event()

    def on_change(self, _: BackendStatus) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[BackendStatus], bool]) -> BackendStatus:
        async with asyncio.timeout(LIMIT_S):
            while not condition(self.backend.status):
                self._changed.clear()
                await self._changed.wait()
        return self.backend.status


@asynccontextmanager
async def open_farm(home: Path, **options: Any) -> AsyncGenerator[Farm]:
    """A fresh engine, told so; what talks to it ends with it."""
    settings = DemoSettings(home=home, step_delay_s=0, faults=True, **options)
    async with (
        serve_demo(settings) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
        asyncio.TaskGroup() as group,
    ):
        farm = Farm(url=url, home=home, http=http, group=group)
        yield farm
        for task in farm.serving:
            task.cancel()


def new_attempt() -> Attempt:
    """An attempt nobody has heard of."""
    return Attempt(
        id=new_id(), job_id=new_id(), number=1, backend_id="gpu-1", created_at=datetime.now(UTC)
    )


async def finish(run: Run) -> list[RunEvent]:
    """Everything until the end of the run."""
    async with asyncio.timeout(LIMIT_S):
        return [event async for event in run.events()]


async def run_through(
    watched: Watched, *, attempt: Attempt | None = None, request: GenerationRequest = REQUEST
) -> list[RunEvent]:
    """Submit and follow to the end."""
    async with watched.backend.open(attempt or new_attempt(), request) as run:
        await run.submit()
        return await finish(run)


async def until_step(run: Run, *, step: int) -> None:
    """Follow the run that far."""
    async with asyncio.timeout(LIMIT_S):
        async with aclosing(run.events()) as events:
            async for event in events:
                if isinstance(event, RunProgressed) and event.progress.step >= step:
                    return


async def fetched(run: Run, end: RunEvent) -> bytes:
    """The first file of a run that ended well."""
    assert isinstance(end, RunSucceeded)
    return b"".join([chunk async for chunk in run.fetch(end.outputs[0])])


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
