"""Sessions in SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select

from app.access import Session
from data.database import Database
from data.tables import session


class SqlSessionStore:
    """`app.ports.SessionStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, value: Session) -> None:
        """Keep a new session."""
        row = {
            "id": value.id,
            "secret_hash": value.secret_hash,
            "label": value.label,
            "created_at": value.created_at,
            "expires_at": value.expires_at,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(session).values(**row))

    async def living(self, now: datetime) -> Sequence[Session]:
        """Those that have not expired; the others are dropped."""
        async with self._database.write() as connection:
            await connection.execute(delete(session).where(session.c.expires_at <= now))
            found = (await connection.execute(select(session))).mappings().all()
        return [Session(**row) for row in found]

    async def remove(self, session_id: UUID) -> None:
        """Drop one."""
        async with self._database.write() as connection:
            await connection.execute(delete(session).where(session.c.id == session_id))
