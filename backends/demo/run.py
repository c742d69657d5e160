"""One prompt on its way, and the ways in which it can end early."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL import Image

from backends.demo.files import PngText, Workspace
from backends.demo.narrator import Narrator
from backends.demo.prompt_queue import QueuedPrompt
from backends.demo.wire import JsonDict


class InterruptedRunError(Exception):
    """Somebody asked for the running prompt to stop."""


class AbandonedRunError(Exception):
    """The engine forgot everything, the running prompt too: it ends without a word."""


class RunControl(Protocol):
    """What a run needs of the executor."""

    async def load_checkpoint(self, name: str) -> None: ...

    async def pause(self, seconds: float) -> None: ...

    async def advance(
        self, run: "Run", *, step: int, steps: int, preview: Callable[[], Image.Image] | None
    ) -> None: ...

    async def report(
        self, run: "Run", *, value: int, total: int, picture: Image.Image | None
    ) -> None: ...


@dataclass(slots=True, kw_only=True)
class Run:
    """The running prompt, as its nodes see it (`NodeContext`)."""

    item: QueuedPrompt
    control: "RunControl"
    narrator: Narrator
    files: Workspace
    png_text: PngText
    step_delay_s: float
    preview_side_px: int
    node_id: str = ""
    executed: list[str] = field(default_factory=list[str])
    ui: JsonDict = field(default_factory=dict[str, Any])

    async def load_checkpoint(self, name: str) -> None:
        await self.control.load_checkpoint(name)

    async def pause(self, seconds: float) -> None:
        await self.control.pause(seconds)

    async def advance(
        self, step: int, *, steps: int, preview: Callable[[], Image.Image] | None
    ) -> None:
        await self.control.advance(self, step=step, steps=steps, preview=preview)

    async def report(self, value: int, *, total: int, picture: Image.Image | None) -> None:
        await self.control.report(self, value=value, total=total, picture=picture)
