"""Jobs, images and backends as JSON, one shape for the REST API and the live components."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.diagnosis import diagnosis_of
from app.graphs.running import split_id
from app.health import CircuitState, CircuitView
from app.models import (
    BackendInfo,
    BackendKind,
    BackendStatus,
    Fallback,
    Image,
    Job,
    JobState,
    MediaKind,
    Preview,
    Progress,
)
from app.submission import Wire

Say = Callable[[str], str]
"""Puts a sentence of ours (`app.said`) into a language."""


class ProgressView(Wire):
    """How far a running job is."""

    fraction: float = Field(ge=0, le=1)
    step: int
    steps: int
    node_id: str | None
    node_title: str | None
    phase: int
    phases: int
    eta_seconds: float | None

    @classmethod
    def of(cls, progress: Progress) -> "ProgressView":
        """The same for the wire."""
        return cls(
            fraction=round(progress.fraction, 4),
            step=progress.step,
            steps=progress.steps,
            node_id=progress.node_id,
            node_title=progress.node_title,
            phase=progress.phase,
            phases=progress.phases,
            eta_seconds=None if progress.eta_s is None else round(progress.eta_s, 1),
        )


class ImageRef(Wire):
    """A finished picture of a job."""

    id: UUID
    kind: MediaKind
    width: int
    height: int
    url: str
    thumbnail_url: str


class Diagnosis(Wire):
    """Why a job failed, and the way out."""

    code: str
    cause: str
    fix: str
    node_id: str | None = None
    """The node of the graph it happened at."""


class ResultView(Wire):
    """What came of a job: `images`, or `error` with its diagnosis."""

    file: str | None = None
    images: list[ImageRef] = Field(default_factory=list[ImageRef])
    error: str | None = None
    diagnosis: Diagnosis | None = None


class LoraView(Wire):
    """A LoRA on top of the checkpoint."""

    name: str
    weight: float
    clip_weight: float | None


class ParamsView(Wire):
    """How the picture is made."""

    width: int
    height: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    seed: int
    checkpoint: str | None
    vae: str | None
    loras: list[LoraView]
    denoise: float
    image: str | None
    mask: str | None
    options: dict[str, str | int | float | bool]


class JobView(Wire):
    """A job, with its live progress."""

    id: UUID
    group_id: UUID | None
    status: JobState
    backend: str
    backend_id: str | None
    workflow_id: str
    workflow_version: int | None
    """Of a saved workflow: which of its versions."""
    workflow_name: str
    """What people call the preset or the saved workflow."""
    source: str
    """Who asked; sources take turns."""
    prompt: str
    negative_prompt: str
    params: ParamsView
    fallback: Fallback
    tags: list[str]
    metadata: dict[str, Any]
    ahead_on: str | None
    """Waits as the next prompt of this backend, sent ahead."""
    placement: str | None
    """Why it went where it runs or ran."""
    notices: list[str]
    """What was replaced to make it run."""
    priority: int
    rank: str
    position: int | None
    """1 is next; None unless it waits."""
    reason: str | None
    """Why it waits, or why nothing is heard of it."""
    cancel_requested: bool
    progress: ProgressView | None
    preview_rev: int
    """Of the newest preview; 0 means there is none."""
    preview_revs: list[int]
    """Of the previews still kept, oldest first; the steps they show are `preview_steps`."""
    preview_steps: list[int]
    attempts: int
    max_attempts: int
    not_before: datetime | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    result: ResultView | None
    logs: list[str] | None = None
    """Only on `GET /api/jobs/{id}`."""
    cost_usd: float | None = None
    """What was spent or set aside for it; only on `GET /api/jobs/{id}`, of a paid job."""


class ImageView(Wire):
    """A picture of the gallery."""

    id: UUID
    cursor: int
    """Its place in every list; pass it as `cursor` to get what follows."""
    file: str
    download_name: str
    job_id: UUID | None
    backend: str | None
    backend_name: str | None
    is_demo: bool
    """Drawn by the demo engine, without an AI model."""
    created_at: datetime
    deleted_at: datetime | None
    size: int
    kind: MediaKind
    duration_seconds: float | None
    """Of a video or a sound."""
    width: int
    height: int
    prompt: str
    negative_prompt: str
    seed: int | None
    model: str | None
    workflow_id: str | None
    workflow_version: int | None
    """Of a saved workflow: which of its versions."""
    params: ParamsView | None
    url: str
    thumbnail_url: str
    missing: bool = False
    """The file is gone from the disk; the record stays until somebody deletes it."""


class BackendView(Wire):
    """A backend, as configured and as it is."""

    id: str
    name: str
    kind: BackendKind
    url: str
    enabled: bool
    capabilities: list[str]
    tags: list[str]
    max_concurrent_jobs: int
    origin: Literal["config", "page"]
    """Only those added on the page or over the API can be changed."""
    online: bool
    last_error: str | None
    latency_ms: float | None
    last_seen: datetime | None
    """When it answered last; of one that is offline, since when."""
    queue_depth: int
    """Prompts in its own queue, of anybody."""
    foreign_prompts: int
    """Those of them that are not ours."""
    running_jobs: list[UUID]
    running_job_id: UUID | None
    """The first of them."""
    circuit: CircuitState
    """Open: it rests after too many faults. Half open: one job tries whether it works again."""
    circuit_until: datetime | None
    circuit_reason: str | None
    comfy_version: str | None
    gpu_name: str | None
    vram_total: int | None
    vram_free: int | None
    ram_total: int | None
    ram_free: int | None
    node_count: int
    models: dict[str, list[str]]
    samplers: list[str]
    schedulers: list[str]
    features: list[str]
    """What was found by trying, such as `interrupt-by-id`."""
    catalog_read_at: datetime | None


class QueueView(Wire):
    """The queue in three figures."""

    paused: bool
    queued: int
    running: int


class BoardView(Wire):
    """Everything the queue board shows at one moment."""

    jobs: list[JobView]
    queue: QueueView
    has_more: bool
    """There are older finished jobs than these."""


def params_view(job_or_image: Job | Image) -> ParamsView | None:
    """The parameters of a job or image; None for an image found without its job."""
    request = job_or_image.request
    if request is None:
        return None
    return ParamsView(
        width=request.width,
        height=request.height,
        steps=request.steps,
        cfg=request.cfg,
        sampler=request.sampler,
        scheduler=request.scheduler,
        seed=request.seed,
        checkpoint=request.checkpoint,
        vae=request.vae,
        loras=[
            LoraView(name=each.name, weight=each.weight, clip_weight=each.clip_weight)
            for each in request.loras
        ],
        denoise=request.denoise,
        image=request.image,
        mask=request.mask,
        options=dict(request.options),
    )


def image_ref(image: Image) -> ImageRef:
    """The short form of an image, inside a job."""
    return ImageRef(
        id=image.id,
        kind=image.kind,
        width=image.width,
        height=image.height,
        url=f"/api/images/{image.id}/file",
        thumbnail_url=f"/api/images/{image.id}/thumbnail?v={image.sha256[:12]}",
    )


def result_view(job: Job, images: Sequence[Image], say: Say) -> ResultView | None:
    """What came of the job so far."""
    if job.state is JobState.DONE:
        refs = [image_ref(image) for image in images]
        return ResultView(file=str(images[0].file) if images else None, images=refs)
    if job.failure is None:
        return None
    failure = job.failure
    cause = say(failure.message)
    diagnosis = Diagnosis(
        code=failure.code,
        cause=cause,
        fix=say(diagnosis_of(failure).fix),
        node_id=failure.node_id,
    )
    return ResultView(error=cause, diagnosis=diagnosis)


def job_view(
    job: Job,
    *,
    images: Sequence[Image],
    progress: Progress | None,
    previews: Sequence[Preview],
    position: int | None,
    reason: str | None,
    say: Say,
    called: str = "",
) -> JobView:
    """The full form of a job; `say` puts sentences into the language of whoever reads it.

    `called` is the name of its workflow, where that is known.
    """
    params = params_view(job)
    assert params is not None
    workflow_id, workflow_version = split_id(job.request.preset)
    return JobView(
        id=job.id,
        group_id=job.group_id,
        status=job.state,
        backend=job.request.target,
        backend_id=job.backend_id,
        workflow_id=workflow_id,
        workflow_version=workflow_version,
        workflow_name=workflow_id if called in ("", job.request.preset) else called,
        source=job.source,
        fallback=job.terms.fallback,
        tags=list(job.terms.tags),
        metadata=dict(job.terms.metadata),
        ahead_on=job.ahead_on,
        placement=job.placement and say(job.placement),
        notices=[say(each) for each in job.notices],
        prompt=job.request.prompt,
        negative_prompt=job.request.negative_prompt,
        params=params,
        priority=job.priority,
        rank=job.rank,
        position=position,
        reason=reason and say(reason),
        cancel_requested=job.cancel_requested,
        progress=ProgressView.of(progress) if progress else None,
        preview_rev=previews[-1].rev if previews else 0,
        preview_revs=[preview.rev for preview in previews],
        preview_steps=[preview.step for preview in previews],
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        not_before=job.not_before,
        created_at=job.created_at,
        queued_at=job.queued_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        result=result_view(job, images, say),
    )


def image_view(
    image: Image, *, backend: BackendInfo | None, download_name: str, missing: bool = False
) -> ImageView:
    """The full form of an image."""
    ref = image_ref(image)
    request = image.request
    workflow_id, workflow_version = split_id(request.preset) if request else (None, None)
    return ImageView(
        id=image.id,
        cursor=image.key,
        file=str(image.file),
        download_name=download_name,
        job_id=image.job_id,
        backend=image.backend_id,
        backend_name=backend.name if backend else image.backend_id,
        is_demo=backend.is_demo if backend else False,
        created_at=image.created_at,
        deleted_at=image.deleted_at,
        size=image.size_bytes,
        kind=image.kind,
        duration_seconds=image.duration_s,
        width=image.width,
        height=image.height,
        prompt=request.prompt if request else "",
        negative_prompt=request.negative_prompt if request else "",
        seed=request.seed if request else None,
        model=request.checkpoint if request else None,
        workflow_id=workflow_id,
        workflow_version=workflow_version,
        params=params_view(image),
        url=ref.url,
        thumbnail_url=ref.thumbnail_url,
        missing=missing,
    )


def backend_view(
    info: BackendInfo,
    status: BackendStatus,
    *,
    running_jobs: Sequence[UUID],
    prompts: int = 0,
    circuit: CircuitView | None = None,
) -> BackendView:
    """A backend as configured and as it is; `prompts` of those in its queue are ours."""
    catalog = status.catalog
    circuit = circuit or CircuitView()
    return BackendView(
        id=info.id,
        name=info.name,
        kind=info.kind,
        url=info.url,
        enabled=info.enabled,
        capabilities=list(info.capabilities),
        tags=list(info.tags),
        max_concurrent_jobs=info.max_concurrent_jobs,
        origin=info.origin,
        online=status.online,
        last_error=status.last_error,
        latency_ms=status.latency_ms,
        last_seen=status.last_seen,
        queue_depth=status.queue_depth,
        foreign_prompts=max(0, status.queue_depth - prompts),
        running_jobs=list(running_jobs),
        running_job_id=running_jobs[0] if running_jobs else None,
        circuit=circuit.state,
        circuit_until=circuit.until,
        circuit_reason=circuit.reason,
        comfy_version=status.version,
        gpu_name=status.gpu_name,
        vram_total=status.vram_total_bytes,
        vram_free=status.vram_free_bytes,
        ram_total=status.ram_total_bytes,
        ram_free=status.ram_free_bytes,
        node_count=len(catalog.node_classes) if catalog else 0,
        models={folder: list(names) for folder, names in catalog.models.items()} if catalog else {},
        samplers=list(catalog.samplers) if catalog else [],
        schedulers=list(catalog.schedulers) if catalog else [],
        features=sorted(status.features),
        catalog_read_at=catalog.read_at if catalog else None,
    )


def to_json(view: Wire) -> dict[str, Any]:
    """A view as the plain dict that goes over the wire."""
    return view.model_dump(mode="json", by_alias=True)
