"""A moment as the clock of the browser has it; the server's clock may be elsewhere."""

from datetime import datetime

from nicegui import ui

from components import modules as _modules  # noqa: F401  (registers what local_time.js imports)


class LocalTime(ui.element, component="local_time.js"):
    """Shows `words` with the moment, by day and minute, in the place of `{time}`."""

    def __init__(self, at: datetime, *, words: str) -> None:
        super().__init__()
        self._props["at"] = at.isoformat()
        self._props["words"] = words
