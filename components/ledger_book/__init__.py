"""The ledger: what the paid cloud cost, line by line, and what is left of the budgets."""

from pathlib import Path
from typing import Any

from nicegui import ui

from app.events import ChargeChanged, Event
from app.paid import MICRO, Charge, Totals, usd
from app.services import Services
from components import modules as _modules  # noqa: F401  (registers what ledger_book.js imports)
from components.feed import Batch, ClientFeed
from components.i18n import Message, say, texts

SHEET = Path(__file__).with_name("ledger_book.css")
_STEP = 50
TEXTS: tuple[Message, ...] = (
    "Ledger", "What the FLUX cloud was paid, and what is left of the budgets.",
    "Paid generation is switched off.",
    "Set allow_generation: true in config.yaml, and start the app again.",
    "Today (UTC)", "In total", "{spent} of {cap}", "{left} left", "Charges", "Time", "Model", "Job",
    "Price", "State", "Set aside", "Spent", "Not charged", "Uncertain", "estimate", "Open job",
    "Show more", "Nothing was paid for yet.",
    "Each picture of the FLUX cloud becomes a line here, with what it really cost.",
    "It was charged", "It was not charged",
    "Look in your account at the provider, then say what you found.",
    "Price list", "As of {date}; an estimate, for a picture or a megapixel.", "Task {id}",
)  # fmt: skip


class LedgerBook(ui.element, component="ledger_book.js"):
    """Budgets, charges and prices; emits `resolve` with `{id, charged}`."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._budget = services.budget
        self._limit = _STEP
        self._props["texts"] = texts(*TEXTS)
        self._props["isAllowed"] = services.budget.is_allowed
        self._props["prices"] = [
            {"model": model, "price": usd(round(price * MICRO))}
            for model, price in services.budget.prices.items()
        ]
        self._props["pricedOn"] = services.budget.priced_on.isoformat()
        self.feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=_fold,
            send=lambda _: self.feed.refresh(),  # the sums change with every line: read again
        )
        self.on("more", self._show_more)

    async def run(self) -> None:
        """Feed the element until cancelled."""
        await self.feed.run()

    def _show_more(self) -> None:
        self._limit += _STEP
        self.feed.refresh()

    async def _snapshot(self) -> None:
        page = await self._budget.page(limit=self._limit)
        totals = await self._budget.totals()
        self.run_method(
            "snapshot",
            {
                "charges": [_line(charge) for charge in page.items],
                "hasMore": page.next_cursor is not None,
                "budgets": _budgets(totals),
            },
        )


def _fold(event: Event, batch: Batch) -> None:
    if isinstance(event, ChargeChanged):
        batch.setdefault("charges", {})[str(event.charge_id)] = True


def _line(charge: Charge) -> dict[str, Any]:
    return {
        "id": str(charge.id),
        "jobId": str(charge.job_id) if charge.job_id else None,
        "model": charge.model,
        "state": charge.state.value,
        "price": usd(charge.micro_usd),
        "isEstimate": charge.is_estimate,
        "taskId": charge.task_id,
        "note": say(charge.note),
        "createdAt": charge.created_at.isoformat(),
    }


def _budgets(totals: Totals) -> list[dict[str, Any]]:
    return [
        _used("Today (UTC)", totals.day, totals.day_cap),
        _used("In total", totals.total, totals.total_cap),
    ]


def _used(name: str, spent: int, cap: int) -> dict[str, Any]:
    return {
        "name": name,
        "spent": usd(spent),
        "cap": usd(cap),
        "left": usd(max(0, cap - spent)),
        "fraction": min(1.0, spent / cap) if cap else 1.0,
    }
