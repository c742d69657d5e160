"""The settings that only one preset has, as fields made from their description."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from app.graphs.preset import Option, Preset
from components.generation_form.fields import Field, number, select, slider_number, switch
from components.i18n import tr

PREFIX = "option-"


class OptionFields:
    """A place for them; `fields` are those of the preset shown, by `option-<name>`."""

    def __init__(self) -> None:
        self._box = ui.element("div").classes("o-options")
        self.fields: dict[str, Field] = {}

    @property
    def values(self) -> dict[str, Any]:
        """What they hold, by the name of the option."""
        return {name.removeprefix(PREFIX): field.value for name, field in self.fields.items()}

    def show(self, preset: Preset, values: Mapping[str, Any]) -> None:
        """The fields of another preset, holding these values or else its defaults."""
        self._box.clear()
        with self._box:
            self.fields = {
                PREFIX + option.name: _field(option, values.get(option.name, option.default))
                for option in preset.options
            }
        self._box.set_visibility(bool(self.fields))

    def fill(self, values: Mapping[str, Any]) -> None:
        """Hold these values, where there is a field for them."""
        for name, field in self.fields.items():
            field.value = values.get(name.removeprefix(PREFIX), field.value)


def _field(option: Option, value: Any) -> Field:
    name, label, hint = PREFIX + option.name, tr(option.label), option.help and tr(option.help)
    testid = f"{name.replace('_', '-')}-input"
    if option.type == "bool":
        return switch(name, label=label, value=bool(value), testid=testid, hint=hint)
    if option.type == "choice":
        choices = list(option.choices)
        chosen = value if value in choices else option.default
        return select(name, label=label, options=choices, value=chosen, testid=testid, hint=hint)
    if option.min is None or option.max is None:
        return number(name, label=label, value=value, testid=testid)
    step = option.step or (1 if option.type == "int" else 0.1)
    return slider_number(
        name, label=label, value=value, low=option.min, high=option.max, step=step, hint=hint
    )
