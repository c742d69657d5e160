"""What was learned about how long work takes, in SQL."""

from sqlalchemy import Connection, delete, insert, select

from app.estimates import Pace
from data.database import Database
from data.tables import pace


class SqlPaceStore:
    """`app.estimates.PaceStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Pace]:
        """Every pace."""
        async with self._database.read() as connection:
            found = (await connection.execute(select(pace))).mappings().all()
        return [Pace(**row) for row in found]

    async def put(self, value: Pace) -> None:
        """Insert it, or overwrite the one of the same work, backend and size."""
        same = (
            (pace.c.work == value.work)
            & (pace.c.backend_id == value.backend_id)
            & (pace.c.size == value.size)
        )
        row = {
            "work": value.work,
            "backend_id": value.backend_id,
            "size": value.size,
            "seconds": value.seconds,
            "count": value.count,
            "updated_at": value.updated_at,
        }

        def step(connection: Connection) -> None:
            connection.execute(delete(pace).where(same))
            connection.execute(insert(pace).values(**row))

        await self._database.transact(step)
