"""Who works where at this moment: the slots of the backends, in memory only.

A backend works on one prompt per slot. Once all are taken it may get one more for each, sent
ahead, so that it need not wait for us between two.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.models import BackendInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job at a backend."""

    job_id: UUID
    source: str
    model: str = ""  # what must be in memory there; "": nothing
    expected_s: float | None = None  # from its start to its end, loading included
    started_at: datetime | None = None  # None: it waits there, sent ahead
    warm: bool = False  # its model was in memory when it started

    def remaining_s(self, *, now: datetime) -> float | None:
        """How long it may still take; None if that is unknown."""
        if self.expected_s is None or self.started_at is None:
            return self.expected_s
        return max(0.0, self.expected_s - (now - self.started_at).total_seconds())


class Slots:
    """What each backend works on, what waits there, and which model it loaded last."""

    def __init__(self) -> None:
        self._works: dict[str, dict[UUID, Work]] = {}
        self._loaded: dict[str, str] = {}

    def occupy(self, backend_id: str, work: Work) -> None:
        """A job goes there, also to a backend that is no longer configured."""
        self._works.setdefault(backend_id, {})[work.job_id] = work
        if work.started_at is not None:
            self._begin(backend_id, work, at=work.started_at)

    def start(self, backend_id: str, job_id: UUID, *, at: datetime) -> None:
        """What waited there has begun."""
        work = self.work(backend_id, job_id)
        if work is not None and work.started_at is None:
            self._begin(backend_id, work, at=at)

    def release(self, backend_id: str, job_id: UUID) -> None:
        """The job is no longer there."""
        self._works.get(backend_id, {}).pop(job_id, None)

    def work(self, backend_id: str, job_id: UUID) -> Work | None:
        """One job there."""
        return self._works.get(backend_id, {}).get(job_id)

    def works(self, backend_id: str) -> list[Work]:
        """Everything there, in the order it came."""
        return list(self._works.get(backend_id, {}).values())

    def running(self, backend_id: str) -> list[UUID]:
        """The jobs that run there."""
        return [each.job_id for each in self.works(backend_id) if each.started_at is not None]

    def ahead(self, backend_id: str) -> list[UUID]:
        """The jobs that wait there, sent ahead."""
        return [each.job_id for each in self.works(backend_id) if each.started_at is None]

    def loaded(self, backend_id: str) -> str | None:
        """The model that was used there last, so that it is likely in memory."""
        return self._loaded.get(backend_id)

    def unloaded(self, backend_id: str) -> None:
        """Its memory was freed, or it was started anew."""
        self._loaded.pop(backend_id, None)

    def free(self, info: BackendInfo) -> int:
        """How many jobs could start there now."""
        return max(0, info.max_concurrent_jobs - len(self._works.get(info.id, {})))

    def free_ahead(self, info: BackendInfo) -> int:
        """How many may be sent ahead, once no slot is free."""
        ahead = len(self.ahead(info.id))
        running = len(self._works.get(info.id, {})) - ahead
        # Some may have ended there while we still fetch their pictures; not without a bound.
        if self.free(info) > 0 or running > 2 * info.max_concurrent_jobs:
            return 0
        return max(0, info.max_concurrent_jobs - ahead)

    def remaining_s(self, info: BackendInfo, *, now: datetime) -> float | None:
        """How long until a job that goes there now would start; None if that is unknown."""
        if self.free(info) > 0:
            return 0.0
        known = [each.remaining_s(now=now) for each in self.works(info.id)]
        if any(each is None for each in known):
            return None
        times = sorted(each for each in known if each is not None)
        lanes = [0.0] * info.max_concurrent_jobs
        for each in times:
            lanes[lanes.index(min(lanes))] += each
        return min(lanes)

    def busy(self) -> Counter[str]:
        """How many jobs each source has at backends."""
        return Counter(work.source for works in self._works.values() for work in works.values())

    def next_model(self, backend_id: str) -> str | None:
        """The model that will be in memory when what is there has been done."""
        waiting = [each.model for each in self.works(backend_id) if not each.started_at]
        return next((each for each in reversed(waiting) if each), self.loaded(backend_id))

    def _begin(self, backend_id: str, work: Work, *, at: datetime) -> None:
        warm = bool(work.model) and self._loaded.get(backend_id) == work.model
        self._works[backend_id][work.job_id] = replace(work, started_at=at, warm=warm)
        if work.model:
            self._loaded[backend_id] = work.model
