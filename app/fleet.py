"""The backends at hand: which are there, and how they are. They come and go while the app runs."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.errors import StorageError
from app.events import BackendChanged, BackendRemoved, EventBus, LoggedEvent
from app.health import CircuitView
from app.lines import Line
from app.models import BackendInfo, BackendStatus, Catalog
from app.ports import Clock
from app.runs import Backend, BackendFactory
from app.views import BackendView, backend_view

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCatalog:
    """What a backend could do when it was last read, and where it was then."""

    url: str
    catalog: Catalog


class FleetStore(Protocol):
    """The backends added while running, and the catalogs of all of them."""

    async def backends(self) -> list[BackendInfo]:
        """Those added on the page, oldest first."""
        ...

    async def save(self, info: BackendInfo, *, event: str) -> LoggedEvent:
        """Insert one, or overwrite it; `event` goes into the log."""
        ...

    async def remove(self, backend_id: str) -> LoggedEvent:
        """Take one out, and forget its catalog."""
        ...

    async def catalogs(self) -> dict[str, KeptCatalog]:
        """What is kept, by backend."""
        ...

    async def keep_catalog(self, backend_id: str, kept: KeptCatalog, *, at: datetime) -> None:
        """Keep what a backend can do, in the place of what was kept of it."""
        ...


class Fleet:
    """Keeps every enabled backend connected; `open` it, then `serve`."""

    def __init__(
        self,
        factory: BackendFactory,
        *,
        configured: Sequence[BackendInfo],
        store: FleetStore,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._circuit: Callable[[str], CircuitView] = lambda _: CircuitView()
        self._running: Callable[[str], list[UUID]] = self.job_ids
        self._factory = factory
        self._configured = configured
        self._store = store
        self._bus = bus
        self._clock = clock
        self._lines: dict[str, Line] = {}
        self._kept: dict[str, KeptCatalog] = {}
        self._unkept: dict[str, KeptCatalog] = {}
        self._to_keep = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    async def open(self) -> None:
        """Read which backends there are, and what they could do; nothing is connected yet."""
        self._kept = await self._store.catalogs()
        for info in [*self._configured, *await self._store.backends()]:
            if info.id in self._lines:
                log.warning("Backend '%s' is in the configuration; that counts", info.id)
            else:
                self._add(info)

    async def serve(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for line in self._lines.values():
                    self._tend(line)
                await self._keep_catalogs()
            finally:
                self._group = None

    def consult(
        self, *, circuit: Callable[[str], CircuitView], running: Callable[[str], list[UUID]]
    ) -> None:
        """Ask these from now on whether a backend rests, and what it works on; for the views."""
        self._circuit = circuit
        self._running = running

    def put(self, info: BackendInfo, *, logged: LoggedEvent | None = None) -> None:
        """Add a backend, or go on with another configuration of it."""
        line = self._lines.get(info.id)
        if line is None:
            line = self._add(info)
            self._tend(line)
        else:
            line.configure(info)
        self._bus.publish(BackendChanged(info=info, status=line.status, logged=logged))

    def drop(self, backend_id: str, *, logged: LoggedEvent | None = None) -> None:
        """Give a backend no more work, and let go of it once nothing runs there."""
        line = self._lines[backend_id]
        line.leave()
        if self._group is None:
            del self._lines[backend_id]
        self._kept.pop(backend_id, None)
        self._bus.publish(BackendRemoved(backend_id=backend_id, logged=logged))

    def get(self, backend_id: str) -> Backend | None:
        """The backend, if there is one: also switched off or removed while something runs there."""
        return self._lines.get(backend_id)

    async def arrival(self, backend_id: str) -> Backend:
        """The backend, as soon as there is one of that id."""
        with self._bus.subscribe(BackendChanged) as inbox:
            while (line := self._lines.get(backend_id)) is None:
                if not await inbox.wait():
                    await asyncio.Event().wait()  # the app stops: whoever waits is cancelled
                inbox.drain()
            return line

    def infos(self) -> list[BackendInfo]:
        """Every configured backend."""
        return [line.info for line in self._lines.values() if not line.leaving]

    def info(self, backend_id: str | None) -> BackendInfo | None:
        """One of them."""
        line = self._lines.get(backend_id or "")
        return line.info if line is not None and not line.leaving else None

    def status(self, backend_id: str) -> BackendStatus:
        """How one of them is; nothing is known of one that was removed meanwhile."""
        line = self._lines.get(backend_id)
        return line.status if line is not None else BackendStatus()

    def job_ids(self, backend_id: str) -> list[UUID]:
        """The jobs that have a prompt there."""
        line = self._lines.get(backend_id)
        return line.job_ids if line else []

    def view(self, backend_id: str) -> BackendView | None:
        """One backend for the wire."""
        info = self.info(backend_id)
        if info is None:
            return None
        return backend_view(
            info,
            self.status(backend_id),
            running_jobs=self._running(backend_id),
            prompts=len(self.job_ids(backend_id)),
            circuit=self._circuit(backend_id),
        )

    def views(self) -> list[BackendView]:
        """Every backend for the wire."""
        return [view for each in self.infos() if (view := self.view(each.id)) is not None]

    def _add(self, info: BackendInfo) -> Line:
        kept = self._kept.get(info.id)
        catalog = kept.catalog if kept is not None and kept.url == info.url else None
        line = Line(info, factory=self._factory, catalog=catalog, on_change=self._heard)
        self._lines[info.id] = line
        return line

    def _tend(self, line: Line) -> None:
        if self._group is not None:
            self._group.create_task(self._tend_one(line), name=f"backend {line.info.id}")

    async def _tend_one(self, line: Line) -> None:
        await line.tend()
        if self._lines.get(line.info.id) is line:
            del self._lines[line.info.id]
            self._bus.publish(BackendRemoved(backend_id=line.info.id))

    def _heard(self, line: Line) -> None:
        if self._lines.get(line.info.id) is not line:
            return
        self._note_catalog(line)
        if not line.leaving:
            self._bus.publish(BackendChanged(info=line.info, status=line.status))

    def _note_catalog(self, line: Line) -> None:
        """Have what it can do written down, if that is news."""
        info, catalog = line.info, line.status.catalog
        # The demo engine has another address each time, and the cloud's models are our own list.
        if catalog is None or info.kind != "comfyui":
            return
        kept = self._kept.get(info.id)
        if kept is not None and kept.url == info.url and kept.catalog.tells_the_same(catalog):
            return
        self._kept[info.id] = self._unkept[info.id] = KeptCatalog(url=info.url, catalog=catalog)
        self._to_keep.set()

    async def _keep_catalogs(self) -> None:
        while True:
            await self._to_keep.wait()
            self._to_keep.clear()
            unkept, self._unkept = self._unkept, {}
            for backend_id, kept in unkept.items():
                if backend_id not in self._lines or self._lines[backend_id].leaving:
                    continue
                try:
                    await self._store.keep_catalog(backend_id, kept, at=self._clock.now())
                except StorageError as exc:
                    self._kept.pop(backend_id, None)  # tried again when it is read again
                    log.warning("What '%s' can do could not be kept: %s", backend_id, exc)
