"""The ledger of paid calls: caps that hold whoever comes at the same moment, and pages."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.config import FluxSettings, Settings
from app.errors import BudgetExceededError, ConflictError, NotFoundError, StorageError
from app.events import ChargeChanged, EventBus
from app.ids import new_id
from app.paid import Budget, Charge, ChargeState, Quote
from app.said import Said
from backends.flux.bodies import shown_body
from data.charges import SqlChargeStore
from data.database import Database
from tests.contract.flux_lab import an_order, wanted
from tests.support.fakes import START, FakeClock


@pytest.fixture
def bus() -> EventBus:
    """Tells of charges."""
    return EventBus()


NewBudget = Callable[..., Budget]


@pytest.fixture
def new(database: Database, clock: FakeClock, bus: EventBus) -> NewBudget:
    """Makes budgets on one ledger."""

    def make(*, day: float = 5, total: float = 50) -> Budget:
        return Budget(
            store=SqlChargeStore(database),
            settings=Settings(
                allow_generation=True,
                flux=FluxSettings(budget_day_usd=day, budget_total_usd=total),
            ),
            payload=shown_body,
            agreed=lambda _: 1000.0,
            clock=clock,
            bus=bus,
        )

    return make


def the_quote(budget: Budget) -> Quote:
    """Six cents."""
    quote = budget.quote(wanted())
    assert quote is not None
    return quote


async def reserved(budget: Budget) -> Charge:
    """Six cents set aside."""
    return await budget.reserve(an_order(), quote=the_quote(budget))


async def test_fifty_at_once_do_not_get_past_the_cap_of_the_day(new: NewBudget) -> None:
    budget = new(day=0.60)
    refused: list[str] = []

    async def one() -> None:
        try:
            await reserved(budget)
        except BudgetExceededError as exc:
            refused.append(exc.message)

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(one())

    assert len(refused) == 40
    assert (await budget.totals()).day == 600_000
    assert "$0.60 of $0.60" in refused[0]


async def test_the_cap_of_everything_holds_over_days(new: NewBudget, clock: FakeClock) -> None:
    budget = new(day=0.06, total=0.12)
    await reserved(budget)
    with pytest.raises(BudgetExceededError, match="today"):
        await reserved(budget)
    clock.advance(24 * 3600)
    await reserved(budget)
    clock.advance(24 * 3600)
    with pytest.raises(BudgetExceededError, match="whole") as caught:
        await reserved(budget)

    assert "flux.budget_total_usd" in caught.value.fix
    totals = await budget.totals()
    assert (totals.day, totals.total) == (0, 120_000)


async def test_a_new_day_begins_at_midnight_in_utc(new: NewBudget, clock: FakeClock) -> None:
    budget = new(day=0.06)
    await reserved(budget)
    midnight = START.replace(hour=0) + timedelta(days=1)
    clock.advance((midnight - START).total_seconds() - 1)
    with pytest.raises(BudgetExceededError):
        await reserved(budget)
    clock.advance(1)
    await reserved(budget)


async def test_what_it_really_cost_takes_the_place_of_the_estimate(new: NewBudget) -> None:
    budget = new()
    charge = await reserved(budget)

    await budget.settle(charge.id, credits=4.5, handle={"id": "task-1"})

    stored = await budget.get(charge.id)
    assert stored is not None
    assert (stored.state, stored.micro_usd, stored.task_id) == (
        ChargeState.SPENT,
        45_000,
        "task-1",
    )
    assert (await budget.totals()).day == 45_000


async def test_released_money_is_free_again_and_uncertain_money_is_not(new: NewBudget) -> None:
    budget = new(day=0.12)
    first, second = await reserved(budget), await reserved(budget)
    note = Said("The FLUX cloud answers {status}.", status=500)
    await budget.release(first.id)
    await budget.doubt(second.id, note=note)

    await reserved(budget)
    with pytest.raises(BudgetExceededError):
        await reserved(budget)

    stored = await budget.get(second.id)
    assert stored is not None
    assert isinstance(stored.note, Said)
    assert stored.note == note


@pytest.mark.parametrize(
    ("is_charged", "state", "day"),
    [(True, ChargeState.SPENT, 60_000), (False, ChargeState.RELEASED, 0)],
)
async def test_a_person_settles_an_uncertain_charge(
    new: NewBudget, is_charged: bool, state: ChargeState, day: int
) -> None:
    budget = new()
    charge = await reserved(budget)
    await budget.doubt(charge.id)

    assert (await budget.resolve(charge.id, is_charged=is_charged)).state is state
    assert (await budget.totals()).day == day
    with pytest.raises(ConflictError):
        await budget.resolve(charge.id, is_charged=True)


async def test_only_one_of_two_people_settles_a_charge(new: NewBudget) -> None:
    budget, refused = new(), 0
    charge = await reserved(budget)
    await budget.doubt(charge.id)

    async def settle(*, is_charged: bool) -> None:
        nonlocal refused
        try:
            await budget.resolve(charge.id, is_charged=is_charged)
        except ConflictError:
            refused += 1

    async with asyncio.TaskGroup() as group:
        for is_charged in (True, False):
            group.create_task(settle(is_charged=is_charged))

    assert refused == 1


async def test_there_is_nothing_to_settle_about_an_unknown_charge(new: NewBudget) -> None:
    with pytest.raises(NotFoundError):
        await new().resolve(new_id(), is_charged=True)


async def test_the_money_of_one_attempt_is_set_aside_once(new: NewBudget) -> None:
    budget = new()
    attempt = an_order()
    await budget.reserve(attempt, quote=the_quote(budget))

    with pytest.raises(StorageError):
        await budget.reserve(attempt, quote=the_quote(budget))

    assert (await budget.totals()).day == 60_000


async def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(
    new: NewBudget, clock: FakeClock
) -> None:
    budget = new()
    made: list[Charge] = []
    for number in range(7):
        made.append(await reserved(budget))
        clock.advance(number % 2)  # some are of the same moment

    pages = [await budget.page(limit=3)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(await budget.page(limit=3, cursor=cursor))

    assert [len(page.items) for page in pages] == [3, 3, 1]
    listed = [charge.id for page in pages for charge in page.items]
    assert sorted(listed) == sorted(charge.id for charge in made)
    times = [charge.created_at for page in pages for charge in page.items]
    assert times == sorted(times, reverse=True)


async def test_a_page_after_an_unknown_charge_is_empty(new: NewBudget) -> None:
    assert (await new().page(limit=3, cursor=new_id())).items == ()


async def test_whoever_listens_hears_of_every_step(new: NewBudget, bus: EventBus) -> None:
    budget = new()
    with bus.subscribe(ChargeChanged) as inbox:
        charge = await reserved(budget)
        await budget.settle(charge.id, credits=None, handle={"id": "task-1"})
        events = inbox.drain()

    assert events == [ChargeChanged(charge_id=charge.id)] * 2
