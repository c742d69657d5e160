"""Incidents in SQL."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, insert, select, update

from app.events import LoggedEvent
from app.incidents import Incident
from app.ports import Clock
from app.said import dump_said, load_said
from data import rows
from data.database import Database
from data.jobs import log_all
from data.tables import incident as table


class SqlIncidentStore:
    """`app.incidents.IncidentStore` on the database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self) -> list[Incident]:
        """Those that are not over, oldest first."""
        return await self._read(
            select(table).where(table.c.resolved_at.is_(None)).order_by(table.c.first_at)
        )

    async def put(self, incident: Incident) -> LoggedEvent:
        """Insert it, or overwrite the one with its id; with its event."""
        type_ = "incident.opened" if incident.resolved_at is None else "incident.resolved"
        row = _row(incident)
        event = rows.event_row(
            type_,
            str(incident.id),
            at=self._clock.now(),
            note=str(incident.cause),
            data={"code": incident.code, "about": incident.subject, "count": incident.count},
        )
        async with self._database.write() as connection:
            known = update(table).where(table.c.id == incident.id).values(**row)
            if (await connection.execute(known)).rowcount == 0:
                await connection.execute(insert(table).values(**row))
            return (await log_all(connection, [event]))[0]

    async def get(self, incident_id: UUID) -> Incident | None:
        """The incident, if it is there."""
        found = await self._read(select(table).where(table.c.id == incident_id))
        return found[0] if found else None

    async def page(self, *, limit: int, before: UUID | None = None) -> list[Incident]:
        """Newest first: their ids grow with time."""
        statement = select(table).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(table.c.id < before)
        return await self._read(statement)

    async def forget(self, *, before: datetime) -> int:
        """Drop those that were over before then."""
        async with self._database.write() as connection:
            result = await connection.execute(delete(table).where(table.c.resolved_at < before))
        return result.rowcount

    async def _read(self, statement: Select[Any]) -> list[Incident]:
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [_value(row) for row in found]


def _row(value: Incident) -> dict[str, Any]:
    return {
        "id": value.id,
        "code": value.code,
        "subject": value.subject,
        "severity": value.severity,
        "cause": dump_said(value.cause),
        "fix": dump_said(value.fix),
        "count": value.count,
        "first_at": value.first_at,
        "last_at": value.last_at,
        "resolved_at": value.resolved_at,
        "data": dict(value.data),
    }


def _value(row: RowMapping) -> Incident:
    return Incident(
        id=row["id"],
        code=row["code"],
        subject=row["subject"],
        severity=row["severity"],
        cause=load_said(row["cause"]),
        fix=load_said(row["fix"]),
        count=row["count"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        resolved_at=row["resolved_at"],
        data=row["data"],
    )
