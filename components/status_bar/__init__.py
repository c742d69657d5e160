"""Connection and queue, in the header, the title and the icon of every page."""

from typing import Any
from uuid import UUID

from nicegui import ui

from app.events import Event, JobChanged, JobProgressed, JobRemoved, QueuePaused
from app.models import JobState
from app.ports import JobFilter
from app.services import Services
from app.views import to_json
from components import modules as _modules  # noqa: F401  (registers what status_bar.js imports)
from components.feed import Batch, ClientFeed
from components.i18n import Message, texts

LONG_S = 20
"""A job that ran longer is worth a desktop notification when it ends."""
_MAX_RUNNING = 100
TEXTS: tuple[Message, ...] = (
    "Queue", "Live", "Reconnecting…", "Paused", "Idle", "Done", "Failed",
    ("{n} running", "{n} running"), ("{n} waiting", "{n} waiting"),
)  # fmt: skip


class StatusBar(ui.element, component="status_bar.js"):
    """The connection dot and the queue pill; emits `help` when `?` is pressed."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._jobs = services.jobs
        self._running: set[UUID] = set()
        self._shown: dict[str, Any] = {}
        self._props["texts"] = texts(*TEXTS)
        self._feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=self._fold,
            send=self._send,
        )

    async def run(self) -> None:
        """Keep the figures right until cancelled."""
        await self._feed.run()

    async def _snapshot(self) -> None:
        running = JobFilter(states=frozenset({JobState.RUNNING}))
        page = await self._jobs.page(running, limit=_MAX_RUNNING)
        self._running = {job.id for job in page.items}
        self._shown = {}
        self._show()

    def _send(self, batch: Batch) -> None:
        self._show()
        if "ended" in batch:
            self.run_method("ended", list(batch["ended"].values()))

    def _show(self) -> None:
        # One that ended while the list was read has no progress any more.
        known = [found for job_id in self._running if (found := self._jobs.progress_of(job_id))]
        percent = int(100 * sum(each.fraction for each in known) / len(known)) if known else None
        shown = {**to_json(self._jobs.queue()), "percent": percent}
        if shown != self._shown:
            self._shown = shown
            self.run_method("snapshot", shown)

    def _fold(self, event: Event, batch: Batch) -> None:
        match event:
            case JobChanged() if event.job.state is JobState.RUNNING:
                self._running.add(event.job.id)
            case JobChanged():
                self._running.discard(event.job.id)
                self._fold_ending(event, batch)
            case JobProgressed() | JobRemoved() | QueuePaused():
                pass
            case _:
                return
        batch["queue"] = {"changed": True}

    def _fold_ending(self, event: JobChanged, batch: Batch) -> None:
        job = event.job
        if job.state not in (JobState.DONE, JobState.FAILED):
            return
        if job.started_at is None or job.finished_at is None:
            return
        if (job.finished_at - job.started_at).total_seconds() > LONG_S:
            picture = f"/api/images/{event.images[0].id}/thumbnail" if event.images else None
            batch.setdefault("ended", {})[str(job.id)] = {
                "id": str(job.id),
                "tag": str(job.group_id or job.id),
                "status": job.state.value,
                "prompt": job.request.prompt[:200],
                "picture": picture,
            }
