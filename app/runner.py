"""One attempt from start to end, fresh or taken up after a restart.

The backend's answers decide, never an assumption of ours: a prompt that may have been sent is
asked after before another one is sent, and every end is confirmed.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from app.config import RetrySettings
from app.errors import (
    BackendError,
    BackendUnreachableError,
    BadOutputError,
    NotFoundError,
    NotSentError,
    OrchestratorError,
    StaleWriteError,
    StorageError,
)
from app.fleet import Fleet
from app.graphs.embedded import as_drawn
from app.ids import new_id
from app.ledger import Ledger
from app.live import LiveRuns
from app.models import Attempt, Image, Progress
from app.outcomes import Ending
from app.ports import Clock, FileStore, JobChange
from app.runs import (
    Backend,
    Output,
    Run,
    RunEnd,
    RunFailed,
    RunInterrupted,
    RunLost,
    RunPreviewed,
    RunProgressed,
    RunSilent,
    RunStarted,
    RunSucceeded,
)
from app.said import Said

log = logging.getLogger(__name__)

_FETCH_TRIES = 3
_STORAGE_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class _GaveUp:
    """The user cancelled and the backend does not answer: their word decides."""


class Runner:
    """Runs attempts; several at once, each in its own task."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fleet: Fleet,
        live: LiveRuns,
        files: FileStore,
        clock: Clock,
        retry: RetrySettings,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._live = live
        self._files = files
        self._clock = clock
        self._retry = retry
        self._cancels: dict[object, asyncio.Event] = {}

    def cancel(self, job_id: object) -> None:
        """Tell the attempt of a job, if one is under way here, that it is not wanted any more."""
        if job_id in self._cancels:
            self._cancels[job_id].set()

    async def run(self, attempt: Attempt, *, adopt: bool) -> None:
        """Bring the attempt to an end; returns when the job is no longer running.

        Cancelled from outside (the app stops) it changes nothing: the next start takes it up.
        """
        cancel = self._cancels[attempt.job_id] = asyncio.Event()
        job = self._ledger.unfinished.get(attempt.job_id)
        if job is not None and job.cancel_requested:
            cancel.set()
        self._live.begin(attempt.job_id)
        try:
            while not await self._try(attempt, cancel, adopt=adopt):
                adopt = True  # what was sent before the disk failed is asked after, not repeated
        finally:
            self._live.end(attempt.job_id)
            del self._cancels[attempt.job_id]

    async def _try(self, attempt: Attempt, cancel: asyncio.Event, *, adopt: bool) -> bool:
        """Run it; False when our own database could not be used, after a pause."""
        try:
            await self._run(attempt, cancel, adopt=adopt)
        except StaleWriteError:
            log.warning("Job %s belongs to another process; leaving it", attempt.job_id)
        except NotFoundError:
            log.warning("Job %s is gone; leaving it", attempt.job_id)
        except StorageError as exc:
            log.warning("Job %s cannot be written down yet: %s", attempt.job_id, exc)
            self._live.silent(attempt.job_id, exc.message)
            await asyncio.sleep(_STORAGE_PAUSE_S)
            return False
        except Exception as exc:
            log.exception("Job %s failed by a mistake of ours", attempt.job_id)
            await self._fail(attempt, _internal(exc))
        return True

    async def _run(self, attempt: Attempt, cancel: asyncio.Event, *, adopt: bool) -> None:
        backend = self._fleet.get(attempt.backend_id)
        if backend is None:
            await self._wait_for_missing(attempt, cancel)
            return
        job = self._ledger.unfinished.get(attempt.job_id)
        if job is None:
            raise NotFoundError(f"There is no job {attempt.job_id}.")
        async with backend.open(attempt, job.request) as run:
            if not adopt:
                sent = await self._submit(run, attempt)
                if isinstance(sent, BackendError):
                    await self._fail(attempt, sent)
                    return
                attempt = sent
            await self._see_through(run, attempt, cancel, backend)

    async def _submit(self, run: Run, attempt: Attempt) -> Attempt | BackendError:
        """Send the prompt; the attempt as it is then, or why it certainly does not run."""
        try:
            answer = await run.submit()
        except NotSentError as exc:
            return exc
        except BackendUnreachableError as exc:
            log.warning("Job %s may or may not have been sent: %s", attempt.job_id, exc)
            return attempt  # the events of the run find out
        except BackendError as exc:
            return exc
        accepted = replace(attempt, accepted_at=self._clock.now(), handle=answer.handle)
        note = f"{attempt.backend_id} has accepted it"
        await self._ledger.change(
            attempt.job_id,
            lambda job: JobChange(
                job=job.changed(notices=answer.notices),
                attempt=accepted,
                note=note,
                event="job.accepted",
            ),
        )
        return accepted

    async def _see_through(
        self, run: Run, attempt: Attempt, cancel: asyncio.Event, backend: Backend
    ) -> None:
        for remaining in reversed(range(_FETCH_TRIES)):
            end = await self._follow_unless_cancelled(run, attempt, cancel)
            try:
                await self._settle(end, run, attempt, backend)
            except BackendUnreachableError as exc:
                # Away while its pictures were fetched: `events` waits for it and finds them.
                if remaining == 0:
                    message = Said(
                        "{backend} finished, but its pictures do not arrive: {cause}",
                        backend=backend.info.name,
                        cause=exc.message,
                    )
                    await self._fail(attempt, BadOutputError(message))
                    return
                log.warning("Fetching for job %s again: %s", attempt.job_id, exc)
            else:
                return

    async def _follow_unless_cancelled(
        self, run: Run, attempt: Attempt, cancel: asyncio.Event
    ) -> RunEnd | _GaveUp:
        gave_up = False

        async def interrupt_when_asked() -> None:
            nonlocal gave_up
            await cancel.wait()
            try:
                await run.interrupt()
            except BackendUnreachableError as exc:
                log.warning("Cancelled without its backend, job %s: %s", attempt.job_id, exc)
                gave_up = True
                follow.cancel()

        async with asyncio.TaskGroup() as group:
            follow = group.create_task(self._follow(run, attempt), name=f"follow {attempt.id}")
            watch = group.create_task(interrupt_when_asked(), name=f"cancel {attempt.id}")
            follow.add_done_callback(lambda _: watch.cancel())
        return _GaveUp() if gave_up else follow.result()

    async def _follow(self, run: Run, attempt: Attempt) -> RunEnd:
        job_id = attempt.job_id
        async with aclosing(run.events()) as events:
            async for event in events:
                match event:
                    case RunProgressed(progress=progress):
                        self._live.progressed(job_id, progress)
                    case RunPreviewed(step=step, mime=mime, data=data):
                        self._live.previewed(job_id, step=step, mime=mime, data=data)
                    case RunSilent(reason=reason):
                        self._live.silent(job_id, reason)
                    case RunStarted():
                        pass
                    case _:
                        return event
        raise BackendUnreachableError(f"The events of attempt {attempt.id} stopped without an end.")

    async def _settle(
        self, end: RunEnd | _GaveUp, run: Run, attempt: Attempt, backend: Backend
    ) -> None:
        match end:
            case RunSucceeded(outputs=outputs):
                await self._collect(run, attempt, outputs, backend)
            case RunFailed(error=error):
                await self._fail(attempt, error)
            case RunLost():
                await self._ledger.change(attempt.job_id, self._ending(attempt).lost)
            case RunInterrupted():
                await self._cancelled(attempt, f"Stopped on {backend.info.name}")
            case _GaveUp():
                await self._cancelled(attempt, f"Cancelled; {backend.info.name} does not answer")

    async def _collect(
        self, run: Run, attempt: Attempt, outputs: Sequence[Output], backend: Backend
    ) -> None:
        """Bring the pictures home, then say done: file first, row after."""
        if not outputs:
            error = BadOutputError(
                Said("{backend} finished without a picture.", backend=backend.info.name),
                fix=Said("Does the workflow end in Save Image?"),
            )
            await self._fail(attempt, error)
            return
        self._live.progressed(attempt.job_id, Progress(fraction=1.0))
        try:
            images = [await self._bring_home(run, attempt, output) for output in outputs]
        except BackendUnreachableError:
            raise
        except (BadOutputError, StorageError) as exc:
            await self._fail(attempt, exc)
            return
        ending = self._ending(attempt)
        await self._ledger.change(attempt.job_id, lambda job: ending.done(job, images=images))

    async def _bring_home(self, run: Run, attempt: Attempt, output: Output) -> Image:
        job = self._ledger.unfinished.get(attempt.job_id)
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
            request=as_drawn(job.request, stored.metadata) if job else None,
            created_at=self._clock.now(),
        )

    async def _fail(self, attempt: Attempt, error: OrchestratorError) -> None:
        ending = self._ending(attempt)
        await self._ledger.change(attempt.job_id, lambda job: ending.failed(job, error=error))

    async def _cancelled(self, attempt: Attempt, note: str) -> None:
        ending = self._ending(attempt)
        await self._ledger.change(attempt.job_id, lambda job: ending.cancelled(job, note=note))

    def _ending(self, attempt: Attempt) -> Ending:
        return Ending(attempt=attempt, now=self._clock.now(), retry=self._retry)

    async def _wait_for_missing(self, attempt: Attempt, cancel: asyncio.Event) -> None:
        """Its backend was taken out of the configuration: only the user can decide."""
        reason = Said(
            "Backend '{id}' is no longer configured, so nobody can say whether this was drawn. "
            "Configure it again, or cancel the job.",
            id=attempt.backend_id,
        )
        self._live.silent(attempt.job_id, reason)
        await cancel.wait()
        await self._cancelled(attempt, "Cancelled; its backend is no longer configured")


def _internal(exc: Exception) -> OrchestratorError:
    if isinstance(exc, OrchestratorError):
        return exc
    return OrchestratorError(
        Said("Something unforeseen went wrong here: {name}.", name=type(exc).__name__),
        fix=Said("The log has the details. Press Retry to try again."),
    )
