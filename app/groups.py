"""Jobs that were asked for together: how they do, and what happens to them as one."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from app.errors import NotFoundError
from app.events import Event, EventBus, JobChanged, JobProgressed
from app.graphs.running import split_id
from app.jobs import JobService
from app.models import Image, Job, JobGroup, JobState, Progress, SeedStrategy
from app.ports import ImageStore, JobStore
from app.said import Said
from app.submission import Snake
from app.views import image_ref, to_json

Message = dict[str, Any]
"""What a follower of a group is told; `type` says which kind it is."""


class GroupStatus(StrEnum):
    """How a group does, read from its jobs."""

    PENDING = "pending"
    """None of them has started."""
    RUNNING = "running"
    PARTIAL_COMPLETE = "partial_complete"
    """All have ended, some with a picture: those are kept."""
    COMPLETED = "completed"
    FAILED = "failed"
    """All have ended, none with a picture."""
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Nothing more happens unless one of its jobs is retried."""
        return self not in (GroupStatus.PENDING, GroupStatus.RUNNING)


def status_of(states: Iterable[JobState]) -> GroupStatus:
    """The status of a group whose jobs are in these states."""
    found = set(states)
    over = all(state.is_terminal for state in found)
    if found <= {JobState.DONE}:
        return GroupStatus.COMPLETED
    if over and JobState.DONE in found:
        return GroupStatus.PARTIAL_COMPLETE
    if over:
        return GroupStatus.FAILED if JobState.FAILED in found else GroupStatus.CANCELLED
    if found <= {JobState.CREATED, JobState.QUEUED}:
        return GroupStatus.PENDING
    return GroupStatus.RUNNING


class ChildView(Snake):
    """One job of a group."""

    job_id: UUID
    backend_id: str
    """Where it runs or ran; before that, where it is meant to run."""
    seed: int
    status: JobState
    error: str | None = None


class GroupView(Snake):
    """A group and how it does."""

    job_group_id: UUID
    workflow_id: str
    status: GroupStatus
    seed_strategy: SeedStrategy
    base_seed: int | None
    child_jobs: list[ChildView]
    completed_count: int
    failed_count: int
    cancelled_count: int
    total_count: int
    metadata: dict[str, Any]
    created_at: datetime
    completed_at: datetime | None


class GroupCancelled(Snake):
    """What cancelling did to the jobs of a group."""

    cancelled: int
    """Waited; they are cancelled."""
    interrupted: int
    """Ran; their backends are told to stop."""
    already_complete: int
    already_failed: int
    """Had failed, or had been cancelled before."""


def summary_of(group: JobGroup, jobs: Sequence[Job]) -> GroupView:
    """A group for the wire; `jobs` are its own, also those that were taken off the list."""
    status = status_of(job.state for job in jobs)
    ended = [job.finished_at for job in jobs if job.finished_at is not None]

    def count(state: JobState) -> int:
        return sum(job.state is state for job in jobs)

    return GroupView(
        job_group_id=group.id,
        workflow_id=split_id(group.preset)[0],
        status=status,
        seed_strategy=group.seed_strategy,
        base_seed=group.base_seed,
        child_jobs=[child_of(job) for job in jobs],
        completed_count=count(JobState.DONE),
        failed_count=count(JobState.FAILED),
        cancelled_count=count(JobState.CANCELLED),
        total_count=group.total,
        metadata=dict(group.metadata),
        created_at=group.created_at,
        completed_at=max(ended, default=None) if status.is_over else None,
    )


def child_of(job: Job) -> ChildView:
    """One job of a group for the wire."""
    failed = job.state is JobState.FAILED and job.failure is not None
    return ChildView(
        job_id=job.id,
        backend_id=job.backend_id or job.request.target,
        seed=job.request.seed,
        status=job.state,
        error=job.failure.message if failed and job.failure else None,
    )


