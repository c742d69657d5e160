"""Messages to webhooks in SQL; the end of a job and its message are written together."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from app.groups import summary_of
from app.models import Image, Job, JobState
from app.webhooks import Delivery, DeliveryState, Try, of_group, of_job
from data import rows
from data.database import Database
from data.tables import delivery, job, job_group

_ENDED = [state.value for state in JobState if state.is_terminal]


class SqlDeliveryStore:
    """`app.webhooks.DeliveryStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, *, limit: int) -> list[Delivery]:
        """Those to be sent now, the one that waits longest first."""
        waiting = delivery.c.state == DeliveryState.WAITING.value
        statement = (
            select(delivery)
            .where(waiting, delivery.c.next_at <= now)
            .order_by(delivery.c.next_at, delivery.c.id)
            .limit(limit)
        )
        return await self._read(statement)

    async def next_at(self) -> datetime | None:
        """When the next one is due."""
        waiting = delivery.c.state == DeliveryState.WAITING.value
        statement = select(delivery.c.next_at).where(waiting).order_by(delivery.c.next_at).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar()

    async def put(self, value: Delivery) -> None:
        """Write a new version of it."""
        async with self._database.write() as connection:
            await connection.execute(
                update(delivery).where(delivery.c.id == value.id).values(**_row(value))
            )

    async def get(self, delivery_id: UUID) -> Delivery | None:
        """The delivery, if it is there."""
        found = await self._read(select(delivery).where(delivery.c.id == delivery_id))
        return found[0] if found else None

    async def page(self, *, limit: int, before: UUID | None = None) -> list[Delivery]:
        """Newest first: the ids sort by creation."""
        statement = select(delivery).order_by(delivery.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(delivery.c.id < before)
        return await self._read(statement)

    async def forget(self, *, before: datetime) -> int:
        """Drop those that ended before then."""
        async with self._database.write() as connection:
            result = await connection.execute(delete(delivery).where(delivery.c.ended_at < before))
        return result.rowcount

    async def _read(self, statement: Any) -> list[Delivery]:
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [_value(row) for row in found]


def keep_what_to_tell(
    connection: Connection, ended: Job, images: Sequence[Image], *, at: datetime
) -> None:
    """Write what is to be told of a job that ends in the caller's transaction, and of its group."""
    told = of_job(ended, images, at=at)
    if told is not None:
        connection.execute(insert(delivery).values(**_row(told)))
    if ended.group_id is None:
        return
    statement = select(job_group).where(
        job_group.c.id == ended.group_id, job_group.c.webhook.is_not(None)
    )
    found = connection.execute(statement).mappings().first()
    if found is None:
        return
    of_the_group = job.c.group_id == ended.group_id
    open_ones = select(func.count()).where(of_the_group, job.c.state.not_in(_ENDED))
    if connection.execute(open_ones).scalar_one():
        return
    children = connection.execute(select(job).where(of_the_group)).mappings().all()
    group = rows.group_value(found)
    data = summary_of(group, [rows.job_value(row) for row in children])
    complete = of_group(group, data.model_dump(mode="json"), at=at)
    if complete is not None:
        connection.execute(insert(delivery).values(**_row(complete)))


def _row(value: Delivery) -> dict[str, Any]:
    tries = [{**asdict(each), "at": each.at.isoformat()} for each in value.tries]
    return {
        "id": value.id,
        "subject": value.subject,
        "url": value.url,
        "event": value.event,
        "body": value.body,
        "state": value.state.value,
        "tries": tries,
        "next_at": value.next_at,
        "created_at": value.created_at,
        "ended_at": value.ended_at,
    }


def _value(row: RowMapping) -> Delivery:
    tries = tuple(
        Try(at=datetime.fromisoformat(each["at"]), status=each["status"], error=each["error"])
        for each in row["tries"]
    )
    return Delivery(
        id=row["id"],
        subject=row["subject"],
        url=row["url"],
        event=row["event"],
        body=row["body"],
        state=DeliveryState(row["state"]),
        tries=tries,
        next_at=row["next_at"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
