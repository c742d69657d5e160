"""What running jobs look like this moment; in memory only, gone with the process."""

from collections import Counter, deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from app.events import EventBus, JobNodesProgressed, JobProgressed, JobReasonsChanged
from app.models import NodeProgress, Preview, Progress

_KEPT_PREVIEWS = 5


@dataclass(slots=True)
class _Live:
    progress: Progress = field(default_factory=lambda: Progress(fraction=0))
    previews: deque[Preview] = field(default_factory=lambda: deque[Preview](maxlen=_KEPT_PREVIEWS))
    rev: int = 0
    silence: str | None = None
    nodes: dict[str, NodeProgress] = field(default_factory=dict[str, NodeProgress])
    shows: str | None = None  # the node that the newest preview is of


class LiveRuns:
    """The progress, the newest previews and the silence of every running job."""

    def __init__(self, *, bus: EventBus) -> None:
        self._bus = bus
        self._runs: dict[UUID, _Live] = {}
        self._watched: Counter[UUID] = Counter()

    @contextmanager
    def watching(self, job_id: UUID) -> Generator[None]:
        """While it lasts, `JobNodesProgressed` tells how far the nodes of that job are."""
        self._watched[job_id] += 1
        try:
            yield
        finally:
            self._watched[job_id] -= 1
            if not self._watched[job_id]:
                del self._watched[job_id]

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

    def nodes_progressed(self, job_id: UUID, nodes: Mapping[str, NodeProgress]) -> None:
        """Some nodes of the job got further."""
        live = self._runs[job_id]
        live.nodes.update(nodes)
        self._publish_nodes(job_id, live, nodes)

    def previewed(
        self, job_id: UUID, *, step: int, mime: str, data: bytes, node_id: str | None = None
    ) -> None:
        """There is a new preview."""
        live = self._runs[job_id]
        live.shows = node_id
        live.rev += 1
        live.previews.append(Preview(rev=live.rev, step=step, mime=mime, data=data))
        self._publish(job_id, live)
        self._publish_nodes(job_id, live, {})

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

    def nodes(self, job_id: UUID) -> JobNodesProgressed | None:
        """How far all its nodes are that are known of; None unless it runs."""
        live = self._runs.get(job_id)
        return self._about_nodes(job_id, live, live.nodes) if live else None

    def _publish_nodes(self, job_id: UUID, live: _Live, nodes: Mapping[str, NodeProgress]) -> None:
        if job_id in self._watched:
            self._bus.publish(self._about_nodes(job_id, live, nodes))

    def _about_nodes(
        self, job_id: UUID, live: _Live, nodes: Mapping[str, NodeProgress]
    ) -> JobNodesProgressed:
        return JobNodesProgressed(
            job_id=job_id,
            nodes=dict(nodes),
            preview_rev=live.rev,
            preview_node=live.shows,
        )

    def _publish(self, job_id: UUID, live: _Live) -> None:
        self._bus.publish(
            JobProgressed(job_id=job_id, progress=live.progress, preview_rev=live.rev)
        )
