"""What went wrong and is not over yet: kept until it is, with its cause and what to do.

The same trouble of the same thing is one incident, however often it happens. What is heard is
put together in memory and written down a moment later, so that a storm of failures is few writes.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from app.diagnosis import explain
from app.errors import ConflictError, NotFoundError, StorageError
from app.events import EventBus, IncidentChanged, LoggedEvent
from app.ids import new_id
from app.ports import Clock
from app.said import Said

log = logging.getLogger(__name__)

_WRITE_PAUSE_S = 0.5
_RETRY_PAUSE_S = 5.0
_EVIDENCE = 10  # jobs that are named

Severity = Literal["info", "warning", "error"]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A trouble: its code and subject name it, and it counts how often it was heard of."""

    id: UUID
    code: str  # what `app.diagnosis.explain` explains
    subject: str  # "backend:gpu-1", "job:…", "disk"
    severity: Severity
    cause: str
    fix: str
    count: int = 1
    first_at: datetime
    last_at: datetime
    resolved_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def job_ids(self) -> list[str]:
        """The newest jobs it happened to."""
        return list(self.data.get("jobIds", ()))


class IncidentStore(Protocol):
    """Incidents on disk."""

    async def open(self) -> list[Incident]:
        """Those that are not over, oldest first."""
        ...

    async def put(self, incident: Incident) -> LoggedEvent:
        """Insert it, or overwrite the one with its id."""
        ...

    async def get(self, incident_id: UUID) -> Incident | None: ...

    async def page(self, *, limit: int, before: UUID | None = None) -> list[Incident]:
        """Newest first, those before `before`; resolved ones, too."""
        ...

    async def forget(self, *, before: datetime) -> int:
        """Drop those that were over before then; how many went."""
        ...


class Incidents:
    """The incidents that are open, and the history of those that are over."""

    def __init__(self, *, store: IncidentStore, bus: EventBus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._open: dict[_Key, Incident] = {}
        self._unwritten: dict[UUID, Incident] = {}
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Read what a former process left."""
        self._open = {(each.code, each.subject): each for each in await self._store.open()}

    def now_open(self) -> list[Incident]:
        """Those that are not over: the worst first, then the newest."""
        order = {"error": 0, "warning": 1, "info": 2}
        newest = sorted(self._open.values(), key=lambda each: each.last_at, reverse=True)
        return sorted(newest, key=lambda each: order[each.severity])

    def find(self, code: str, subject: str) -> Incident | None:
        """The open one, if there is."""
        return self._open.get((code, subject))

    def notice(
        self,
        code: str,
        subject: str,
        *,
        severity: Severity = "error",
        cause: str = "",
        fix: str = "",
        job_id: UUID | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """It happened, once more perhaps."""
        now = self._clock.now()
        general = explain(code)
        known = self._open.get((code, subject))
        jobs = known.job_ids if known else []
        if job_id is not None:
            jobs = [*(each for each in jobs if each != str(job_id)), str(job_id)][-_EVIDENCE:]
        values: dict[str, Any] = {**(known.data if known else {}), **(data or {})}
        if jobs:
            values["jobIds"] = jobs
        self._keep(
            Incident(
                id=known.id if known else new_id(),
                code=code,
                subject=subject,
                severity=severity,
                cause=cause or general.cause,
                fix=fix or general.fix,
                count=known.count + 1 if known else 1,
                first_at=known.first_at if known else now,
                last_at=now,
                data=values,
            )
        )

    def ensure(
        self,
        code: str,
        subject: str,
        *,
        severity: Severity = "error",
        cause: str = "",
        fix: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """It goes on: counts once, however often it is said."""
        known = self._open.get((code, subject))
        if known is None:
            self.notice(code, subject, severity=severity, cause=cause, fix=fix, data=data)
        elif cause and cause != known.cause:
            self._keep(replace(known, cause=cause, severity=severity))

    def over(self, code: str, subject: str) -> None:
        """It is over, if it was open."""
        known = self._open.pop((code, subject), None)
        if known is not None:
            self._note(replace(known, resolved_at=self._clock.now()))

    def over_where(self, *, subject: str, but: Sequence[str] = ()) -> None:
        """Everything of that subject is over, but what has one of these codes."""
        for code, its_subject in list(self._open):
            if its_subject == subject and code not in but:
                self.over(code, subject)

    async def resolve(self, incident_id: UUID) -> Incident:
        """Somebody says it is over.

        Raises:
            NotFoundError: there is no such incident.
            ConflictError: it is over already.
        """
        known = next((each for each in self._open.values() if each.id == incident_id), None)
        if known is None:
            kept = await self._store.get(incident_id)
            if kept is None:
                raise NotFoundError(Said("There is no incident {id}.", id=incident_id))
            raise ConflictError(Said("This incident is over already."))
        self.over(known.code, known.subject)
        await self.write()
        return replace(known, resolved_at=self._clock.now())

    async def history(self, *, limit: int, before: UUID | None = None) -> list[Incident]:
        """Incidents newest first, also those that are over."""
        await self.write()
        return await self._store.page(limit=limit, before=before)

    async def forget(self, *, before: datetime) -> int:
        """Drop what was over before then; how many went."""
        return await self._store.forget(before=before)

    async def serve(self) -> None:
        """Write down what is noticed until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.write()
            except StorageError as exc:
                log.warning("Incidents could not be written down: %s", exc)
                await asyncio.sleep(_RETRY_PAUSE_S)
                self._wake.set()
            await asyncio.sleep(_WRITE_PAUSE_S)

    async def write(self) -> None:
        """Write down what is not yet, and tell of it.

        Raises:
            StorageError: it could not be; it is tried again later.
        """
        async with self._writing:
            while self._unwritten:
                incident = next(iter(self._unwritten.values()))
                logged = await self._store.put(incident)
                if self._unwritten.get(incident.id) is incident:
                    del self._unwritten[incident.id]
                self._bus.publish(IncidentChanged(incident_id=incident.id, logged=logged))

    def _keep(self, incident: Incident) -> None:
        self._open[incident.code, incident.subject] = incident
        self._note(incident)

    def _note(self, incident: Incident) -> None:
        self._unwritten[incident.id] = incident
        self._wake.set()
