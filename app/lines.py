"""The way to one backend: connected while it is wanted, also while its settings change."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from app.models import Attempt, BackendInfo, BackendStatus, Catalog, GenerationRequest
from app.runs import Backend, BackendFactory, Run


class Line:
    """Itself an `app.runs.Backend`, over whatever connection there is at the moment.

    A connection is made anew when the address changes. One that runs something for us is never
    cut: a backend that is switched off or removed stays connected until its last run has ended.
    """

    def __init__(
        self,
        info: BackendInfo,
        *,
        factory: BackendFactory,
        catalog: Catalog | None,
        on_change: Callable[["Line"], None],
    ) -> None:
        self._info = info
        self._factory = factory
        self._on_change = on_change
        self._made_for = info
        self._backend: Backend = factory(info, catalog)
        self._known = BackendStatus()  # what the connections before told
        self._runs: dict[UUID, UUID] = {}  # attempt → job
        self._turn = asyncio.Event()
        self._usable = asyncio.Event()  # not while one connection is taken down for the next
        self._usable.set()
        self._serving = False
        self.leaving = False

    @property
    def info(self) -> BackendInfo:
        """As configured now."""
        return self._info

    @property
    def status(self) -> BackendStatus:
        """How it is; what was known before a new connection stays until that knows better."""
        status = self._backend.status
        if status.last_seen is None and self._known.last_seen is not None:
            told = {"online": status.online, "last_error": status.last_error}
            status = replace(self._known, **told, catalog=status.catalog)
        if not self._serving and not self._is_wanted:
            return replace(status, online=False, queue_depth=0, latency_ms=None, last_error=None)
        return status

    @property
    def job_ids(self) -> list[UUID]:
        """The jobs that have a prompt there, oldest first."""
        return list(self._runs.values())

    def configure(self, info: BackendInfo) -> None:
        """Go on with another configuration of the same backend; ends a removal, too."""
        self._info = info
        self.leaving = False
        self._turn.set()

    def leave(self) -> None:
        """Be done as soon as nothing runs there."""
        self.leaving = True
        self._turn.set()

    async def tend(self) -> None:
        """Stay connected while that is wanted; returns once it was removed and nothing runs."""
        while not self.leaving or self._runs:
            if self._is_outdated and not self._runs:
                self._renew()
            elif self._is_wanted:
                await self._connect()
            else:
                await self._next_turn()

    async def serve(self, on_change: Callable[[BackendStatus], None]) -> None:
        """As the port says; the fleet itself calls `tend`."""
        await self._backend.serve(on_change)

    @asynccontextmanager
    async def open(self, attempt: Attempt, request: GenerationRequest) -> AsyncGenerator[Run]:
        """Listen for an attempt; the connection stays at least as long."""
        self._runs[attempt.id] = attempt.job_id
        self._turn.set()
        try:
            backend = await self._usable_backend()
            async with backend.open(attempt, request) as run:
                yield run
        finally:
            del self._runs[attempt.id]
            self._turn.set()

    async def check(self) -> BackendStatus:
        """Look at it now."""
        status = await (await self._usable_backend()).check()
        self._on_change(self)
        return status

    async def free(self) -> None:
        """Have it unload its models."""
        await (await self._usable_backend()).free()

    async def interrupt_all(self) -> None:
        """Stop whatever runs there."""
        await (await self._usable_backend()).interrupt_all()

    @property
    def _is_wanted(self) -> bool:
        return bool(self._runs) or (self._info.enabled and not self.leaving)

    @property
    def _is_outdated(self) -> bool:
        """Whether the connection was made for another address, or under another name."""
        made, now = self._made_for, self._info
        return (made.url, made.kind, made.name) != (now.url, now.kind, now.name)

    async def _connect(self) -> None:
        """Be connected until that is not wanted, or not that way, and nothing runs there."""
        self._serving = True
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(
                    self._backend.serve(lambda _: self._on_change(self)),
                    name=f"connection to {self._info.id}",
                )
                while self._is_wanted and (self._runs or not self._is_outdated):
                    await self._next_turn()
                self._usable.clear()
                serving.cancel()
        finally:
            self._serving = False
        self._renew()  # what has ended is closed for good
        self._usable.set()
        self._on_change(self)

    async def _usable_backend(self) -> Backend:
        await self._usable.wait()
        return self._backend

    async def _next_turn(self) -> None:
        await self._turn.wait()
        self._turn.clear()

    def _renew(self) -> None:
        catalog = self._backend.status.catalog
        self._known = replace(self.status, online=False, queue_depth=0, latency_ms=None)
        if self._made_for.url != self._info.url:
            catalog, self._known = None, BackendStatus()  # another machine
        self._made_for = self._info
        self._backend = self._factory(self._info, catalog)
