"""The nouns of the product, as immutable values.

A value is never edited in place: `Job.to` gives the next version, and a store accepts it only if
nobody wrote another one meanwhile (`version` is the fence).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import UUID

DEMO = "demo"
"""The preset, and the id of the backend, that draws without an AI model."""
AUTO = "auto"
"""The target that means: any backend with a real model."""


class JobState(StrEnum):
    """Where a job is on its way; a wish to cancel is a flag on the job, not a state."""

    CREATED = "created"
    """Held: waits for somebody to press Run."""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Nothing more happens to the job unless somebody retries it."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.CREATED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset(
        {JobState.QUEUED, JobState.DONE, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """Everything that decides the picture: the same request on the same model gives it again."""

    target: str  # DEMO, AUTO or the id of a backend
    prompt: str
    negative_prompt: str = ""
    width: int = 768  # pixels, multiple of 8
    height: int = 768  # pixels, multiple of 8
    steps: int = 20
    cfg: float = 6.0
    sampler: str = "euler"
    scheduler: str = "normal"
    seed: int = 0  # 0 … 2**64-1
    checkpoint: str | None = None  # None: the first one the backend has


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job or an attempt ended badly, for people: what happened and what to do."""

    code: str  # the `code` of an error in app.errors
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One picture to be made, and its place in the queue."""

    id: UUID
    group_id: UUID | None = None  # shared by the jobs of one submission with count > 1
    state: JobState
    request: GenerationRequest
    priority: int = 0  # -100 … 100, higher first
    rank: str  # order within a priority, see app.ranking
    version: int = 1
    attempts: int = 0  # those that count against max_attempts
    max_attempts: int = 3
    losses: int = 0  # times a backend accepted the job and then forgot it
    backend_id: str | None = None  # where it runs or ran last
    cancel_requested: bool = False
    not_before: datetime | None = None  # a retry waits until then
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: JobFailure | None = None  # of the last attempt; shown while a retry waits, too

    def to(self, state: JobState, **changes: Any) -> "Job":
        """The next version of this job in another state.

        Raises:
            ValueError: the state machine has no such step.
        """
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"Job {self.id} cannot go from {self.state} to {state}.")
        return self.changed(state=state, **changes)

    def changed(self, **changes: Any) -> "Job":
        """The next version of this job, in the same state unless `to` says otherwise."""
        return replace(self, version=self.version + 1, **changes)


class AttemptState(StrEnum):
    """How one try to run a job ended."""

    OPEN = "open"
    """Under way, or interrupted by the end of this process: ask the backend."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNSENT = "unsent"
    """The backend certainly never got it."""
    LOST = "lost"
    """The backend answers but knows nothing of it and has no file of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a job on one backend; its id is the `prompt_id` there and names the files."""

    id: UUID
    job_id: UUID
    number: int
    backend_id: str
    state: AttemptState = AttemptState.OPEN
    created_at: datetime
    accepted_at: datetime | None = None  # the backend said it has it
    ended_at: datetime | None = None
    failure: JobFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running job is; lives in memory only."""

    fraction: float  # 0 … 1 of the whole job
    step: int = 0
    steps: int = 0
    node_id: str | None = None
    node_title: str | None = None
    phase: int = 1  # 1-based
    phases: int = 1
    eta_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One picture of a running job on its way from noise."""

    rev: int  # grows by one for each preview of the job
    step: int
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A finished picture, its file and everything that made it."""

    key: int = 0  # order of arrival, given by the store; the cursor of every list
    id: UUID
    job_id: UUID | None
    attempt_id: UUID | None
    backend_id: str | None
    node_id: str = ""
    index: int = 0  # position among the outputs of its attempt
    file: PurePosixPath  # below the outputs folder
    mime: str
    sha256: str
    size_bytes: int
    width: int
    height: int
    request: GenerationRequest | None  # None for a file found without a job
    created_at: datetime
    deleted_at: datetime | None = None


BackendKind = Literal["comfyui", "embedded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """What the configuration says about a backend."""

    id: str
    name: str
    kind: BackendKind
    url: str
    enabled: bool = True
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_concurrent_jobs: int = 1

    @property
    def is_demo(self) -> bool:
        """Draws procedurally; what it makes is labelled and never passes for a model's work."""
        return self.kind == "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What a backend can do, as it reports itself (`/object_info`)."""

    node_classes: frozenset[str]
    checkpoints: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """What is known about a backend right now."""

    online: bool = False
    last_error: str | None = None  # why it is offline, for people
    latency_ms: float | None = None
    last_seen: datetime | None = None
    queue_depth: int = 0  # prompts in its own queue, of anybody
    version: str | None = None
    gpu_name: str | None = None
    vram_total_bytes: int | None = None
    vram_free_bytes: int | None = None
    ram_total_bytes: int | None = None
    ram_free_bytes: int | None = None
    catalog: Catalog | None = None
