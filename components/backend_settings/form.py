"""The form of one backend: what it is called, where it is, and what was found there."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from nicegui import ui
from pydantic import ValidationError

from app.errors import ConflictError, InvalidRequestError, OrchestratorError
from app.machines import MAX_SLOTS, BackendPatch, NewBackend
from app.models import BackendInfo
from app.services import Services
from components import notify
from components.backend_settings.trial import TrialPanel
from components.frame import icon_button
from components.generation_form.fields import QUASAR, Field, labelled, note, number
from components.i18n import say, tr, trn
from components.theme import icon

Saved = Callable[[str], None]


class BackendForm:
    """A form for a backend (`info`), or for a new one (None)."""

    def __init__(
        self,
        services: Services,
        *,
        info: BackendInfo | None,
        on_saved: Saved,
        on_closed: Callable[[], None],
    ) -> None:
        self._machines = services.machines
        self._fleet = services.fleet
        self._info = info
        self._on_saved = on_saved
        self._on_closed = on_closed
        self._fields: dict[str, Field] = {}
        self._busy = False
        with ui.element("div").classes("o-set-two") as place:
            section = ui.element("form").classes("o-panel o-backend-form")
            section.props("data-testid=backend-form novalidate")
            section.on("submit.prevent", self._save)
            with section:
                self._build()
            self._trial = TrialPanel(on_use=self._use_url)
        ui.run_javascript(
            f"getElement({place.id}).scrollIntoView({{block: 'nearest', behavior: 'smooth'}})"
        )

    @property
    def _is_fixed(self) -> bool:
        return self._info is not None and self._info.origin == "config"

    def focus(self) -> None:
        """Put the cursor into the first field."""
        self._fields["name"].focus()

    def _build(self) -> None:
        info = self._info
        with ui.element("div").classes("o-panel-head o-panel-head-line"):
            with ui.element("h2").classes("o-trunc"):
                ui.label(info.name if info else tr("New machine"))
            ui.element("span").classes("o-grow")
            if not self._is_fixed:
                self._enabled = ui.switch(tr("Enabled"), value=info.enabled if info else True)
                self._enabled.props("left-label data-testid=backend-enabled")
                if info is not None:
                    self._enabled.on_value_change(self._switch)
            icon_button("x", tr("Close"), testid="backend-close").on("click", self._on_closed)
        if self._is_fixed:
            self._say_where()
        with ui.element("div").classes("o-backend-fields"):
            self._build_fields(info)
        with ui.element("div").classes("o-backend-foot"):
            self._build_buttons()

    def _build_fields(self, info: BackendInfo | None) -> None:
        self._text("name", tr("Name"), info.name if info else "", hint="tower-3090")
        words = ", ".join(info.tags) if info else ""
        self._text("tags", tr("Tags"), words, hint=tr("fast, night"))
        with ui.element("div").classes("o-wide-field"):
            url = info.url if info else ""
            self._text("url", tr("Address"), url, hint="http://192.168.1.20:8188", mono=True)
        words = ", ".join(info.capabilities) if info else ""
        self._text("capabilities", tr("Capabilities"), words, hint=tr("sdxl, video"))
        slots = number(
            "slots",
            label=tr("Slots"),
            value=info.max_concurrent_jobs if info else 1,
            testid="backend-slots",
        )
        self._fields["max_concurrent_jobs"] = slots
        with ui.element("p").classes("o-hint o-wide-field"):
            ui.label(
                tr(
                    "Jobs that ask for words only go where all of them are among tags and "
                    "capabilities. One ComfyUI works on one job at a time: more slots only queue "
                    "them there."
                )
            )
        for field in self._fields.values():
            field.control.props("readonly" if self._is_fixed else "")

    def _text(self, name: str, label: str, value: str, *, hint: str, mono: bool = False) -> None:
        with labelled(label):
            control = ui.input(value=value, placeholder=hint).props(QUASAR)
            control.props(f'data-testid=backend-{name} aria-label="{label}" autocomplete=off')
            control.classes("o-mono-field" if mono else "")
            self._fields[name] = Field(control, note(name))

    def _build_buttons(self) -> None:
        if self._info is not None and not self._is_fixed:
            remove = ui.element("button").classes("o-btn o-btn-quiet o-btn-danger")
            remove.props("type=button data-testid=backend-remove").on("click", self._remove)
            with remove:
                icon("trash", classes="o-i-s")
                ui.label(tr("Remove"))
        ui.element("span").classes("o-grow")
        self._test = ui.element("button").classes("o-btn")
        self._test.props("type=button data-testid=backend-test").on("click", self._try)
        # What is tried is a ComfyUI; the cloud is not one.
        self._test.set_visibility(self._info is None or self._info.kind != "bfl")
        with self._test:
            ui.label(tr("Test"))
        if not self._is_fixed:
            self._saving = ui.element("button").classes("o-btn o-btn-primary")
            self._saving.props("type=submit data-testid=backend-save")
            with self._saving:
                ui.label(tr("Save") if self._info else tr("Add"))

    def _say_where(self) -> None:
        assert self._info is not None
        keys = {"embedded": "demo_engine", "bfl": "flux"}
        with ui.element("p").classes("o-note").props("data-testid=backend-fixed"):
            icon("lock", classes="o-i-s")
            ui.label(
                tr(
                    "This one is defined by `{key}` in config.yaml or the environment. "
                    "Change it there, and start the app anew.",
                    key=keys.get(self._info.kind, "backends"),
                )
            )

    def _values(self) -> dict[str, Any]:
        held: dict[str, Any] = {name: field.value for name, field in self._fields.items()}
        for name in ("tags", "capabilities"):
            words = [word.strip() for word in str(held[name] or "").split(",")]
            held[name] = [word for word in words if word]
        held["name"], held["url"] = (str(held[name] or "") for name in ("name", "url"))
        return held

    async def _save(self) -> None:
        if self._busy or self._is_fixed:
            return
        self._busy = True
        try:
            saved = await self._store()
        except ValidationError as exc:
            self._complain(mistakes(exc))
        except ConflictError as exc:
            self._complain({"url": f"{say(exc.message)} {say(exc.fix)}".strip()})
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            notify.show_done(
                tr("{name} is saved", name=saved.name)
                if self._info
                else tr("{name} is added", name=saved.name)
            )
            self._on_saved(saved.id)
        finally:
            self._busy = False

    async def _store(self) -> BackendInfo:
        values = self._values()
        if self._info is None:
            enabled = bool(self._enabled.value)
            return await self._machines.add(
                NewBackend.model_validate({**values, "enabled": enabled})
            )
        return await self._machines.edit(self._info.id, BackendPatch.model_validate(values))

    async def _switch(self) -> None:
        assert self._info is not None
        enabled = bool(self._enabled.value)
        try:
            await self._machines.set_enabled(self._info.id, enabled=enabled)
        except OrchestratorError as exc:
            notify.show_error(exc)
            return
        name = self._info.name
        notify.show_done(
            tr("{name} gets work again", name=name)
            if enabled
            else tr("{name} is switched off; what runs there is finished", name=name)
        )

    async def _remove(self) -> None:
        assert self._info is not None
        running = len(self._fleet.job_ids(self._info.id))
        if running == 0 or await self._is_sure(running):
            await self._remove_now(self._info, force=running > 0)

    async def _remove_now(self, info: BackendInfo, *, force: bool) -> None:
        try:
            await self._machines.remove(info.id, force=force)
        except OrchestratorError as exc:
            notify.show_error(exc)
            return
        back: Callable[[], Awaitable[object]] = partial(self._machines.restore, info)
        notify.show_undo(tr("{name} is removed", name=info.name), back)
        self._on_closed()

    async def _is_sure(self, running: int) -> bool:
        assert self._info is not None
        with ui.dialog() as dialog, ui.element("div").classes("o-dialog") as box:
            box.props("data-testid=backend-confirm role=alertdialog")
            with ui.element("h2").classes("o-h1"):
                ui.label(tr("Remove {name}?", name=self._info.name))
            ui.label(
                trn(
                    "It still runs {n} job. It finishes it and gets no other.",
                    "It still runs {n} jobs. It finishes them and gets no other.",
                    running,
                )
            )
            with ui.element("div").classes("o-row o-dialog-acts"):
                for text, answer in ((tr("Keep it"), False), (tr("Remove"), True)):
                    button = ui.element("button").classes("o-btn")
                    button.classes("o-btn-danger" if answer else "")
                    button.props(f"type=button data-testid=confirm-{'yes' if answer else 'no'}")
                    button.props("" if answer else "autofocus")
                    button.on("click", partial(dialog.submit, answer))
                    with button:
                        ui.label(text)
        sure = await dialog
        dialog.delete()
        return bool(sure)

    async def _try(self) -> None:
        if self._busy:
            return
        self._busy = True
        self._test.props("aria-busy=true")
        self._trial.wait()
        try:
            url = str(self._fields["url"].value or "")
            trial = await self._machines.try_url(url, but=self._info.id if self._info else None)
        except InvalidRequestError as exc:
            self._trial.rest()
            self._complain({"url": say(exc.message)})
        else:
            self._trial.show(trial)
        finally:
            self._busy = False
            self._test.props(remove="aria-busy")

    async def _use_url(self, url: str) -> None:
        self._fields["url"].value = url
        await self._try()

    def _complain(self, found: Mapping[str, str]) -> None:
        for name, field in self._fields.items():
            field.complain(found.get(name))
        first = next((name for name in self._fields if name in found), None)
        if first is not None:
            self._fields[first].focus()


def mistakes(error: ValidationError) -> dict[str, str]:
    """What to say beside each field."""
    found: dict[str, str] = {}
    for item in error.errors():
        name = str(item["loc"][0])
        found.setdefault(name, _sentence(name, item["type"], item.get("ctx", {})))
    return found


def _sentence(name: str, kind: str, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        cause = context["error"]
        return say(cause.args[0])
    if name == "name":
        return tr("Give it a name of 80 characters or less.")
    if name == "max_concurrent_jobs":
        return tr("Use a whole number from 1 to {most}.", most=MAX_SLOTS)
    return tr("Use 20 words or less, each of 40 characters or less.")
