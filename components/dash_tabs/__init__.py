"""On a phone the dashboard shows one part at a time: create, queue or results."""

from nicegui import ui

from components import modules as _modules  # noqa: F401  (registers what dash_tabs.js imports)
from components.i18n import Message, texts

TEXTS: tuple[Message, ...] = ("Create", "Queue", "Results", "Parts of the dashboard")


class DashTabs(ui.element, component="dash_tabs.js"):
    """The tabs; which one is open is the browser's business."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = texts(*TEXTS)
