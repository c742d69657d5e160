"""The form: keeps what is in it over reloads and changes of the preset, and submits it."""

import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nicegui import ui
from pydantic import ValidationError

from app.errors import InvalidRequestError, OrchestratorError
from app.events import BackendChanged, ChargeChanged, Event, WorkflowChanged
from app.graphs.preset import Option, Preset
from app.graphs.running import split_id
from app.inputs import InputFile
from app.intake import require_prompt
from app.models import Job
from app.services import Services
from app.submission import MAX_RANDOM_SEED, Submission
from app.submitting import Offer
from app.views import ImageView
from components import notify
from components.feed import Batch, ClientFeed
from components.generation_form.choices import Choices
from components.generation_form.fields import Field
from components.generation_form.layout import Layout
from components.generation_form.offers import Offers, starting_from_picture
from components.generation_form.options import PREFIX, offered
from components.generation_form.payment import agreed, show_dry_run
from components.generation_form.values import (
    FormValues,
    fields_of,
    fitted,
    mistakes,
    own_defaults,
    place_of,
    sizes_of,
)
from components.i18n import say, tr, trn
from components.preferences import preferences

_KEY = "form"
_NOT_OF_A_PRESET = ("backend", "where", "fallback", "priority")
_WITH_THE_SEED = ("count", "seed_strategy")


class Part(Protocol):
    """What every field of the form can do, see `Field`."""

    @property
    def value(self) -> Any: ...
    @value.setter
    def value(self, value: Any) -> None: ...
    def on_change(self, handler: Callable[[], Any]) -> None: ...
    def show(self, shown: bool) -> None: ...
    def complain(self, message: str | None) -> None: ...
    def focus(self) -> None: ...


