"""The unfinished jobs in memory, in queue order: a mirror of the table, kept by the ledger."""

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app.matching import needs_of
from app.models import Job, JobState

_Place = tuple[int, str, UUID]
_LaneKey = tuple[int, str, Hashable]
Lane = Sequence[tuple[str, UUID]]
"""Jobs of one priority, one source and the same needs, next one first."""


class UnfinishedJobs:
    """Every job in state created, queued or running; those queued also in order."""

    def __init__(self) -> None:
        self._jobs: dict[UUID, Job] = {}
        self._queue: list[_Place] = []
        self._lanes: dict[_LaneKey, list[tuple[str, UUID]]] = {}
        self._lane_of: dict[UUID, _LaneKey] = {}
        self._deferred: dict[UUID, datetime] = {}

    def put(self, job: Job) -> None:
        """Take in the newest version of a job, or forget a finished one."""
        self.discard(job.id)
        if job.state.is_terminal:
            return
        self._jobs[job.id] = job
        if job.state is JobState.QUEUED:
            insort(self._queue, _place(job))
            if job.ahead_on is None:
                self._line_up(job)
            if job.not_before is not None:
                self._deferred[job.id] = job.not_before

    def discard(self, job_id: UUID) -> None:
        """Forget a job."""
        known = self._jobs.pop(job_id, None)
        if known is not None and known.state is JobState.QUEUED:
            del self._queue[bisect_left(self._queue, _place(known))]
            self._leave(known)

    def get(self, job_id: UUID) -> Job | None:
        """The job, while it is unfinished."""
        return self._jobs.get(job_id)

    def queued(self) -> Iterator[Job]:
        """The waiting jobs, next one first. Do not change the queue while iterating."""
        return (self._jobs[job_id] for _, _, job_id in self._queue)

    def levels(self) -> list[Mapping[str, list[Lane]]]:
        """The lanes of the jobs that nobody has taken, by source; highest priority first."""
        levels: dict[int, dict[str, list[Lane]]] = {}
        for (negative, source, _), lane in self._lanes.items():
            levels.setdefault(negative, {}).setdefault(source, []).append(lane)
        return [levels[each] for each in sorted(levels)]

    def next_time(self, *, now: datetime) -> datetime | None:
        """When the next job becomes due that waits for its time."""
        return min((each for each in self._deferred.values() if each > now), default=None)

    def deferred_beyond(self, time: datetime) -> list[UUID]:
        """The waiting jobs that are not due even then."""
        return [job_id for job_id, each in self._deferred.items() if each > time]

    def ahead(self) -> list[Job]:
        """The waiting jobs that were sent ahead to a backend."""
        if len(self._lane_of) == len(self._queue):
            return []
        return [job for job in self.queued() if job.ahead_on is not None]

    def position(self, job: Job) -> int | None:
        """1 for the next job; None for one that does not wait."""
        known = self._jobs.get(job.id)
        if known is None or known.state is not JobState.QUEUED:
            return None
        return bisect_left(self._queue, _place(known)) + 1

    def neighbour_ranks(self, job: Job, *, without: UUID) -> tuple[str | None, str | None]:
        """The ranks right before and right after a waiting job, as if `without` were not there.

        Only neighbours of the same priority count: a rank orders within one.
        """
        ranks = [
            rank
            for negative, rank, job_id in self._queue
            if negative == -job.priority and job_id != without
        ]
        index = bisect_left(ranks, job.rank)
        before = ranks[index - 1] if index > 0 else None
        after = ranks[index + 1] if index + 1 < len(ranks) else None
        return before, after

    def all(self) -> list[Job]:
        """Every unfinished job, in queue order."""
        return sorted(self._jobs.values(), key=_place)

    def ids(self, state: JobState) -> list[UUID]:
        """The ids of the unfinished jobs in a state."""
        if state is JobState.QUEUED:
            return [job_id for _, _, job_id in self._queue]
        return [job.id for job in self._jobs.values() if job.state is state]

    def _line_up(self, job: Job) -> None:
        key = (-job.priority, job.source, needs_of(job))
        self._lane_of[job.id] = key
        insort(self._lanes.setdefault(key, []), (job.rank, job.id))

    def _leave(self, job: Job) -> None:
        self._deferred.pop(job.id, None)
        key = self._lane_of.pop(job.id, None)
        if key is None:
            return
        lane = self._lanes[key]
        del lane[bisect_left(lane, (job.rank, job.id))]
        if not lane:
            del self._lanes[key]

    def count(self, state: JobState) -> int:
        """How many unfinished jobs are in a state."""
        return len(self._queue) if state is JobState.QUEUED else len(self.ids(state))


def _place(job: Job) -> _Place:
    return (-job.priority, job.rank, job.id)
