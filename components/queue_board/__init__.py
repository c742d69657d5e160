"""The queue board: every job with what it does, why it waits, and what can be done with it."""

import logging
from pathlib import Path
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import OrchestratorError
from app.jobs import JobService
from components import modules as _modules  # noqa: F401  (registers what queue_board.js imports)
from components import notify
from components.i18n import Message, texts, trn

log = logging.getLogger(__name__)

SHEET = Path(__file__).with_name("queue_board.css")
TEXTS: tuple[Message, ...] = (
    "Queue", "empty", "Pause", "Resume", "Filter", "More", "Cancel all waiting", "Clear finished",
    "Paused. What runs goes on; nothing new starts.", "Nothing waits", "No job matches the filter",
    "Press Ctrl ↵ in the prompt to add a job.", "Show all", "Running", "Waiting", "Held",
    "Finished", "Drag to reorder", "Clear", "{done} of {total}", "All", "Done", "Failed",
    "Cancelled", "Queued", "Cancelling", "Progress", "Retry", "Log", "in {time}", "{time} left",
    "{n} s", "at step {step} of {steps}", "seed {seed}", "Run", "Cancel (Del)",
    "Remove from the list", "Move up (Alt ↑)", "Move down (Alt ↓)", "Retry (R)", "View result (↵)",
    "The log could not be read.",
    ("{n} running", "{n} running"), ("{n} waiting", "{n} waiting"),
    ("and {n} more", "and {n} more"), ("{n} step", "{n} steps"),
)  # fmt: skip


class QueueBoard(ui.element, component="queue_board.js"):
    """The board; the page's job feed brings it the jobs."""

    def __init__(
        self, jobs: JobService, *, backends: dict[str, str], expanded: UUID | None = None
    ) -> None:
        """`backends` are the names to show by id; `expanded` is a card to open and scroll to."""
        super().__init__()
        self._jobs = jobs
        self._props["texts"] = texts(*TEXTS)
        self._props["backends"] = backends
        self._props["expanded"] = str(expanded) if expanded else None
        self.on("action", self._handle_action)

    async def _handle_action(self, event: GenericEventArguments) -> None:
        try:
            await self._act(**event.args)
        except OrchestratorError as exc:
            notify.show_error(exc)

    async def _act(self, verb: str, id: str | None, **target: Any) -> None:
        jobs = self._jobs
        match verb:
            case "pause":
                await jobs.pause()
            case "resume":
                await jobs.resume()
            case "clear":
                n = await jobs.clear_finished()
                notify.show_done(trn("{n} job cleared", "{n} jobs cleared", n))
            case "cancel_waiting":
                n = await jobs.cancel_waiting()
                notify.show_done(trn("{n} job cancelled", "{n} jobs cancelled", n))
            case "move":
                before, after = (target.get(side) for side in ("before", "after"))
                await jobs.move(
                    UUID(id),
                    before=UUID(before) if before else None,
                    after=UUID(after) if after else None,
                )
            case "run" | "cancel" | "retry" | "remove":
                await getattr(jobs, verb)(UUID(id))
            case _:
                log.warning("The queue board sent an unknown action: %r", verb)
