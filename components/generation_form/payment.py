"""What a picture of a paid preset costs: said in the form, and agreed to before it is made."""

import json

from nicegui import ui

from app.paid import MICRO, Budget, Totals, usd
from app.submitting import Offer
from components.i18n import tr
from components.theme import icon


class PriceLine:
    """The price and what is left of the budget; nothing for what is free."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        with ui.element("div").classes("o-price").props("data-testid=form-price") as self._box:
            icon("coin", classes="o-i-s")
            self._price = ui.label()
            self._left = ui.label().classes("o-price-left").props("data-testid=form-budget")
        self._box.set_visibility(False)

    async def show(self, offer: Offer | None) -> None:
        """Say what that would cost; None: it costs nothing."""
        self._box.set_visibility(offer is not None)
        if offer is None:
            return
        self._price.text = price_of(offer)
        totals = await self._budget.totals()
        self._left.text = left_of(totals) if offer.is_allowed else tr("Dry run")
        self._left.props(f'title="{listed_on(self._budget)}"')


def price_of(offer: Offer) -> str:
    """The price of one, and of all of them."""
    one = usd(offer.quote.micro_usd)
    return one if offer.count == 1 else f"{one} × {offer.count} = {_all(offer)}"


def left_of(totals: Totals) -> str:
    """What may still be spent today: neither cap may be passed."""
    left = max(0, min(totals.day_cap - totals.day, totals.total_cap - totals.total))
    return tr("{left} left today", left=usd(left))


def listed_on(budget: Budget) -> str:
    """How old the prices are."""
    return tr("Price list of {date}", date=budget.priced_on.isoformat())


async def agreed(offer: Offer, budget: Budget) -> bool:
    """Whether somebody agrees to the price; the safe answer has the focus."""
    totals = await budget.totals()
    quote = offer.quote
    with ui.dialog() as dialog, ui.element("div").classes("o-dialog") as box:
        box.props("data-testid=payment-dialog")
        _title(tr("Generate for {price}?", price=_all(offer)))
        facts = [
            (tr("Model"), quote.model),
            (tr("Size"), _size(offer)),
            (tr("Price"), price_of(offer)),
            ("", listed_on(budget)),
            (
                tr("Left of today"),
                f"{usd(max(0, totals.day_cap - totals.day))} / {usd(totals.day_cap)}",
            ),
            (
                tr("Left in total"),
                f"{usd(max(0, totals.total_cap - totals.total))} / {usd(totals.total_cap)}",
            ),
        ]
        _facts(facts)
        with ui.element("div").classes("o-row o-dialog-acts"):
            ui.element("span").classes("o-grow")
            keep = _button(tr("Keep money"), testid="payment-keep", classes="o-btn")
            keep.props("autofocus data-autofocus").on("click", lambda: dialog.submit(False))
            pay = _button(
                tr("Generate for {price}", price=_all(offer)), testid="payment-agree",
                classes="o-btn o-btn-primary",
            )  # fmt: skip
            pay.on("click", lambda: dialog.submit(True))
    answer = await dialog
    dialog.delete()
    return answer is True


async def show_dry_run(offer: Offer, budget: Budget) -> None:
    """What would be sent and cost, and the setting that allows it."""
    with ui.dialog() as dialog, ui.element("div").classes("o-dialog o-dry-run") as box:
        box.props("data-testid=dry-run-dialog")
        _title(tr("Dry run: nothing was sent, nothing was paid"))
        with ui.element("p").classes("o-sec"):
            ui.label(tr("To allow it, set allow_generation: true in config.yaml, and start again."))
        _facts([
            (tr("Model"), offer.quote.model),
            (tr("Price"), price_of(offer)),
            ("", listed_on(budget)),
        ])  # fmt: skip
        with ui.element("pre").classes("o-payload").props("tabindex=0 data-testid=dry-run-payload"):
            ui.label(json.dumps(dict(offer.quote.payload), ensure_ascii=False, indent=2))
        with ui.element("div").classes("o-row o-dialog-acts"):
            ui.element("span").classes("o-grow")
            close = _button(tr("Close"), testid="dry-run-close", classes="o-btn")
            close.props("autofocus data-autofocus").on("click", dialog.close)
    await dialog
    dialog.delete()


def _all(offer: Offer) -> str:
    return usd(round(offer.usd * MICRO))


def _size(offer: Offer) -> str:
    payload = offer.quote.payload
    if "aspect_ratio" in payload:
        return str(payload["aspect_ratio"])
    return f"{payload.get('width', '?')} × {payload.get('height', '?')}"


def _title(text: str) -> None:
    with ui.element("h2").classes("o-h1"):
        ui.label(text)


def _facts(rows: list[tuple[str, str]]) -> None:
    with ui.element("dl").classes("o-kv"):
        for name, value in rows:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(value)


def _button(text: str, *, testid: str, classes: str) -> ui.element:
    button = ui.element("button").classes(classes).props(f"type=button data-testid={testid}")
    with button:
        ui.label(text)
    return button
