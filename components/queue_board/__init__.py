"""The queue board: every job with what it does, why it waits, and what can be done with it."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import ConflictError, NotFoundError, OrchestratorError
from app.jobs import JobService
from app.models import Job, JobState
from app.paid import Budget
from app.ports import JobFilter
from components import modules as _modules  # noqa: F401  (registers what queue_board.js imports)
from components import notify
from components.contact_sheet import TEXTS as SHEET_TEXTS
from components.generation_form.payment import agreed
from components.i18n import Message, say, texts, trn
from components.job_feed import job_data

log = logging.getLogger(__name__)

SHEET = Path(__file__).with_name("queue_board.css")
_PAGE = 200
TEXTS: tuple[Message, ...] = (
    "Queue", "empty", "Pause", "Resume", "Filter", "More", "Cancel all waiting", "Clear finished",
    "Retry all failed", "Select jobs", "Select all", "Select (Space)", "Remove", "Cancel",
    "Clear the selection (Esc)", "Words in the prompt", "State", "Backend", "All backends",
    "Cancel the rest (Del)", "Retry failed and cancelled (R)", "Copy link", "Link copied",
    "Deleted workflow", "Log (L)", "{name}, version {n}", "Open the workflow",
    "Remove from the list (Del)", "Run (↵)", "Notify me when a long job ends",
    "Get a notification when a job like this ends?", "Yes", "No",
    "The browser does not allow notifications from this page.",
    "Paused. What runs goes on; nothing new starts.", "Nothing waits", "No job matches the filter",
    "Press Ctrl ↵ in the prompt to add a job.", "Show all", "Running", "Waiting", "Held",
    "Finished", "Drag to reorder", "Clear", "{done} of {total}", "All", "Done", "Failed",
    "Cancelled", "Queued", "Cancelling", "Progress", "Retry", "Log", "in {time}", "{time} left",
    "{n} s", "at step {step} of {steps}", "seed {seed}", "Cancel (Del)",
    "Move up (Alt ↑)", "Move down (Alt ↓)", "Retry (R)", "View result (↵)",
    "The log could not be read.", "Run elsewhere", "Sent ahead to {name}",
    ("{n} running", "{n} running"), ("{n} waiting", "{n} waiting"),
    ("and {n} more", "and {n} more"), ("{n} step", "{n} steps"), ("{n} selected", "{n} selected"),
)  # fmt: skip


class QueueBoard(ui.element, component="queue_board.js"):
    """The board; the page's job feed brings it the jobs."""

    def __init__(
        self,
        jobs: JobService,
        *,
        budget: Budget,
        backends: dict[str, str],
        expanded: UUID | None = None,
    ) -> None:
        """`backends` are the names to show by id; `expanded` is a card to open and scroll to."""
        super().__init__()
        self._jobs = jobs
        self._budget = budget
        self._props["texts"] = texts(*TEXTS, *SHEET_TEXTS)
        self._props["backends"] = backends
        self._props["expanded"] = str(expanded) if expanded else None
        self.on("action", self._handle_action)

    async def _handle_action(self, event: GenericEventArguments) -> None:
        try:
            await self._act(**event.args)
        except OrchestratorError as exc:
            notify.show_error(exc)

    async def _act(
        self, verb: str, id: str | None = None, ids: Sequence[str] = (), **target: Any
    ) -> None:
        jobs = self._jobs
        match verb:
            case "pause":
                await jobs.pause()
            case "resume":
                await jobs.resume()
            case "clear":
                self._say_cleared(await jobs.clear_finished())
            case "move":
                before, after = (target.get(side) for side in ("before", "after"))
                await jobs.move(
                    UUID(id),
                    before=UUID(before) if before else None,
                    after=UUID(after) if after else None,
                )
            case "remove":
                await jobs.remove(UUID(id))
                self._say_cleared([UUID(id)])
            case "elsewhere":
                await jobs.run_elsewhere(UUID(id))
            case "sheet":
                await self._fill_sheet(UUID(id))
            case "run" | "cancel":
                await getattr(jobs, verb)(UUID(id))
            case "retry":
                await self._retry_one(UUID(id))
            case "cancel_waiting":
                await self._cancel([job.id for job in await self._all(JobState.QUEUED)])
            case "retry_failed":
                await self._retry([job.id for job in await self._all(JobState.FAILED)])
            case "cancel_many" | "retry_many" | "remove_many":
                many = {"cancel": self._cancel, "retry": self._retry, "remove": self._remove}
                await many[verb.removesuffix("_many")]([UUID(each) for each in ids])
            case _:
                log.warning("The queue board sent an unknown action: %r", verb)

    async def _fill_sheet(self, group_id: UUID) -> None:
        views = await self._jobs.group(group_id, say=say)
        self.run_method("fillSheet", str(group_id), [job_data(view) for view in views])

    async def _cancel(self, job_ids: Sequence[UUID]) -> None:
        open_ones: list[Job] = []
        for job_id in job_ids:
            with suppress(NotFoundError):  # removed meanwhile
                job = await self._jobs.get(job_id)
                open_ones += [] if job.state.is_terminal else [job]
        n = await self._jobs.cancel_many([job.id for job in open_ones])
        text = trn("{n} job cancelled", "{n} jobs cancelled", n)
        # Only waiting jobs are as they were when they are queued again; work done is lost.
        if n and all(job.state is JobState.QUEUED for job in open_ones):
            order = sorted(open_ones, key=lambda job: (-job.priority, job.rank))
            notify.show_undo(text, lambda: self._jobs.retry_many([job.id for job in order]))
        else:
            notify.show_done(text)

    async def _retry_one(self, job_id: UUID) -> None:
        offer = await self._jobs.price_of_retry(job_id)
        if offer is None or not offer.is_allowed:  # if it is not, the refusal says how it would be
            await self._jobs.retry(job_id)
        elif await agreed(offer, self._budget):
            await self._jobs.retry(job_id, confirmed=True)

    async def _retry(self, job_ids: Sequence[UUID]) -> None:
        paid = [job_id for job_id in job_ids if await self._has_price(job_id)]
        n = await self._jobs.retry_many(job_ids)
        text = trn("{n} job queued again", "{n} jobs queued again", n)
        if paid:
            left_out = trn(
                "{n} paid job was left out: its own Retry names the price.",
                "{n} paid jobs were left out: the Retry of each names the price.",
                len(paid),
            )
            text = f"{text}. {left_out}" if n else left_out
        notify.show_done(text)

    async def _has_price(self, job_id: UUID) -> bool:
        try:
            return await self._jobs.price_of_retry(job_id) is not None
        except OrchestratorError:  # gone, or of a model that is gone: it is left out in any case
            return False

    async def _remove(self, job_ids: Sequence[UUID]) -> None:
        removed: list[UUID] = []
        for job_id in job_ids:
            with suppress(ConflictError, NotFoundError):  # not finished, or gone already
                await self._jobs.remove(job_id)
                removed.append(job_id)
        self._say_cleared(removed)

    def _say_cleared(self, job_ids: Sequence[UUID]) -> None:
        text = trn("{n} job cleared", "{n} jobs cleared", len(job_ids))
        if job_ids:
            notify.show_undo(text, lambda: self._jobs.restore(job_ids))
        else:
            notify.show_done(text)

    async def _all(self, state: JobState) -> list[Job]:
        found: list[Job] = []
        cursor: int | None = None
        while True:
            page = await self._jobs.page(
                JobFilter(states=frozenset({state})), limit=_PAGE, cursor=cursor
            )
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found[::-1]  # oldest first, as they were asked for
