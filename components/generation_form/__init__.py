"""The form that says what picture to make."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from nicegui import ui
from pydantic import ValidationError

from app.errors import InvalidRequestError, OrchestratorError
from app.events import BackendChanged, Event
from app.models import DEMO, Job
from app.services import Services
from app.submission import MAX_RANDOM_SEED
from app.views import ImageView
from components import notify
from components.feed import Batch, ClientFeed
from components.generation_form.button import GenerateButton
from components.generation_form.choices import Choices
from components.generation_form.fields import (
    MENU,
    QUASAR,
    Field,
    SeedField,
    SizePicker,
    chosen_from,
    labelled,
    note,
    number,
    offer,
    select,
    slider_number,
    text_area,
)
from components.generation_form.values import SIZES, FormValues, mistakes
from components.i18n import say, tr, trn
from components.preferences import preferences

SHEET = Path(__file__).with_name("generation_form.css")
_KEY = "form"


class GenerationForm:
    """Builds the form, keeps it over reloads, and submits it."""

    def __init__(
        self, services: Services, *, on_submitted: Callable[[list[Job]], None] | None = None
    ) -> None:
        self._services = services
        self._on_submitted = on_submitted
        self._store = preferences()
        self._values = FormValues.restored(self._store.get(_KEY))
        self._busy = False
        self._choices = Choices(services.fleet)
        self._fields: dict[str, Field] = {}
        self._build()
        self.feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._refresh_choices,
            fold=_fold,
            send=lambda _: self.feed.refresh(),
        )

    async def run(self) -> None:
        """Follow the backends' comings and goings until cancelled."""
        await self.feed.run()

    def use(self, image: ImageView, *, part: str = "all") -> None:
        """Fill the form with what made a picture: `all`, only `prompt` or only `seed`."""
        values = self._read()
        values.take(image, part=part)
        self._write(values)
        self._button.forget()
        notify.show_done(tr("Settings taken from the picture"))

    async def submit(self) -> None:
        """Send the form; mistakes are shown beside their fields."""
        if self._busy:
            return
        self._set_busy(True)
        try:
            submission = self._read().to_submission()
            jobs = await self._services.jobs.submit(submission)
        except ValidationError as exc:
            self._complain(mistakes(exc))
        except InvalidRequestError as exc:
            name = exc.field.rsplit(".", 1)[-1]
            self._complain({name: f"{say(exc.message)} {say(exc.fix)}".strip()})
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            self._submitted(jobs)
        finally:
            self._set_busy(False)

    def _submitted(self, jobs: list[Job]) -> None:
        self._complain({})
        self._button.forget()
        if not self._seed.locked:
            self._seed.field.value = str(jobs[0].request.seed)
        if self._on_submitted is not None:
            self._on_submitted(jobs)

    def _build(self) -> None:
        values = self._values
        with ui.element("section").classes("o-panel o-form") as section:
            section.props(f'data-testid=generation-form aria-label="{tr("Generate")}"')
            section.on("keydown.ctrl.enter.prevent", self.submit)
            section.on("keydown.meta.enter.prevent", self.submit)
            with ui.element("div").classes("o-panel-head"), ui.element("h2"):
                ui.label(tr("Generate"))
            with ui.element("div").classes("o-form-fields"):
                self._build_backend(values)
                self._build_prompts(values)
                self._build_picture(values)
                self._build_run(values)
            with ui.element("div").classes("o-form-foot"):
                self._build_button()
        self._seed.on_change = self._changed
        for field in self._fields.values():
            field.control.on_value_change(self._changed)
        self._offer()
        self._label_button()

    def _build_backend(self, values: FormValues) -> None:
        options = {choice.id: choice.label for choice in self._choices.backends()}
        chosen = values.backend if values.backend in options else next(iter(options), None)
        with labelled(tr("Draw with")):
            control = ui.select(options, value=chosen).props(f"{QUASAR} {MENU}")
            control.props(f'data-testid=backend-select aria-label="{tr("Draw with")}"')
            with ui.element("div").classes("o-backend-state"):
                self._dot = ui.element("span").classes("o-dot")
                self._state = ui.label().classes("o-trunc").props("data-testid=backend-state")
            self._fields["backend"] = Field(control, note("backend"))
        control.on_value_change(self._offer)

    def _build_prompts(self, values: FormValues) -> None:
        self._fields["prompt"] = text_area(
            "prompt", label=tr("Prompt"), value=values.prompt, testid="prompt-input",
            hint=tr("What do you want to see?"), rows=3,
        )  # fmt: skip
        self._fields["negative_prompt"] = text_area(
            "negative_prompt", label=tr("Negative prompt"), value=values.negative_prompt,
            testid="negative-prompt-input", hint=tr("What to keep out of the picture"), rows=1,
        )  # fmt: skip

    def _build_picture(self, values: FormValues) -> None:
        size = SizePicker(dict(SIZES), width=values.width, height=values.height)
        self._fields |= {"width": size.width, "height": size.height}
        with ui.element("div").classes("o-two"):
            self._fields["steps"] = slider_number(
                "steps", label=tr("Steps"), value=values.steps, low=1, high=60, step=1
            )
            self._fields["cfg"] = slider_number(
                "cfg", label=tr("CFG"), value=values.cfg, low=1, high=20, step=0.5
            )
        with ui.element("div").classes("o-two"):
            self._fields["sampler"] = select(
                "sampler", label=tr("Sampler"), options=[values.sampler], value=values.sampler,
                testid="sampler-select",
            )  # fmt: skip
            self._fields["scheduler"] = select(
                "scheduler", label=tr("Scheduler"), options=[values.scheduler],
                value=values.scheduler, testid="scheduler-select",
            )  # fmt: skip
        with ui.element("div") as self._checkpoint_row:
            self._fields["checkpoint"] = select(
                "checkpoint", label=tr("Checkpoint"), options={values.checkpoint: ""},
                value=values.checkpoint, testid="checkpoint-select",
            )  # fmt: skip

    def _build_run(self, values: FormValues) -> None:
        with ui.element("div").classes("o-run-row"):
            self._seed = SeedField(seed=values.seed, locked=values.seed_locked, draw=_draw)
            self._fields["seed"] = self._seed.field
            self._fields["count"] = number(
                "count", label=tr("Count"), value=values.count, testid="count-input"
            )
            priorities = {10: tr("High"), 0: tr("Normal"), -10: tr("Low")}
            self._fields["priority"] = select(
                "priority", label=tr("Priority"), options=priorities,
                value=values.priority if values.priority in priorities else 0,
                testid="priority-select",
            )  # fmt: skip
        self._hold = ui.switch(tr("Hold until I press Run"), value=values.hold)
        self._hold.props("data-testid=hold-toggle").on_value_change(self._changed)

    def _build_button(self) -> None:
        self._button = GenerateButton(on_restore=self._restore).on("click", self.submit)
        with self._button:
            self._button_text = ui.label()
            ui.html("<kbd>Ctrl ↵</kbd>", sanitize=False).classes("o-wide")

    def _read(self) -> FormValues:
        held = {name: field.value for name, field in self._fields.items()}
        held["prompt"], held["negative_prompt"], held["seed"] = (
            held[name] or "" for name in ("prompt", "negative_prompt", "seed")
        )
        return FormValues(**held, seed_locked=self._seed.locked, hold=bool(self._hold.value))

    def _write(self, values: FormValues) -> None:
        saved = values.to_save()
        for name in ("sampler", "scheduler"):
            self._include(name, saved[name])
        if saved["checkpoint"] not in self._checkpoints():
            saved["checkpoint"] = None
        for name, field in self._fields.items():
            field.value = saved[name]
        self._seed.lock(values.seed_locked)

    def _restore(self, typed: Mapping[str, str]) -> None:
        for name, field in self._fields.items():
            text = typed.get(f"{name.replace('_', '-')}-input")
            if text is not None:
                field.type(text)
        if typed.get("seed-input"):
            self._seed.lock(True)

    def _changed(self) -> None:
        self._label_button()
        # In memory at once; NiceGUI writes the file in the background, once for many changes.
        self._store[_KEY] = self._read().to_save()

    def _label_button(self) -> None:
        count = self._fields["count"].value
        n = int(count) if count and count >= 1 else 1
        self._button_text.text = trn("Generate picture", "Generate {n} pictures", n)

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self._button.props(f"aria-busy={'true' if busy else 'false'}")

    def _complain(self, found: dict[str, str]) -> None:
        for name, field in self._fields.items():
            field.complain(found.get(name))
        first = next((name for name in self._fields if name in found), None)
        if first is not None:
            self._fields[first].focus()
        elif found:
            notify.show_error(InvalidRequestError(*next(iter(found.items()))))

    async def _refresh_choices(self) -> None:
        self._choices = Choices(self._services.fleet)
        offer(self._fields["backend"], {c.id: c.label for c in self._choices.backends()})
        self._offer()

    def _offer(self) -> None:
        backend = self._fields["backend"].value
        choice = next((c for c in self._choices.backends() if c.id == backend), None)
        self._state.text = choice.state if choice else tr("No backend is configured.")
        online = choice is not None and choice.online
        self._dot.style(f"color: var({'--st-done' if online else '--warn'})")
        self._checkpoint_row.set_visibility(backend != DEMO)
        offer(self._fields["sampler"], self._choices.samplers(backend))
        offer(self._fields["scheduler"], self._choices.schedulers(backend))
        offer(self._fields["checkpoint"], self._checkpoints())

    def _checkpoints(self) -> dict[str | None, str]:
        names = self._choices.checkpoints(self._fields["backend"].value)
        return {None: tr("Automatic"), **{name: name for name in names}}

    def _include(self, name: str, value: str) -> None:
        """Offer a value that no backend reports right now, because a picture was made with it."""
        field = self._fields[name]
        options = chosen_from(field)
        if value not in options:
            offer(field, [*options, value])


def _fold(event: Event, batch: Batch) -> None:
    if isinstance(event, BackendChanged):
        batch["backends"] = {event.info.id: True}


def _draw() -> int:
    return random.randint(0, MAX_RANDOM_SEED)  # noqa: S311
