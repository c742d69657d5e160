"""Money: what a paid picture would cost, what was set aside, and the caps nothing gets past.

A charge is written before its order is sent and only ever grows more certain: reserved, then
spent, released (certainly not charged) or uncertain (the answer never came). All but the
released ones count against the budgets, so that parallel jobs cannot race past a cap.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from math import ceil
from typing import Any, Protocol
from uuid import UUID

from app.config import Settings
from app.errors import (
    BudgetExceededError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from app.events import ChargeChanged, EventBus
from app.models import FLUX, Attempt, GenerationRequest, Job, JobState
from app.ports import Clock
from app.said import Said

log = logging.getLogger(__name__)

DEFAULT_MODEL = "flux-pro-1.1-ultra"
MICRO = 1_000_000  # of one US dollar
_MICRO_PER_CREDIT = MICRO // 100
_MEGAPIXEL = 1_000_000  # pixels
_OFF = Said("Paid generation is switched off.")
_ALLOW = Said("Set allow_generation: true in config.yaml, and start the app again.")


class ChargeState(StrEnum):
    """How certain it is that money was spent."""

    RESERVED = "reserved"
    """Set aside; the order is being sent."""
    SPENT = "spent"
    RELEASED = "released"
    """Certainly not charged."""
    UNCERTAIN = "uncertain"
    """The order may have arrived; counts as spent until somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The money of one attempt."""

    id: UUID  # that of the attempt
    job_id: UUID | None
    backend_id: str
    model: str
    state: ChargeState = ChargeState.RESERVED
    micro_usd: int  # the estimate, then what it really cost
    task_id: str | None = None  # what the cloud calls it
    handle: Mapping[str, Any] | None = None  # what to ask the cloud with
    note: str = ""
    created_at: datetime
    settled_at: datetime | None = None

    @property
    def is_to_be_had(self) -> bool:
        """Whether its picture may still be fetched from the cloud."""
        is_there = self.handle is not None and not self.handle.get("gone")
        return self.state is ChargeState.SPENT and is_there

    @property
    def is_estimate(self) -> bool:
        """Whether the price is ours, because the cloud did not say one."""
        return (self.handle or {}).get("cost") is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What counts against the budgets, in micro-dollars: reserved, spent and uncertain."""

    day: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What is spent or set aside, against the caps, in micro-dollars."""

    day: int  # today in UTC
    total: int
    day_cap: int
    total_cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePage:
    """A slice of the ledger, newest first, and where the next one starts."""

    items: tuple[Charge, ...]
    next_cursor: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a request would cost, and what would be sent for it."""

    micro_usd: int
    usd: float
    priced_on: date  # of the price list: it is an estimate
    model: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """Whether the cloud takes our key; `valid` is None while it cannot be told."""

    valid: bool | None
    reason: str
    endpoint: str


class Cloud(Protocol):
    """What pages and API ask of the paid cloud, besides pictures."""

    async def validate(self) -> KeyCheck:
        """Ask it once, for nothing."""
        ...

    def deliver(self, body: bytes, *, signature: str) -> bool:
        """Take in what the cloud posted by itself; False if it was not the cloud."""
        ...


class ChargeStore(Protocol):
    """The rows of the ledger."""

    async def reserve(
        self, value: Charge, *, since: datetime, check: Callable[[Sums], None]
    ) -> None:
        """Insert a charge if `check`, given what counts before it, does not raise.

        Check and insert are one transaction: no other charge comes between.
        """
        ...

    async def change(
        self, charge_id: UUID, *, before: ChargeState | None = None, **values: Any
    ) -> Charge | None:
        """Write columns of a charge; as it is then, None if there is no such charge.

        With `before`: only if that is its state, else nothing is written and None is the answer.
        """
        ...

    async def get(self, charge_id: UUID) -> Charge | None: ...

    async def of_job(self, job_id: UUID) -> list[Charge]:
        """The charges of a job, oldest first."""
        ...

    async def sums(self, *, since: datetime) -> Sums:
        """What counts against the budgets: since then, and ever."""
        ...

    async def page(self, *, limit: int, cursor: UUID | None = None) -> ChargePage:
        """Charges newest first; `cursor` is the last one of the page before."""
        ...


