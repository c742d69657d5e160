"""How a page that is open hears what happens: few, small, coalesced messages.

NiceGUI queues every message without bound, also for a browser that is away; so what changes is
collected here by key, newest wins, and sent a few times a second to browsers that listen.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import Client

from app.errors import OrchestratorError
from app.events import Event, EventBus

log = logging.getLogger(__name__)

INTERVAL_S = 0.11
HIDDEN_INTERVAL_S = 1.0
MAX_KEYS = 500

Batch = dict[str, dict[str, Any]]
"""What changed: a kind of thing → its id → its newest values."""


class ClientFeed:
    """Keeps one page view up to date: a snapshot whenever its browser (re)connects, then batches.

    `fold` puts what an event changes into the batch, over what is there; `snapshot` reads and sends
    the whole state; `send` sends a batch. A batch that grows beyond reason becomes a snapshot.
    """

    def __init__(
        self,
        client: Client,
        *,
        bus: EventBus,
        snapshot: Callable[[], Awaitable[None]],
        fold: Callable[[Event, Batch], None],
        send: Callable[[Batch], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._bus = bus
        self._snapshot = snapshot
        self._fold = fold
        self._send = send
        self._pause = pause
        self._batch: Batch = {}
        self._stale = True
        self._wake = asyncio.Event()
        self._wake.set()
        self.visible = True

    async def run(self) -> None:
        """Feed the page until cancelled, or until the bus closes."""
        self._client.on_connect(self.refresh)
        handler = self._client.connect_handlers[-1]
        try:
            with self._bus.subscribe() as inbox:
                async with asyncio.TaskGroup() as group:
                    flusher = group.create_task(self._flush(), name="feed flusher")
                    while await inbox.wait():
                        self._fold_all(inbox.drain())
                        if inbox.lagged:
                            inbox.caught_up()
                            self._stale = True
                        self._wake.set()
                    flusher.cancel()
        finally:
            if handler in self._client.connect_handlers:
                self._client.connect_handlers.remove(handler)

    def refresh(self) -> None:
        """Send the whole state anew as soon as may be."""
        self._stale = True
        self._wake.set()

    def add(self, kind: str, key: str) -> None:
        """Say that something changed which is no event of the bus."""
        self._batch.setdefault(kind, {})[key] = {}
        self._wake.set()

    def _fold_all(self, events: Sequence[Event]) -> None:
        for event in events:
            try:
                self._fold(event, self._batch)
            except Exception:  # the fence of a page: one bad event must not end its feed
                log.exception("A page could not take in %s", type(event).__name__)
                self._stale = True

    async def _flush(self) -> None:
        with self._client:  # so that what is sent is in the language of this page
            while True:
                await self._wake.wait()
                self._wake.clear()
                if not self._client.has_socket_connection:
                    self._batch, self._stale = {}, True
                    continue
                await self._send_what_there_is()
                await self._pause(INTERVAL_S if self.visible else HIDDEN_INTERVAL_S)

    async def _send_what_there_is(self) -> None:
        batch, self._batch = self._batch, {}
        if self._stale or sum(map(len, batch.values())) > MAX_KEYS:
            await self._send_snapshot()
        elif batch:
            self._send(batch)

    async def _send_snapshot(self) -> None:
        self._stale = False
        try:
            await self._snapshot()
        except OrchestratorError:
            log.warning("A page could not read its state; trying again", exc_info=True)
            self.refresh()
            await self._pause(HIDDEN_INTERVAL_S)
        except Exception:  # as above; the next event tries again
            log.exception("A page could not be brought up to date")
            self._stale = True
