"""Backends in Settings: the list with its states, and the form that adds and changes one."""

from pathlib import Path

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.services import Services
from components.backend_settings.backend_list import BackendList
from components.backend_settings.form import BackendForm
from components.i18n import tr
from components.theme import icon

SHEET = Path(__file__).with_name("backend_settings.css")


class BackendSettings:
    """Builds the section; `run` keeps the list right."""

    def __init__(self, services: Services) -> None:
        self._services = services
        with ui.element("div").classes("o-set-head"):
            with ui.element("div").classes("o-grow"):
                with ui.element("h1").classes("o-h1"):
                    ui.label(tr("Backends"))
                with ui.element("p").classes("o-sec"):
                    ui.label(
                        tr(
                            "Machines and clouds that make pictures. "
                            "Changes apply at once; running jobs finish where they are."
                        )
                    )
            add = ui.element("button").classes("o-btn o-btn-primary")
            add.props("type=button data-testid=backend-add").on("click", self.add)
            with add:
                icon("plus", classes="o-i-s")
                ui.label(tr("Add a machine"))
        self._list = BackendList(services)
        self._list.on("add", self.add).on("edit", self._edit)
        self._place = ui.element("div").classes("o-set-form-place")

    async def run(self) -> None:
        """Follow what happens to the backends until cancelled."""
        await self._list.run()

    def edit(self, backend_id: str) -> None:
        """Open the form of one, if there is one."""
        info = self._services.fleet.info(backend_id)
        self._close()
        if info is not None:
            self._list.select(backend_id)
            with self._place:
                BackendForm(self._services, info=info, on_saved=self._saved, on_closed=self._leave)

    def _edit(self, event: GenericEventArguments) -> None:
        self.edit(str(event.args))

    def add(self) -> None:
        """Open an empty form."""
        self._close()
        with self._place:
            form = BackendForm(
                self._services, info=None, on_saved=self._saved, on_closed=self._leave
            )
        form.focus()

    def _saved(self, backend_id: str) -> None:
        self.edit(backend_id)
        self._list.focus(backend_id)

    def _leave(self) -> None:
        opened = self._list.selected
        self._close()
        self._list.focus(opened)

    def _close(self) -> None:
        self._list.select(None)
        self._place.clear()