class Budget:
    """Quotes prices, and lets money out only below the caps."""

    def __init__(
        self,
        *,
        store: ChargeStore,
        settings: Settings,
        payload: Callable[[GenerationRequest], Mapping[str, Any]],
        agreed: Callable[[UUID], float | None],
        clock: Clock,
        bus: EventBus,
    ) -> None:
        """`payload` tells what would be sent for a request, without keys and pictures; `agreed`
        is the price that somebody agreed to for a job.
        """
        self._store = store
        self._agreed = agreed
        self._settings = settings.flux
        self._payload = payload
        self._clock = clock
        self._bus = bus
        self.is_allowed = settings.allow_generation
        """Whether anything may be paid for at all (`allow_generation`)."""

    @property
    def prices(self) -> Mapping[str, float]:
        """The price list in US dollars, by model."""
        return self._settings.prices_usd

    @property
    def priced_on(self) -> date:
        """The date of the price list."""
        return self._settings.prices_date

    def quote(self, request: GenerationRequest) -> Quote | None:
        """What the request would cost; None if it costs nothing.

        Raises:
            InvalidRequestError: it names a model that has no price.
        """
        if FLUX not in (request.preset, request.target):
            return None
        model = request.checkpoint or DEFAULT_MODEL
        price = self._settings.prices_usd.get(model)
        if price is None:
            raise InvalidRequestError(
                "params.checkpoint",
                Said("The FLUX cloud has no model '{model}'.", model=model),
                fix=Said("Choose one of: {names}.", names=", ".join(self._settings.prices_usd)),
            )
        micro = round(price * MICRO) * _units(model, request)
        return Quote(
            micro_usd=micro,
            usd=micro / MICRO,
            priced_on=self._settings.prices_date,
            model=model,
            payload=self._payload(request),
        )

    async def quote_again(self, job: Job) -> Quote | None:
        """What a retry of the job would cost that nobody has agreed to yet.

        None if it costs nothing; if what was paid for can still be fetched; and for a job that was
        cancelled before anything was ordered, at a price that was agreed to.

        Raises:
            InvalidRequestError: it names a model that has no price.
        """
        quote = self.quote(job.request)
        if quote is None:
            return None
        charges = await self._store.of_job(job.id)
        counting = [each for each in charges if each.state is not ChargeState.RELEASED]
        if counting and counting[-1].is_to_be_had:
            return None
        is_unused = job.state is JobState.CANCELLED and not charges
        return None if is_unused and _covers(job.terms.confirmed_usd, quote) else quote

    async def cost_of(self, job: Job) -> float | None:
        """What was spent or set aside for the job, in US dollars; None for one that is free."""
        if FLUX not in (job.request.preset, job.request.target):
            return None
        charges = await self._store.of_job(job.id)
        counting = [each for each in charges if each.state is not ChargeState.RELEASED]
        return sum(each.micro_usd for each in counting) / MICRO

    async def agree_again(self, job: Job, *, confirmed: bool) -> float | None:
        """The price that a retry of the job may order at; None if it may order nothing.

        Raises:
            ConflictError: it would be paid for anew, and that is not confirmed or switched off.
            InvalidRequestError: it names a model that has no price.
        """
        quote = self.quote(job.request)
        if quote is None:
            return job.terms.confirmed_usd
        if await self.quote_again(job) is not None:
            self.require_allowed()
            if not confirmed:
                raise ConflictError(
                    Said("This costs about {price} a picture.", price=usd(quote.micro_usd)),
                    fix=Said("Send it again with confirmed: true to agree to that."),
                )
        if confirmed:
            return quote.usd
        was_ordered = bool(await self._store.of_job(job.id))
        return None if was_ordered else job.terms.confirmed_usd

    def require_allowed(self) -> None:
        """Refuse while nothing may be paid for.

        Raises:
            ConflictError: paid generation is switched off.
        """
        if not self.is_allowed:
            raise ConflictError(_OFF, fix=_ALLOW)

    async def reserve(self, attempt: Attempt, *, quote: Quote) -> Charge:
        """Set the money for an attempt aside, before its order is sent.

        Raises:
            BudgetExceededError: paid calls are off, nobody agreed to this price, or a cap would be
                passed; nothing is set aside.
        """
        if not self.is_allowed:
            raise BudgetExceededError(_OFF, fix=_ALLOW)
        if not _covers(agreed := self._agreed(attempt.job_id), quote):
            raise _not_agreed(quote, agreed)
        now = self._clock.now()
        charge = Charge(
            id=attempt.id,
            job_id=attempt.job_id,
            backend_id=attempt.backend_id,
            model=quote.model,
            micro_usd=quote.micro_usd,
            created_at=now,
        )

        def check(before: Sums) -> None:
            _require_room(self._totals(before), micro_usd=quote.micro_usd)

        await self._store.reserve(charge, since=_day_of(now), check=check)
        log.info("Set %s aside for job %s (%s)", usd(charge.micro_usd), charge.job_id, charge.model)
        self._bus.publish(ChargeChanged(charge_id=charge.id))
        return charge

    async def settle(
        self, charge_id: UUID, *, credits: float | None, handle: Mapping[str, Any]
    ) -> None:
        """The cloud took the order: what it says it costs (else the estimate) is spent."""
        values: dict[str, Any] = {"task_id": handle.get("id"), "handle": dict(handle)}
        if credits is not None:
            values["micro_usd"] = round(credits * _MICRO_PER_CREDIT)
        await self._end(charge_id, ChargeState.SPENT, **values)

    async def note_gone(self, charge_id: UUID, *, note: str) -> None:
        """It was paid for, and its picture can no longer be had."""
        charge = await self._store.get(charge_id)
        if charge is None or charge.handle is None:
            return
        handle = {**charge.handle, "gone": True}
        await self._store.change(charge_id, handle=handle, note=note)
        self._bus.publish(ChargeChanged(charge_id=charge_id))

    async def release(self, charge_id: UUID, *, note: str = "") -> None:
        """Certainly not charged: the money is free again."""
        await self._end(charge_id, ChargeState.RELEASED, note=note)

    async def doubt(self, charge_id: UUID, *, note: str = "") -> None:
        """Nobody knows whether it was charged: it counts as if it was."""
        await self._end(charge_id, ChargeState.UNCERTAIN, note=note)

    async def resolve(self, charge_id: UUID, *, is_charged: bool) -> Charge:
        """What somebody found in the account of the cloud, about an uncertain charge.

        Raises:
            NotFoundError: there is no such charge.
            ConflictError: it is not uncertain.
        """
        charge = await self._store.get(charge_id)
        if charge is None:
            raise NotFoundError(Said("There is no charge {id}.", id=charge_id))
        if charge.state is not ChargeState.UNCERTAIN:
            raise ConflictError(Said("This charge is not uncertain."))
        state = ChargeState.SPENT if is_charged else ChargeState.RELEASED
        resolved = await self._end(charge_id, state, before=ChargeState.UNCERTAIN)
        if resolved is None:  # somebody else was faster
            raise ConflictError(Said("This charge is not uncertain."))
        return resolved

    async def get(self, charge_id: UUID) -> Charge | None:
        """The charge of an attempt, if money was ever set aside for it."""
        return await self._store.get(charge_id)

    async def paid_before(self, attempt: Attempt) -> Charge | None:
        """The newest charge of an earlier attempt of the same job that was not released."""
        charges = await self._store.of_job(attempt.job_id)
        counting = [each for each in charges if each.state is not ChargeState.RELEASED]
        return next((each for each in reversed(counting) if each.id != attempt.id), None)

    async def totals(self) -> Totals:
        """What is spent or set aside, against the caps."""
        return self._totals(await self._store.sums(since=_day_of(self._clock.now())))

    async def page(self, *, limit: int, cursor: UUID | None = None) -> ChargePage:
        """The ledger, newest first."""
        return await self._store.page(limit=limit, cursor=cursor)

    def _totals(self, sums: Sums) -> Totals:
        return Totals(
            day=sums.day,
            total=sums.total,
            day_cap=round(self._settings.budget_day_usd * MICRO),
            total_cap=round(self._settings.budget_total_usd * MICRO),
        )

    async def _end(self, charge_id: UUID, state: ChargeState, **values: Any) -> Charge | None:
        now = self._clock.now()
        charge = await self._store.change(charge_id, state=state, settled_at=now, **values)
        if charge is not None:
            log.info("The %s for job %s are %s", usd(charge.micro_usd), charge.job_id, state)
            self._bus.publish(ChargeChanged(charge_id=charge_id))
        return charge


