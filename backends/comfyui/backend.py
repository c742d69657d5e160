"""A ComfyUI server as a `Backend`: one connection kept for ever, and a run for each attempt."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from app.config import Timeouts
from app.errors import BackendError, BackendUnreachableError
from app.models import Attempt, BackendInfo, BackendStatus, Catalog, GenerationRequest
from app.ports import Clock
from app.presets import Presets
from backends.comfyui import discovery, failures
from backends.comfyui.answers import SystemStats
from backends.comfyui.client import ComfyClient, OnCall
from backends.comfyui.inbox import Inbox
from backends.comfyui.messages import Message, QueueCounted, RunClosed, RunMessage
from backends.comfyui.run import ComfyRun
from backends.comfyui.socket import ComfySocket, open_socket

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.1
_CATALOG_AGE_S = 300.0  # models are added while a server runs
_MISSES = 2  # unanswered heartbeats until it counts as gone
_UNCLAIMED = 4  # prompts of unknown id whose messages are kept while one is being sent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What one look at the server found."""

    stats: SystemStats
    latency_ms: float
    features: frozenset[str]
    catalog: Catalog


class ComfyBackend:
    """The port `Backend`: see there for what the methods promise."""

    def __init__(
        self,
        info: BackendInfo,
        *,
        timeouts: Timeouts,
        clock: Clock,
        presets: Presets,
        inputs: Callable[[str], Path] | None = None,
        catalog: Catalog | None = None,
        client_id: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        """`inputs` tells where an input picture lies; `catalog` is the one kept from last time."""
        self._info = info
        self._timeouts = timeouts
        self._clock = clock
        self._presets = presets
        self._inputs = inputs
        self._client = ComfyClient(info, timeouts=timeouts, transport=transport, on_call=on_call)
        self._status = BackendStatus(catalog=catalog)
        self._serving = False
        self._on_change: Callable[[BackendStatus], None] | None = None
        # One id for all connections: a prompt belongs to the id it was sent with, so after a
        # reconnect the server goes on telling us about it. Servers forget the newer of two
        # sockets with one id when the older closes; hence the old one is fully closed before
        # the next opens, and an id whose socket turned out to be deaf is never used again.
        # The same id after a restart of ours lets a run that outlived us go on talking to us;
        # whoever gives it sees to it that no two processes share one.
        self._client_id = client_id or uuid4().hex
        self._connections = 0
        self._connection: int | None = None
        self._renewal = asyncio.Event()
        self._failures = 0
        self._reported_away = False
        self._catalog_at = 0.0
        self._inboxes: dict[str, Inbox] = {}
        self._sending = 0
        self._unclaimed: dict[str, Inbox] = {}
        self._current: str | None = None  # the prompt that executes there, anybody's

    @property
    def info(self) -> BackendInfo:
        return self._info

    @property
    def status(self) -> BackendStatus:
        return self._status

    @property
    def client_id(self) -> str:
        """Whose messages the socket gets."""
        return self._client_id

    @property
    def connection(self) -> int | None:
        """The number of the socket that is open now, None while there is none."""
        return self._connection

    @property
    def features(self) -> frozenset[str]:
        """What the server can, see `discovery`."""
        return self._status.features

    def learn(self, feature: str, *, has: bool) -> None:
        """Remember whether the server can that."""
        known = self._status.features
        self._update(features=known | {feature} if has else known - {feature})

    async def catalog(self) -> Catalog:
        """What the server can do, asked for if it is not known yet."""
        if self._status.catalog is None:
            self._update(catalog=await self._read_catalog())
        return self._status.catalog or await self._read_catalog()

    def doubt_catalog(self) -> None:
        """Have the catalog read again with the next heartbeat."""
        self._catalog_at = 0.0

    def doubt_socket(self) -> None:
        """Have the socket replaced: it is open but says nothing."""
        self._renewal.set()

    async def free(self) -> None:
        """Make the server unload its models, after it ran out of memory.

        Raises:
            BackendUnreachableError: it did not answer.
        """
        await self._client.free()

    async def interrupt_all(self) -> None:
        await self._client.interrupt_all()

    async def check(self) -> BackendStatus:
        try:
            self._note(await self._look())
        finally:
            if not self._serving:  # nobody else would close them
                await self._client.aclose()
        return self._status

    async def serve(self, on_change: Callable[[BackendStatus], None]) -> None:
        self._on_change = on_change
        self._serving = True
        try:
            while True:
                try:
                    await self._session()
                except* BackendError as group:
                    self._session_ended(_first(group))
                except* Exception as group:  # the fence of this loop: a bug here ends one session
                    log.exception("Backend '%s': the connection failed", self._info.id)
                    self._session_ended(_first(group))
                await asyncio.sleep(self._pause_s())
        finally:
            self._serving = False
            await self._client.aclose()

    @asynccontextmanager
    async def open(self, attempt: Attempt, request: GenerationRequest) -> AsyncGenerator[ComfyRun]:
        inbox = self._inboxes[str(attempt.id)] = Inbox()
        known = (attempt.handle or {}).get("promptId")
        if isinstance(known, str):
            self._inboxes[known] = inbox
        try:
            yield ComfyRun(
                attempt,
                request,
                client=self._client,
                timeouts=self._timeouts,
                inbox=inbox,
                link=self,
                presets=self._presets,
                inputs=self._inputs,
            )
        finally:
            for prompt_id in [key for key, each in self._inboxes.items() if each is inbox]:
                del self._inboxes[prompt_id]

    @contextmanager
    def sending(self) -> Generator[None]:
        """While it lasts, keep what is said of prompts whose id we may not know yet."""
        self._sending += 1
        try:
            yield
        finally:
            self._sending -= 1
            if not self._sending:
                self._unclaimed.clear()

    def hear_also(self, prompt_id: str, inbox: Inbox) -> None:
        """Put what is said of that prompt into the inbox, too."""
        self._inboxes[prompt_id] = inbox
        early = self._unclaimed.pop(prompt_id, None)
        for message in early.drain() if early else ():
            inbox.put(message)

    async def _session(self) -> None:
        """Connect, be online, and stay so until the connection breaks or is replaced."""
        # Before the socket: while nobody reads it, a socket holds up the server for everybody.
        looked = await self._look()
        opening = open_socket(self._info, client_id=self._client_id, timeouts=self._timeouts)
        async with opening as socket:
            self._went_online(looked)
            try:
                async with asyncio.TaskGroup() as group:
                    name = f"backend {self._info.id}"
                    group.create_task(self._listen(socket), name=f"{name}: socket")
                    group.create_task(self._heartbeat(socket), name=f"{name}: heartbeat")
            finally:
                self._connection = None

    async def _listen(self, socket: ComfySocket) -> None:
        async for message in socket.messages():
            self._route(message)
        raise failures.unreachable(self._info, reason=failures.CLOSED)

    async def _heartbeat(self, socket: ComfySocket) -> None:
        """Keep the figures fresh; notice a server that hangs; replace the socket when asked."""
        misses = 0
        while not await self._renewal_within(self._timeouts.ping_s):
            try:
                stats, latency_ms = await self._client.system_stats()
                if asyncio.get_running_loop().time() - self._catalog_at > _CATALOG_AGE_S:
                    self._update(catalog=await self._read_catalog())
            except BackendUnreachableError:
                misses += 1
                if misses == _MISSES:
                    raise
            else:
                misses = 0
                self._note_stats(stats, latency_ms=latency_ms)
        log.warning("Backend '%s': the socket is deaf, connecting anew", self._info.id)
        self._client_id = uuid4().hex
        await socket.close()

    async def _renewal_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._renewal.wait()
        except TimeoutError:
            return False
        return True

    async def _look(self) -> _Looked:
        """The machine, its features and its catalog, read now."""
        stats, latency_ms = await self._client.system_stats()
        features = await discovery.probe(self._client)
        catalog = await self._read_catalog()
        return _Looked(stats=stats, latency_ms=latency_ms, features=features, catalog=catalog)

    async def _read_catalog(self) -> Catalog:
        catalog = await discovery.read_catalog(self._client, clock=self._clock)
        self._catalog_at = asyncio.get_running_loop().time()
        kept = self._status.catalog
        # What was worked out for a catalog is kept with the very object.
        return kept if kept is not None and kept.tells_the_same(catalog) else catalog

    def _route(self, message: Message) -> None:
        if isinstance(message, QueueCounted):
            self._update(queue_depth=message.remaining)
        else:
            self._route_to_run(message)

    def _route_to_run(self, message: RunMessage) -> None:
        # A server executes one prompt at a time, so what names none is about the current one.
        prompt_id = message.prompt_id or self._current
        self._current = None if isinstance(message, RunClosed) else prompt_id
        if prompt_id is None:
            return
        inbox = self._inboxes.get(prompt_id)
        if inbox is None and self._sending and len(self._unclaimed) < _UNCLAIMED:
            inbox = self._unclaimed.setdefault(prompt_id, Inbox())
        if inbox is not None:
            inbox.put(message)

    def _went_online(self, looked: _Looked) -> None:
        self._connections += 1
        self._connection = self._connections
        self._renewal.clear()
        self._failures = 0
        runs = list({id(inbox): key for key, inbox in self._inboxes.items()}.values())
        self._current = runs[0] if len(runs) == 1 else None
        if not self._status.online:
            self._reported_away = False
            version = looked.stats.version
            log.info("%s is online (ComfyUI %s)", failures.label(self._info), version)
        self._note(looked)
        self._nudge_all()

    def _session_ended(self, exc: BaseException) -> None:
        self._failures += 1
        if self._status.online and self._failures == 1:
            # A socket that only broke is back in a moment: no outage until that fails, too.
            log.debug("Backend '%s': %s", self._info.id, exc)
        else:
            if not self._reported_away:
                self._reported_away = True
                log.warning("%s", exc)
            self._update(
                online=False, last_error=failures.sentence(exc), queue_depth=0, latency_ms=None
            )
        self._nudge_all()

    def _pause_s(self) -> float:
        longest = min(_FIRST_PAUSE_S * 2 ** min(self._failures, 16), self._timeouts.reconnect_max_s)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - not to come back all at once

    def _note(self, looked: _Looked) -> None:
        kept = self._status.features & {discovery.PROMPT_ID}  # not found out by asking
        self._status = replace(
            self._status, features=looked.features | kept, catalog=looked.catalog
        )
        self._note_stats(looked.stats, latency_ms=looked.latency_ms)

    def _note_stats(self, stats: SystemStats, *, latency_ms: float) -> None:
        self._update(
            online=True,
            last_error=None,
            latency_ms=latency_ms,
            last_seen=self._clock.now(),
            version=stats.version,
            gpu_name=stats.gpu_name,
            vram_total_bytes=stats.vram_total_bytes,
            vram_free_bytes=stats.vram_free_bytes,
            ram_total_bytes=stats.ram_total_bytes,
            ram_free_bytes=stats.ram_free_bytes,
        )

    def _update(self, **changes: Any) -> None:
        status = replace(self._status, **changes)
        if status == self._status:
            return
        self._status = status
        if self._on_change is not None:
            self._on_change(status)

    def _nudge_all(self) -> None:
        for inbox in self._inboxes.values():
            inbox.nudge()


def _first(group: BaseException) -> BaseException:
    """The first error itself, out of the groups it is wrapped in."""
    inner = failures.members(group)
    return _first(inner[0]) if inner else group
