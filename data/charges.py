"""The ledger of paid calls in SQL."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.paid import Charge, ChargePage, ChargeState, Sums
from app.said import dump_said, load_said
from data.database import Database
from data.tables import charge


class SqlChargeStore:
    """`app.paid.ChargeStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, value: Charge, *, since: datetime, check: Callable[[Sums], None]
    ) -> None:
        # One writer at a time (BEGIN IMMEDIATE), so what is summed is what counts at the insert.
        async with self._database.write() as connection:
            check(await _sums(connection, since))
            await connection.execute(insert(charge).values(**_row(value)))

    async def change(
        self, charge_id: UUID, *, before: ChargeState | None = None, **values: Any
    ) -> Charge | None:
        if "state" in values:
            values["state"] = ChargeState(values["state"]).value
        if "note" in values:
            values["note"] = _note_row(values["note"])
        statement = update(charge).where(charge.c.id == charge_id).values(**values)
        if before is not None:
            statement = statement.where(charge.c.state == before.value)
        async with self._database.write() as connection:
            if (await connection.execute(statement)).rowcount == 0:
                return None
            return await _get(connection, charge_id)

    async def get(self, charge_id: UUID) -> Charge | None:
        async with self._database.read() as connection:
            return await _get(connection, charge_id)

    async def of_job(self, job_id: UUID) -> list[Charge]:
        statement = (
            select(charge)
            .where(charge.c.job_id == job_id)
            .order_by(charge.c.created_at, charge.c.id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return [_value(row) for row in rows]

    async def sums(self, *, since: datetime) -> Sums:
        async with self._database.read() as connection:
            return await _sums(connection, since)

    async def page(self, *, limit: int, cursor: UUID | None = None) -> ChargePage:
        statement = select(charge).order_by(charge.c.created_at.desc(), charge.c.id.desc())
        async with self._database.read() as connection:
            if cursor is not None:
                last = await _get(connection, cursor)
                if last is None:
                    return ChargePage(items=(), next_cursor=None)
                earlier = charge.c.created_at < last.created_at
                beside = (charge.c.created_at == last.created_at) & (charge.c.id < last.id)
                statement = statement.where(earlier | beside)
            rows = (await connection.execute(statement.limit(limit + 1))).mappings().all()
        items = tuple(_value(row) for row in rows[:limit])
        return ChargePage(items=items, next_cursor=items[-1].id if len(rows) > limit else None)


async def _sums(connection: AsyncConnection, since: datetime) -> Sums:
    today = case((charge.c.created_at >= since, charge.c.micro_usd), else_=0)
    statement = select(
        func.coalesce(func.sum(today), 0), func.coalesce(func.sum(charge.c.micro_usd), 0)
    ).where(charge.c.state != ChargeState.RELEASED.value)
    day, total = (await connection.execute(statement)).one()
    return Sums(day=day, total=total)


async def _get(connection: AsyncConnection, charge_id: UUID) -> Charge | None:
    found = await connection.execute(select(charge).where(charge.c.id == charge_id))
    row = found.mappings().one_or_none()
    return None if row is None else _value(row)


def _row(value: Charge) -> dict[str, Any]:
    return {
        "id": value.id,
        "job_id": value.job_id,
        "backend_id": value.backend_id,
        "model": value.model,
        "state": value.state.value,
        "micro_usd": value.micro_usd,
        "task_id": value.task_id,
        "handle": dict(value.handle) if value.handle is not None else None,
        "note": _note_row(value.note),
        "created_at": value.created_at,
        "settled_at": value.settled_at,
    }


def _value(row: RowMapping) -> Charge:
    return Charge(
        id=row["id"],
        job_id=row["job_id"],
        backend_id=row["backend_id"],
        model=row["model"],
        state=ChargeState(row["state"]),
        micro_usd=row["micro_usd"],
        task_id=row["task_id"],
        handle=row["handle"],
        note=_note_value(row["note"]),
        created_at=row["created_at"],
        settled_at=row["settled_at"],
    )


def _note_row(note: str) -> str:
    return json.dumps(dump_said(note), ensure_ascii=False) if note else ""


def _note_value(note: str) -> str:
    return load_said(json.loads(note)) if note else ""
