"""Between table rows and the values of the core."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import RowMapping

from app.events import LoggedEvent
from app.models import (
    Attempt,
    AttemptState,
    Decision,
    Fallback,
    GenerationRequest,
    Image,
    Job,
    JobFailure,
    JobGroup,
    JobState,
    JobTerms,
    Lora,
    SeedStrategy,
    Weighed,
)
from app.said import dump_said, load_said


def job_row(job: Job) -> dict[str, Any]:
    """A job as a row, without its key."""
    return {
        "id": job.id,
        "group_id": job.group_id,
        "state": job.state.value,
        "target": job.request.target,
        "preset": job.request.preset,
        "source": job.source,
        "ahead_on": job.ahead_on,
        "backend_id": job.backend_id,
        "prompt": job.request.prompt,
        "request": asdict(job.request),
        "priority": job.priority,
        "rank": job.rank,
        "version": job.version,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "losses": job.losses,
        "lost_on": list(job.lost_on),
        "failed_on": list(job.failed_on),
        "terms": asdict(job.terms),
        "placement": _said_row(job.placement),
        "notices": [dump_said(each) for each in job.notices],
        "cancel_requested": job.cancel_requested,
        "not_before": job.not_before,
        "created_at": job.created_at,
        "queued_at": job.queued_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "failure": _failure_row(job.failure),
    }


def job_value(row: RowMapping) -> Job:
    """A row as a job."""
    return Job(
        id=row["id"],
        group_id=row["group_id"],
        state=JobState(row["state"]),
        request=request_value(row["request"]),
        source=row["source"],
        ahead_on=row["ahead_on"],
        priority=row["priority"],
        rank=row["rank"],
        version=row["version"],
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        losses=row["losses"],
        lost_on=tuple(row["lost_on"]),
        failed_on=tuple(row["failed_on"]),
        terms=_terms_value(row["terms"]),
        placement=_said_value(row["placement"]),
        notices=tuple(load_said(each) for each in row["notices"]),
        backend_id=row["backend_id"],
        cancel_requested=row["cancel_requested"],
        not_before=row["not_before"],
        created_at=row["created_at"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        failure=_failure_value(row["failure"]),
    )


def request_value(value: Mapping[str, Any]) -> GenerationRequest:
    """A request from its JSON; one written by an older version lacks some fields."""
    loras: list[dict[str, Any]] = value.get("loras", [])
    fields: dict[str, Any] = {**value, "loras": tuple(Lora(**each) for each in loras)}
    return GenerationRequest(**fields)


def _terms_value(value: Mapping[str, Any]) -> JobTerms:
    if not value:
        return JobTerms()
    changed: dict[str, Any] = {
        "fallback": Fallback(value["fallback"]),
        "tags": tuple(value["tags"]),
    }
    return JobTerms(**{**value, **changed})


def group_row(group: JobGroup) -> dict[str, Any]:
    """A group of jobs as a row."""
    # As text: SQLite makes a floating point number of a large one.
    base_seed = None if group.base_seed is None else str(group.base_seed)
    strategy = group.seed_strategy.value
    return {**asdict(group), "seed_strategy": strategy, "base_seed": base_seed}


def group_value(row: RowMapping) -> JobGroup:
    """A row as a group of jobs."""
    return JobGroup(
        id=row["id"],
        preset=row["preset"],
        total=row["total"],
        seed_strategy=SeedStrategy(row["seed_strategy"]),
        base_seed=None if row["base_seed"] is None else int(row["base_seed"]),
        timeout_s=row["timeout_s"],
        webhook=row["webhook"],
        metadata=row["metadata"],
        created_at=row["created_at"],
    )


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """An attempt as a row."""
    return {
        "id": attempt.id,
        "job_id": attempt.job_id,
        "number": attempt.number,
        "backend_id": attempt.backend_id,
        "state": attempt.state.value,
        "created_at": attempt.created_at,
        "accepted_at": attempt.accepted_at,
        "ended_at": attempt.ended_at,
        "failure": _failure_row(attempt.failure),
        "decision": _decision_row(attempt.decision),
        "handle": dict(attempt.handle) if attempt.handle is not None else None,
    }


def attempt_value(row: RowMapping) -> Attempt:
    """A row as an attempt."""
    return Attempt(
        id=row["id"],
        job_id=row["job_id"],
        number=row["number"],
        backend_id=row["backend_id"],
        state=AttemptState(row["state"]),
        created_at=row["created_at"],
        accepted_at=row["accepted_at"],
        ended_at=row["ended_at"],
        failure=_failure_value(row["failure"]),
        decision=_decision_value(row["decision"]),
        handle=row["handle"],
    )


def image_row(image: Image) -> dict[str, Any]:
    """An image as a row, without its key."""
    return {
        "id": image.id,
        "job_id": image.job_id,
        "attempt_id": image.attempt_id,
        "backend_id": image.backend_id,
        "node_id": image.node_id,
        "index": image.index,
        "file": str(image.file),
        "mime": image.mime,
        "sha256": image.sha256,
        "size_bytes": image.size_bytes,
        "width": image.width,
        "height": image.height,
        "kind": image.kind,
        "duration_s": image.duration_s,
        "prompt": image.request.prompt if image.request else "",
        "request": asdict(image.request) if image.request else None,
        "created_at": image.created_at,
        "deleted_at": image.deleted_at,
    }


def image_value(row: RowMapping) -> Image:
    """A row as an image."""
    return Image(
        key=row["key"],
        id=row["id"],
        job_id=row["job_id"],
        attempt_id=row["attempt_id"],
        backend_id=row["backend_id"],
        node_id=row["node_id"],
        index=row["index"],
        file=PurePosixPath(row["file"]),
        mime=row["mime"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        width=row["width"],
        height=row["height"],
        kind=row["kind"],
        duration_s=row["duration_s"],
        request=request_value(row["request"]) if row["request"] else None,
        created_at=row["created_at"],
        deleted_at=row["deleted_at"],
    )


def event_row(
    type_: str, subject: str, *, at: datetime, note: str = "", data: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """An event as a row, without its number."""
    return {"at": at, "type": type_, "subject": subject, "note": note, "data": dict(data or {})}


def event_value(row: RowMapping) -> LoggedEvent:
    """A row as an event."""
    return LoggedEvent(
        seq=row["seq"],
        at=row["at"],
        type=row["type"],
        subject=row["subject"],
        note=row["note"],
        data=row["data"],
    )


def _said_row(text: str | None) -> str | dict[str, Any] | None:
    return None if text is None else dump_said(text)


def _said_value(value: str | dict[str, Any] | None) -> str | None:
    return None if value is None else load_said(value)


def _decision_row(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    weighed = [{**asdict(each), "rejected": _said_row(each.rejected)} for each in decision.weighed]
    return {"reason": dump_said(decision.reason), "weighed": weighed}


def _decision_value(value: dict[str, Any] | None) -> Decision | None:
    if value is None:
        return None
    weighed = [
        Weighed(
            backend_id=each["backend_id"],
            rejected=_said_value(each["rejected"]),
            expected_s=each["expected_s"],
            loaded=each["loaded"],
        )
        for each in value["weighed"]
    ]
    return Decision(reason=load_said(value["reason"]), weighed=tuple(weighed))


def _failure_row(failure: JobFailure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "code": failure.code,
        "message": dump_said(failure.message),
        "fix": dump_said(failure.fix),
        "node_id": failure.node_id,
    }


def _failure_value(value: dict[str, Any] | None) -> JobFailure | None:
    if value is None:
        return None
    return JobFailure(
        code=value["code"],
        message=load_said(value["message"]),
        fix=load_said(value["fix"]),
        node_id=value.get("node_id"),
    )
