"""Figures about jobs, counted in SQL."""

from collections import defaultdict
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, select

from app.models import JobState
from app.status import Pace, Tally
from data.database import Database
from data.tables import job

_LOOKED_AT = 500  # finished jobs, the newest


class SqlStatistics:
    """`app.status.Statistics` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, *, since: datetime | None = None) -> Tally:
        """How many jobs are in each state; with `since`: of those that ended since then."""
        statement = select(job.c.state, func.count()).group_by(job.c.state)
        statement = statement.where(job.c.removed_at.is_(None))
        if since is not None:
            statement = statement.where(job.c.finished_at >= since)
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).all()
        return Tally(by_state={JobState(state): count for state, count in found})

    async def paces(self) -> list[Pace]:
        """How long the newest jobs took, by workflow and backend; the most frequent first."""
        statement = (
            select(job.c.backend_id, job.c.preset, job.c.started_at, job.c.finished_at)
            .where(job.c.state == JobState.DONE.value, job.c.removed_at.is_(None))
            .order_by(job.c.key.desc())
            .limit(_LOOKED_AT)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).all()
        took: dict[tuple[str, str], list[float]] = defaultdict(list)
        for backend_id, preset, started_at, finished_at in found:
            if backend_id and started_at and finished_at:
                span: timedelta = finished_at - started_at
                took[backend_id, preset].append(max(0.0, span.total_seconds()))
        paces = [
            Pace(
                backend_id=backend_id,
                workflow_id=preset,
                count=len(seconds),
                median_s=median(seconds),
                longest_s=max(seconds),
            )
            for (backend_id, preset), seconds in took.items()
        ]
        return sorted(paces, key=lambda pace: -pace.count)
