"""The stores without a database: for tests and fakes, under the same contract suites."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID

from app.errors import AlreadySubmittedError, StaleWriteError
from app.events import LoggedEvent
from app.models import Attempt, Image, Job, JobGroup
from app.ports import (
    RECEIPT_LIFE,
    Clock,
    ImageFilter,
    JobChange,
    JobFilter,
    Outline,
    Page,
    Receipt,
    Written,
)


class MemoryLog:
    """The event log that the two stores share."""

    def __init__(self, *, clock: Clock) -> None:
        self.clock = clock
        self.events: list[LoggedEvent] = []

    def append(
        self, type_: str, subject: UUID | str, *, note: str = "", **data: object
    ) -> LoggedEvent:
        """Give the event its number and keep it."""
        seq = self.events[-1].seq + 1 if self.events else 1
        logged = LoggedEvent(
            seq=seq, at=self.clock.now(), type=type_, subject=str(subject), note=note, data=data
        )
        self.events.append(logged)
        return logged

    def image(self, type_: str, image: Image) -> LoggedEvent:
        """An event of an image."""
        job_id = str(image.job_id) if image.job_id else None
        return self.append(type_, image.id, imageId=str(image.id), jobId=job_id)


class MemoryJobStore:
    """`app.ports.JobStore` in a dictionary."""

    def __init__(self, *, log: MemoryLog, images: "MemoryImageStore") -> None:
        self._log = log
        self._images = images
        self._jobs: dict[UUID, Job] = {}
        self._groups: dict[UUID, JobGroup] = {}
        self._keys: dict[UUID, int] = {}  # of removed jobs, too: cursors stay right
        self._attempts: dict[UUID, Attempt] = {}
        self._removed: dict[UUID, tuple[Job, datetime]] = {}
        self._paused = False
        self._receipts: dict[str, tuple[Receipt, tuple[UUID, ...], datetime]] = {}

    async def add(
        self,
        jobs: Sequence[Job],
        *,
        note: str,
        receipt: Receipt | None = None,
        group: JobGroup | None = None,
    ) -> list[LoggedEvent]:
        if receipt is not None:
            self._keep_receipt(receipt, jobs)
        if group is not None:
            self._groups[group.id] = group
        for job in jobs:
            self._jobs[job.id] = job
            self._keys[job.id] = len(self._keys) + 1
        return [self._event(job, note=note) for job in jobs]

    async def apply(self, change: JobChange) -> Written:
        current = self._jobs.get(change.job.id)
        if current is None or current.version != change.job.version - 1:
            raise StaleWriteError(f"Job {change.job.id} has changed meanwhile.")
        self._jobs[change.job.id] = change.job
        if change.attempt is not None:
            self._attempts[change.attempt.id] = change.attempt
        images = tuple(self._images.put(image) for image in change.images)
        image_events = tuple(self._log.image("image.created", image) for image in images)
        logged = self._event(change.job, note=change.note, type_=change.event)
        return Written(logged=logged, images=images, image_events=image_events)

    async def remove(self, job_ids: Sequence[UUID]) -> list[LoggedEvent]:
        gone = [
            job_id
            for job_id in job_ids
            if job_id in self._jobs and self._jobs[job_id].state.is_terminal
        ]
        for job_id in gone:
            self._removed[job_id] = (self._jobs.pop(job_id), self._log.clock.now())
        return [self._log.append("job.removed", each, jobId=str(each)) for each in gone]

    async def restore(self, job_ids: Sequence[UUID]) -> list[tuple[Job, LoggedEvent]]:
        back = [self._removed.pop(each)[0] for each in job_ids if each in self._removed]
        self._jobs.update({job.id: job for job in back})
        self._jobs = dict(sorted(self._jobs.items(), key=lambda item: self._keys[item[0]]))
        return [(job, self._event(job, note="", type_="job.restored")) for job in back]

    async def forget_removed(self, *, before: datetime) -> int:
        gone = {job_id for job_id, (_, at) in self._removed.items() if at < before}
        self._removed = {k: v for k, v in self._removed.items() if k not in gone}
        self._attempts = {k: v for k, v in self._attempts.items() if v.job_id not in gone}
        left = [*self._jobs.values(), *(job for job, _ in self._removed.values())]
        used = {job.group_id for job in left}
        self._groups = {
            k: v for k, v in self._groups.items() if k in used or v.created_at >= before
        }
        return len(gone)

    async def get(self, job_id: UUID) -> Job | None:
        return self._jobs.get(job_id)

    async def unfinished(self) -> list[Job]:
        found = [job for job in self._jobs.values() if not job.state.is_terminal]
        return sorted(found, key=lambda job: (-job.priority, job.rank))

    async def page(
        self, job_filter: JobFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Job]:
        numbered = [
            (self._keys[job.id], job)
            for job in self._jobs.values()
            if _job_matches(job, job_filter) and (cursor is None or self._keys[job.id] < cursor)
        ][::-1]
        more = len(numbered) > limit
        numbered = numbered[:limit]
        return Page(
            items=tuple(job for _, job in numbered), next_cursor=numbered[-1][0] if more else None
        )

    async def group(self, group_id: UUID) -> JobGroup | None:
        return self._groups.get(group_id)

    async def groups(self, *, limit: int, before: UUID | None = None) -> list[JobGroup]:
        newest = sorted(self._groups.values(), key=lambda group: group.id, reverse=True)
        return [group for group in newest if before is None or group.id < before][:limit]

    async def of_groups(self, group_ids: Sequence[UUID]) -> dict[UUID, list[Job]]:
        known = [*self._jobs.values(), *(job for job, _ in self._removed.values())]
        known.sort(key=lambda job: self._keys[job.id])
        of_each = {each: [job for job in known if job.group_id == each] for each in group_ids}
        return {group_id: jobs for group_id, jobs in of_each.items() if jobs}

    async def finished_ids(self) -> list[UUID]:
        return [job.id for job in reversed(self._jobs.values()) if job.state.is_terminal]

    async def last_rank(self) -> str | None:
        return max((job.rank for job in self._jobs.values()), default=None)

    async def attempts(self, job_id: UUID) -> list[Attempt]:
        found = [each for each in self._attempts.values() if each.job_id == job_id]
        return sorted(found, key=lambda each: (each.created_at, each.id))

    async def attempt_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        return {each for each in ids if each in self._attempts}

    async def log(self, job_id: UUID) -> list[LoggedEvent]:
        return [event for event in self._log.events if event.subject == str(job_id)]

    async def probe(self) -> None:
        return None

    async def paused(self) -> bool:
        return self._paused

    async def set_paused(self, paused: bool) -> LoggedEvent:
        self._paused = paused
        return self._log.append("queue.paused" if paused else "queue.resumed", "queue")

    async def events_after(self, seq: int, *, limit: int) -> list[LoggedEvent]:
        return [event for event in self._log.events if event.seq > seq][:limit]

    async def events_span(self) -> tuple[int, int] | None:
        events = self._log.events
        return (events[0].seq, events[-1].seq) if events else None

    async def forget_events(self, *, before: datetime) -> int:
        keep = {str(job.id) for job in self._jobs.values() if not job.state.is_terminal}
        kept = [event for event in self._log.events if event.at >= before or event.subject in keep]
        forgotten = len(self._log.events) - len(kept)
        self._log.events[:] = kept
        return forgotten

    def _keep_receipt(self, receipt: Receipt, jobs: Sequence[Job]) -> None:
        now = self._log.clock.now()
        known = self._receipts.get(receipt.key)
        if known is not None and known[2] >= now - RECEIPT_LIFE:
            raise AlreadySubmittedError(
                "This was submitted already.", fingerprint=known[0].fingerprint, job_ids=known[1]
            )
        self._receipts[receipt.key] = (receipt, tuple(job.id for job in jobs), now)

    def _event(self, job: Job, *, note: str, type_: str | None = None) -> LoggedEvent:
        return self._log.append(
            type_ or f"job.{job.state}",
            job.id,
            note=note,
            jobId=str(job.id),
            status=job.state.value,
            backend=job.request.target,
            backendId=job.backend_id,
            version=job.version,
        )


class MemoryImageStore:
    """`app.ports.ImageStore` in a dictionary."""

    def __init__(self, *, log: MemoryLog) -> None:
        self._log = log
        self._images: dict[UUID, Image] = {}
        self._last_key = 0

    def put(self, image: Image) -> Image:
        """Insert unless the same output is there already; the one stored."""
        for known in self._images.values():
            same_output = (known.attempt_id, known.node_id, known.index) == (
                image.attempt_id,
                image.node_id,
                image.index,
            )
            if (image.attempt_id is not None and same_output) or known.file == image.file:
                return known
        self._last_key += 1
        stored = replace(image, key=self._last_key)
        self._images[stored.id] = stored
        return stored

    async def get(self, image_id: UUID) -> Image | None:
        return self._images.get(image_id)

    async def get_many(self, image_ids: Sequence[UUID]) -> list[Image]:
        return [self._images[each] for each in image_ids if each in self._images]

    async def of_jobs(self, job_ids: Sequence[UUID]) -> dict[UUID, list[Image]]:
        grouped: dict[UUID, list[Image]] = {}
        for image in sorted(self._images.values(), key=lambda each: (each.index, each.key)):
            if image.job_id in job_ids and image.job_id and image.deleted_at is None:
                grouped.setdefault(image.job_id, []).append(image)
        return grouped

    async def page(
        self, image_filter: ImageFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Image]:
        found = [
            image
            for image in self._newest_first(image_filter)
            if cursor is None or image.key < cursor
        ]
        more = len(found) > limit
        return Page(items=tuple(found[:limit]), next_cursor=found[limit - 1].key if more else None)

    async def count(self, image_filter: ImageFilter, *, cap: int) -> int:
        return min(cap, len(self._newest_first(image_filter)))

    async def outline(self, image_filter: ImageFilter) -> Outline:
        keys = [image.key for image in self._newest_first(image_filter)]
        step = Outline.__dataclass_fields__["step"].default
        rev = f"{len(keys)}-{max(keys, default=0)}-{sum(keys) % 2**32}"
        return Outline(rev=rev, total=len(keys), anchors=tuple(keys[step - 1 :: step]), step=step)

    async def neighbours(
        self, of: Image, image_filter: ImageFilter
    ) -> tuple[UUID | None, UUID | None]:
        found = self._newest_first(image_filter)
        newer = [each.id for each in found if each.key > of.key]
        older = [each.id for each in found if each.key < of.key]
        return (newer[-1] if newer else None, older[0] if older else None)

    async def set_deleted(
        self, image_ids: Sequence[UUID], at: datetime | None
    ) -> list[tuple[Image, LoggedEvent]]:
        changed: list[tuple[Image, LoggedEvent]] = []
        for image in await self.get_many(image_ids):
            if (image.deleted_at is None) == (at is None):
                continue
            self._images[image.id] = replace(image, deleted_at=at)
            type_ = "image.restored" if at is None else "image.deleted"
            changed.append((self._images[image.id], self._log.image(type_, image)))
        return changed

    async def add_found(self, found: Image) -> tuple[Image, LoggedEvent] | None:
        if any(known.file == found.file for known in self._images.values()):
            return None
        stored = self.put(found)
        return stored, self._log.image("image.created", stored)

    async def known_files(self, files: Sequence[PurePosixPath]) -> set[PurePosixPath]:
        return {image.file for image in self._images.values()} & set(files)

    def _newest_first(self, image_filter: ImageFilter) -> list[Image]:
        found = [each for each in self._images.values() if _image_matches(each, image_filter)]
        return sorted(found, key=lambda each: -each.key)


def _job_matches(job: Job, wanted: JobFilter) -> bool:
    return (
        (not wanted.states or job.state in wanted.states)
        and (wanted.backend is None or wanted.backend in (job.request.target, job.backend_id))
        and (wanted.group_id is None or wanted.group_id == job.group_id)
        and (not wanted.text or wanted.text.lower() in job.request.prompt.lower())
    )


def _image_matches(image: Image, wanted: ImageFilter) -> bool:
    prompt = image.request.prompt.lower() if image.request else ""
    return (
        (image.deleted_at is not None) == wanted.deleted
        and (wanted.backend is None or wanted.backend == image.backend_id)
        and (wanted.job_id is None or wanted.job_id == image.job_id)
        and (wanted.since is None or image.created_at >= wanted.since)
        and (wanted.until is None or image.created_at < wanted.until)
        and all(word.lower() in prompt for word in (wanted.text or "").split())
    )
