"""The ledger page: what was paid for, against the budgets."""

from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import OrchestratorError
from app.services import Services
from components import notify
from components.i18n import tr
from components.ledger_book import LedgerBook
from components.scope import Scope


def ledger(services: Services) -> None:
    """The page at `/ledger`."""
    ui.page_title(f"{tr('Ledger')} – Orchestrator")
    with Scope(classes="o-page o-ledger") as scope:
        book = LedgerBook(services)

    async def resolve(event: GenericEventArguments) -> None:
        try:
            charge_id, is_charged = UUID(event.args["id"]), bool(event.args["charged"])
            await services.budget.resolve(charge_id, is_charged=is_charged)
        except OrchestratorError as exc:
            notify.show_error(exc)

    book.on("resolve", resolve)
    scope.task(book.run(), name="ledger feed")
