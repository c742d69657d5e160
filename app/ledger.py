"""The one way a job changes: the row first, then the mirror in memory, then everybody hears."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from app.errors import NotFoundError, StaleWriteError
from app.events import (
    EventBus,
    ImageAdded,
    JobChanged,
    JobRemoved,
    QueuePaused,
)
from app.models import Attempt, Image, Job, JobGroup, JobState
from app.ports import JobChange, JobStore, Receipt
from app.said import Said
from app.waiting import UnfinishedJobs

log = logging.getLogger(__name__)

Step = Callable[[Job], JobChange]
ImagesOfJobs = Mapping[UUID, Sequence[Image]]


class Ledger:
    """Writes steps of jobs, and keeps the unfinished ones at hand."""

    def __init__(self, *, store: JobStore, bus: EventBus) -> None:
        self._store = store
        self._bus = bus
        self._writing = asyncio.Lock()
        self.unfinished = UnfinishedJobs()
        self.paused = False
        self.last_rank: str | None = None
        """The greatest rank in use."""

    async def open(self) -> None:
        """Read what a former process left."""
        for job in await self._store.unfinished():
            self.unfinished.put(job)
        self.paused = await self._store.paused()
        self.last_rank = await self._store.last_rank()

    async def add(
        self,
        jobs: Sequence[Job],
        *,
        note: str,
        receipt: Receipt | None = None,
        group: JobGroup | None = None,
    ) -> None:
        """Write new jobs and the group they are, all or none.

        Raises:
            AlreadySubmittedError: the receipt's key was used before.
        """
        logged = await self._store.add(jobs, note=note, receipt=receipt, group=group)
        for job, event in zip(jobs, logged, strict=True):
            self._take_in(job)
            self._bus.publish(JobChanged(job=job, logged=event))

    async def change(self, job_id: UUID, step: Step) -> Job:
        """Write the step that `step` makes of the job as it is now; the new version.

        Raises:
            NotFoundError: there is no such job.
            StaleWriteError: another process owns the job; nothing was written or told.
            Whatever `step` raises to refuse.
        """
        async with self._writing:
            job = self.unfinished.get(job_id) or await self._store.get(job_id)
            if job is None:
                raise NotFoundError(Said("There is no job {id}.", id=job_id))
            change = step(job)
            try:
                written = await self._store.apply(change)
            except StaleWriteError:
                await self._reread(job_id)
                raise
            self._take_in(change.job)
        for image, event in zip(written.images, written.image_events, strict=True):
            self._bus.publish(ImageAdded(image=image, logged=event))
        self._bus.publish(JobChanged(job=change.job, logged=written.logged, images=written.images))
        if job.state is not change.job.state:
            log.info("Job %s is %s: %s", job_id, change.job.state, change.note)
        return change.job

    def agreed_price(self, job_id: UUID) -> float | None:
        """The price in US dollars that somebody agreed to, of an unfinished job."""
        job = self.unfinished.get(job_id)
        return job.terms.confirmed_usd if job is not None else None

    async def attempts(self, job_id: UUID) -> list[Attempt]:
        """The attempts of a job, oldest first."""
        return await self._store.attempts(job_id)

    async def remove(self, job_ids: Sequence[UUID]) -> list[UUID]:
        """Take finished jobs off the list; which they were."""
        removed = await self._store.remove(job_ids)
        gone = [UUID(event.subject) for event in removed]
        for job_id, event in zip(gone, removed, strict=True):
            self._bus.publish(JobRemoved(job_id=job_id, logged=event))
        return gone

    async def restore(self, job_ids: Sequence[UUID], *, images: ImagesOfJobs) -> list[UUID]:
        """Put removed jobs back on the list; which they were."""
        back = await self._store.restore(job_ids)
        for job, event in back:
            shown = tuple(images.get(job.id, ()))
            self._bus.publish(JobChanged(job=job, logged=event, images=shown))
        return [job.id for job, _ in back]

    async def set_paused(self, paused: bool) -> None:
        """Stop or go on taking jobs from the queue, also after a restart."""
        if paused == self.paused:
            return
        logged = await self._store.set_paused(paused)
        self.paused = paused
        self._bus.publish(QueuePaused(paused=paused, logged=logged))

    def _take_in(self, job: Job) -> None:
        self.unfinished.put(job)
        self.last_rank = max(self.last_rank or "", job.rank)

    async def _reread(self, job_id: UUID) -> None:
        job = await self._store.get(job_id)
        if job is None:
            self.unfinished.discard(job_id)
        else:
            self.unfinished.put(job)

    def counts(self) -> tuple[int, int]:
        """How many jobs wait and how many run."""
        return self.unfinished.count(JobState.QUEUED), self.unfinished.count(JobState.RUNNING)
