"""What the core needs of storage and time, as protocols.

`data/` implements them; tests also use the in-memory twins, which pass the same contract suites.
What it needs of the machines that make pictures is in `app.runs`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar
from uuid import UUID

from app.events import LoggedEvent
from app.models import (
    Attempt,
    Image,
    Job,
    JobGroup,
    JobState,
    MediaKind,
    Workflow,
    WorkflowVersion,
)

if TYPE_CHECKING:
    from app.access import Session  # which itself needs the ports

T = TypeVar("T")


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """One step of a job's life, written in one transaction or not at all.

    `job` is the next version (its `version` is one more than the row's); an attempt is inserted
    or overwritten; images are inserted unless `(attempt_id, node_id, index)` is there already.
    """

    job: Job
    note: str  # the line in the job's log
    event: str | None = None  # its type in the log; None: "job." and the state
    attempt: Attempt | None = None
    images: Sequence[Image] = ()
    hint: bool = False
    """The backend can be asked for it again: it outlives this process, but need not outlive a
    power cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write put into the durable log, and the images as stored, with their keys."""

    logged: LoggedEvent
    images: tuple[Image, ...] = ()
    image_events: tuple[LoggedEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows."""

    states: frozenset[JobState] = frozenset()
    backend: str | None = None  # target or backend_id
    group_id: UUID | None = None
    text: str | None = None  # in the prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A slice of a list, and the cursor of the next one (None: this was the last)."""

    items: tuple[T, ...]
    next_cursor: int | None


RECEIPT_LIFE = timedelta(hours=24)
"""How long the key of a submission answers with its first result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What makes a submission safe to repeat: its key, and what was asked for."""

    key: str
    fingerprint: str


class JobStore(Protocol):
    """Jobs, their attempts and the durable event log."""

    async def add(
        self,
        jobs: Sequence[Job],
        *,
        note: str,
        receipt: Receipt | None = None,
        group: JobGroup | None = None,
    ) -> list[LoggedEvent]:
        """Insert new jobs and the group they are, all or none, each with its event.

        Raises:
            AlreadySubmittedError: the receipt's key was used within 24 hours; nothing is written.
        """
        ...

    async def apply(self, change: JobChange) -> Written:
        """Write one step.

        Raises:
            StaleWriteError: the row has another version than the one before `change.job`.
        """
        ...

    async def remove(self, job_ids: Sequence[UUID]) -> list[LoggedEvent]:
        """Take those of the jobs that are finished off the list; their images stay."""
        ...

    async def restore(self, job_ids: Sequence[UUID]) -> list[tuple[Job, LoggedEvent]]:
        """Put those of the jobs that were removed back on the list."""
        ...

    async def forget_removed(self, *, before: datetime) -> int:
        """Delete for good, with their attempts, what was removed before then; how many.

        Groups from before then go with the last of their jobs.
        """
        ...

    async def get(self, job_id: UUID) -> Job | None: ...

    async def unfinished(self) -> list[Job]:
        """Every job in state created, queued or running, in queue order."""
        ...

    async def page(
        self, job_filter: JobFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Job]:
        """Jobs newest first."""
        ...

    async def group(self, group_id: UUID) -> JobGroup | None: ...

    async def groups(self, *, limit: int, before: UUID | None = None) -> list[JobGroup]:
        """Groups newest first, those older than `before`."""
        ...

    async def of_groups(self, group_ids: Sequence[UUID]) -> dict[UUID, list[Job]]:
        """The jobs of each group in the order they were made, also those off the list."""
        ...

    async def finished_ids(self) -> list[UUID]: ...

    async def last_rank(self) -> str | None:
        """The greatest rank in use."""
        ...

    async def attempts(self, job_id: UUID) -> list[Attempt]:
        """The attempts of a job, oldest first."""
        ...

    async def attempt_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids that are attempts of ours."""
        ...

    async def log(self, job_id: UUID) -> list[LoggedEvent]:
        """What happened to a job, oldest first."""
        ...

    async def probe(self) -> None:
        """Show that writing works.

        Raises:
            StorageError: it does not.
        """
        ...

    async def paused(self) -> bool: ...

    async def set_paused(self, paused: bool) -> LoggedEvent: ...

    async def events_after(self, seq: int, *, limit: int) -> list[LoggedEvent]:
        """The durable log from there on, oldest first."""
        ...

    async def events_span(self) -> tuple[int, int] | None:
        """The numbers of the oldest and the newest event kept; None while there is none."""
        ...

    async def forget_events(self, *, before: datetime) -> int:
        """Drop events older than that of jobs that are finished or gone; how many went."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Which images a list shows."""

    text: str | None = None  # every word must occur in the prompt
    backend: str | None = None
    job_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: bool = False  # True: the trash instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The shape of a long list, to jump anywhere in it."""

    rev: str  # changes whenever the list does
    total: int
    anchors: tuple[int, ...]  # anchors[i] is the cursor of what follows (i + 1) * step images
    step: int = 200


class ImageStore(Protocol):
    """The rows of the gallery."""

    async def get(self, image_id: UUID) -> Image | None: ...

    async def get_many(self, image_ids: Sequence[UUID]) -> list[Image]:
        """Those that exist, in the order asked."""
        ...

    async def of_jobs(self, job_ids: Sequence[UUID]) -> dict[UUID, list[Image]]:
        """The living images of each job, in output order."""
        ...

    async def page(
        self, image_filter: ImageFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Image]:
        """Images newest first; `cursor` excludes itself and everything newer."""
        ...

    async def count(self, image_filter: ImageFilter, *, cap: int) -> int:
        """How many match, counted no further than `cap`."""
        ...

    async def outline(self, image_filter: ImageFilter) -> Outline: ...

    async def neighbours(
        self, of: Image, image_filter: ImageFilter
    ) -> tuple[UUID | None, UUID | None]:
        """The next newer and the next older image of the list."""
        ...

    async def set_deleted(
        self, image_ids: Sequence[UUID], at: datetime | None
    ) -> list[tuple[Image, LoggedEvent]]:
        """Move to the trash, or (None) bring back; only those whose state changed."""
        ...

    async def add_found(self, found: Image) -> tuple[Image, LoggedEvent] | None:
        """Insert an image whose file was found without a row; None if its file has one."""
        ...

    async def known_files(self, files: Sequence[PurePosixPath]) -> set[PurePosixPath]:
        """Those of the files that have a row."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be written; the store gives it its number."""

    author: str
    note: str = ""
    document: Mapping[str, Any]
    graph: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDraft:
    """What somebody drew and has not saved yet."""

    document: Mapping[str, Any]
    base: int  # the version it was begun on; 0: none


class WorkflowChanges(TypedDict, total=False):
    """What of a workflow is to be written anew."""

    name: str
    description: str
    tags: tuple[str, ...]
    thumbnail: UUID | None
    updated_at: datetime
    deleted_at: datetime | None


class WorkflowStore(Protocol):
    """The library: workflows, their versions, which never change, and their drafts."""

    async def add(
        self, value: Workflow, *, version: NewVersion | None, draft: KeptDraft | None = None
    ) -> tuple[Workflow, LoggedEvent]:
        """Insert one, with its first version, or with only a draft."""
        ...

    async def get(self, workflow_id: UUID) -> Workflow | None:
        """One of them, deleted or not."""
        ...

    async def all(self, *, deleted: bool = False) -> list[Workflow]:
        """Those that live, or (True) those in the trash; the one changed last comes first."""
        ...

    async def change(
        self, workflow_id: UUID, changes: WorkflowChanges, *, event: str
    ) -> tuple[Workflow, LoggedEvent]:
        """Overwrite what `changes` has and nothing else; the workflow as it is then.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def save(
        self, workflow_id: UUID, version: NewVersion, *, at: datetime
    ) -> tuple[Workflow, WorkflowVersion, LoggedEvent]:
        """Write the next version and drop the draft.

        Raises:
            NotFoundError: there is no such workflow.
        """
        ...

    async def version(self, workflow_id: UUID, number: int) -> WorkflowVersion | None: ...

    async def versions(self, workflow_id: UUID) -> list[WorkflowVersion]:
        """All of them, newest first; their documents are left empty."""
        ...

    async def heads(self) -> list[tuple[Workflow, WorkflowVersion]]:
        """Every living workflow that has a version, with its newest."""
        ...

    async def draft(self, workflow_id: UUID) -> KeptDraft | None: ...

    async def keep_draft(self, workflow_id: UUID, draft: KeptDraft | None) -> None:
        """Overwrite it, or (None) drop it."""
        ...


class SessionStore(Protocol):
    """Browsers that logged in."""

    async def add(self, value: "Session") -> None: ...

    async def living(self, now: datetime) -> "Sequence[Session]":
        """Those that have not expired."""
        ...

    async def remove(self, session_id: UUID) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A picture safely on disk."""

    file: PurePosixPath  # below the outputs folder
    mime: str
    sha256: str
    size_bytes: int
    width: int  # 0 where there is nothing to see
    height: int
    kind: MediaKind = "image"
    duration_s: float | None = None
    metadata: dict[str, str] = field(default_factory=dict[str, str])  # PNG text chunks


class FileStore(Protocol):
    """The outputs folder and its thumbnails."""

    async def save(self, name: PurePosixPath, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Write temp, fsync, rename; look at it; make its thumbnail. Same name: replaced.

        Raises:
            StorageError: the disk is full, read-only or gone; nothing of the file remains.
            BadOutputError: the bytes are no picture; nothing of the file remains.
        """
        ...

    async def strays(self) -> list[PurePosixPath]:
        """Every finished picture file, oldest first; no temp files, no dot-folders."""
        ...

    async def discard_halves(self, *, before: datetime) -> None:
        """Remove what a killed process left half-written, if it is older than that."""
        ...

    async def inspect(self, name: PurePosixPath) -> StoredFile:
        """Read a file that is there already, and make its thumbnail."""
        ...

    def path(self, file: PurePosixPath) -> Path:
        """Where the file lies; it may be missing."""
        ...

    def thumbnail(self, sha256: str) -> Path:
        """Where its thumbnail lies; it may be missing."""
        ...

    async def remake_thumbnail(self, file: PurePosixPath, sha256: str) -> Path:
        """Make a missing thumbnail again.

        Raises:
            StorageError: the picture itself is gone or cannot be read.
        """
        ...
