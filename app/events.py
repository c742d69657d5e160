"""What happened, for whoever is listening in this process.

Events are hints: a listener that falls behind is told so (`lagged`) and reads the state again.
They are never the truth; the rows are.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.models import BackendInfo, BackendStatus, Image, Job, NodeProgress, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """A row of the durable event log, replayable by its number."""

    seq: int
    at: datetime
    type: str  # "job.queued", "image.created", …
    subject: str  # id of the thing it happened to
    note: str = ""  # for people; the lines of a job's log
    data: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """A job was added or got a new version."""

    job: Job
    logged: LoggedEvent | None = None
    images: tuple[Image, ...] = ()  # of a job that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRemoved:
    """A finished job was taken off the list."""

    job_id: UUID
    logged: LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressed:
    """A running job got further; also tells of a new preview by its `preview_rev`."""

    job_id: UUID
    progress: Progress
    preview_rev: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNodesProgressed:
    """Some nodes of a running job got further; only told of jobs that somebody watches."""

    job_id: UUID
    nodes: Mapping[str, NodeProgress]
    preview_rev: int = 0
    preview_node: str | None = None  # the node that the newest preview is of


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowChanged:
    """A kept workflow was made, saved, renamed, deleted or brought back."""

    workflow_id: UUID
    logged: LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChanged:
    """Somebody drew in a workflow; `app.drafts` tells what differs from a revision."""

    workflow_id: UUID
    rev: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReasonsChanged:
    """Why jobs wait has changed; None means the job no longer waits."""

    reasons: dict[UUID, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAdded:
    """A finished picture is in the gallery."""

    image: Image
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDeleted:
    """A picture went to the trash; its file stays."""

    image: Image
    logged: LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRestored:
    """A picture came back from the trash."""

    image: Image
    logged: LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused:
    """The queue stopped or went on taking jobs."""

    paused: bool
    logged: LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendChanged:
    """A backend came, went, or reports something new."""

    info: BackendInfo
    status: BackendStatus
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRemoved:
    """A backend was taken out of the configuration."""

    backend_id: str
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineChanged:
    """A workflow or model was put in quarantine on a backend, or let out."""

    backend_id: str
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChanged:
    """Something went wrong that somebody should know of, or is over."""

    incident_id: UUID
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeChanged:
    """Money was set aside, spent, or not needed after all."""

    charge_id: UUID
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChanged:
    """A webhook was delivered, or not."""

    delivery_id: UUID
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Another look at how busy the app is was taken."""

    number: int
    logged: LoggedEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """Somebody was logged out; their pages must close."""

    session_id: UUID
    logged: LoggedEvent | None = None


Event = (
    JobChanged
    | JobRemoved
    | JobProgressed
    | JobNodesProgressed
    | JobReasonsChanged
    | WorkflowChanged
    | DraftChanged
    | ImageAdded
    | ImageDeleted
    | ImageRestored
    | QueuePaused
    | BackendChanged
    | BackendRemoved
    | QuarantineChanged
    | IncidentChanged
    | ChargeChanged
    | DeliveryChanged
    | Sampled
    | SessionEnded
)


class Subscription:
    """One listener's bounded inbox: iterate over it inside `with`.

    When it overflows, what it holds is dropped and `lagged` becomes true until `caught_up()`.
    """

    def __init__(self, *, size: int, only: tuple[type, ...] = ()) -> None:
        self._only = only
        self._inbox: deque[Event] = deque()
        self._size = size
        self._wake = asyncio.Event()
        self.closed = False
        self.lagged = False

    def push(self, event: Event) -> None:
        """Put an event in the inbox, if it is of a kind asked for; never blocks."""
        if self._only and not isinstance(event, self._only):
            return
        if len(self._inbox) >= self._size:
            self._inbox.clear()
            self.lagged = True
        self._inbox.append(event)
        self._wake.set()

    def caught_up(self) -> None:
        """Say that the listener has read the state again after lagging."""
        self.lagged = False

    def close(self) -> None:
        """End the iteration, also one that waits."""
        self.closed = True
        self._wake.set()

    def drain(self) -> list[Event]:
        """Take everything that is in the inbox now."""
        events = list(self._inbox)
        self._inbox.clear()
        self._wake.clear()
        if self.closed:
            self._wake.set()
        return events

    async def wait(self) -> bool:
        """Wait until there is something to drain; False once closed."""
        await self._wake.wait()
        return not self.closed

    async def __aiter__(self) -> AsyncIterator[Event]:
        while await self.wait():
            for event in self.drain():
                yield event

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventBus:
    """Hands every event to every living subscription, in order, without waiting for any."""

    def __init__(self) -> None:
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()

    def subscribe(self, *only: type, size: int = 1000) -> Subscription:
        """A new inbox, which the bus holds weakly; `size` events fit before it lags.

        With kinds of events named, it hears of those only.
        """
        subscription = Subscription(size=size, only=only)
        self._subscriptions.add(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Tell everyone."""
        for subscription in list(self._subscriptions):
            subscription.push(event)

    def close(self) -> None:
        """End every subscription: the process stops."""
        for subscription in list(self._subscriptions):
            subscription.close()
