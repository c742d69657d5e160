"""The one page of the app: a frame that stays, and a page area that changes."""

from collections.abc import Callable
from functools import partial

from nicegui import ui

from app.services import Services
from components import (
    backend_settings,
    builder_bar,
    contact_sheet,
    ledger_book,
    live_preview,
    notify,
    queue_board,
    recent_results,
    services_strip,
    theme,
    workflow_graph,
    workflow_library,
    workflow_panel,
)
from components import generation_form as form
from components.diagnostics import SHEETS as DIAGNOSTICS_SHEETS
from components.frame import Frame, choose_language
from components.image_grid import SHEETS
from components.scope import AppPages
from pages import builder, canvas, dashboard, diagnostics, ledger, settings

SHORTCUTS = (
    ("?", "Show this list"),
    ("G D", "Go to the dashboard"),
    ("G C", "Go to the canvas"),
    ("G B", "Go to the builder"),
    ("G S", "Go to the settings"),
    ("G I", "Go to the diagnostics"),
    ("Ctrl Z", "Undo, while the message shows"),
    ("Esc", "Close"),
)


def build_root(services: Services) -> Callable[[], None]:
    """The builder of the page, for `ui.run_with(api, root=…)`."""
    theme.install(
        form.SHEET,
        queue_board.SHEET,
        contact_sheet.SHEET,
        live_preview.SHEET,
        recent_results.SHEET,
        dashboard.SHEET,
        services_strip.SHEET,
        backend_settings.SHEET,
        ledger_book.SHEET,
        *workflow_graph.SHEETS,
        workflow_library.SHEET,
        workflow_panel.SHEET,
        builder_bar.SHEET,
        builder.SHEET,
        *DIAGNOSTICS_SHEETS,
        *SHEETS,
    )
    return partial(_root, services)


def _root(services: Services) -> None:
    client = ui.context.client
    choose_language(client.request.headers.get("accept-language", ""))
    client.on_exception(notify.show_error)
    shortcuts = {
        "Everywhere": SHORTCUTS,
        "Dashboard": dashboard.SHORTCUTS,
        "Canvas": canvas.SHORTCUTS,
        "Builder": builder.SHORTCUTS,
    }
    with Frame(services, shortcuts=shortcuts).build():
        AppPages(
            {
                "/": dashboard.dashboard,
                "/jobs/{job_id}": dashboard.dashboard,
                "/canvas": canvas.canvas,
                "/canvas/{image_id}": canvas.canvas,
                "/builder": builder.library,
                "/builder/{workflow_id}": builder.workflow,
                "/diagnostics": diagnostics.diagnostics,
                "/settings": settings.settings_page,
                "/ledger": ledger.ledger,
            },
            data={"services": services},
        )
