"""The LoRAs of a picture: any number of them, each with its weight."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from components.frame import icon_button
from components.generation_form.fields import MENU, QUASAR, labelled, note
from components.i18n import tr

MOST = 20
_REACH = 2.0
_STEP = 0.05


class LoraList:
    """A field whose value is a list of `{name, weight}`, in the order they are put on."""

    def __init__(self, loras: Sequence[Mapping[str, Any]]) -> None:
        self._loras = [dict(each) for each in loras]
        self._handlers: list[Callable[[], Any]] = []
        with labelled(tr("LoRAs")):
            with ui.element("div").classes("o-loras") as self._rows:
                pass
            self._add = ui.select({}, value=None, with_input=True).props(f"{QUASAR} {MENU}")
            self._add.props(
                f'data-testid=lora-add aria-label="{tr("Add a LoRA")}" '
                f'placeholder="{tr("Add a LoRA")}"'
            )
            self._note = note("loras")
        self._add.props(remove="fill-input")  # what was added does not stay written there
        self._add.on_value_change(self._chosen)
        self._fill()

    @property
    def value(self) -> list[dict[str, Any]]:
        """The LoRAs."""
        return [dict(each) for each in self._loras]

    @value.setter
    def value(self, loras: Sequence[Mapping[str, Any]]) -> None:
        self._loras = [dict(each) for each in loras]
        self._fill()
        self._tell()

    def on_change(self, handler: Callable[[], Any]) -> None:
        """Call it whenever a LoRA comes, goes or gets another weight."""
        self._handlers.append(handler)

    def offer(self, files: Mapping[str, str]) -> None:
        """The LoRAs there are to choose from."""
        if self._add.options != files:
            self._add.set_options(dict(files), value=None)

    def show(self, shown: bool) -> None:
        """Whether the field, with its label, is on the page."""
        if self._note.parent_slot is not None:
            self._note.parent_slot.parent.set_visibility(shown)

    def complain(self, message: str | None) -> None:
        """Say what is wrong with them; None: nothing."""
        self._note.text = message or ""

    def focus(self) -> None:
        """Put the cursor there."""
        self._add.run_method("focus")

    def _chosen(self) -> None:
        name = self._add.value
        if not name:
            return
        self._add.value = None
        if len(self._loras) >= MOST or any(each["name"] == name for each in self._loras):
            return
        self._loras.append({"name": name, "weight": 1.0})
        self._fill()
        self._tell()

    def _fill(self) -> None:
        self._rows.clear()
        with self._rows:
            for index, lora in enumerate(self._loras):
                self._row(index, lora)

    def _row(self, index: int, lora: dict[str, Any]) -> None:
        name, weight = str(lora["name"]), lora.get("weight", 1.0)
        with ui.element("div").classes("o-lora").props(f"data-testid=lora-{index}"):
            ui.label(name).classes("o-trunc o-lora-name").props(f'title="{_plain(name)}"')
            label = tr("Weight of {name}", name=_plain(name))
            slider = ui.slider(min=-_REACH, max=_REACH, step=_STEP, value=_within(weight))
            slider.props(f'data-testid=lora-{index}-slider aria-label="{label}" tabindex=-1')
            number = ui.number(value=weight, step=_STEP).props("dense borderless no-error-icon")
            number.props(f'hide-bottom-space data-testid=lora-{index}-weight aria-label="{label}"')
            slider.on("update:model-value", lambda e: number.set_value(e.args), throttle=0.05)
            number.on_value_change(lambda e: self._weigh(lora, e.value, slider))
            gone = icon_button("x", tr("Remove {name}", name=name), testid=f"lora-{index}-remove")
            gone.classes("o-icon-btn-compact").on("click", partial(self._remove, index))

    def _weigh(self, lora: dict[str, Any], weight: float | None, slider: ui.slider) -> None:
        lora["weight"] = weight
        lora.pop("clip_weight", None)  # another one is kept only with the weight it came with
        slider.value = _within(weight)
        self.complain(None)
        self._tell()

    def _remove(self, index: int) -> None:
        del self._loras[index]
        self._fill()
        self._tell()

    def _tell(self) -> None:
        for handler in self._handlers:
            handler()


def _within(weight: float | None) -> float:
    return 0.0 if weight is None else min(max(weight, -_REACH), _REACH)


def _plain(text: str) -> str:
    return text.replace('"', "'")
