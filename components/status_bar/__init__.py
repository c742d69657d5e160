"""Connection and queue, in the header of every page."""

from nicegui import ui

from app.events import Event, JobChanged, JobRemoved, QueuePaused
from app.services import Services
from app.views import to_json
from components import modules as _modules  # noqa: F401  (registers what status_bar.js imports)
from components.feed import Batch, ClientFeed
from components.i18n import Message, texts

TEXTS: tuple[Message, ...] = (
    "Queue", "Live", "Reconnecting…", "Paused", "Idle",
    ("{n} running", "{n} running"), ("{n} waiting", "{n} waiting"),
)  # fmt: skip


class StatusBar(ui.element, component="status_bar.js"):
    """The connection dot and the queue pill; emits `help` when `?` is pressed."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._jobs = services.jobs
        self._props["texts"] = texts(*TEXTS)
        self._feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=self._fold,
            send=lambda _: self._show(),
        )

    async def run(self) -> None:
        """Keep the figures right until cancelled."""
        await self._feed.run()

    async def _snapshot(self) -> None:
        self._show()

    def _show(self) -> None:
        self.run_method("snapshot", to_json(self._jobs.queue()))

    def _fold(self, event: Event, batch: Batch) -> None:
        if isinstance(event, JobChanged | JobRemoved | QueuePaused):
            batch["queue"] = {"changed": True}
