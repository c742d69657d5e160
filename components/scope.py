"""Page views that clean up after themselves, and the router that shows them.

NiceGUI ends subscriptions when the browser goes, not when it leaves a page; what a page starts
therefore belongs to its `Scope`. Both classes here build on private parts of NiceGUI, which is
why its version is pinned and why nothing else does.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from nicegui import background_tasks, ui
from nicegui.page_arguments import RouteMatch

from app.access import AccessService
from components.i18n import tr
from components.theme import icon

log = logging.getLogger(__name__)


class Scope(ui.element):
    """The outermost element of a page: what is started on it ends when the user leaves."""

    def __init__(self, *, classes: str = "o-page") -> None:
        super().__init__("div")
        self.classes(classes)
        self._endings: list[Callable[[], object]] = []

    def task(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run it beside the page, in the page's context, until it is done or the user leaves."""
        task = background_tasks.create(coroutine, name=name, context=self)
        self._endings.append(task.cancel)

    def _handle_delete(self) -> None:
        endings, self._endings = self._endings, []
        for end in endings:
            end()
        super()._handle_delete()


class AppPages(ui.sub_pages):
    """`ui.sub_pages` with pages of ours for what is not there and for what went wrong."""

    def _render_page(self, match: RouteMatch) -> bool:
        # "/" matches every path that nothing else does; its page must not even start then.
        if match.remaining_path:
            return False
        if not self._may_enter():
            ui.navigate.to("/login")
            return True
        return super()._render_page(match)

    def _may_enter(self) -> bool:
        # Moving between pages is no request, so the gate before the server never sees it.
        session_id = getattr(ui.context.client.request.state, "session_id", None)
        access: AccessService = self._data["services"].access
        return not access.required or session_id is None or access.is_open(session_id)

    def _render_404(self) -> None:
        ui.page_title(f"{tr('Not found')} – Orchestrator")
        _message(
            "search",
            title=tr("Nothing is here"),
            text=tr("There is no page at {path}.", path=self._router.current_path),
            testid="not-found",
        )

    def _render_error(self, _: Exception) -> None:
        number = uuid4().hex[:8]
        log.error("Page %s failed (%s)", self._router.current_path, number, exc_info=_)
        ui.page_title(f"{tr('Error')} – Orchestrator")
        _message(
            "fail",
            title=tr("This page could not be shown"),
            text=tr("The reason is in the log as {number}.", number=number),
            testid="page-error",
        )


def _message(name: str, *, title: str, text: str, testid: str) -> None:
    with ui.element("div").classes("o-empty").props(f"data-testid={testid}"):
        icon(name)
        with ui.element("h1").classes("o-h1"):
            ui.label(title)
        with ui.element("p"):
            ui.label(text)
        with ui.element("div").classes("o-acts"), ui.element("a").props("href=/").classes("o-btn"):
            ui.label(tr("Go to the dashboard"))
