"""Jobs, attempts and the durable event log in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    String,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import AlreadySubmittedError
from app.events import LoggedEvent
from app.models import Attempt, Job, JobGroup, JobState
from app.ports import RECEIPT_LIFE, Clock, JobChange, JobFilter, Page, Receipt, Written
from data import rows
from data.database import Database
from data.steps import job_event, write_step
from data.tables import attempt, event, job, job_group, setting
from data.tables import receipt as receipts

_TERMINAL = [state.value for state in JobState if state.is_terminal]
_CHUNK = 500  # ids in one IN (…): SQLite bounds the number of variables


class SqlJobStore:
    """`app.ports.JobStore` on the database; each method is one short transaction."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        jobs: Sequence[Job],
        *,
        note: str,
        receipt: Receipt | None = None,
        group: JobGroup | None = None,
    ) -> list[LoggedEvent]:
        """Insert new jobs and the group they are, all or none, each with its event."""
        at = self._clock.now()
        new_events = [job_event(each, at=at, note=note) for each in jobs]
        async with self._database.write() as connection:
            if receipt is not None:
                await _keep_receipt(connection, receipt, jobs, at)
            if group is not None:
                await connection.execute(insert(job_group).values(**rows.group_row(group)))
            await connection.execute(insert(job), [rows.job_row(each) for each in jobs])
            return await log_all(connection, new_events)

    async def apply(self, change: JobChange) -> Written:
        """Write one step, fenced by the version before it."""
        at = self._clock.now()
        return await self._database.transact(
            lambda connection: write_step(connection, change, at), synced=not change.hint
        )

    async def remove(self, job_ids: Sequence[UUID]) -> list[LoggedEvent]:
        """Take those of the jobs that are finished off the list; their images stay."""
        at = self._clock.now()
        finished = job.c.state.in_(_TERMINAL) & job.c.removed_at.is_(None)
        async with self._database.write() as connection:
            gone = await _set_removed(connection, job_ids, finished, at=at)
            events = [
                rows.event_row("job.removed", str(each.id), at=at, data={"jobId": str(each.id)})
                for each in gone
            ]
            return await log_all(connection, events)

    async def restore(self, job_ids: Sequence[UUID]) -> list[tuple[Job, LoggedEvent]]:
        """Put removed jobs back on the list."""
        at = self._clock.now()
        removed = job.c.removed_at.is_not(None)
        async with self._database.write() as connection:
            back = await _set_removed(connection, job_ids, removed, at=None)
            events = [job_event(each, at=at, note="", type_="job.restored") for each in back]
            return list(zip(back, await log_all(connection, events), strict=True))

    async def forget_removed(self, *, before: datetime) -> int:
        """Delete for good what was removed before then, and groups of which nothing is left."""
        empty = ~exists().where(job.c.group_id == job_group.c.id)
        async with self._database.write() as connection:
            result = await connection.execute(delete(job).where(job.c.removed_at < before))
            await connection.execute(
                delete(job_group).where(job_group.c.created_at < before, empty)
            )
        return result.rowcount

    async def get(self, job_id: UUID) -> Job | None:
        """The job, if it is there."""
        found = await self._jobs(select(job).where(job.c.id == job_id, job.c.removed_at.is_(None)))
        return found[0] if found else None

    async def unfinished(self) -> list[Job]:
        """Every job in state created, queued or running, in queue order."""
        return await self._jobs(
            select(job)
            .where(job.c.state.in_(["created", "queued", "running"]))
            .order_by(job.c.priority.desc(), job.c.rank)
        )

    async def page(
        self, job_filter: JobFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Job]:
        """Jobs newest first."""
        conditions = _job_conditions(job_filter)
        if cursor is not None:
            conditions.append(job.c.key < cursor)
        statement = select(job).where(*conditions).order_by(job.c.key.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        more = len(found) > limit
        found = found[:limit]
        return Page(
            items=tuple(rows.job_value(row) for row in found),
            next_cursor=found[-1]["key"] if more else None,
        )

    async def group(self, group_id: UUID) -> JobGroup | None:
        """The group, if it is there."""
        statement = select(job_group).where(job_group.c.id == group_id)
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().first()
        return None if found is None else rows.group_value(found)

    async def groups(self, *, limit: int, before: UUID | None = None) -> list[JobGroup]:
        """Groups newest first: the ids sort by creation."""
        statement = select(job_group).order_by(job_group.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(job_group.c.id < before)
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [rows.group_value(row) for row in found]

    async def of_groups(self, group_ids: Sequence[UUID]) -> dict[UUID, list[Job]]:
        """The jobs of each group in the order they were made, also those off the list."""
        jobs: dict[UUID, list[Job]] = {}
        for chunk in _chunks(group_ids):
            found = await self._jobs(
                select(job).where(job.c.group_id.in_(chunk)).order_by(job.c.key)
            )
            for each in found:
                if each.group_id is not None:
                    jobs.setdefault(each.group_id, []).append(each)
        return jobs

    async def finished_ids(self) -> list[UUID]:
        """The ids of all finished jobs, newest first."""
        finished = job.c.state.in_(_TERMINAL) & job.c.removed_at.is_(None)
        statement = select(job.c.id).where(finished).order_by(job.c.key.desc())
        async with self._database.read() as connection:
            return list((await connection.execute(statement)).scalars())

    async def last_rank(self) -> str | None:
        """The greatest rank in use."""
        async with self._database.read() as connection:
            return (await connection.execute(select(func.max(job.c.rank)))).scalar()

    async def attempts(self, job_id: UUID) -> list[Attempt]:
        """The attempts of a job, oldest first."""
        statement = (
            select(attempt)
            .where(attempt.c.job_id == job_id)
            .order_by(attempt.c.created_at, attempt.c.id)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [rows.attempt_value(row) for row in found]

    async def attempt_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids that are attempts of ours."""
        known: set[UUID] = set()
        async with self._database.read() as connection:
            for chunk in _chunks(ids):
                statement = select(attempt.c.id).where(attempt.c.id.in_(chunk))
                known.update((await connection.execute(statement)).scalars())
        return known

    async def log(self, job_id: UUID) -> list[LoggedEvent]:
        """What happened to a job, oldest first."""
        return await self._events(
            select(event).where(event.c.subject == str(job_id)).order_by(event.c.seq)
        )

    async def probe(self) -> None:
        """Show that writing works."""
        await self._database.probe()

    async def paused(self) -> bool:
        """Whether the queue was paused, also before a restart."""
        statement = select(setting.c.value).where(setting.c.name == "paused")
        async with self._database.read() as connection:
            return bool((await connection.execute(statement)).scalar())

    async def set_paused(self, paused: bool) -> LoggedEvent:
        """Remember it."""
        at = self._clock.now()
        type_ = "queue.paused" if paused else "queue.resumed"
        async with self._database.write() as connection:
            await connection.execute(delete(setting).where(setting.c.name == "paused"))
            await connection.execute(insert(setting).values(name="paused", value=paused))
            logged = await log_all(connection, [rows.event_row(type_, "queue", at=at)])
        return logged[0]

    async def events_after(self, seq: int, *, limit: int) -> list[LoggedEvent]:
        """The durable log from there on, oldest first."""
        return await self._events(
            select(event).where(event.c.seq > seq).order_by(event.c.seq).limit(limit)
        )

    async def events_span(self) -> tuple[int, int] | None:
        """The numbers of the oldest and the newest event kept."""
        statement = select(func.min(event.c.seq), func.max(event.c.seq))
        async with self._database.read() as connection:
            oldest, newest = (await connection.execute(statement)).one()
        return None if newest is None else (oldest, newest)

    async def forget_events(self, *, before: datetime) -> int:
        """Drop old events of everything but unfinished jobs."""
        # Without the hyphens an id is the same text as in the job's own column.
        subject = func.replace(event.c.subject, "-", "")
        own_id = func.replace(cast(job.c.id, String), "-", "")
        unfinished = select(own_id).where(job.c.state.not_in(_TERMINAL))
        statement = delete(event).where(event.c.at < before, subject.not_in(unfinished))
        async with self._database.write() as connection:
            result = await connection.execute(statement)
        return result.rowcount

    async def _jobs(self, statement: Any) -> list[Job]:
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [rows.job_value(row) for row in found]

    async def _events(self, statement: Any) -> list[LoggedEvent]:
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [rows.event_value(row) for row in found]


async def log_all(
    connection: AsyncConnection, new_events: Sequence[dict[str, Any]]
) -> list[LoggedEvent]:
    """Append to the durable log, inside the caller's transaction."""
    if not new_events:
        return []
    statement = insert(event).returning(event, sort_by_parameter_order=True)
    result = await connection.execute(statement, list(new_events))
    return [rows.event_value(row) for row in result.mappings().all()]


async def _set_removed(
    connection: AsyncConnection,
    job_ids: Sequence[UUID],
    condition: ColumnElement[bool],
    *,
    at: datetime | None,
) -> list[Job]:
    """Mark those of the jobs that meet the condition; as they are then."""
    changed: list[Job] = []
    for chunk in _chunks(job_ids):
        chosen = update(job).where(job.c.id.in_(chunk), condition).values(removed_at=at)
        result = await connection.execute(chosen.returning(job))
        changed += [rows.job_value(row) for row in result.mappings().all()]
    return changed


async def _keep_receipt(
    connection: AsyncConnection, value: Receipt, jobs: Sequence[Job], at: datetime
) -> None:
    await connection.execute(delete(receipts).where(receipts.c.at < at - RECEIPT_LIFE))
    same = select(receipts).where(receipts.c.key == value.key)
    known = (await connection.execute(same)).mappings().first()
    if known is not None:
        raise AlreadySubmittedError(
            "This was submitted already.",
            fingerprint=known["fingerprint"],
            job_ids=tuple(UUID(each) for each in known["job_ids"]),
        )
    row = {
        "key": value.key,
        "fingerprint": value.fingerprint,
        "job_ids": [str(each.id) for each in jobs],
        "at": at,
    }
    await connection.execute(insert(receipts).values(**row))


def _job_conditions(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [job.c.removed_at.is_(None)]
    if job_filter.states:
        conditions.append(job.c.state.in_([state.value for state in job_filter.states]))
    if job_filter.backend is not None:
        conditions.append(
            or_(job.c.target == job_filter.backend, job.c.backend_id == job_filter.backend)
        )
    if job_filter.group_id is not None:
        conditions.append(job.c.group_id == job_filter.group_id)
    if job_filter.text:
        conditions.append(job.c.prompt.icontains(job_filter.text, autoescape=True))
    return conditions


def _chunks(ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
