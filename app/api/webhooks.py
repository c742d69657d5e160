"""What was told to webhooks, and what became of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.deps import Here, Limit
from app.api.problems import responses
from app.delivery_views import DeliveryView
from app.submission import Wire

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


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
        deliveries=[DeliveryView.of(each) for each in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.post("/{delivery_id}/retry", status_code=202, responses=responses(404, 409, 503))
async def retry(here: Here, delivery_id: UUID) -> DeliveryView:
    """Send it once more, now."""
    return DeliveryView.of(await here.webhooks.retry(delivery_id))
