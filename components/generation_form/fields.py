"""The pieces the form is made of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement

from components.frame import icon_button
from components.i18n import tr
from components.theme import icon

QUASAR = "dense outlined no-error-icon hide-bottom-space"
MENU = "options-dense popup-content-class=o-select-menu behavior=menu"


_TWO_LINES = r"""
<q-item v-bind="props.itemProps" class="o-two-lines"><q-item-section>
<q-item-label>{{ props.opt.label.split("\n")[0] }}</q-item-label>
<q-item-label caption>{{ props.opt.label.split("\n")[1] }}</q-item-label>
</q-item-section></q-item>
"""
_FIRST_LINE = r"""<span class="o-trunc">{{ props.opt.label.split("\n")[0] }}</span>"""


class Field:
    """A control with its place for a mistake."""

    def __init__(self, control: Any, note: ui.label) -> None:
        """`control` holds a value; one that knows validation shows its mistakes itself, too."""
        self.control = control
        self._note = note
        control.on_value_change(lambda: self.complain(None))

    def on_change(self, handler: Callable[[], Any]) -> None:
        """Call it whenever the control holds something else."""
        self.control.on_value_change(handler)

    @property
    def frame(self) -> ui.element:
        """What holds label, control and note."""
        if self._note.parent_slot is None:
            raise RuntimeError("The field is not on a page.")
        return self._note.parent_slot.parent

    def rename(self, label: str) -> None:
        """Call the field something else."""
        named = next(each for each in self.frame.descendants() if isinstance(each, ui.label))
        named.text = label
        self.control.props["aria-label"] = label

    def show(self, shown: bool) -> None:
        """Whether the field, with its label, is on the page."""
        self.frame.set_visibility(shown)

    @property
    def value(self) -> Any:
        """What the control holds."""
        return self.control.value

    @value.setter
    def value(self, value: Any) -> None:
        self.control.value = value

    def type(self, text: str) -> None:
        """Hold what somebody typed; not a number where one is wanted: nothing."""
        if not isinstance(self.control, ui.number):
            self.value = text
            return
        try:
            self.value = float(text)
        except ValueError:
            self.value = None

    def complain(self, message: str | None) -> None:
        """Say what is wrong with the value; None: nothing."""
        if isinstance(self.control, ValidationElement):
            self.control.error = message
        self._note.text = message or ""

    def focus(self) -> None:
        """Put the cursor there."""
        self.control.run_method("focus")


@contextmanager
def labelled(text: str, *, hint: str = "") -> Iterator[ui.element]:
    """A field's frame: its label, then what is added inside `with`. Gives the label's row."""
    with ui.element("div").classes("o-field"):
        with ui.element("div").classes("o-label") as row:
            ui.label(text)
        yield row
        if hint:
            ui.label(hint).classes("o-field-hint")


def note(name: str) -> ui.label:
    """Where the mistake in the field `name` is shown."""
    label = ui.label().classes("o-error").props("role=alert")
    label.props["data-testid"] = f"error-{name}"
    return label


def named(control: ui.element, *, label: str, testid: str) -> None:
    """Say what a control is; both may come from strangers, so neither is read as props."""
    control.props["aria-label"] = label
    control.props["data-testid"] = testid


def text_area(name: str, *, label: str, value: str, testid: str, hint: str, rows: int) -> Field:
    """A text that grows with what is in it."""
    with labelled(label):
        control = ui.textarea(value=value, placeholder=hint).props(QUASAR)
        control.props("autogrow dir=auto")
        named(control, label=label, testid=testid)
        control.classes("o-prompt" if rows > 1 else "")
        return Field(control, note(name))


def line(name: str, *, label: str, value: str, testid: str, hint: str = "") -> Field:
    """A text of one line."""
    with labelled(label, hint=hint):
        control = ui.input(value=value).props(QUASAR).props("dir=auto")
        named(control, label=label, testid=testid)
        return Field(control, note(name))


def number(name: str, *, label: str, value: float | None, testid: str, hint: str = "") -> Field:
    """A number in a field of its own."""
    with labelled(label, hint=hint):
        control = ui.number(value=value).props(QUASAR)
        named(control, label=label, testid=testid)
        return Field(control, note(name))


def slider_number(
    name: str,
    *,
    label: str,
    value: float | None,
    low: float,
    high: float,
    step: float,
    ends: tuple[str, str] | None = None,
    hint: str = "",
) -> Field:
    """A number with a slider for the usual values; the number itself may be beyond them.

    `ends` say what the slider's ends mean.
    """
    with labelled(label, hint=hint) as row:
        with row, ui.element("div").classes("o-end o-inline-number"):
            control = ui.number(value=value, step=step).props("dense borderless no-error-icon")
            testid = name.replace("_", "-")
            control.props("hide-bottom-space")
            named(control, label=label, testid=f"{testid}-input")
        slider = ui.slider(min=low, max=high, step=step, value=_within(value, low, high))
        # By keyboard and by ear the number beside it does the same, and better.
        slider.props("tabindex=-1")
        named(slider, label=label, testid=f"{testid}-slider")
        slider.on("update:model-value", lambda e: control.set_value(e.args), throttle=0.05)
        control.on_value_change(lambda e: slider.set_value(_within(e.value, low, high)))
        if ends is not None:
            with ui.element("div").classes("o-ends"):
                for end in ends:
                    ui.label(end)
        return Field(control, note(name))


def select(
    name: str,
    *,
    label: str,
    options: Any,
    value: Any,
    testid: str,
    search: bool = False,
    hint: str = "",
) -> Field:
    """One of several; with `search` a part of its name can be typed."""
    with labelled(label, hint=hint):
        control = ui.select(options, value=value, with_input=search).props(f"{QUASAR} {MENU}")
        named(control, label=label, testid=testid)
        return Field(control, note(name))


def explained_select(name: str, *, label: str, options: Any, value: Any, testid: str) -> Field:
    """One of several, each with a second line (after a newline) about it in the list."""
    field = select(name, label=label, options=options, value=value, testid=testid)
    field.control.add_slot("option", _TWO_LINES)
    field.control.add_slot("selected-item", _FIRST_LINE)
    return field


def switch(name: str, *, label: str, value: bool, testid: str, hint: str = "") -> Field:
    """On or off."""
    with ui.element("div").classes("o-field"):
        control = ui.switch(label, value=value)
        named(control, label=label, testid=testid)
        if hint:
            ui.label(hint).classes("o-field-hint")
        return Field(control, note(name))


def chosen_from(field: Field) -> list[Any]:
    """What a select offers."""
    return list(_select(field).options)


def offer(field: Field, options: Any) -> None:
    """Offer other options; what is chosen stays if it is among them."""
    control = _select(field)
    if control.options == options:
        return
    known = list(options)
    control.set_options(options, value=control.value if control.value in known else known[0])


def _select(field: Field) -> ui.select:
    if not isinstance(field.control, ui.select):
        raise TypeError("Only a select has options.")
    return field.control


class SizePicker:
    """Presets by shape, and the exact width and height."""

    def __init__(self, sizes: dict[str, tuple[int, int]], *, width: Any, height: Any) -> None:
        self._sizes = sizes
        self._buttons: dict[str, ui.element] = {}
        with labelled(tr("Size")) as row:
            with row, ui.element("div").classes("o-end o-inline-number o-size"):
                wide = _side("width", tr("Width"), width)
                ui.label("×")
                high = _side("height", tr("Height"), height)
            with ui.element("div").classes("o-shapes"):
                for name, size in sizes.items():
                    self._buttons[name] = self._button(name, size)
            self.width = Field(wide, note("width"))
            self.height = Field(high, note("height"))
        for control in (wide, high):
            control.on_value_change(self._mark)
        self._mark()

    def _button(self, name: str, size: tuple[int, int]) -> ui.element:
        button = ui.element("button").props(f'type=button data-testid="size-{name}"')
        button.props(f'title="{size[0]} × {size[1]}"')
        scale = 16 / max(size)
        with button:
            ui.element("i").style(f"width:{size[0] * scale:.0f}px;height:{size[1] * scale:.0f}px")
            ui.label(name)
        return button.on("click", lambda: self._choose(self._sizes[name]))

    def offer(self, sizes: dict[str, tuple[int, int]]) -> None:
        """The same shapes at other sizes."""
        self._sizes = sizes
        for name, size in sizes.items():
            self._buttons[name].props(f'title="{size[0]} × {size[1]}"')
        self._mark()

    def _choose(self, size: tuple[int, int]) -> None:
        self.width.value, self.height.value = size

    def _mark(self) -> None:
        for name, button in self._buttons.items():
            pressed = (self.width.value, self.height.value) == self._sizes[name]
            button.props(f"aria-pressed={'true' if pressed else 'false'}")


class SeedField:
    """A seed that is drawn anew each time, unless it is locked."""

    def __init__(self, *, seed: str, locked: bool, draw: Callable[[], int]) -> None:
        self._draw = draw
        self.locked = locked
        self.on_change: Callable[[], None] = lambda: None
        with labelled(tr("Seed")):
            control = ui.input(value=seed, placeholder=tr("Random")).props(QUASAR)
            control.props(f'data-testid=seed-input inputmode=numeric aria-label="{tr("Seed")}"')
            with control.add_slot("append"):
                self._lock = icon_button("lock", tr("Keep this seed"), testid="seed-lock")
                self._lock.on("click", lambda: self.lock(not self.locked))
                dice = icon_button("dice", tr("New seed"), testid="seed-dice").classes("o-dice")
                dice.on("click", self._roll)
                for button in (self._lock, dice):
                    button.classes("o-icon-btn-compact")
            self.field = Field(control, note("seed"))
        control.on(f"update:{control.VALUE_PROP}", lambda: self.lock(bool(self.field.value)))
        self.lock(locked)

    def lock(self, locked: bool) -> None:
        """Keep the seed for the next pictures, or not."""
        self.locked = locked
        self._lock.props(f"aria-pressed={'true' if locked else 'false'}")
        self._lock.clear()
        with self._lock:
            icon("lock" if locked else "unlock")
        self.on_change()

    def _roll(self) -> None:
        self.field.value = str(self._draw())
        self.lock(True)


def _side(name: str, label: str, value: float | None) -> ui.number:
    control = ui.number(value=value, step=8).props("dense borderless no-error-icon")
    control.props(f'hide-bottom-space data-testid={name}-input aria-label="{label}"')
    return control


def _within(value: float | None, low: float, high: float) -> float:
    return low if value is None else min(max(value, low), high)
