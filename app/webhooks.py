"""Tells others that a job or a group has ended: signed, tried for about a day, every try kept.

What is to be told is written in the transaction that ends the job, so a crash loses nothing;
this service only sends what is there. A receiver may hear the same message twice: its
`webhook-id` stays the same.
"""

import asyncio
import ipaddress
import json
import logging
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from app.errors import ConflictError, InvalidRequestError, NotFoundError, StorageError
from app.events import DeliveryChanged, EventBus, JobChanged
from app.ids import new_id
from app.models import Image, Job, JobGroup
from app.ports import Clock
from app.said import Said
from app.views import job_view, to_json

log = logging.getLogger(__name__)

PAUSES_S = (5, 60, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Between one try and the next: all in all a bit more than a day."""
_AT_ONCE = 8
_AFTER_ERROR_S = 5.0
_GONE = 410


class DeliveryState(StrEnum):
    """How far the telling is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; can be sent again by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One time it was sent."""

    at: datetime
    status: int | None = None  # what the receiver answered
    error: str | None = None  # why it did not


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message for one receiver; its id goes with it, so that a receiver knows it again."""

    id: UUID
    subject: str  # id of the job or group
    url: str
    event: str  # "job.done", "job.failed", "job.cancelled", "group.complete"
    body: str
    state: DeliveryState = DeliveryState.WAITING
    tries: tuple[Try, ...] = ()
    next_at: datetime | None = None
    created_at: datetime
    ended_at: datetime | None = None


class DeliveryStore(Protocol):
    """The messages, and what became of them."""

    async def due(self, now: datetime, *, limit: int) -> list[Delivery]:
        """Those to be sent now, the one that waits longest first."""
        ...

    async def next_at(self) -> datetime | None:
        """When the next one is due."""
        ...

    async def put(self, value: Delivery) -> None:
        """Write a new version of it."""
        ...

    async def get(self, delivery_id: UUID) -> Delivery | None: ...

    async def page(self, *, limit: int, before: UUID | None = None) -> list[Delivery]:
        """Newest first, those older than `before`."""
        ...

    async def forget(self, *, before: datetime) -> int:
        """Drop those that ended before then; how many went."""
        ...


class UndeliverableError(Exception):
    """The receiver was not reached; the message says why, for people."""


class Sender(Protocol):
    """Posts a message."""

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> int:
        """The status that the receiver answered with; redirects are not followed.

        Raises:
            UndeliverableError: no answer, or the address is one that must not be reached.
        """
        ...


class Signer(Protocol):
    """Signs after the Standard Webhooks specification."""

    def sign(self, msg_id: str, timestamp: datetime, data: str) -> str:
        """The value of the `webhook-signature` header."""
        ...


class WebhookService:
    """Sends what waits; `serve` runs until cancelled."""

    def __init__(
        self,
        *,
        store: DeliveryStore,
        sender: Sender,
        signer: Signer,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sender = sender
        self._signer = signer
        self._bus = bus
        self._clock = clock
        self._wake = asyncio.Event()
        self._under_way: set[UUID] = set()

    async def serve(self) -> None:
        """Send what is due, whenever something ends or a pause is over."""
        with self._bus.subscribe(JobChanged) as inbox:
            async with asyncio.TaskGroup() as tasks:
                loop = tasks.create_task(self._send_on(tasks), name="webhooks")
                while await inbox.wait():
                    events = inbox.drain()
                    if inbox.lagged or any(map(_may_tell, events)):
                        inbox.caught_up()
                        self._wake.set()
                loop.cancel()

    async def page(self, *, limit: int, before: UUID | None = None) -> list[Delivery]:
        """Newest first, those older than `before`."""
        return await self._store.page(limit=limit, before=before)

    async def retry(self, delivery_id: UUID) -> Delivery:
        """Send it once more, now; a failure goes on where the pauses were.

        Raises:
            NotFoundError: there is none with that id.
            ConflictError: it is being sent right now.
        """
        delivery = await self._store.get(delivery_id)
        if delivery is None:
            raise NotFoundError(Said("There is no webhook delivery {id}.", id=delivery_id))
        if delivery_id in self._under_way:
            raise ConflictError(Said("It is being sent right now."))
        again = replace(
            delivery, state=DeliveryState.WAITING, next_at=self._clock.now(), ended_at=None
        )
        await self._keep(again)
        self._wake.set()
        return again

    async def forget(self, *, before: datetime) -> int:
        """Drop those that ended before then; how many went."""
        return await self._store.forget(before=before)

    async def _send_on(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            try:
                pause_s = await self._start_due(tasks)
            except StorageError as exc:
                log.warning("Webhooks wait, their list cannot be read: %s", exc)
                pause_s = _AFTER_ERROR_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _start_due(self, tasks: asyncio.TaskGroup) -> float | None:
        """Start sending as many as may be sent at once; how long to rest afterwards."""
        now = self._clock.now()
        for delivery in await self._store.due(now, limit=2 * _AT_ONCE):
            if len(self._under_way) >= _AT_ONCE:
                return None  # the end of one of them wakes us
            if delivery.id not in self._under_way:
                self._under_way.add(delivery.id)
                tasks.create_task(self._send(delivery), name=f"webhook {delivery.id}")
        if self._under_way:
            return None
        next_at = await self._store.next_at()
        return None if next_at is None else max(0.0, (next_at - now).total_seconds())

    async def _send(self, delivery: Delivery) -> None:
        try:
            outcome = await self._try(delivery)
            await self._keep(tried(delivery, outcome))
        except StorageError as exc:
            log.warning("The try of webhook %s cannot be written down: %s", delivery.id, exc)
            await asyncio.sleep(_AFTER_ERROR_S)  # it is sent again: twice is better than never
        finally:
            self._under_way.discard(delivery.id)
            self._wake.set()

    async def _try(self, delivery: Delivery) -> Try:
        now = self._clock.now()
        try:
            headers = {
                "content-type": "application/json",
                "webhook-id": str(delivery.id),
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": self._signer.sign(str(delivery.id), now, delivery.body),
            }
            status = await self._sender.post(
                delivery.url, body=delivery.body.encode(), headers=headers
            )
        except UndeliverableError as exc:
            return Try(at=now, error=str(exc))
        except Exception as exc:  # the fence of one message: the others must still be sent
            log.exception("Webhook %s failed by a mistake of ours", delivery.id)
            return Try(at=now, error=f"A mistake of ours: {type(exc).__name__}.")
        return Try(at=now, status=status)

    async def _keep(self, delivery: Delivery) -> None:
        await self._store.put(delivery)
        self._bus.publish(DeliveryChanged(delivery_id=delivery.id))


def tried(delivery: Delivery, outcome: Try) -> Delivery:
    """The delivery after one more try: delivered, waiting for the next, or given up."""
    tries = (*delivery.tries, outcome)
    if outcome.status is not None and 200 <= outcome.status < 300:
        return replace(
            delivery,
            state=DeliveryState.DELIVERED,
            tries=tries,
            next_at=None,
            ended_at=outcome.at,
        )
    done = len(tries) - 1
    if outcome.status == _GONE or done >= len(PAUSES_S):
        host = urlsplit(delivery.url).hostname
        log.warning("Webhook %s to %s was given up after %d tries", delivery.id, host, len(tries))
        return replace(
            delivery, state=DeliveryState.FAILED, tries=tries, next_at=None, ended_at=outcome.at
        )
    jitter = 1 + random.random() / 5  # noqa: S311 - spreads the tries, guards nothing
    pause = timedelta(seconds=PAUSES_S[done] * jitter)
    return replace(delivery, tries=tries, next_at=outcome.at + pause)


def of_job(job: Job, images: Sequence[Image], *, at: datetime) -> Delivery | None:
    """What is to be told of a job that has just ended; None if nobody wants to know."""
    if job.terms.webhook is None or not job.state.is_terminal:
        return None
    view = job_view(
        job, images=images, progress=None, previews=(), position=None, reason=None, say=str
    )
    event = f"job.{job.state}"
    return _delivery(str(job.id), job.terms.webhook, event, {"job": to_json(view)}, at=at)


def of_group(group: JobGroup, data: Mapping[str, Any], *, at: datetime) -> Delivery | None:
    """What is to be told of a group whose last job has just ended."""
    if group.webhook is None:
        return None
    return _delivery(str(group.id), group.webhook, "group.complete", data, at=at)


def check_target(url: str) -> str:
    """The address, if something may be sent there.

    Raises:
        InvalidRequestError: not http or https, with a password in it, or link-local: what is
            there (the metadata of a cloud machine) is nobody's receiver.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidRequestError("webhookUrl", Said("A webhook needs an http or https address."))
    with suppress(ValueError):
        if is_forbidden(ipaddress.ip_address(host)):
            raise InvalidRequestError(
                "webhookUrl",
                Said("{host} is a link-local address; nothing is sent there.", host=host),
            )
    return url


def is_forbidden(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether nothing may be sent there: link-local ones, also when written as IPv6."""
    mapped = getattr(address, "ipv4_mapped", None)
    one = mapped or address
    return one.is_link_local or one.is_multicast or one.is_unspecified


def _delivery(
    subject: str, url: str, event: str, data: Mapping[str, Any], *, at: datetime
) -> Delivery:
    body = {"type": event, "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", "data": data}
    return Delivery(
        id=new_id(),
        subject=subject,
        url=url,
        event=event,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        next_at=at,
        created_at=at,
    )


def _may_tell(event: object) -> bool:
    if not isinstance(event, JobChanged) or not event.job.state.is_terminal:
        return False
    return event.job.terms.webhook is not None  # that of its group, where it has one