class GenerationForm:
    """Builds the form, keeps it over reloads, and submits it."""

    def __init__(
        self, services: Services, *, on_submitted: Callable[[list[Job]], None] | None = None
    ) -> None:
        self._services = services
        self._on_submitted = on_submitted
        self._store = preferences()
        self._choices = Choices.of(services)
        values = FormValues.restored(self._store.get(_KEY))
        self._settle(values)
        self._kept = values.kept
        self._make = values.backend
        self._shown = ""  # the preset whose fields are there
        self._busy = self._writing = False
        self._layout = Layout(
            values,
            self._choices.makes(),
            wildcards=services.settings.wildcards_dir,
            budget=services.budget,
            draw=_draw,
            offered=self._offered,
            on_submit=self.submit,
            on_restore=self._restore,
        )
        self._parts: dict[str, Part] = self._layout.parts
        self._offers = Offers(self._layout)
        self._listen()
        self._write(values)
        self.feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._refresh,
            fold=_fold,
            send=lambda _: self.feed.refresh(),
        )

    async def run(self) -> None:
        """Follow the backends' comings and goings until cancelled."""
        await self.feed.run()

    def use(self, image: ImageView, *, part: str = "all") -> None:
        """Fill the form with what made a picture: `all`, only `prompt` or only `seed`."""
        values = self._read()
        presets, made_by = self._services.presets, image.workflow_id or ""
        # An old version of a saved workflow: what it shares with the newest is taken.
        preset = presets.get(made_by) or presets.get(split_id(made_by)[0])
        values.take(image, part=part, preset=preset)
        self._settle(values)
        self._write(values)
        self._layout.button.forget()
        notify.show_done(tr("Settings taken from the picture"))

    def use_input(self, picture: InputFile) -> None:
        """Start from that picture, with a preset that can."""
        values = self._read()
        now = self._choices.preset(values.backend)
        if "image" not in now.fields:
            preset = starting_from_picture(now, self._services.presets)
            values.change_preset(preset.id, preset)
        values.image, values.mask = picture.name, None
        self._settle(values)
        self._write(values)
        self._fit_size(picture.width, picture.height)
        self._layout.button.forget()
        notify.show_done(tr("The picture is what the next one starts from"))

    async def submit(self) -> None:
        """Send the form; mistakes are shown beside their fields."""
        if self._busy:
            return
        self._busy = True
        jobs: list[Job] = []
        try:
            submission = await self._agreed_submission()
            if submission is not None:
                self._show_busy(True)
                jobs = await self._services.jobs.submit(submission)
        except ValidationError as exc:
            self._complain({**self._missing_prompt(), **mistakes(exc)})
        except InvalidRequestError as exc:
            name = place_of(exc.field)
            self._complain({name: f"{say(exc.message)} {say(exc.fix)}".strip()})
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            self._submitted(jobs)
        finally:
            self._busy = False
            self._show_busy(False)

    def _missing_prompt(self) -> dict[str, str]:
        """What is said of an empty prompt, for a preset that needs one."""
        if "prompt" not in fields_of(self._make, self._preset):
            return {}
        try:
            require_prompt(self._parts["prompt"].value or "")
        except InvalidRequestError as exc:
            return {"prompt": say(exc.message)}
        return {}

    async def _agreed_submission(self) -> Submission | None:
        """What the form holds; None if it costs money that nobody agreed to pay."""
        values, preset = self._read(), self._preset
        submission = values.to_submission(preset)
        asked = self._services.submitting.offer(submission) if preset.paid else None
        if asked is None:
            return submission
        self._complain({})
        if not asked.is_allowed:
            await show_dry_run(asked, self._services.budget)
            return None
        if not await agreed(asked, self._services.budget):
            return None
        return values.to_submission(preset, confirmed=True)

    def _submitted(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        self._complain({})
        self._layout.button.forget()
        if not self._layout.seed.locked:
            self._layout.seed.field.value = str(jobs[0].request.seed)
        if self._on_submitted is not None:
            self._on_submitted(jobs)

    @property
    def _preset(self) -> Preset:
        return self._choices.preset(self._make)

    def _offered(self, preset: Preset, option: Option) -> list[str]:
        """What the backends offer for a choice of a saved workflow."""
        return offered(self._services.known_nodes.schemas, preset, option)

    def _settle(self, values: FormValues) -> None:
        """Only what there is can be chosen: other values become the usual ones."""
        makes = [each.id for each in self._choices.makes()]
        if values.backend not in makes:
            usual = self._choices.usual_make()
            values.change_preset(usual, self._choices.preset(usual))
        values.where = values.where or self._choices.usual_place()
        values.fallback = values.fallback or self._services.settings.scheduling.fallback.value

    def _listen(self) -> None:
        layout = self._layout
        layout.seed.on_change = self._changed
        layout.hold.on_value_change(self._changed)
        layout.aim.make.on_change(self._make_changed)
        for part in self._parts.values():
            part.on_change(self._changed)
        for name in ("where", "checkpoint", "vae", "loras"):
            self._parts[name].on_change(self._offer)
        for name in ("checkpoint", "width", "height", "count"):
            self._parts[name].on_change(self._show_price)
        layout.pictures["image"].on("change", self._show_price)
        layout.pictures["image"].on_taken = self._fit_size
        layout.aim.make.on_change(self._show_price)
        for name in ("prompt", "seed"):
            self._parts[name].on_change(self._show_preview)

    def _read(self) -> FormValues:
        held = {name: part.value for name, part in self._parts.items()}
        held["prompt"], held["negative_prompt"], held["seed"] = (
            held[name] or "" for name in ("prompt", "negative_prompt", "seed")
        )
        held["backend"] = self._make
        return FormValues(
            **held,
            options=self._layout.options.values,
            seed_locked=self._layout.seed.locked,
            hold=bool(self._layout.hold.value),
            kept=self._kept,
        )

    def _write(self, values: FormValues) -> None:
        self._writing = True
        self._make, self._kept = values.backend, values.kept
        preset = self._preset
        self._shown = preset.id
        self._layout.show(preset, fields_of(self._make, preset), values)
        self._layout.size.offer(sizes_of(preset))
        self._offers.files(self._choices, values, preset)
        saved = values.to_save()
        for name, part in self._parts.items():
            if name == "where":
                self._offers.include(name, saved[name])
            part.value = saved[name]
        self._layout.seed.lock(values.seed_locked)
        for field in self._layout.options.fields.values():
            field.on_change(self._changed)
        self._writing = False
        self._offer()
        self._changed()

    def _make_changed(self) -> None:
        make = self._layout.aim.make.value
        if self._writing or make is None or make == self._make:
            return
        values = self._read()
        values.change_preset(make, self._choices.preset(make))
        self._write(values)
        self._complain({})

    def _restore(self, typed: Mapping[str, str]) -> None:
        for name, part in {**self._parts, **self._layout.options.fields}.items():
            text = typed.get(f"{name.replace('_', '-')}-input")
            if text is not None and isinstance(part, Field):
                part.type(text)
        if typed.get("seed-input"):
            self._layout.seed.lock(True)

    def _changed(self) -> None:
        if self._writing:
            return
        count = self._parts["count"].value
        many = "seed" in fields_of(self._make, self._preset) and bool(count) and count > 1
        self._parts["seed_strategy"].show(many)
        if self._preset.paid and not self._services.budget.is_allowed:
            verb = tr("Dry run")
        else:
            verb = trn("Generate picture", "Generate {n} pictures", int(count) if many else 1)
        self._layout.button_text.text = verb
        # In memory at once; NiceGUI writes the file in the background, once for many changes.
        self._store[_KEY] = self._read().to_save()

    def _fit_size(self, width: int, height: int) -> None:
        """Make the new picture of the same shape as the one it starts from."""
        preset = self._preset
        if "width" not in preset.fields or not width or not height:
            return
        usual = own_defaults(preset)
        pixels = usual["width"] * usual["height"]
        wide, high = fitted(width, height, pixels=pixels)
        self._parts["width"].value, self._parts["height"].value = wide, high

    async def _show_preview(self) -> None:
        seed = self._layout.seed
        text = str(seed.field.value or "").replace(" ", "")
        known = int(text) if seed.locked and text.isdecimal() else 0
        await self._layout.preview.show(self._parts["prompt"].value or "", seed=known)
        await self._layout.options.show_preview(seed=known)

    async def _show_price(self) -> None:
        if not self._writing:
            await self._layout.price.show(self._price())

    def _price(self) -> Offer | None:
        """What the form as it is would cost; None while that cannot be told."""
        preset = self._preset
        if not preset.paid:
            return None
        values = self._read()
        values.prompt = values.prompt.strip() or "?"
        try:
            return self._services.submitting.offer(values.to_submission(preset))
        except (ValidationError, OrchestratorError):
            return None

    def _show_busy(self, busy: bool) -> None:
        self._layout.button.props(f"aria-busy={'true' if busy else 'false'}")

    def _complain(self, found: dict[str, str]) -> None:
        options = self._layout.options.fields
        parts: dict[str, Part] = {**self._parts, **options}
        own = {name: PREFIX + name for name in found if PREFIX + name in options}
        found = {own.get(name, name): message for name, message in found.items()}
        for name, part in parts.items():
            part.complain(found.get(name))
        shown = {*fields_of(self._make, self._preset), *_NOT_OF_A_PRESET, *_WITH_THE_SEED}
        known = [name for name in parts if name in found]
        first = next((name for name in known if name in shown or name.startswith(PREFIX)), None)
        if first is not None:
            parts[first].focus()
        elif found:
            notify.show_error(InvalidRequestError(*next(iter(found.items()))))

    async def _refresh(self) -> None:
        choices = Choices.of(self._services)
        if choices != self._choices:
            self._choices = choices
            if self._preset.id != self._shown:  # another version of it was saved, or it is gone
                values = self._read()
                self._settle(values)
                self._write(values)
            self._offer()
        await self._show_price()
        await self._show_preview()

    def _offer(self) -> None:
        if self._writing:
            return
        preset = self._preset
        self._offers.places(self._choices, self._read(), preset)
        self._offers.files(self._choices, self._read(), preset)


def _fold(event: Event, batch: Batch) -> None:
    match event:
        case BackendChanged(info=info):
            batch["backends"] = {info.id: True}
        case WorkflowChanged():
            batch["workflows"] = {"any": True}
        case ChargeChanged():
            batch["charges"] = {"any": True}
        case _:
            pass


def _draw() -> int:
    return random.randint(0, MAX_RANDOM_SEED)  # noqa: S311
