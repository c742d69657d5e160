"""The jobs, live, for the components of a page that show some of them."""

from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import NotFoundError
from app.events import (
    Event,
    JobChanged,
    JobProgressed,
    JobReasonsChanged,
    JobRemoved,
    QueuePaused,
)
from app.models import JobState
from app.services import Services
from app.views import JobView, ProgressView, to_json
from components import modules as _modules  # noqa: F401  (registers what job_feed.js imports)
from components.feed import Batch, ClientFeed
from components.i18n import Message, say, texts

MAX_WAITING = 200
"""How many waiting jobs a page is told of; the others are only counted."""
MAX_FINISHED = 50
MAX_PROMPT = 1000  # characters of a prompt that a card may need
TEXTS: tuple[Message, ...] = (
    "Held", "Waiting", "Running", "Done", "Failed", "Cancelled", "{n} % done", "Queue paused",
    "Queue resumed", ("and {n} more", "and {n} more"),
)  # fmt: skip


class JobFeed(ui.element, component="job_feed.js"):
    """Brings the jobs to the browser, where the components of the page share them."""

    def __init__(self, services: Services, *, also: UUID | None = None) -> None:
        """`also` is a job to bring even if it finished long ago."""
        super().__init__()
        self._services = services
        self._also = also
        self._props["texts"] = texts(*TEXTS)
        self._props["kept"] = str(also) if also else None
        self.feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=self._fold,
            send=self._send,
        )
        self.on("visible", self._handle_visible)
        self.on("refill", self.feed.refresh)

    async def run(self) -> None:
        """Feed the page until cancelled."""
        await self.feed.run()

    def _handle_visible(self, event: GenericEventArguments) -> None:
        self.feed.visible = bool(event.args)

    async def _snapshot(self) -> None:
        board = await self._services.jobs.board(finished=MAX_FINISHED, say=say)
        waiting = [job for job in board.jobs if job.status is JobState.QUEUED]
        dropped = {job.id for job in waiting[MAX_WAITING:]}
        jobs = [job for job in board.jobs if job.id not in dropped]
        if self._also is not None and all(job.id != self._also for job in jobs):
            jobs += await self._read_also(self._also)
        self.run_method(
            "snapshot",
            {
                "jobs": [job_data(job) for job in jobs],
                "queue": to_json(board.queue),
                "moreFinished": board.has_more,
            },
        )

    async def _read_also(self, job_id: UUID) -> list[JobView]:
        try:
            return [await self._services.jobs.detail(job_id, say=say)]
        except NotFoundError:  # the page says so; without it the board is as good as any
            return []

    def _send(self, batch: Batch) -> None:
        if "figures" in batch:
            batch["figures"]["queue"] = to_json(self._services.jobs.queue())
        self.run_method("apply", batch)

    def _fold(self, event: Event, batch: Batch) -> None:
        match event:
            case JobChanged():
                view = self._services.jobs.view(event.job, event.images, say=say)
                _merge(batch, str(event.job.id), job_data(view))
                batch.setdefault("figures", {})
            case JobProgressed():
                progress = to_json(ProgressView.of(event.progress))
                patch = {"progress": progress, "previewRev": event.preview_rev}
                _merge(batch, str(event.job_id), patch)
            case JobReasonsChanged():
                for job_id, reason in event.reasons.items():
                    _merge(batch, str(job_id), {"reason": reason and say(reason)})
            case JobRemoved():
                batch.setdefault("jobs", {})[str(event.job_id)] = {"removed": True}
            case QueuePaused():
                batch.setdefault("figures", {})
            case _:
                pass


def job_data(view: JobView) -> dict[str, Any]:
    """A job as the components of a page need it."""
    data = to_json(view)
    del data["negativePrompt"], data["logs"]
    if len(view.prompt) > MAX_PROMPT:
        data["prompt"] = view.prompt[:MAX_PROMPT] + "…"
    return data


def _merge(batch: Batch, job_id: str, patch: dict[str, Any]) -> None:
    jobs = batch.setdefault("jobs", {})
    jobs[job_id] = {**jobs.get(job_id, {}), **patch}
