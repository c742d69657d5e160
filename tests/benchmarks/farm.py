"""The app with engines, and its events, for benchmarks."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess

LIMIT_S = 120


@contextmanager
def engines(folder: Path, *, count: int, step_delay_s: float = 0) -> Generator[list[Engine]]:
    """Engines under way."""
    with ExitStack() as stack:
        made = [Engine(folder / f"engine-{n}", step_delay_s=step_delay_s) for n in range(count)]
        for each in made:
            stack.callback(each.kill)
            each.start()
        yield made


@contextmanager
def app_on(folder: Path, urls: list[str], **settings: Any) -> Generator[AppProcess]:
    """The app on these backends, `gpu-0` and so on; not started yet."""
    backends = [{"id": f"gpu-{n}", "url": url} for n, url in enumerate(urls)]
    app = AppProcess(
        folder / "home",
        backends=json.dumps(backends),
        demo_engine="false",
        log_level="WARNING",
        submissions_per_minute=100_000,
        **settings,
    )
    try:
        yield app
    finally:
        app.kill()


def request(*, backend: str = "auto", seed: int, steps: int = 1, count: int = 1) -> dict[str, Any]:
    """A small picture."""
    params = {"width": 64, "height": 64, "steps": steps, "seed": seed}
    return {"prompt": "a red fox", "backend": backend, "params": params, "count": count}


class Events:
    """The app's stream of events."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, *types: str) -> dict[str, Any]:
        """The next event of these types."""
        kind = ""
        async with asyncio.timeout(LIMIT_S):
            async for line in self._lines:
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind in types:
                    return {"type": kind, **json.loads(line.removeprefix("data: "))}
        raise RuntimeError("The stream of events ended.")


@asynccontextmanager
async def events(
    url: str, *, after: int | None = None, topics: str = "job,backend"
) -> AsyncGenerator[Events]:
    """What happens, from now on or from an event number on."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as http,
        http.stream("GET", f"{url}/api/events?topics={topics}", headers=headers) as stream,
    ):
        yield Events(stream.aiter_lines())


async def online(http: httpx.AsyncClient, url: str) -> None:
    """Returns when every backend of the app is online."""
    async with events(url) as heard:
        while True:
            backends = (await http.get(f"{url}/api/backends")).json()["backends"]
            if all(each["online"] for each in backends):
                return
            await heard.next("backend.changed")


class Gate:
    """A door before an engine that notes when each prompt comes in; everything passes."""

    def __init__(self, engine: Engine) -> None:
        self._host, _, port = engine.url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._arrivals: asyncio.Queue[float] = asyncio.Queue()
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Gate"]:
        """Let connections in."""
        async with asyncio.TaskGroup() as group:

            def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                passing.append(group.create_task(self._pass(reader, writer)))

            passing: list[asyncio.Task[None]] = []
            server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self
            server.close()
            for each in passing:
                each.cancel()

    async def arrival(self) -> float:
        """When the next prompt came in."""
        async with asyncio.timeout(LIMIT_S):
            return await self._arrivals.get()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pipe(reader, back, watch=True))
            group.create_task(self._pipe(there, writer, watch=False))

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watch: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if watch and data.startswith(b"POST /prompt"):
                    self._arrivals.put_nowait(time.perf_counter())
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def ended(socket: ClientConnection, prompt_id: str) -> None:
    """Returns when the engine has said on its socket that this prompt is over."""
    async with asyncio.timeout(LIMIT_S):
        async for raw in socket:
            message = json.loads(raw) if isinstance(raw, str) else {}
            data = message.get("data", {})
            over = message.get("type") == "executing" and data.get("node") is None
            if over and data.get("prompt_id") == prompt_id:
                return
