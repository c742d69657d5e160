"""All pictures of a group on one sheet, live: a JavaScript module that the queue board opens."""

from pathlib import Path

from nicegui.dependencies import register_esm

from components.i18n import Message

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
SHEET = _HERE / "contact_sheet.css"
TEXTS: tuple[Message, ...] = (
    "Contact sheet", "Contact sheet (C)", "Close (Esc)", "Cancel the rest", "Retry failed",
    "Held", "Waiting", "Running", "Done", "Failed", "Cancelled", "Cancelling",
    "{done} of {total}", "seed {seed}", "Progress", "Retry (R)", "Cancel (Del)", "sent ahead",
    "Pictures of the group",
    ("{n} failed", "{n} failed"),
)  # fmt: skip

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-sheet",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)
