"""Now running: the picture as it sharpens, where the run is, and how long it still takes."""

from pathlib import Path
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import OrchestratorError
from app.jobs import JobService
from components import modules as _modules  # noqa: F401  (registers what live_preview.js imports)
from components import notify
from components.i18n import Message, texts

SHEET = Path(__file__).with_name("live_preview.css")
TEXTS: tuple[Message, ...] = (
    "Now running", "Latest result", "Running jobs", "Open", "Waiting for the first preview",
    "step {step}", "Demo — no AI model", "Earlier steps", "phase {phase} of {phases}", "Progress",
    "Cancelling", "Cancel", "Make the first picture", "Describe a picture", "Done",
    "Say what you want to see and press Generate. The picture sharpens here step by step.",
    "Starting on {name}", "Running", "{time} elapsed", "{time} left",
    "Full screen (F)", "Leave full screen (F)",
)  # fmt: skip


class LivePreview(ui.element, component="live_preview.js"):
    """The large preview; the page's job feed brings it the jobs."""

    def __init__(self, jobs: JobService, *, backends: dict[str, str]) -> None:
        """`backends` are the names to show by id."""
        super().__init__()
        self._jobs = jobs
        self._props["texts"] = texts(*TEXTS)
        self._props["backends"] = backends
        self.on("cancel", self._handle_cancel)

    async def _handle_cancel(self, event: GenericEventArguments) -> None:
        try:
            await self._jobs.cancel(UUID(event.args))
        except OrchestratorError as exc:
            notify.show_error(exc)
