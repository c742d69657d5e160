"""The API as a client sees it, without a network: the app behind its guard, in this process."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.create import create_api
from app.models import JobState
from app.services import Services
from main import guarded
from tests.support.fakes import LIMIT_S, FakeBackend
from tests.support.running import running, until_job

BASE = "http://127.0.0.1:3000"
SMALL = {"width": 64, "height": 64, "steps": 2, "seed": 7}


@dataclass
class Api:
    """The running app."""

    http: httpx.AsyncClient
    services: Services
    asgi: ASGIApp

    async def generate(self, prompt: str = "a red fox", **changes: Any) -> UUID:
        """Submit one job; its id."""
        body = {"prompt": prompt, "backend": "demo", "params": SMALL, **changes}
        answer = await self.http.post("/api/generate", json=body)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["jobId"])

    async def picture(self, prompt: str = "a red fox", **changes: Any) -> dict[str, Any]:
        """One finished picture, as the gallery lists it."""
        job_id = await self.generate(prompt, **changes)
        await until_job(self.services, job_id, JobState.DONE)
        listed = await self.http.get("/api/images", params={"jobId": str(job_id)})
        return listed.json()["images"][0]


@asynccontextmanager
async def api(home: Path, *backends: FakeBackend, **changes: Any) -> AsyncGenerator[Api]:
    """The app on these backends (with none: the demo engine)."""
    async with running(home, *backends, **changes) as services:
        asgi = guarded(create_api(services), services)
        transport = httpx.ASGITransport(app=asgi)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield Api(client, services, asgi)


class Stream:
    """Server-Sent Events as they arrive."""

    def __init__(self, inbox: "asyncio.Queue[Message]") -> None:
        self._inbox = inbox
        self._text = ""

    async def start(self) -> Message:
        """The head of the answer."""
        async with asyncio.timeout(LIMIT_S):
            return await self._inbox.get()

    async def event(self) -> dict[str, str] | None:
        """The next event; a comment has the key "", None means the end."""
        while "\r\n\r\n" not in self._text:
            async with asyncio.timeout(LIMIT_S):
                message = await self._inbox.get()
            self._text += message.get("body", b"").decode()
            if not message.get("more_body", False) and "\r\n\r\n" not in self._text:
                return None
        block, _, self._text = self._text.partition("\r\n\r\n")
        return {
            name: value.removeprefix(" ")
            for name, _, value in (line.partition(":") for line in block.split("\r\n"))
        }

    async def until(self, type_: str) -> dict[str, str]:
        """The next event of a type."""
        while (event := await self.event()) is not None:
            if event.get("event") == type_:
                return event
        raise AssertionError(f"the stream ended without {type_}")


@asynccontextmanager
async def stream(
    asgi: ASGIApp, path: str, *, query: str = "", headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Stream]:
    """A GET whose answer does not end; httpx would wait for the end of it."""
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.put_nowait(message)

    given = {"host": "127.0.0.1:3000", **(headers or {})}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 3000),
    }
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_serve(asgi, scope, receive, send), name="stream")
        yield Stream(sent)
        gone.set()
        async with asyncio.timeout(LIMIT_S):
            await serving


class Socket:
    """A WebSocket as its client sees it."""

    def __init__(
        self, *, outbox: "asyncio.Queue[Message]", inbox: "asyncio.Queue[Message]"
    ) -> None:
        self._outbox = outbox
        self._inbox = inbox

    async def message(self) -> Message:
        """What the server does next: accept, send or close."""
        async with asyncio.timeout(LIMIT_S):
            return await self._inbox.get()

    async def hear(self) -> dict[str, Any]:
        """The next JSON message."""
        message = await self.message()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def until(self, type_: str) -> dict[str, Any]:
        """The next JSON message of a type."""
        while (heard := await self.hear())["type"] != type_:
            pass
        return heard

    def say(self, text: str) -> None:
        """Send a text."""
        self._outbox.put_nowait({"type": "websocket.receive", "text": text})


@asynccontextmanager
async def socket(
    asgi: ASGIApp, path: str, *, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Socket]:
    """A WebSocket to the app; hung up at the end."""
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox.put_nowait({"type": "websocket.connect"})

    async def send(message: Message) -> None:
        inbox.put_nowait(message)

    given = {"host": "127.0.0.1:3000", **(headers or {})}
    scope: dict[str, Any] = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 3000),
        "subprotocols": [],
    }
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_serve(asgi, scope, outbox.get, send), name="socket")
        yield Socket(outbox=outbox, inbox=inbox)
        outbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(LIMIT_S):
            await serving


async def _serve(asgi: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await asgi(scope, receive, send)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem details of an answer, having checked their shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body
