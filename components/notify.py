"""What the app says back: one message at a time, at the bottom of the page."""

import logging
from collections.abc import Awaitable, Callable
from uuid import uuid4

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import OrchestratorError, StorageError
from components import modules as _modules  # noqa: F401  (registers what toast.js imports)
from components.i18n import say, texts, tr

log = logging.getLogger(__name__)

TEXTS = ("Undo", "Close", "Messages")

Undo = Callable[[], Awaitable[object]]


class Toast(ui.element, component="toast.js"):
    """The place of the messages; the shell has one in every page."""

    def __init__(self) -> None:
        super().__init__()
        self._undo: tuple[str, Undo] | None = None
        self._props["texts"] = texts(*TEXTS)
        self.on("undo", self._handle_undo)

    def show(self, text: str, *, kind: str, undo: Undo | None = None) -> None:
        """Show the message, in the place of the one before."""
        number = uuid4().hex
        self._undo = (number, undo) if undo else None
        self.run_method(
            "show", {"id": number, "kind": kind, "text": text, "undo": undo is not None}
        )

    async def _handle_undo(self, event: GenericEventArguments) -> None:
        if self._undo is None or self._undo[0] != event.args:
            return
        undo, self._undo = self._undo[1], None
        try:
            await undo()
        except OrchestratorError as exc:
            show_error(exc)


def show_done(text: str) -> None:
    """Confirm what just happened."""
    _toast().show(text, kind="done")


def show_undo(text: str, undo: Undo) -> None:
    """Say what just happened and offer to take it back for a while."""
    _toast().show(text, kind="done", undo=undo)


def show_error(error: Exception) -> None:
    """Say what went wrong and what to do; stays until closed.

    An error that is not ours is logged, and the message only says where to look.
    """
    if isinstance(error, OrchestratorError):
        text = f"{say(error.message)} {say(error.fix)}".strip()
    else:
        number = uuid4().hex[:8]
        log.error("Unexpected error in a page (%s)", number, exc_info=error)
        text = tr("Something went wrong. The reason is in the log as {number}.", number=number)
    _toast().show(text, kind="error")


def show_change(
    problem: StorageError | None, *, before: StorageError | None
) -> StorageError | None:
    """Say once that what is drawn cannot be kept, and once that it can again; the problem now."""
    if problem is not None and before is None:
        show_error(problem)
    elif problem is None and before is not None:
        show_done(tr("What you draw is kept again"))
    return problem


def _toast() -> Toast:
    elements = ui.context.client.elements.values()
    return next(element for element in elements if isinstance(element, Toast))
