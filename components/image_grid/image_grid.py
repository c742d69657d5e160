"""The gallery as one component: it reads pictures over REST and keeps them out of the page.

The browser fetches what is on screen, so the page stays small however many pictures there are;
the server only says that something has changed.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.dependencies import register_esm
from nicegui.events import GenericEventArguments

from components import lightbox as _lightbox
from components import modules as _modules  # noqa: F401  (registers what words.js imports)
from components.i18n import texts
from components.image_grid.words import MESSAGES

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
SHEETS: tuple[Path, ...] = (_HERE / "image_grid.css", _lightbox.SHEET)
"""The styles of the gallery and its lightbox, for `components.theme.install`."""

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-gallery",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Which pictures the user wants gone: some by id, or ranges of what a filter shows."""

    ids: tuple[UUID, ...] = ()
    ranges: tuple[tuple[int | None, int | None], ...] = ()
    """Cursors from (included) to (excluded); None is an open end."""
    filter: Mapping[str, str] = field(default_factory=dict[str, str])
    """The parameters of `/api/images` the ranges are meant within."""

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> "Removal":
        """What the browser said.

        Raises:
            ValueError: it is not what our component sends.
        """
        ranges = [(_edge(low), _edge(high)) for low, high in args.get("ranges") or ()]
        return cls(
            ids=tuple(UUID(str(one)) for one in args.get("ids") or ()),
            ranges=tuple(ranges),
            filter={str(k): str(v) for k, v in (args.get("filter") or {}).items()},
        )


def _edge(value: object) -> int | None:
    return None if value is None else int(str(value))


class ImageGrid(ui.element, component="image_grid.js"):
    """The whole gallery; `backends` are offered as filters, each as `{id, name}`.

    `presets` say what parameters are called, each as `{id, name, fields, options}`; `start` is the
    address the page was opened at.
    """

    def __init__(
        self,
        *,
        backends: Sequence[Mapping[str, str]],
        presets: Sequence[Mapping[str, Any]] = (),
        start: str = "/canvas",
    ) -> None:
        super().__init__()
        self.classes("o-gal-root")
        self._props["texts"] = texts(*MESSAGES)
        self._props["backends"] = [dict(one) for one in backends]
        self._props["start"] = start
        self._props["presets"] = [dict(one) for one in presets]

    def on_remove(self, handler: Callable[[Removal], Coroutine[Any, Any, None]]) -> None:
        """Call when the user deletes pictures."""

        async def handle(event: GenericEventArguments) -> None:
            await handler(Removal.of(event.args))

        self.on("remove", handle)

    def on_failed(self, handler: Callable[[str], None]) -> None:
        """Call with the reason when something the user asked of the browser failed."""
        self.on("failed", lambda event: handler(str(event.args)))

    def on_about(self, handler: Callable[[UUID], Coroutine[Any, Any, None]]) -> None:
        """Call when somebody looks at a picture of a job; answer with `send_about`."""

        async def handle(event: GenericEventArguments) -> None:
            await handler(UUID(str(event.args)))

        self.on("about", handle)

    def send_about(self, job_id: UUID, notices: Sequence[str]) -> None:
        """What was replaced to make the pictures of the job."""
        self.run_method("about", str(job_id), list(notices))

    def send_changed(self) -> None:
        """Say that pictures came or went; the browser reads what is on screen again."""
        self.run_method("changed")

    def send_refresh(self) -> None:
        """Say that anything may have changed."""
        self.run_method("refresh")

    def send_stay(self) -> None:
        """Say that what was about to go stays after all."""
        self.run_method("stay")
