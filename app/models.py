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
FLUX = "flux"
"""The preset, and the id of the backend, of the FLUX cloud; paid."""
AUTO = "auto"
"""The target that means: any backend with a real model."""
TEXT_TO_IMAGE = "text-to-image"
"""The preset that works with a checkpoint of any family."""


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
        {
            JobState.CREATED,  # held with evidence, because it seems to kill backends
            JobState.QUEUED,
            JobState.DONE,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A LoRA on top of the checkpoint."""

    name: str  # as the backend lists it, with its folder
    weight: float = 1.0
    clip_weight: float | None = None  # None: the same


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """Everything that decides the picture: the same request on the same model gives it again."""

    target: str  # where: DEMO, AUTO or the id of a backend
    preset: str = TEXT_TO_IMAGE  # how: the id of a workflow
    prompt: str
    negative_prompt: str = ""
    width: int = 768  # pixels, multiple of 8
    height: int = 768  # pixels, multiple of 8
    steps: int = 20
    cfg: float = 6.0
    sampler: str = "euler"
    scheduler: str = "normal"
    seed: int = 0  # 0 … 2**64-1
    checkpoint: str | None = None  # None: the best fitting one that the backend has
    vae: str | None = None  # None: the checkpoint's own
    loras: tuple[Lora, ...] = ()
    denoise: float = 1.0  # 0 … 1; below 1 the input picture shows through
    image: str | None = None  # the input picture, a name of app.inputs
    mask: str | None = None  # white is painted anew; a name of app.inputs
    options: Mapping[str, str | int | float | bool] = field(
        default_factory=dict[str, str | int | float | bool]
    )  # what only this preset knows: frames, fps, aspect_ratio, …
    graph: Mapping[str, Any] | None = None  # a workflow given with the job, in API format


class Fallback(StrEnum):
    """What happens to a job whose backend is away."""

    NONE = "none"
    """It waits."""
    ASK = "ask"
    """It waits, and offers to go elsewhere."""
    AUTO = "auto"
    """It goes to any other that can take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """What was agreed at submission, besides the picture itself."""

    fallback: Fallback = Fallback.NONE
    tags: tuple[str, ...] = ()  # a backend needs all of them (its tags and capabilities count)
    webhook: str | None = None  # told when the job has ended
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])  # the client's own
    confirmed_usd: float | None = None  # the price somebody agreed to, of a paid job
    timeout_s: float | None = None  # from the start of its run; None: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job or an attempt ended badly, for people: what happened and what to do."""

    code: str  # the `code` of an error in app.errors
    message: str
    fix: str = ""
    node_id: str | None = None  # the node of the graph it happened at


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
    lost_on: tuple[str, ...] = ()  # the backends that did
    failed_on: tuple[str, ...] = ()  # the backends where an attempt failed; others are preferred
    source: str = "page"  # who asked: sources take turns
    terms: JobTerms = JobTerms()
    ahead_on: str | None = None  # waits as the prefetched prompt of this backend
    placement: str | None = None  # why it went where it runs or ran
    notices: tuple[str, ...] = ()  # what was replaced to make it run, for people
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


class SeedStrategy(StrEnum):
    """Which seeds the pictures of a group get."""

    RANDOM = "random"
    """Drawn, far from each other."""
    SEQUENTIAL = "sequential"
    """Counted up from the first."""
    FIBONACCI = "fibonacci"
    GOLDEN_RATIO = "golden_ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGroup:
    """Jobs that were asked for together; how they do is read from the jobs themselves."""

    id: UUID
    preset: str
    total: int
    seed_strategy: SeedStrategy
    base_seed: int | None = None
    timeout_s: float | None = None
    webhook: str | None = None  # told when the last of them has ended
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime


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
class Weighed:
    """What the scheduler thought of one backend for one job."""

    backend_id: str
    rejected: str | None = None  # why not, for people
    expected_s: float | None = None  # until it would be finished there; None: not known yet
    loaded: bool = False  # its model is in memory there


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why a job went where it went."""

    reason: str  # for people
    weighed: tuple[Weighed, ...] = ()


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
    decision: Decision | None = None
    handle: Mapping[str, Any] | None = None  # what its backend asks with after a restart


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
class ShownFile:
    """A picture or video that a node shows and nobody keeps; its backend has it for a while."""

    address: str  # below that of the backend, quoted: "view?filename=…"
    kind: Literal["image", "video"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgress:
    """How far one node of a running job is; lives in memory only."""

    state: Literal["waiting", "running", "done", "cached", "failed"]
    value: float = 0.0
    max: float = 0.0  # 0: it does not count
    shown: tuple[ShownFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One picture of a running job on its way from noise."""

    rev: int  # grows by one for each preview of the job
    step: int
    mime: str
    data: bytes = field(repr=False)


MediaKind = Literal["image", "video", "audio", "text", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A finished picture (or video, sound, text), its file and everything that made it."""

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
    width: int  # 0 where there is nothing to see
    height: int
    kind: MediaKind = "image"
    duration_s: float | None = None  # of a video or a sound
    request: GenerationRequest | None  # None for a file found without a job
    created_at: datetime
    deleted_at: datetime | None = None


MAX_WORKFLOW_NAME = 200
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow that somebody keeps; what it is, its versions say."""

    id: UUID
    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    version: int = 0  # the number of the newest one; 0: none is saved yet
    thumbnail: UUID | None = None  # the image of the last result
    has_draft: bool = False  # there is something newer than the newest version
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowVersion:
    """A workflow as it was saved once; never changes."""

    workflow_id: UUID
    number: int  # from 1
    author: str
    note: str = ""
    document: Mapping[str, Any] = field(repr=False)
    """The diagram as ComfyUI keeps it, see app.drawing.files.ui_format."""
    graph: Mapping[str, Any] | None = field(default=None, repr=False)
    """What runs, in API format; None where it could not be made."""
    created_at: datetime


BackendKind = Literal["comfyui", "embedded", "bfl"]
"""A ComfyUI server, the demo engine, or the FLUX cloud of Black Forest Labs."""


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
    origin: Literal["config", "page"] = "config"  # only those added on the page can be changed

    @property
    def is_demo(self) -> bool:
        """Draws procedurally; what it makes is labelled and never passes for a model's work."""
        return self.kind == "embedded"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalog:
    """What a backend can do, as it reports itself; two readings are two catalogs."""

    node_classes: frozenset[str]
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The model files by folder, as ComfyUI names folders: checkpoints, loras, vae, …"""
    embeddings: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    specs: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """By node class, what `/object_info` says of it, as compact JSON in its own order."""
    read_at: datetime | None = None

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The checkpoints, in the backend's order."""
        return self.models.get("checkpoints", ())

    def tells_the_same(self, other: "Catalog") -> bool:
        """Whether two readings say the same, whenever they were taken."""
        return self is other or (
            self.node_classes == other.node_classes
            and dict(self.models) == dict(other.models)
            and self.embeddings == other.embeddings
            and self.samplers == other.samplers
            and self.schedulers == other.schedulers
            and self.specs == other.specs
        )


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
    features: frozenset[str] = frozenset()  # what was found by probing, see backends.comfyui
    catalog: Catalog | None = None  # the last one read, also while it is offline
