"""The backends at hand: which are there, how they are, and which of their slots are taken."""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from app.events import BackendChanged, EventBus
from app.models import BackendInfo, BackendStatus
from app.runs import Backend
from app.scheduling import Candidate
from app.views import BackendView, backend_view

log = logging.getLogger(__name__)


class Fleet:
    """Keeps every enabled backend connected, and counts slots."""

    def __init__(self, backends: Sequence[Backend], *, bus: EventBus) -> None:
        self._backends = {backend.info.id: backend for backend in backends}
        self._bus = bus
        self._running: dict[str, set[UUID]] = {backend_id: set() for backend_id in self._backends}

    async def serve(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for backend in self._backends.values():
                if backend.info.enabled:
                    group.create_task(self._serve_one(backend), name=f"backend {backend.info.id}")

    async def _serve_one(self, backend: Backend) -> None:
        def changed(status: BackendStatus) -> None:
            self._bus.publish(BackendChanged(info=backend.info, status=status))

        await backend.serve(changed)

    def get(self, backend_id: str) -> Backend | None:
        """The backend, if it is configured and enabled."""
        backend = self._backends.get(backend_id)
        return backend if backend is not None and backend.info.enabled else None

    def infos(self) -> list[BackendInfo]:
        """Every configured backend."""
        return [backend.info for backend in self._backends.values()]

    def info(self, backend_id: str | None) -> BackendInfo | None:
        """One of them."""
        backend = self._backends.get(backend_id or "")
        return backend.info if backend else None

    def status(self, backend_id: str) -> BackendStatus:
        """How one of them is."""
        return self._backends[backend_id].status

    def occupy(self, backend_id: str, job_id: UUID) -> None:
        """A job takes a slot, also on a backend that is no longer configured."""
        self._running.setdefault(backend_id, set()).add(job_id)

    def release(self, backend_id: str, job_id: UUID) -> None:
        """The job gives it back."""
        self._running.get(backend_id, set()).discard(job_id)

    def candidates(self) -> list[Candidate]:
        """Every enabled backend, as the scheduler wants to know it."""
        return [
            Candidate(
                info=backend.info,
                status=backend.status,
                free_slots=backend.info.max_concurrent_jobs - len(self._running[backend.info.id]),
            )
            for backend in self._backends.values()
            if backend.info.enabled
        ]

    def view(self, backend_id: str) -> BackendView | None:
        """One backend for the wire."""
        backend = self._backends.get(backend_id)
        if backend is None:
            return None
        running = sorted(self._running[backend_id])
        return backend_view(backend.info, backend.status, running_jobs=running)

    def views(self) -> list[BackendView]:
        """Every backend for the wire."""
        return [view for each in self._backends if (view := self.view(each)) is not None]
