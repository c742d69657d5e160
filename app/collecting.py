"""Brings finished pictures home: from a backend into the outputs folder."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import PurePosixPath

from app.graphs.embedded import as_drawn
from app.ids import new_id
from app.models import Attempt, GenerationRequest, Image
from app.ports import Clock, FileStore
from app.runs import Output, Run


class Collector:
    """Fetches the outputs of a run."""

    def __init__(self, *, files: FileStore, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    async def fetch(
        self,
        run: Run,
        outputs: Sequence[Output],
        *,
        attempt: Attempt,
        request: GenerationRequest | None,
    ) -> list[Image]:
        """The files, safely on disk; their rows are still to be written.

        Raises:
            BackendUnreachableError: try again later, they are still there.
            BadOutputError: one of them cannot be read.
            StorageError: our own disk does not take them.
        """
        return [await self._one(run, each, attempt, request) for each in outputs]

    async def _one(
        self, run: Run, output: Output, attempt: Attempt, request: GenerationRequest | None
    ) -> Image:
        suffix = PurePosixPath(output.filename).suffix.lower()
        # The same name whoever fetches it, before or after a crash: fetching twice is harmless.
        name = f"{attempt.id}_{output.node_id}_{output.index}{suffix}".replace(":", "-")
        day = f"{attempt.created_at:%Y-%m-%d}"
        async with aclosing(run.fetch(output)) as chunks:
            stored = await self._files.save(PurePosixPath(day, name), chunks)
        return Image(
            id=new_id(),
            job_id=attempt.job_id,
            attempt_id=attempt.id,
            backend_id=attempt.backend_id,
            node_id=output.node_id,
            index=output.index,
            file=stored.file,
            mime=stored.mime,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            width=stored.width,
            height=stored.height,
            kind=stored.kind,
            duration_s=stored.duration_s,
            request=as_drawn(request, stored.metadata) if request else None,
            created_at=self._clock.now(),
        )
