"""Diagnostics: how every part is, what went wrong, and what to do about it."""

from nicegui import ui

from app.services import Services
from components.diagnostics import DiagnosticsBoard
from components.i18n import tr
from components.scope import Scope


def diagnostics(services: Services) -> None:
    """The page at `/diagnostics`; `#backend-{id}` opens that backend."""
    ui.page_title(f"{tr('Diagnostics')} – Orchestrator")
    with Scope(classes="o-page o-dg-page") as scope:
        with ui.element("h1").classes("o-vh"):
            ui.label(tr("Diagnostics"))
        board = DiagnosticsBoard(services)
    scope.task(board.run(), name="diagnostics feed")
