"""What running jobs look like this moment; in memory only, gone with the process."""

from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

from app.events import EventBus, JobProgressed, JobReasonsChanged
from app.models import Preview, Progress

_KEPT_PREVIEWS = 5


@dataclass(slots=True)
class _Live:
    progress: Progress = field(default_factory=lambda: Progress(fraction=0))
    previews: deque[Preview] = field(default_factory=lambda: deque[Preview](maxlen=_KEPT_PREVIEWS))
    rev: int = 0
    silence: str | None = None


class LiveRuns:
    """The progress, the newest previews and the silence of every running job."""

    def __init__(self, *, bus: EventBus) -> None:
        self._bus = bus
        self._runs: dict[UUID, _Live] = {}

    def begin(self, job_id: UUID) -> None:
        """The job starts to run, or is found running after a restart."""
        self._runs[job_id] = _Live()

    def end(self, job_id: UUID) -> None:
        """Forget everything about it."""
        self._runs.pop(job_id, None)

    def progressed(self, job_id: UUID, progress: Progress) -> None:
        """The job got further."""
        live = self._runs[job_id]
        live.progress = progress
        self._publish(job_id, live)

    def previewed(self, job_id: UUID, *, step: int, mime: str, data: bytes) -> None:
        """There is a new preview."""
        live = self._runs[job_id]
        live.rev += 1
        live.previews.append(Preview(rev=live.rev, step=step, mime=mime, data=data))
        self._publish(job_id, live)

    def silent(self, job_id: UUID, reason: str | None) -> None:
        """Its backend does not answer, or (None) answers again."""
        self._runs[job_id].silence = reason
        self._bus.publish(JobReasonsChanged(reasons={job_id: reason}))

    def progress(self, job_id: UUID) -> Progress | None:
        """How far the job is; None unless it runs."""
        live = self._runs.get(job_id)
        return live.progress if live else None

    def silence(self, job_id: UUID) -> str | None:
        """Why nothing is heard of it."""
        live = self._runs.get(job_id)
        return live.silence if live else None

    def previews(self, job_id: UUID) -> list[Preview]:
        """The previews still kept, oldest first."""
        live = self._runs.get(job_id)
        return list(live.previews) if live else []

    def _publish(self, job_id: UUID, live: _Live) -> None:
        self._bus.publish(
            JobProgressed(job_id=job_id, progress=live.progress, preview_rev=live.rev)
        )
