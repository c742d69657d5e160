"""The list of backends, as they change."""

from typing import Any

from nicegui import ui

from app.events import BackendChanged, BackendRemoved, Event, QuarantineChanged
from app.models import DEMO
from app.services import Services
from app.views import BackendView
from components import modules as _modules  # noqa: F401  (registers what backend_list.js imports)
from components.backend_state import state_of
from components.feed import Batch, ClientFeed
from components.i18n import Message, say, texts, tr

TEXTS: tuple[Message, ...] = (
    "Name", "Address", "Kind", "Slots", "Tags", "State", "Backends", "built in", "Add a machine",
    "No machine yet. Add the first one.",
    "Any computer on your network that runs ComfyUI will do; nothing is installed on it.",
    "defined by the configuration", "Demo engine", "Black Forest Labs",
    "Connected", "Offline", "Connecting…", "Switched off", "Resting", "Trying again", "Dry run",
)  # fmt: skip


class BackendList(ui.element, component="backend_list.js"):
    """A row for every backend; emits `edit` with the id of one, and `add`."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self.selected: str | None = None
        self._props["texts"] = texts(*TEXTS)
        self._feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=_fold,
            send=lambda _: self._show(),
        )

    async def run(self) -> None:
        """Keep the rows right until cancelled."""
        await self._feed.run()

    def select(self, backend_id: str | None) -> None:
        """Mark the row whose form is open."""
        self.selected = backend_id
        self._show()

    def focus(self, backend_id: str | None) -> None:
        """Give the focus to the row of one, or to the button that adds one."""
        self.run_method("focus", backend_id)

    async def _snapshot(self) -> None:
        self._show()

    def _show(self) -> None:
        rows = [self._row(view) for view in self._services.fleet.views()]
        self.run_method("snapshot", rows, self.selected)

    def _row(self, view: BackendView) -> dict[str, Any]:
        return {
            "id": view.id,
            "name": tr("Demo engine") if view.id == DEMO else view.name,
            "kind": view.kind,
            "url": view.url,
            "version": view.comfy_version,
            "slots": view.max_concurrent_jobs,
            "tags": [*view.tags, *view.capabilities],
            "origin": view.origin,
            "state": state_of(view, self._services),
            "error": say(view.last_error or "") if view.enabled else "",
        }


def _fold(event: Event, batch: Batch) -> None:
    if isinstance(event, BackendChanged | BackendRemoved | QuarantineChanged):
        batch["backends"] = {"changed": {}}
