"""Which job goes next, and where: pure decisions, so that they can be explained and tested.

A backend has slots and gets one prompt per slot, never more: what waits, waits here, where
priority, order and cancel stay ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from app.models import AUTO, DEMO, BackendInfo, BackendStatus, Job
from app.said import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backend that might take a job."""

    info: BackendInfo
    status: BackendStatus
    free_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """This job goes there now."""

    job: Job
    backend_id: str


def choose(
    waiting: Iterable[Job], candidates: Sequence[Candidate], *, now: datetime
) -> Choice | None:
    """The first job in queue order that a free backend can take, and the best such backend."""
    free = [each for each in candidates if each.free_slots > 0 and each.status.online]
    if not free:
        return None
    for job in waiting:
        if job.not_before is not None and job.not_before > now:
            continue
        able = [each for each in free if rejection(job, each) is None]
        if able:
            best = min(able, key=lambda each: _cost(job, each))
            return Choice(job=job, backend_id=best.info.id)
    return None


def explain(job: Job, candidates: Sequence[Candidate], *, now: datetime) -> str | None:
    """Why a queued job waits, for people; None if it only waits for its turn."""
    if job.not_before is not None and job.not_before > now:
        seconds = max(1, round((job.not_before - now).total_seconds()))
        if job.failure is None:
            return Said("Tries again in {seconds} s.", seconds=seconds)
        cause = job.failure.message
        return Said("{cause} Tries again in {seconds} s.", cause=cause, seconds=seconds)
    meant = [each for each in candidates if is_meant(job.request.target, each.info)]
    if not meant:
        return _nobody_meant(job)
    rejections = [rejection(job, each) for each in meant]
    if None in rejections:
        return None
    reasons = [reason for reason in rejections if reason]
    return reduce(_and, reasons)


def is_meant(target: str, info: BackendInfo) -> bool:
    """Whether a target names this backend.

    The demo engine is only meant by its own name: it must never fake a real model's work.
    """
    if target == DEMO:
        return info.is_demo
    if target == AUTO:
        return not info.is_demo
    return info.id == target


def rejection(job: Job, candidate: Candidate) -> str | None:
    """Why this backend cannot take the job, a free slot aside; None if it can."""
    info, status = candidate.info, candidate.status
    if not is_meant(job.request.target, info):
        return Said("The job is not for {backend}.", backend=info.name)
    if not status.online:
        return status.last_error or Said("{backend} is not connected yet.", backend=info.name)
    checkpoint = job.request.checkpoint
    if status.catalog is None:
        return Said("{backend} has not said yet what it can do.", backend=info.name)
    if checkpoint is not None and checkpoint not in status.catalog.checkpoints:
        return Said("Needs {file}; {backend} does not have it.", file=checkpoint, backend=info.name)
    return None


def next_time(waiting: Iterable[Job], *, now: datetime) -> datetime | None:
    """When the next job becomes due that waits for its time."""
    times = [job.not_before for job in waiting if job.not_before and job.not_before > now]
    return min(times, default=None)


def _cost(job: Job, candidate: Candidate) -> tuple[bool, int, float]:
    failed_there = job.failure is not None and job.backend_id == candidate.info.id
    return (failed_there, -candidate.free_slots, candidate.status.latency_ms or 0.0)


def _nobody_meant(job: Job) -> str:
    if job.request.target == AUTO:
        return Said("No ComfyUI backend is configured. Add one to config.yaml, or choose Demo.")
    if job.request.target == DEMO:
        return Said("The demo engine is switched off (demo_engine: false).")
    return Said("Backend '{id}' is not configured, or switched off.", id=job.request.target)


def _and(first: str, second: str) -> str:
    return Said("{first} {second}", first=first, second=second)