def usd(micro_usd: int) -> str:
    """Money for people: cents, and fractions of them where there are any."""
    whole, _, parts = f"{micro_usd / MICRO:.4f}".partition(".")
    return f"${whole}.{parts[:2]}{parts[2:].rstrip('0')}"


def _covers(agreed_usd: float | None, quote: Quote) -> bool:
    return agreed_usd is not None and quote.micro_usd <= round(agreed_usd * MICRO)


def _not_agreed(quote: Quote, agreed_usd: float | None) -> BudgetExceededError:
    price = usd(quote.micro_usd)
    if agreed_usd is None:
        message = Said("This would cost {price}, and nobody has agreed to that.", price=price)
    else:
        message = Said(
            "This costs {price} by now, and only {agreed} was agreed to.",
            price=price,
            agreed=usd(round(agreed_usd * MICRO)),
        )
    return BudgetExceededError(message, fix=Said("Retry asks anew, and names the price."))


def _units(model: str, request: GenerationRequest) -> int:
    """How many times the price of the list: FLUX.2 is paid by the started megapixel."""
    if not model.startswith("flux-2"):
        return 1
    pixels = request.width * request.height
    return max(1, ceil(pixels / _MEGAPIXEL)) + (request.image is not None)


def _day_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _require_room(before: Totals, *, micro_usd: int) -> None:
    if before.day + micro_usd > before.day_cap:
        raise BudgetExceededError(
            Said(
                "The budget of today does not allow {price} more: {spent} of {cap} are spent or "
                "set aside.",
                price=usd(micro_usd),
                spent=usd(before.day),
                cap=usd(before.day_cap),
            ),
            fix=Said("Wait until tomorrow (UTC), or raise flux.budget_day_usd in config.yaml."),
        )
    if before.total + micro_usd > before.total_cap:
        raise BudgetExceededError(
            Said(
                "The whole budget does not allow {price} more: {spent} of {cap} are spent or set "
                "aside.",
                price=usd(micro_usd),
                spent=usd(before.total),
                cap=usd(before.total_cap),
            ),
            fix=Said("Raise flux.budget_total_usd in config.yaml."),
        )
