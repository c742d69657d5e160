"""The files to start from: dropped, pasted, chosen, painted or from the gallery."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.dependencies import register_esm
from nicegui.events import GenericEventArguments

from app.models import MediaKind
from components import modules as _modules  # noqa: F401  (registers what the modules import)
from components.i18n import Message, texts, tr

_MODULES = Path(__file__).with_name("modules")

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-form",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)

TEXTS: tuple[Message, ...] = (
    "Brush size",
    "Cancel",
    "Choose a picture",
    "Choose a video",
    "Choose file",
    "Clear",
    "Close",
    "Drop or paste a picture here",
    "Drop a mask here, or paint one",
    "Drop a sound here",
    "Drop a video here",
    "Erase (X)",
    "From the gallery",
    "Invert",
    "It is too large. Use a picture of up to 64 megapixels and 50 MB.",
    "Nothing is painted yet.",
    "Paint (X)",
    "Paint mask",
    "Pictures you make land here.",
    "Remove",
    "The file is gone from the server. Give it again.",
    "The picture is gone from the server. Give it again.",
    "The server did not answer. Is it still running?",
    "This is no picture that can be read.",
    "Undo",
    "Uploading… {percent} %",
    "Use mask",
    "White is painted anew. Paint with the mouse, or with the arrow keys and Space.",
    "{name} is no file that can be taken. Use a picture, a video, a sound or a GLB model.",
    "{name} is no sound that can be read. Use WAV, MP3, FLAC or OGG.",
    "{name} is no video that can be read. Use MP4, WebM, MOV, MKV or GIF.",
    "{name} is too large: up to 50 MB are taken.",
)

Taken = Callable[[int, int], None]


class PictureField(ui.element, component="picture_field.js"):
    """A picture, a video or a sound of app.inputs, by its name; it uploads by itself, over HTTP.

    A field of the form like any other: see `components.generation_form.fields.Field`.
    """

    def __init__(
        self, name: str, *, label: str, value: str | None, kind: MediaKind = "image"
    ) -> None:
        """`name` is `image` or `mask`; a mask can be painted on the picture given to `paint_on`."""
        super().__init__()
        self._value = value
        self._handlers: list[Callable[[], Any]] = []
        self.on_taken: Taken = lambda width, height: None
        """Called with width and height of a picture that somebody has just given."""
        self._props["texts"] = texts(*TEXTS)
        self._props["name"] = name
        self._props["kind"] = kind
        self._props["label"] = label
        self._props["value"] = value
        self._props["mistake"] = ""
        self._props["paintOn"] = None
        self.classes("o-field")
        self.on("change", self._changed)

    @property
    def value(self) -> str | None:
        """The name of the picture."""
        return self._value

    @value.setter
    def value(self, value: str | None) -> None:
        if value == self._value:
            return
        self._value = value
        self._props["value"] = value
        self.complain(None)
        self._tell()

    def paint_on(self, image: str | None) -> None:
        """A mask is painted on this picture."""
        if self._props["paintOn"] != image:
            self._props["paintOn"] = image
            self.update()

    def on_change(self, handler: Callable[[], Any]) -> None:
        """Call it whenever another picture is there, or none."""
        self._handlers.append(handler)

    def show(self, shown: bool) -> None:
        """Whether the field is on the page."""
        self.set_visibility(shown)

    def complain(self, message: str | None) -> None:
        """Say what is wrong with the picture; None: nothing."""
        self._props["mistake"] = message or ""
        self.update()

    def focus(self) -> None:
        """Put the cursor there."""
        self.run_method("focus")

    def _changed(self, event: GenericEventArguments) -> None:
        given = event.args if isinstance(event.args, Mapping) else {}
        name = given.get("name")
        self.value = str(name) if name else None
        if name and given.get("width") and given.get("height"):
            self.on_taken(int(given["width"]), int(given["height"]))

    def _tell(self) -> None:
        for handler in self._handlers:
            handler()


def picture_fields(image: str | None, mask: str | None) -> dict[str, PictureField]:
    """Both: the picture, and the mask that is painted on it."""
    made = {
        "image": PictureField("image", label=tr("Input picture"), value=image),
        "mask": PictureField("mask", label=tr("Mask"), value=mask),
    }
    made["mask"].paint_on(image)
    made["image"].on_change(lambda: made["mask"].paint_on(made["image"].value))
    return made
