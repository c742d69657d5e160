"""The canvas of the workflow builder: nodes, links and groups of one level, drawn by Vue Flow.

The server has the workflow. The component shows a view of one level, sends what people do as
operations (`app.drawing.editing.operations`), and takes patches (`app.draft_views`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.dependencies import register_esm, register_library

from app.drawing.searching import Found
from components import modules as _modules  # noqa: F401  (registers what the words come by)
from components.browser_libraries import REMEDY, Vendor
from components.i18n import texts, tr
from components.workflow_graph.words import EVERY

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
_VENDOR = Vendor()
_LIBRARIES = ("core", "background", "minimap")
IS_AVAILABLE = all(
    _VENDOR.file(f"@vue-flow/{name}", f"vue-flow-{name}.mjs").is_file() for name in _LIBRARIES
)
"""Whether the libraries the canvas is drawn with were fetched; `how_to_get` says how, if not."""

_OURS = [_HERE / name for name in ("workflow_graph.css", "widgets.css", "palette.css")]
_THEIRS = [_VENDOR.file(f"@vue-flow/{name}", "style.css") for name in ("core", "minimap")]
SHEETS: tuple[Path, ...] = tuple(sheet for sheet in (*_THEIRS, *_OURS) if sheet.is_file())
"""Its styles, for `components.theme.install`: nodes are measured, so these must come first."""

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-graph",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)
if IS_AVAILABLE:
    for name in _LIBRARIES:
        file = _VENDOR.file(f"@vue-flow/{name}", f"vue-flow-{name}.mjs")
        register_library(file, import_name=f"@vue-flow/{name}", max_time=file.stat().st_mtime)


def how_to_get() -> str:
    """What to do when the libraries of the canvas are missing, in the user's language."""
    return tr(
        "The canvas needs libraries that were not fetched when the app was set up. "
        "To get them, {remedy} Then start the app again.",
        remedy=REMEDY,
    )


class WorkflowGraph(ui.element, component="workflow_graph.js"):
    """The canvas of one workflow.

    It emits `ops` (`{seq, path, ops}`), `undo`, `redo`, `enter` (`{path}`), `select`
    (`{path, ids}`), `copy` (`{path, ids}`), `find` (`{text}`), `save`, `run` and `failed` (a
    sentence). What belongs to one level only is taken when that level is shown.
    """

    def __init__(self, *, readonly: bool = False) -> None:
        """`readonly`: to look at only, as on a phone."""
        super().__init__()
        self.classes("o-wg-root")
        self._props["texts"] = texts(*EVERY)
        self._props["readonly"] = readonly

    def send_view(self, view: Mapping[str, Any]) -> None:
        """Show a level from scratch."""
        self.run_method("setView", dict(view))

    def send_patch(self, patch: Mapping[str, Any]) -> None:
        """Change what is shown; an older revision than the one shown is ignored."""
        self.run_method("applyPatch", dict(patch))

    def send_refusal(self, refusal: Mapping[str, Any]) -> None:
        """Say that operations were refused (`{refused, message, fix}`); a view follows."""
        self.run_method("refuse", dict(refusal))

    def send_fragment(self, fragment: Mapping[str, Any]) -> None:
        """Answer `copy`."""
        self.run_method("takeFragment", dict(fragment))

    def send_findings(self, findings: Mapping[str, Any]) -> None:
        """What is wrong, by node path."""
        self.run_method("setFindings", dict(findings))

    def send_run(self, run: Mapping[str, Any] | None) -> None:
        """How the test run is doing, by node path; None when there is none to show."""
        self.run_method("setRun", dict(run) if run is not None else None)

    def send_marks(self, marks: Mapping[str, Sequence[str]] | None) -> None:
        """Mark node paths as `added`, `removed` or `changed`; None takes the marks away."""
        self.run_method("setMarks", dict(marks) if marks is not None else None)

    def refresh_nodes(self) -> None:
        """Read anew which node classes there are, because backends have changed."""
        self.run_method("refreshNodes")

    def send_found(self, found: Sequence[Found]) -> None:
        """Answer `find`: nodes, also of other levels."""
        told = [
            {
                "path": each.path,
                "title": each.title,
                "class": each.class_type,
                "where": each.where,
                "hint": each.hint,
            }
            for each in found
        ]
        self.run_method("setElsewhere", told)

    def show_node(self, path: str) -> None:
        """Go to a node, also into its subgraph, and select it."""
        self.run_method("showNode", path)

    def act(self, command: str) -> None:
        """Do what a key would: "layout", "mute", "fit", "group", "search", "help" and so on."""
        self.run_method("act", command)

    def add_picture(self, given: Mapping[str, Any]) -> None:
        """Add a node that loads a picture: the `name` of an input, and the `point` in the window
        where it was dropped, or None."""
        self.run_method("addPicture", dict(given))

    def set_readonly(self, readonly: bool) -> None:
        """Allow or forbid changes."""
        self.run_method("setReadonly", readonly)
