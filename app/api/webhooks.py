"""What was told to webhooks, and what became of it."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.deps import Here, Limit
from app.api.problems import responses
from app.submission import Wire
from app.webhooks import Delivery, DeliveryState

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


class TryView(Wire):
    """One time it was sent."""

    at: datetime
    status: int | None
    """What the receiver answered."""
    error: str | None
    """Why it did not."""


class DeliveryView(Wire):
    """A message to a webhook."""

    id: UUID
    """Goes with it as `webhook-id`."""
    subject: str
    """The job or group it is about."""
    event: str
    url: str
    """Without its query, which may hold a secret."""
    state: DeliveryState
    tries: list[TryView]
    next_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


class DeliveryList(Wire):
    """A page of messages, newest first."""

    deliveries: list[DeliveryView]
    next_cursor: UUID | None


@router.get("", responses=responses())
async def list_deliveries(
    here: Here,
    limit: Limit = 50,
    cursor: Annotated[UUID | None, Query(description="`nextCursor` of the page before")] = None,
) -> DeliveryList:
    """What was told to webhooks, or still is to be, newest first."""
    found = await here.webhooks.page(limit=limit + 1, before=cursor)
    shown = found[:limit]
    return DeliveryList(
        deliveries=[_view(each) for each in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.post("/{delivery_id}/retry", status_code=202, responses=responses(404, 409, 503))
async def retry(here: Here, delivery_id: UUID) -> DeliveryView:
    """Send it once more, now."""
    return _view(await here.webhooks.retry(delivery_id))


def _view(delivery: Delivery) -> DeliveryView:
    parts = urlsplit(delivery.url)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return DeliveryView(
        id=delivery.id,
        subject=delivery.subject,
        event=delivery.event,
        url=shown,
        state=delivery.state,
        tries=[
            TryView(at=each.at, status=each.status, error=each.error) for each in delivery.tries
        ],
        next_at=delivery.next_at,
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
    )