class GroupService:
    """What people and programs do with groups."""

    def __init__(
        self, *, store: JobStore, images: ImageStore, jobs: JobService, bus: EventBus
    ) -> None:
        self._store = store
        self._images = images
        self._jobs = jobs
        self._bus = bus

    async def get(self, group_id: UUID) -> GroupView:
        """The group.

        Raises:
            NotFoundError: there is none with that id.
        """
        group = await self._known(group_id)
        return summary_of(group, await self.children(group_id))

    async def children(self, group_id: UUID) -> list[Job]:
        """Its jobs in queue order, also those that were taken off the list."""
        return (await self._store.of_groups([group_id])).get(group_id, [])

    async def page(self, *, limit: int, before: UUID | None = None) -> list[GroupView]:
        """Newest first, those older than `before`."""
        groups = await self._store.groups(limit=limit, before=before)
        jobs = await self._store.of_groups([group.id for group in groups])
        return [summary_of(group, jobs.get(group.id, [])) for group in groups]

    async def cancel(self, group_id: UUID) -> GroupCancelled:
        """Stop all that still wait or run; what is done stays.

        Raises:
            NotFoundError: there is none with that id.
        """
        await self._known(group_id)
        before = await self.children(group_id)
        running = [job.id for job in before if job.state is JobState.RUNNING]
        waiting = [job.id for job in before if job.state in (JobState.CREATED, JobState.QUEUED)]
        return GroupCancelled(
            cancelled=await self._jobs.cancel_many(waiting),
            interrupted=await self._jobs.cancel_many(running),
            already_complete=sum(job.state is JobState.DONE for job in before),
            already_failed=sum(
                job.state in (JobState.FAILED, JobState.CANCELLED) for job in before
            ),
        )

    async def follow(self, group_id: UUID) -> AsyncGenerator[Message]:
        """How the group does, from now on: its whole state first, then what changes.

        Raises:
            NotFoundError: there is none with that id.
        """
        with self._bus.subscribe(JobChanged, JobProgressed) as inbox:
            group = await self._known(group_id)
            news = _News(group, view_progress=self._jobs.progress_of)
            for message in await self._all(news, group_id):
                yield message
            while await inbox.wait():
                events = inbox.drain()
                if inbox.lagged:
                    inbox.caught_up()
                    told = await self._all(news, group_id)
                else:
                    told = news.hear(events)
                for message in told:
                    yield message

    async def _all(self, news: "_News", group_id: UUID) -> list[Message]:
        jobs = await self.children(group_id)
        return news.begin(jobs, await self._images.of_jobs([job.id for job in jobs]))

    async def _known(self, group_id: UUID) -> JobGroup:
        group = await self._store.group(group_id)
        if group is None:
            raise NotFoundError(Said("There is no job group {id}.", id=group_id))
        return group


_ENDS: dict[JobState, Literal["child_completed", "child_failed", "child_cancelled"]] = {
    JobState.DONE: "child_completed",
    JobState.FAILED: "child_failed",
    JobState.CANCELLED: "child_cancelled",
}


class _News:
    """What one follower of a group has been told."""

    def __init__(
        self, group: JobGroup, *, view_progress: Callable[[UUID], Progress | None]
    ) -> None:
        self._group = group
        self._progress = view_progress
        self._jobs: dict[UUID, Job] = {}

    def begin(self, jobs: Sequence[Job], images: Mapping[UUID, Sequence[Image]]) -> list[Message]:
        """Everything there is to know."""
        self._jobs = {job.id: job for job in jobs}
        view = self._view()
        children = [
            {**child, **self._so_far(job.id), **_pictures(images.get(job.id, ()))}
            for job, child in zip(jobs, view["child_jobs"], strict=True)
        ]
        first = self._message("initial_state", **{**view, "child_jobs": children})
        return [first, *self._complete()]

    def hear(self, events: Sequence[Event]) -> list[Message]:
        """What of it concerns the group; of several steps of one job only the newest."""
        told: list[Message] = []
        moved: dict[UUID, JobProgressed] = {}
        for event in events:
            match event:
                case JobProgressed(job_id=job_id) if job_id in self._jobs:
                    moved[job_id] = event
                case JobChanged(job=job, images=images) if job.group_id == self._group.id:
                    moved.pop(job.id, None)
                    told += self._change(job, images)
                case _:
                    pass
        return told + [self._moved(job_id) for job_id in moved]

    def _change(self, job: Job, images: Sequence[Image]) -> list[Message]:
        known = self._jobs.get(job.id)
        self._jobs[job.id] = job
        if job.state not in _ENDS:
            return [self._moved(job.id)]
        if known is not None and known.state is job.state:
            return []  # told already, with the state the follower began with
        child = child_of(job).model_dump(mode="json")
        type_: str = _ENDS[job.state]
        if job.state is JobState.FAILED and job.failure is not None:
            if job.failure.code == "timeout":
                type_ = "child_timeout"
            child |= {"code": job.failure.code, "fix": job.failure.fix}
        if job.state is JobState.DONE:
            child |= _pictures(images)
        return [self._message(type_, **child), *self._complete()]

    def _moved(self, job_id: UUID) -> Message:
        child = child_of(self._jobs[job_id]).model_dump(mode="json")
        return self._message("child_progress", **child, **self._so_far(job_id))

    def _so_far(self, job_id: UUID) -> Message:
        progress = self._progress(job_id)
        if progress is None:
            done = self._jobs[job_id].state is JobState.DONE
            return {"progress": 1.0 if done else 0.0, "step": 0, "steps": 0}
        return {
            "progress": round(progress.fraction, 4),
            "step": progress.step,
            "steps": progress.steps,
        }

    def _complete(self) -> list[Message]:
        view = self._view()
        if not GroupStatus(view["status"]).is_over:
            return []
        return [self._message("group_complete", **view)]

    def _view(self) -> Message:
        return summary_of(self._group, list(self._jobs.values())).model_dump(mode="json")

    def _message(self, type_: str, **values: Any) -> Message:
        return {"type": type_, "job_group_id": str(self._group.id), **values}


def _pictures(images: Sequence[Image]) -> Message:
    return {"images": [to_json(image_ref(image)) for image in images]}
