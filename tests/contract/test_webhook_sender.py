"""Webhooks against real receivers on this machine."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.events import DeliveryChanged
from app.models import JobState
from app.services import Services
from app.webhooks import Delivery, DeliveryState, UndeliverableError
from backends.webhooks import HttpSender
from data.clock import SystemClock
from tests.support.fakes import LIMIT_S, FakeBackend, info
from tests.support.running import running, submit, until_job


class Receiver:
    """A small HTTP server that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
        self.heard = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/told?token=secret"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.told.append((headers, body))
        self.heard.set()
        if self.hold is not None:
            await self.hold.wait()
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
        if receiver.hold is not None:
            receiver.hold.set()


@asynccontextmanager
async def sender(timeout_s: float = LIMIT_S) -> AsyncGenerator[HttpSender]:
    """What sends, with its client."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield HttpSender(client, timeout_s=timeout_s)


async def post(url: str, **changes: Any) -> int:
    """One message."""
    async with sender(**changes) as one:
        return await one.post(url, body=b"{}", headers={"content-type": "application/json"})


class Later(SystemClock):
    """The clock of a process that was started an hour later."""

    def now(self) -> datetime:
        """In an hour."""
        return super().now() + timedelta(hours=1)


async def until_told(services: Services, *, tries: int) -> Delivery:
    """The only delivery, once it was tried so often."""
    with services.bus.subscribe(DeliveryChanged) as inbox:
        async with asyncio.timeout(LIMIT_S):
            while len((kept := (await services.webhooks.page(limit=9))[0]).tries) < tries:
                await inbox.wait()
                inbox.drain()
    return kept


async def test_what_was_refused_is_delivered_after_a_restart(home: Path) -> None:
    async with receiving() as receiver:
        taken, receiver.answer = receiver.answer, b"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n"
        async with running(home, FakeBackend(info(), automatic=True)) as services:
            job = await submit(services, webhookUrl=receiver.url)
            await until_job(services, job.id, JobState.DONE)
            refused = await until_told(services, tries=1)
        receiver.answer = taken
        async with running(home, FakeBackend(info()), clock=Later()) as services:
            told = await until_told(services, tries=2)

    assert (refused.state, told.state) == (DeliveryState.WAITING, DeliveryState.DELIVERED)
    assert [each.status for each in told.tries] == [503, 204]
    (first, _), (second, _) = receiver.told
    assert first["webhook-id"] == second["webhook-id"] == str(refused.id)


async def test_the_receiver_can_verify_what_it_is_told(home: Path) -> None:
    async with receiving() as receiver:
        async with running(home, FakeBackend(info(), automatic=True)) as services:
            job = await submit(services, webhookUrl=receiver.url)
            await until_job(services, job.id, JobState.DONE)
            async with asyncio.timeout(LIMIT_S):
                await receiver.heard.wait()
            kept = await until_told(services, tries=1)
        headers, body = receiver.told[0]

    key = home / "webhook.key"
    told = Webhook(key.read_text(encoding="ascii")).verify(body, headers)
    assert told["data"]["job"]["id"] == str(job.id)
    assert headers["webhook-id"] == str(kept.id)
    assert kept.state is DeliveryState.DELIVERED
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WebhookVerificationError):
        Webhook(key.read_text(encoding="ascii")).verify(body.replace(b"done", b"gone"), headers)


async def test_the_secret_of_the_settings_signs(home: Path) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with receiving() as receiver:
        backend = FakeBackend(info(), automatic=True)
        async with running(home, backend, webhook_secret=secret) as services:
            await submit(services, webhookUrl=receiver.url)
            async with asyncio.timeout(LIMIT_S):
                await receiver.heard.wait()
        headers, body = receiver.told[0]

    assert Webhook(secret).verify(body, headers)["type"] == "job.done"
    assert not (home / "webhook.key").exists()


async def test_the_host_is_told_as_it_was_written() -> None:
    async with receiving() as receiver:
        status = await post(f"http://localhost:{receiver.port}/hook")

    assert status == 204
    assert receiver.told[0][0]["host"] == f"localhost:{receiver.port}"


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as receiver:
        receiver.answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"

        assert await post(receiver.url) == 302
        assert len(receiver.told) == 1


async def test_a_receiver_that_does_not_answer_is_left_after_the_timeout() -> None:
    async with receiving() as receiver:
        receiver.hold = asyncio.Event()
        began = time.monotonic()
        with pytest.raises(UndeliverableError, match=r"within 0\.3 s"):
            await post(receiver.url, timeout_s=0.3)

    assert time.monotonic() - began < LIMIT_S


async def test_a_refused_connection_and_an_unknown_name_are_told_apart() -> None:
    async with receiving() as receiver:
        closed = receiver.url
    with pytest.raises(UndeliverableError) as refused:
        await post(closed)
    with pytest.raises(UndeliverableError, match="not known"):
        await post("http://no-such-host.invalid/x")

    assert "not known" not in str(refused.value)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"])
async def test_nothing_is_sent_to_a_link_local_address(host: str) -> None:
    with pytest.raises(UndeliverableError, match="link-local"):
        await post(f"http://{host}/latest/meta-data")


async def test_the_body_of_the_answer_is_not_waited_for() -> None:
    async with receiving() as receiver:
        receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npartly"

        assert await post(receiver.url) == 200
