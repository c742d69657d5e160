"""Jobs, attempts and images for tests of the stores and of pure functions."""

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from app.ids import new_id
from app.models import Attempt, GenerationRequest, Image, Job, JobState

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


def a_request(prompt: str = "a red fox", **changes: Any) -> GenerationRequest:
    """A request for `gpu-1`."""
    return GenerationRequest(**{"target": "gpu-1", "prompt": prompt, **changes})


def a_job(
    rank: str = "a0",
    *,
    state: JobState = JobState.QUEUED,
    request: GenerationRequest | None = None,
    **changes: Any,
) -> Job:
    """A new job."""
    values: dict[str, Any] = {
        "id": new_id(),
        "state": state,
        "request": request or a_request(),
        "rank": rank,
        "created_at": NOW,
    }
    return Job(**{**values, **changes})


def an_attempt(job: Job, *, number: int = 1, **changes: Any) -> Attempt:
    """An open attempt of a job."""
    values: dict[str, Any] = {
        "id": new_id(),
        "job_id": job.id,
        "number": number,
        "backend_id": "gpu-1",
        "created_at": NOW,
    }
    return Attempt(**{**values, **changes})


def an_image(prompt: str = "a red fox", *, minute: int = 0, **changes: Any) -> Image:
    """An image of a job that is no longer on the list."""
    image_id = new_id()
    values: dict[str, Any] = {
        "id": image_id,
        "job_id": new_id(),
        "attempt_id": new_id(),
        "backend_id": "gpu-1",
        "node_id": "9",
        "index": 0,
        "file": PurePosixPath("2026-05-17", f"{image_id}.png"),
        "mime": "image/png",
        "sha256": image_id.hex * 2,
        "size_bytes": 1234,
        "width": 64,
        "height": 48,
        "request": a_request(prompt),
        "created_at": NOW + timedelta(minutes=minute),
    }
    return Image(**{**values, **changes})
