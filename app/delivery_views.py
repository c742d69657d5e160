"""What was told to webhooks, as JSON: for the API and the diagnostics page."""

from datetime import datetime
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from app.submission import Wire
from app.webhooks import Delivery, DeliveryState


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

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryView":
        """The view of a delivery."""
        parts = urlsplit(delivery.url)
        shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        return cls(
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
