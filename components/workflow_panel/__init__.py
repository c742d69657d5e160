"""What is to say and to set about a workflow, beside its graph: node, form, needs, versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.dependencies import register_esm

from components import modules as _modules  # noqa: F401  (registers what the modules import)
from components.i18n import Message, texts

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
SHEET = _HERE / "workflow_panel.css"
TEXTS: tuple[Message, ...] = (
    "About the workflow", "Active", "Add a machine", "Alt ↑ and Alt ↓ move it", "API JSON",
    "A picture with the workflow in it", "All the usual ones are in the form.", "Backends",
    "Bypassed", "Can run on", "Category", "Choices, one a line; none: what the backends offer",
    "Class", "Colour", "ComfyUI file", "Compare", "Compare with now", "Download",
    "End comparison", "Error", "Fields of the form",
    "Form", "Comes from", "Help", "How artists see it",
    "In a run", "It has everything.", "Its widget is gone", "Label", "Max", "Min", "Models",
    "Muted", "Name for programs", "Needs", "No backend is known yet.",
    "No backend is set up yet.", "No colour", "Node", "Node classes", "Note", "Nothing differs.",
    "Nothing is saved yet. Each Save makes a version that never changes.",
    "Opens in ComfyUI with every node at its place", "Restore", "Section",
    "Select a node to see what it is and what it needs.", "Show node",
    "Shown in the form: {name}", "Something is missing", "Step", "Suggest fields",
    "The server did not answer. Is it still running?",
    "Tick the dot of a widget in the graph, or let the usual ones be found.",
    "Ticked widgets become fields on the Dashboard. Drag to order.", "Title", "To", "Type",
    "Use this", "Versions", "Warning", "What is sent to a server", "What the file holds",
    "as it is now", "as it is now, not saved", "choice",
    "does not have it", "field settings", "has it", "hidden", "long text", "lost", "nowhere",
    "number", "on or off", "picture", "seed", "sound", "text", "version {n}", "video",
    "whole number",
    "{low} to {high}", ("{n} backends", "{n} backends"),
    ("{n} nodes selected", "{n} nodes selected"),
)  # fmt: skip

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-panel",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)


class WorkflowPanel(ui.element, component="workflow_panel.js"):
    """The panel; what is put inside `with` is the live preview of the form.

    Tells `op` (`{path, op}`), `pick` (`{node, input, value}`), `show` (a node's path), `suggest`
    (the name of one, "" for all), `compare` (`{old, new}`, 0 is the draft; or None),
    `restore` (a number) and `tab`.
    """

    def __init__(self, *, workflow: str) -> None:
        super().__init__()
        self._props["texts"] = texts(*TEXTS)
        self._props["workflow"] = workflow

    def send(self, part: Mapping[str, Any]) -> None:
        """Show what is in it; what it does not name stays."""
        self.run_method("apply", dict(part))

    def open(self, tab: str) -> None:
        """Turn to a tab: `node`, `form`, `needs` or `versions`."""
        self.run_method("open", tab)
