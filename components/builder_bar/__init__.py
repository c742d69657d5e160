"""The lines over and under the graph of the builder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nicegui import ui

from components import generation_form as _form  # noqa: F401  (how pictures are given)
from components import modules as _modules  # noqa: F401  (registers what the scripts import)
from components import workflow_library as _library  # noqa: F401  (how files are brought in)
from components.i18n import Message, texts

SHEET = Path(__file__).with_name("builder_bar.css")
TEXTS: tuple[Message, ...] = (
    "All outputs", "All workflows", "Auto-layout (L)", "Backend", "Cancel", "Checking…", "Mute (M)",
    "Name of the workflow", "Pasted workflow", "Prompt to try it with", "Redo (Ctrl Shift Z)",
    "Run", "Run for", "Save", "Save (Ctrl S)", "Save a version", "Save version {n}", "Show node",
    "Show or hide the panel", "Stop test",
    "It is too large. Use a picture of up to 64 megapixels and 50 MB.",
    "Test run", "Test run (Ctrl ↵)", "The file is larger than 50 MB.",
    "The server did not answer. Is it still running?", "There is no workflow in this file.",
    "This is no picture that can be read.", "Undo (Ctrl Z)", "Valid", "Validate",
    "Versions never change. The Dashboard and programs use the newest one.",
    "What is new in it (optional)", "never saved", "unsaved", "version {n}",
    ("{n} error", "{n} errors"), ("{n} link", "{n} links"), ("{n} node", "{n} nodes"),
    ("{n} selected", "{n} selected"), ("{n} warning", "{n} warnings"),
)  # fmt: skip


class BuilderBar(ui.element, component="builder_bar.js"):
    """The bar over the graph.

    Tells `rename` (a name), `undo`, `redo`, `command` (for the graph), `validate`, `save` (a note),
    `test` (`{backend, prompt, output}`), `stop`, `versions` and `narrow` (whether the window
    is too small to draw in). A file that is dropped or pasted becomes a workflow of its own: `open`
    (`{id, name, report}`), `picture` (`{name, point}`: one that holds no workflow, as an input, and
    where in the window it was dropped, if it was), or `failed` (a sentence).
    """

    def __init__(self, start: Mapping[str, Any]) -> None:
        """`start` is what to show at once, as `send` takes it."""
        super().__init__()
        self._props["texts"] = texts(*TEXTS)
        self._props["start"] = dict(start)

    def send(self, part: Mapping[str, Any]) -> None:
        """Show what is in it; what it does not name stays."""
        self.run_method("apply", dict(part))

    def ask(self, what: str) -> None:
        """Open the dialog for `save` or `test`."""
        self.run_method("ask", what)


class BuilderStatus(ui.element, component="builder_status.js"):
    """The line under the graph; tells `show` (a node's path) and `needs`."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = texts(*TEXTS)

    def send(self, part: Mapping[str, Any]) -> None:
        """Show what is in it; what it does not name stays."""
        self.run_method("apply", dict(part))
