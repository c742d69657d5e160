"""The order of one attempt, and its money: placed at most once, and never in doubt without a trace.

Money decides the sequence of things. It is set aside before the order goes out; what the cloud
answers is written down before anything is asked; and whatever cannot be told apart from a paid
order is treated as one: it is never sent again by itself.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from app.errors import (
    BackendError,
    BackendUnreachableError,
    CloudKeyError,
    InvalidRequestError,
    NotFoundError,
    NotSentError,
    PromptRejectedError,
    StorageError,
    UncertainChargeError,
)
from app.models import Attempt, GenerationRequest
from app.paid import Budget, ChargeState, Quote, usd
from app.runs import Accepted, RunEnd, RunFailed, RunLost
from app.said import Said
from backends.flux.answers import PENDING, READY, Task
from backends.flux.bodies import build_body, suffix_of
from backends.flux.client import FluxClient
from backends.flux.link import Link

log = logging.getLogger(__name__)

InputPath = Callable[[str], Path]
"""Where an input picture lies, by its name."""
LOOK_AND_SETTLE = Said(
    "Look at your account there, and settle the charge in the ledger. "
    "Retry orders, and pays, once more."
)
_GONE = Said("The FLUX cloud no longer has what was paid for.")


class FluxOrder:
    """What is bought for an attempt; `handle` is how the cloud is asked about it."""

    def __init__(
        self,
        attempt: Attempt,
        request: GenerationRequest,
        *,
        client: FluxClient,
        budget: Budget,
        input_path: InputPath,
        link: Link,
    ) -> None:
        self._attempt = attempt
        self._request = request
        self._client = client
        self._budget = budget
        self._input_path = input_path
        self._link = link
        self._handle: Mapping[str, Any] | None = attempt.handle

    @property
    def handle(self) -> Mapping[str, Any]:
        """What the cloud answered; only of an order that was placed or found."""
        assert self._handle is not None
        return self._handle

    @property
    def task_id(self) -> str:
        """What the cloud calls it."""
        return str(self.handle["id"])

    @property
    def is_free(self) -> bool:
        """Whether the cloud said that it costs nothing."""
        return self.handle.get("cost") == 0

    async def place(self) -> Accepted:
        """Buy it, unless it was bought before.

        Raises: what `Run.submit` does, and UncertainChargeError.
        """
        quote = self._quoted()
        if paid := await self._paid_before():
            return paid
        body = build_body(self._request, image=await self._image())
        payload = {**body.payload, **self._link.webhook}
        await self._budget.reserve(self._attempt, quote=quote)
        try:
            ordered = await self._client.order(quote.model, payload)
        except UncertainChargeError as exc:
            await self._budget.doubt(self._attempt.id, note=exc.message)
            raise
        except BackendError as exc:
            await self._budget.release(self._attempt.id, note=exc.message)
            self._link.heard(exc)
            raise
        self._link.heard(None)
        self._handle = {
            "id": ordered.id,
            "polling_url": ordered.polling_url,
            "cost": ordered.cost,
            "suffix": suffix_of(self._request),
            "charge": str(self._attempt.id),
        }
        await self.settle()
        return Accepted(handle=self._handle, notices=body.notices)

    async def find(self) -> RunEnd | None:
        """Find the handle after a restart; the end of the run if there is none to be found."""
        if self._handle is None:
            self._handle = await self._known_handle()
        if self._handle is None:
            return await self._end_of_unknown()
        await self.settle()
        return None

    async def look(self) -> Task:
        """How it is.

        Raises:
            BackendUnreachableError, CloudKeyError: that cannot be told.
        """
        url = self.handle.get("polling_url") or self._client.task_url(self.task_id)
        return await self._client.look(url)

    async def settle(self) -> None:
        """Write the price down; when the disk fails it is tried again later."""
        try:
            charge = await self._budget.get(self._attempt.id)
            if charge is not None and charge.state is ChargeState.RESERVED:
                cost = self.handle.get("cost")
                await self._budget.settle(self._attempt.id, credits=cost, handle=self.handle)
        except StorageError as exc:
            log.warning("The charge of attempt %s is not settled yet: %s", self._attempt.id, exc)
            self._link.remember(self._attempt.id, self.handle)

    async def doubt(self, note: str) -> None:
        """Nobody knows any more whether it was charged."""
        await self._budget.doubt(self._charge_id, note=note)

    async def release(self, note: str) -> None:
        """It was certainly not charged."""
        await self._budget.release(self._charge_id, note=note)

    async def note_gone(self, note: str) -> None:
        """From now on nothing is to be had for the money."""
        try:
            await self._budget.note_gone(self._charge_id, note=note)
        except StorageError as exc:  # a Retry will find out for itself
            log.warning("It is not noted that %s is gone: %s", self.task_id, exc)

    @property
    def _charge_id(self) -> UUID:
        """That of the attempt that paid, which may be an earlier one."""
        return UUID(self.handle["charge"])

    def _quoted(self) -> Quote:
        try:
            quote = self._budget.quote(self._request)
        except InvalidRequestError as exc:
            raise PromptRejectedError(exc.message, fix=exc.fix) from exc
        if quote is None:  # nobody agreed to pay for it
            raise PromptRejectedError(Said("This workflow does not run on the FLUX cloud."))
        return quote

    async def _paid_before(self) -> Accepted | None:
        """A retry takes up what was paid for, as long as there is something to be had.

        When there is not, only a person's Retry, which begins to count anew, may pay again.
        """
        before = await self._budget.paid_before(self._attempt)
        if before is None:
            return None
        by_itself = self._attempt.number > 1
        if before.is_to_be_had and before.handle is not None:
            self._handle = before.handle
            if by_itself or await self._is_to_be_had():
                return Accepted(handle=before.handle)
            self._handle = None
            await self._budget.note_gone(before.id, note=_GONE)
        if not by_itself:
            return None
        raise UncertainChargeError(
            Said("This job may have been paid for before ({price}).", price=usd(before.micro_usd)),
            fix=LOOK_AND_SETTLE,
        )

    async def _is_to_be_had(self) -> bool:
        try:
            task = await self.look()
        except (BackendUnreachableError, CloudKeyError) as exc:
            raise NotSentError(exc.message, fix=exc.fix) from exc
        return task.status in (PENDING, READY)

    async def _image(self) -> str | None:
        name = self._request.image
        if name is None:
            return None
        try:
            return await asyncio.to_thread(_in_base64, self._input_path(name))
        except NotFoundError as exc:
            raise PromptRejectedError(exc.message, fix=exc.fix) from exc
        except OSError as exc:
            raise PromptRejectedError(
                Said("The input picture {name} is gone.", name=name),
                fix=Said("Add it again."),
            ) from exc

    async def _known_handle(self) -> Mapping[str, Any] | None:
        remembered = self._link.remembered(self._attempt.id)
        if remembered is not None:
            return remembered
        charge = await self._budget.get(self._attempt.id)
        return charge.handle if charge is not None else None

    async def _end_of_unknown(self) -> RunEnd:
        """No answer was written down: either it was never sent, or nobody knows."""
        charge = await self._budget.get(self._attempt.id)
        if charge is None or charge.state is ChargeState.RELEASED:
            return RunLost()
        error = UncertainChargeError(
            Said("The app ended while this was being ordered from the FLUX cloud."),
            fix=LOOK_AND_SETTLE,
        )
        if charge.state is ChargeState.RESERVED:
            await self._budget.doubt(charge.id, note=error.message)
        return RunFailed(error=error)


def _in_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
