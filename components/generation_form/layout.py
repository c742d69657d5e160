"""Where everything of the form stands, and which of it a preset shows."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from nicegui import ui

from app.graphs.preset import Preset
from app.models import SeedStrategy
from app.paid import Budget
from components.generation_form.aim import AimPickers
from components.generation_form.alternatives import PromptPreview
from components.generation_form.button import GenerateButton
from components.generation_form.choices import Choice
from components.generation_form.fields import (
    SeedField,
    SizePicker,
    number,
    select,
    slider_number,
    text_area,
)
from components.generation_form.loras import LoraList
from components.generation_form.options import Offered, OptionFields
from components.generation_form.payment import PriceLine
from components.generation_form.pictures import picture_fields
from components.generation_form.values import SIZES, FormValues
from components.i18n import tr

_SEED = ("seed", "count")


class Layout:
    """The elements of the form; `parts` are its fields by name, in their order on the page."""

    def __init__(
        self,
        values: FormValues,
        makes: list[Choice],
        *,
        wildcards: Path,
        budget: Budget,
        draw: Callable[[], int],
        offered: Offered,
        on_submit: Callable[[], Awaitable[None]],
        on_restore: Callable[[Mapping[str, str]], None],
    ) -> None:
        self.parts: dict[str, Any] = {}
        with ui.element("section").classes("o-panel o-form") as section:
            section.props(f'data-testid=generation-form aria-label="{tr("Generate")}"')
            section.on("keydown.ctrl.enter.prevent", on_submit)
            section.on("keydown.meta.enter.prevent", on_submit)
            with ui.element("div").classes("o-panel-head"), ui.element("h2"):
                ui.label(tr("Generate"))
            with ui.element("div").classes("o-form-fields"):
                self.aim = AimPickers(
                    makes, make=values.backend, where=values.where, fallback=values.fallback
                )
                self.parts |= self.aim.fields
                self._build_prompts(values, wildcards)
                self._build_pictures(values)
                self._build_sampling(values)
                self._build_models(values)
                self.options = OptionFields(wildcards=wildcards, offered=offered)
                self._build_run(values, draw)
            with ui.element("div").classes("o-form-foot"):
                self.price = PriceLine(budget)
                self.button = GenerateButton(on_restore=on_restore).on("click", on_submit)
                with self.button:
                    self.button_text = ui.label()
                    ui.html("<kbd>Ctrl ↵</kbd>", sanitize=False).classes("o-wide")

    def show(self, preset: Preset, fields: Collection[str], values: FormValues) -> None:
        """Only the fields that this preset takes."""
        always = self.aim.fields
        for name, part in self.parts.items():
            if name in always or name == "priority":
                continue
            needed = "seed" if name in (*_SEED, "seed_strategy") else name
            part.show(needed in fields)
        self.parts["checkpoint"].rename(tr("Model") if preset.paid else tr("Checkpoint"))
        self.options.show(preset, values.options)

    def _build_prompts(self, values: FormValues, wildcards: Path) -> None:
        self.parts["prompt"] = prompt = text_area(
            "prompt", label=tr("Prompt"), value=values.prompt, testid="prompt-input",
            hint=tr("What do you want to see?"), rows=3,
        )  # fmt: skip

        def complete(text: str) -> None:
            prompt.value = text
            prompt.focus()

        with prompt.frame:
            self.preview = PromptPreview(wildcards, complain=prompt.complain, complete=complete)
        self.parts["negative_prompt"] = text_area(
            "negative_prompt", label=tr("Negative prompt"), value=values.negative_prompt,
            testid="negative-prompt-input", hint=tr("What to keep out of the picture"), rows=1,
        )  # fmt: skip

    def _build_pictures(self, values: FormValues) -> None:
        self.pictures = picture_fields(values.image, values.mask)
        self.parts |= self.pictures
        self.parts["denoise"] = slider_number(
            "denoise", label=tr("Denoise"), value=values.denoise, low=0, high=1, step=0.01,
            ends=(tr("As it is"), tr("All anew")),
        )  # fmt: skip

    def _build_sampling(self, values: FormValues) -> None:
        self.size = SizePicker(dict(SIZES), width=values.width, height=values.height)
        self.parts |= {"width": self.size.width, "height": self.size.height}
        with ui.element("div").classes("o-two"):
            self.parts["steps"] = slider_number(
                "steps", label=tr("Steps"), value=values.steps, low=1, high=60, step=1
            )
            self.parts["cfg"] = slider_number(
                "cfg", label=tr("CFG"), value=values.cfg, low=1, high=20, step=0.5
            )
        with ui.element("div").classes("o-two"):
            self.parts["sampler"] = select(
                "sampler", label=tr("Sampler"), options=[values.sampler], value=values.sampler,
                testid="sampler-select",
            )  # fmt: skip
            self.parts["scheduler"] = select(
                "scheduler", label=tr("Scheduler"), options=[values.scheduler],
                value=values.scheduler, testid="scheduler-select",
            )  # fmt: skip

    def _build_models(self, values: FormValues) -> None:
        self.parts["checkpoint"] = select(
            "checkpoint", label=tr("Checkpoint"), options={values.checkpoint: ""},
            value=values.checkpoint, testid="checkpoint-select", search=True,
        )  # fmt: skip
        self.loras = LoraList(values.loras)
        self.parts["loras"] = self.loras
        self.parts["vae"] = select(
            "vae", label=tr("VAE"), options={values.vae: ""}, value=values.vae,
            testid="vae-select", search=True,
        )  # fmt: skip

    def _build_run(self, values: FormValues, draw: Callable[[], int]) -> None:
        with ui.element("div").classes("o-run-row"):
            self.seed = SeedField(seed=values.seed, locked=values.seed_locked, draw=draw)
            self.parts["seed"] = self.seed.field
            self.parts["count"] = number(
                "count", label=tr("Count"), value=values.count, testid="count-input"
            )
            priorities = {10: tr("High"), 0: tr("Normal"), -10: tr("Low")}
            self.parts["priority"] = select(
                "priority", label=tr("Priority"), options=priorities,
                value=values.priority if values.priority in priorities else 0,
                testid="priority-select",
            )  # fmt: skip
        strategies = {
            SeedStrategy.RANDOM.value: tr("Random"),
            SeedStrategy.SEQUENTIAL.value: tr("Sequential"),
            SeedStrategy.FIBONACCI.value: tr("Fibonacci"),
            SeedStrategy.GOLDEN_RATIO.value: tr("Golden ratio"),
        }
        self.parts["seed_strategy"] = select(
            "seed_strategy", label=tr("Seeds of the pictures"), options=strategies,
            value=values.seed_strategy if values.seed_strategy in strategies else "random",
            testid="seed-strategy-select",
        )  # fmt: skip
        self.hold = ui.switch(tr("Hold until I press Run"), value=values.hold)
        self.hold.props("data-testid=hold-toggle")
