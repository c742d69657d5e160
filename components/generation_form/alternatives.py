"""What the alternatives and wildcards of a prompt become, shown below it while it is typed."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nicegui import ui

from app.errors import InvalidRequestError
from app.prompting import has_alternatives, preview, wildcard_names
from components.i18n import say, tr
from components.theme import icon

FEW, MANY = 4, 16
_PAUSE_S = 0.25  # typing goes on
_OFFERED = 8  # wildcards
_BEGUN = re.compile(r"__([\w\-./]*)$")


class PromptPreview:
    """Up to four prompts that may come out, and the wildcards that a name begun may become."""

    def __init__(
        self,
        folder: Path,
        *,
        complain: Callable[[str | None], None],
        complete: Callable[[str], None],
    ) -> None:
        """`complain` is told of mistakes; `complete` is handed the prompt with a whole name."""
        self._folder = folder
        self._complain = complain
        self._complete = complete
        self._prompt = self._shown = ""
        self._seed = 0
        self._limit = FEW
        self._box = ui.element("div").classes("o-prompt-preview")
        self._box.props("data-testid=prompt-preview role=group")
        self._box.props(f'aria-label="{tr("What the prompt becomes")}"')
        self._box.set_visibility(False)

    async def show(self, prompt: str, *, seed: int) -> None:
        """Say what this prompt becomes, once typing pauses."""
        if (prompt, seed) == (self._prompt, self._seed):
            return
        self._prompt, self._seed, self._limit = prompt, seed, FEW
        begun = _BEGUN.search(prompt)
        if not has_alternatives(prompt) and begun is None and not self._box.visible:
            return
        await asyncio.sleep(_PAUSE_S)
        if prompt == self._prompt:
            await self._look()

    async def _look(self) -> None:
        prompt, limit = self._prompt, self._limit
        begun = _BEGUN.search(prompt)
        names = await asyncio.to_thread(wildcard_names, self._folder) if begun else []
        drawn: list[str] = []
        mistake = None
        if has_alternatives(prompt):
            try:
                drawn = await asyncio.to_thread(
                    partial(
                        preview, prompt, limit=limit + 1, seed=self._seed, wildcards=self._folder
                    )
                )
            except InvalidRequestError as exc:
                mistake = f"{say(exc.message)} {say(exc.fix)}".strip()
        if prompt != self._prompt or self._box.is_deleted:
            return
        self._complain(mistake)
        self._fill(drawn[:limit], more=len(drawn) > limit and limit == FEW)
        if begun is not None:
            self._offer(prompt[: begun.start()], begun[1], names)

    def _fill(self, drawn: list[str], *, more: bool) -> None:
        self._box.clear()
        self._box.set_visibility(bool(drawn))
        with self._box:
            for text in drawn:
                with ui.element("div").classes("o-becomes"):
                    icon("wand", classes="o-i-s")
                    ui.label(text).props("dir=auto")
            if more:
                button = ui.element("button").classes("o-link").on("click", self._show_more)
                with button.props("type=button data-testid=prompt-preview-more"):
                    ui.label(tr("Show more"))

    def _offer(self, before: str, begun: str, names: list[str]) -> None:
        near = [name for name in names if begun.lower() in name.lower()] if names else []
        near.sort(key=lambda name: (not name.lower().startswith(begun.lower()), name))
        if not near:
            return
        self._box.set_visibility(True)
        with self._box, ui.element("div").classes("o-wildcards"):
            for name in near[:_OFFERED]:
                chip = ui.element("button").classes("o-chip")
                chip.props(f'type=button data-testid="wildcard-{name}"')
                chip.on("click", partial(self._complete, f"{before}__{name}__"))
                with chip:
                    ui.label(f"__{name}__")

    async def _show_more(self) -> None:
        self._limit = MANY
        await self._look()
