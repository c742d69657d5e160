"""Generate: the button that needs the server, and keeps what is typed while there is none."""

from collections.abc import Callable, Mapping

from nicegui import ui
from nicegui.events import GenericEventArguments

from components import modules as _modules  # noqa: F401  (registers what generate_button.js imports)
from components.i18n import Message, texts

TEXTS: tuple[Message, ...] = ("Not connected. Your text is kept.",)


class GenerateButton(ui.element, component="generate_button.js"):
    """The form's button; what is added inside `with` stands on it."""

    def __init__(self, *, on_restore: Callable[[Mapping[str, str]], None]) -> None:
        """`on_restore` is handed what was typed while the server was away, by test id."""
        super().__init__()
        self._on_restore = on_restore
        self._props["texts"] = texts(*TEXTS)
        self.classes("o-btn o-btn-primary o-btn-large o-generate")
        self.props("data-testid=generate-button")
        self.on("restore", self._handle_restore)

    def forget(self) -> None:
        """What was typed before is not to come back: the fields hold something else now."""
        self.run_method("forget")

    def _handle_restore(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, Mapping):
            self._on_restore({str(name): str(value) for name, value in event.args.items()})
