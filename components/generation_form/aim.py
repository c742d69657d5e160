"""The head of the form: what to make, where, and what to do while that place is away."""

from nicegui import ui

from app.models import AUTO, DEMO, Fallback
from components.generation_form.choices import Choice
from components.generation_form.fields import Field, explained_select, offer, select
from components.i18n import tr


class AimPickers:
    """The pickers, and the line that says how it stands with what they hold."""

    def __init__(self, makes: list[Choice], *, make: str, where: str, fallback: str) -> None:
        self.make = explained_select(
            "backend", label=tr("Make"), options={each.id: each.label for each in makes},
            value=make, testid="backend-select",
        )  # fmt: skip
        with ui.element("div").classes("o-two") as self._places:
            self.where = explained_select(
                "where", label=tr("Where"), options={where: where}, value=where,
                testid="where-select",
            )  # fmt: skip
            fallbacks = {
                Fallback.NONE.value: tr("Wait"),
                Fallback.ASK.value: tr("Ask me"),
                Fallback.AUTO.value: tr("Go elsewhere"),
            }
            self.fallback = select(
                "fallback", label=tr("If it is away"), options=fallbacks,
                value=fallback if fallback in fallbacks else Fallback.NONE.value,
                testid="fallback-select",
            )  # fmt: skip
        with ui.element("div").classes("o-backend-state"):
            self._dot = ui.element("span").classes("o-dot")
            self._state = ui.label().classes("o-state-text").props("data-testid=backend-state")

    @property
    def fields(self) -> dict[str, Field]:
        """Those that are part of the form's values."""
        return {"backend": self.make, "where": self.where, "fallback": self.fallback}

    def offer(self, makes: list[Choice], places: list[Choice], *, about: str) -> None:
        """What there is to choose from, and how it stands with what is chosen.

        `about` explains what is made.
        """
        self.make.control.props["title"] = about
        offer(self.make, {each.id: each.label for each in makes})
        offer(self.where, {each.id: each.label for each in places})
        is_demo = self.make.value == DEMO
        self._places.set_visibility(not is_demo and len(places) > 1)
        self.fallback.show(self.where.value not in (AUTO, DEMO))
        if is_demo:
            chosen = next((each for each in makes if each.id == DEMO), None)
        else:
            chosen = next((each for each in places if each.id == self.where.value), None)
        self._state.text = chosen.state if chosen else tr("No backend is configured.")
        ready = chosen is not None and chosen.online
        self._dot.style(f"color: var({'--st-done' if ready else '--warn'})")
