"""The library of the builder: what is kept, and every way to bring in another workflow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.dependencies import register_esm

from components import modules as _modules  # noqa: F401  (registers what the modules import)
from components.i18n import Message, texts

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
SHEET = _HERE / "workflow_library.css"
TEXTS: tuple[Message, ...] = (
    (
        "A workflow is a graph of nodes that ends in a picture. "
        "Start from one that works, or bring your own."
    ),
    "All categories", "All templates", "All workflows", "Backend", "Blank graph", "Cancel",
    "Category", "Changed last", "Delete", "Delete {name}", "Download",
    "Every node class is known.", "No known backend has: {names}", "Open in the builder", "paid",
    "Duplicate", "Duplicate {name}",
    "From a backend", "Import", "Import JSON or PNG", "Most versions", "Name", "Name or tag",
    "New", "No template matches.", "No workflow is kept there.", "No workflow matches.",
    "No workflows yet", "Order", "Pasted workflow", "Reading the workflow…", "Save", "Search",
    "Search the workflows", "Show all", "Start from {name}", "Tags", "Tags of {name}",
    "Tags, with commas between them", "Templates", "The file is larger than 50 MB.",
    "The server did not answer. Is it still running?", "Workflows",
    "You can also drop a picture made by ComfyUI here: its workflow is inside the PNG.",
    "unsaved", "{n} GB of models", ("{n} more", "{n} more"),
)  # fmt: skip

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-library",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)


class WorkflowLibrary(ui.element, component="workflow_library.js"):
    """The library; it imports over HTTP by itself.

    Tells `open` (`{id, report}`), `blank`, `duplicate` (an id), `tag` (`{id, tags}`), `remove` (an
    id) and `failed` (a sentence).
    """

    def __init__(
        self, *, backends: Sequence[Mapping[str, str]], featured: Sequence[Mapping[str, str]]
    ) -> None:
        """`backends` keep workflows of their own, each `{id, name}`; `featured` are templates to
        begin with, each `{name, title, about}`."""
        super().__init__()
        self.classes("o-lib-root")
        self._props["texts"] = texts(*TEXTS)
        self._props["backends"] = [dict(each) for each in backends]
        self._props["featured"] = [dict(each) for each in featured]

    def send(self, cards: Sequence[Mapping[str, Any]]) -> None:
        """Show these workflows, in the order they changed."""
        self.run_method("apply", {"loaded": True, "cards": [dict(each) for each in cards]})
