"""Quarantines in SQL."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select

from app.events import LoggedEvent
from app.health import Evidence, Quarantine
from app.ports import Clock
from app.said import dump_said, load_said
from data import rows
from data.database import Database
from data.jobs import log_all
from data.tables import quarantine


class SqlQuarantineStore:
    """`app.health.QuarantineStore` on the database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def all(self) -> list[Quarantine]:
        """Every one, lifted ones too, newest first."""
        statement = select(quarantine).order_by(quarantine.c.created_at.desc())
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [_value(row) for row in found]

    async def put(self, value: Quarantine) -> LoggedEvent:
        """Insert it, or overwrite the one with its id; with its event."""
        type_ = "quarantine.added" if value.lifted_at is None else "quarantine.lifted"
        data = {"backendId": value.backend_id, "kind": value.kind, "subject": value.subject}
        event = rows.event_row(
            type_, str(value.id), at=self._clock.now(), note=str(value.reason), data=data
        )
        async with self._database.write() as connection:
            await connection.execute(delete(quarantine).where(quarantine.c.id == value.id))
            await connection.execute(insert(quarantine).values(**_row(value)))
            return (await log_all(connection, [event]))[0]


def _row(value: Quarantine) -> dict[str, Any]:
    return {
        "id": value.id,
        "kind": value.kind,
        "subject": value.subject,
        "backend_id": value.backend_id,
        "code": value.code,
        "reason": dump_said(value.reason),
        "evidence": [
            {
                "jobId": str(each.job_id),
                "at": each.at.isoformat(),
                "message": dump_said(each.message),
            }
            for each in value.evidence
        ],
        "created_at": value.created_at,
        "lifted_at": value.lifted_at,
    }


def _value(row: RowMapping) -> Quarantine:
    return Quarantine(
        id=row["id"],
        kind=row["kind"],
        subject=row["subject"],
        backend_id=row["backend_id"],
        code=row["code"],
        reason=load_said(row["reason"]),
        evidence=tuple(
            Evidence(
                job_id=UUID(each["jobId"]),
                at=datetime.fromisoformat(each["at"]),
                message=load_said(each["message"]),
            )
            for each in row["evidence"]
        ),
        created_at=row["created_at"],
        lifted_at=row["lifted_at"],
    )
