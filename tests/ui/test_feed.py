"""The feed: few messages, newest values, and nothing at all for a browser that is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import pytest

from app.errors import StorageError
from app.events import Event, EventBus, JobProgressed
from app.ids import new_id
from app.models import Progress
from components.feed import MAX_KEYS, Batch, ClientFeed
from tests.support.fakes import LIMIT_S

JOB = new_id()


class FakeClient:
    """A browser that is there or not."""

    def __init__(self, *, here: bool = True) -> None:
        self.has_socket_connection = here
        self.connect_handlers: list[Callable[[], None]] = []

    def on_connect(self, handler: Callable[[], None]) -> None:
        """As NiceGUI's clients do."""
        self.connect_handlers.append(handler)

    def connect(self) -> None:
        """The browser comes (back)."""
        self.has_socket_connection = True
        for handler in list(self.connect_handlers):
            handler()

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        return None


class Page:
    """What one page view was sent; time passes for its feed only when the test says so."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client
        self.bus = EventBus()
        self.sent: list[Any] = []
        self.failures: list[Exception] = []
        self._ticks = asyncio.Semaphore(0)
        self._changed = asyncio.Event()
        self.feed = ClientFeed(
            client,  # pyright: ignore[reportArgumentType] - all of a client that the feed uses
            bus=self.bus,
            snapshot=self._snapshot,
            fold=fold,
            send=self._note,
            pause=self._pause,
        )

    async def _snapshot(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self._note("snapshot")

    def _note(self, what: Any) -> None:
        self.sent.append(what)
        self._changed.set()

    async def _pause(self, _: float) -> None:
        await self._ticks.acquire()

    def tick(self) -> None:
        """Let one interval pass."""
        self._ticks.release()

    async def until_sent(self, count: int) -> None:
        """Wait until that many messages went out."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.sent) < count:
                self._changed.clear()
                await self._changed.wait()

    async def settle(self) -> None:
        """Let everything that is ready to run do so."""
        for _ in range(20):
            await asyncio.sleep(0)


def fold(event: Event, batch: Batch) -> None:
    """Newest progress of each job."""
    if isinstance(event, JobProgressed):
        batch.setdefault("jobs", {})[str(event.job_id)] = event.progress.step


def progressed(step: int, *, job_id: Any = JOB) -> JobProgressed:
    """A step of a job."""
    return JobProgressed(
        job_id=job_id, progress=Progress(fraction=0.5, step=step, steps=100), preview_rev=0
    )


@asynccontextmanager
async def shown(client: FakeClient) -> AsyncIterator[Page]:
    """A page view with its feed at work."""
    page = Page(client)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(page.feed.run())
        await page.settle()
        yield page
        task.cancel()


async def test_a_page_starts_with_a_snapshot() -> None:
    async with shown(FakeClient()) as page:
        await page.until_sent(1)

    assert page.sent == ["snapshot"]


async def test_what_happens_within_an_interval_is_one_message_with_the_newest_values() -> None:
    async with shown(FakeClient()) as page:
        await page.until_sent(1)
        for step in range(50):
            page.bus.publish(progressed(step))
        page.tick()
        await page.until_sent(2)

    assert page.sent == ["snapshot", {"jobs": {str(JOB): 49}}]


async def test_no_second_message_goes_out_before_the_interval_has_passed() -> None:
    async with shown(FakeClient()) as page:
        await page.until_sent(1)
        page.tick()
        for step in range(5):
            page.bus.publish(progressed(step))
            await page.settle()

        assert len(page.sent) == 2
        page.tick()
        await page.until_sent(3)

    assert page.sent[2] == {"jobs": {str(JOB): 4}}


async def test_nothing_is_sent_to_a_browser_that_is_away_and_it_comes_back_to_a_snapshot() -> None:
    client = FakeClient(here=False)
    async with shown(client) as page:
        for step in range(5):
            page.bus.publish(progressed(step))
            await page.settle()
        assert page.sent == []

        client.connect()
        await page.until_sent(1)

    assert page.sent == ["snapshot"]


async def test_an_overflown_inbox_becomes_a_snapshot() -> None:
    async with shown(FakeClient()) as page:
        await page.until_sent(1)
        for step in range(1500):
            page.bus.publish(progressed(step))
        page.tick()
        await page.until_sent(2)

    assert page.sent[1] == "snapshot"


async def test_a_batch_beyond_reason_becomes_a_snapshot() -> None:
    async with shown(FakeClient()) as page:
        await page.until_sent(1)
        for step in range(MAX_KEYS + 1):
            page.bus.publish(progressed(step, job_id=new_id()))
        page.tick()
        await page.until_sent(2)

    assert page.sent[1] == "snapshot"


async def test_a_state_that_cannot_be_read_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    client = FakeClient(here=False)
    async with shown(client) as page:
        page.failures.append(StorageError("The disk is gone."))
        client.connect()
        await page.settle()
        page.tick()
        page.tick()
        await page.until_sent(1)

    assert page.sent == ["snapshot"]
    assert "trying again" in caplog.text


async def test_a_page_that_is_left_no_longer_listens_for_its_browser() -> None:
    client = FakeClient()
    async with shown(client) as page:
        await page.until_sent(1)

    assert client.connect_handlers == []


async def test_the_feed_ends_when_the_bus_closes() -> None:
    page = Page(FakeClient())
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(page.feed.run())
        await page.until_sent(1)
        page.bus.close()
