"""The settings that only one preset has, as fields made from their description."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui

from app.drawing.schema import Schemas
from app.graphs.preset import GIVEN_FILES, Option, Preset
from components.generation_form.alternatives import PromptPreview
from components.generation_form.fields import (
    Field,
    line,
    number,
    select,
    slider_number,
    switch,
    text_area,
)
from components.generation_form.labels import field_label
from components.generation_form.pictures import PictureField
from components.i18n import tr

PREFIX = "option-"
MAIN_SEED = "seed"
"""The field with a place of its own in the form, beside how many pictures are made."""
PROMPT = "prompt"
_PROMPTS = (PROMPT, "negative_prompt")

_MANY_STOPS, _MOST_STOPS = 200, 2000
_USUAL = {"width": (256, 2048), "height": (256, 2048), "steps": (1, 60), "cfg": (1, 20)}
"""Where the slider of a field with a wider range goes to; the number beside it goes further."""

OptionField = Field | PictureField
Offered = Callable[[Preset, Option], Sequence[str]]
"""What the backends offer for a choice whose author named none."""


def _none(_: Preset, __: Option) -> Sequence[str]:
    return ()


class OptionFields:
    """A place for them; `fields` are those of the preset shown, by `option-<name>`."""

    def __init__(
        self,
        *,
        wildcards: Path,
        offered: Offered = _none,
        is_preview: bool = False,
    ) -> None:
        """`wildcards`: their folder; `is_preview`: every option is shown, the main seed too."""
        self._box = ui.element("div").classes("o-options")
        self._offered = offered
        self._is_preview = is_preview
        self._wildcards = wildcards
        self._seed = 0
        self._becomes: PromptPreview | None = None
        self.fields: dict[str, OptionField] = {}

    @property
    def values(self) -> dict[str, Any]:
        """What they hold, by the name of the option."""
        return {name.removeprefix(PREFIX): field.value for name, field in self.fields.items()}

    def show(self, preset: Preset, values: Mapping[str, Any]) -> None:
        """The fields of another preset, holding these values or else its defaults."""
        self._box.clear()
        self.fields, self._becomes = {}, None
        section = ""
        with self._box:
            for option in preset.options:
                if option.field == MAIN_SEED and not self._is_preview:
                    continue
                if option.section != section:
                    section = option.section
                    ui.label(section).classes("o-options-section")
                value = values.get(option.name, usual_value(option))
                field = self._field(option, value, preset)
                self.fields[PREFIX + option.name] = field
        self._box.set_visibility(bool(self.fields))

    def fill(self, values: Mapping[str, Any]) -> None:
        """Hold these values, where there is a field for them."""
        for name, field in self.fields.items():
            field.value = values.get(name.removeprefix(PREFIX), field.value)

    async def show_preview(self, *, seed: int) -> None:
        """Say what the prompt becomes with this seed, if one of the fields is the prompt."""
        self._seed = seed
        if self._becomes is not None:
            prompt = self.values.get(PROMPT)
            await self._becomes.show(str(prompt or ""), seed=seed)

    def _field(self, option: Option, value: Any, preset: Preset) -> OptionField:
        is_ours = preset.version is None  # so that the texts are known
        label = field_label(option.label, is_ours=is_ours)
        hint = tr(option.help) if is_ours and option.help else option.help
        if option.type == "choice":
            return _choice(option, value, label, hint, self._offered(preset, option))
        if option.field == PROMPT:
            return self._prompt(option, value, label=label, hint=hint)
        return _field(option, value, label=label, hint=hint)

    def _prompt(self, option: Option, value: Any, *, label: str, hint: str) -> Field:
        field = _text(option, "", label=label, hint=hint)

        def complete(text: str) -> None:
            field.value = text
            field.focus()

        with field.frame:
            self._becomes = PromptPreview(
                self._wildcards, complain=field.complain, complete=complete
            )
        field.on_change(lambda: self.show_preview(seed=self._seed))
        field.value = str(value or "")  # as if typed, so that the preview hears of it, too
        return field


def offered(schemas: Schemas, preset: Preset, option: Option) -> list[str]:
    """What those classes offer at the place in the workflow that the option is."""
    node = preset.variants[0].graph.get(option.node) if preset.variants else None
    schema = schemas.get(node["class_type"]) if node else None
    spec = schema.input(option.input) if schema else None
    return [str(each) for each in spec.choices] if spec else []


def usual_value(option: Option) -> Any:
    """What its field holds before anybody has touched it: of a file to give, nothing."""
    return None if option.type in GIVEN_FILES else option.default


def _field(option: Option, value: Any, *, label: str, hint: str) -> OptionField:
    if option.type == "multiline" or option.field in _PROMPTS:
        return _text(option, str(value or ""), label=label, hint=hint)
    name = PREFIX + option.name
    testid = f"{name.replace('_', '-')}-input"
    match option.type:
        case "bool":
            return switch(name, label=label, value=bool(value), testid=testid, hint=hint)
        case "image" | "video" | "audio":
            held = value if isinstance(value, str) else None
            kind = GIVEN_FILES[option.type]
            return PictureField(name, label=label, value=held or None, kind=kind)
        case "int" | "float":
            return _number(option, value, label=label, hint=hint, testid=testid)
        case _:
            return line(name, label=label, value=str(value), testid=testid, hint=hint)


def _text(option: Option, value: str, *, label: str, hint: str) -> Field:
    name = PREFIX + option.name
    testid = f"{name.replace('_', '-')}-input"
    if option.field in _PROMPTS and not hint:
        is_prompt = option.field == PROMPT
        hint = (
            tr("What do you want to see?") if is_prompt else tr("What to keep out of the picture")
        )
    rows = 1 if option.field == "negative_prompt" else 3
    return text_area(name, label=label, value=value, testid=testid, hint=hint, rows=rows)


def _number(option: Option, value: Any, *, label: str, hint: str, testid: str) -> Field:
    name = PREFIX + option.name
    if option.min is None or option.max is None:
        return number(name, label=label, value=value, testid=testid, hint=hint)
    step = option.step or (1 if option.type == "int" else 0.1)
    low, high = option.min, option.max
    stops, usual = (high - low) / step, _USUAL.get(option.field or "")
    if usual is not None and stops > _MANY_STOPS and low < usual[1] and high > usual[0]:
        low, high = max(low, usual[0]), min(high, usual[1])
    elif stops > _MOST_STOPS:  # a slider that wide hits nothing
        return number(name, label=label, value=value, testid=testid, hint=hint)
    return slider_number(name, label=label, value=value, low=low, high=high, step=step, hint=hint)


def _choice(option: Option, value: Any, label: str, hint: str, offered: Sequence[str]) -> Field:
    name = PREFIX + option.name
    choices = list(option.choices or offered)
    chosen = value if value in choices else option.default
    if chosen not in choices:
        choices.insert(0, str(chosen))  # what the workflow was drawn with
    return select(
        name, label=label, options=choices, value=chosen,
        testid=f"{name.replace('_', '-')}-input", search=len(choices) > 12, hint=hint,
    )  # fmt: skip
