"""One attempt from start to end, fresh or taken up after a restart.

The backend's answers decide, never an assumption of ours: a prompt that may have been sent is
asked after before another one is sent, and every end is confirmed.
"""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from app.collecting import Collector
from app.config import RetrySettings
from app.consequences import Consequences
from app.errors import (
    BackendError,
    BackendUnreachableError,
    BadOutputError,
    NotFoundError,
    NotSentError,
    OrchestratorError,
    StaleWriteError,
    StorageError,
    TimedOutError,
)
from app.fleet import Fleet
from app.ledger import Ledger
from app.live import LiveRuns
from app.logs import about
from app.models import Attempt, Job, JobState, Progress
from app.outcomes import Ending
from app.policy import policy_of
from app.ports import Clock, JobChange
from app.runs import (
    Backend,
    Run,
    RunEnd,
    RunFailed,
    RunInterrupted,
    RunLost,
    RunNodesProgressed,
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

Wish = Literal["cancel", "recall", "timeout"]


@dataclass(frozen=True, slots=True)
class _GaveUp:
    """The user cancelled and the backend does not answer: their word decides."""


@dataclass(slots=True)
class _Underway:
    """What is known of an attempt while it lasts."""

    wishes: asyncio.Queue[Wish] = field(default_factory=asyncio.Queue[Wish])
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    began_at: datetime | None = None
    watched: bool = True  # from its start on, without a gap
    timed_out: bool = False
    recalled: bool = False  # asked for
    taken_back: bool = False  # its backend was told


class Runner:
    """Runs attempts; several at once, each in its own task."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fleet: Fleet,
        live: LiveRuns,
        collector: Collector,
        consequences: Consequences,
        clock: Clock,
        retry: RetrySettings,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._live = live
        self._collector = collector
        self._consequences = consequences
        self._clock = clock
        self._retry = retry
        self._underway: dict[object, _Underway] = {}

    def cancel(self, job_id: object) -> None:
        """Tell the attempt of a job, if one is under way here, that it is not wanted any more."""
        if job_id in self._underway:
            self._underway[job_id].wishes.put_nowait("cancel")

    def recall(self, job_id: object) -> None:
        """Take back what was sent ahead, unless its backend has begun it."""
        underway = self._underway.get(job_id)
        if underway is not None and not underway.recalled:
            underway.recalled = True
            underway.wishes.put_nowait("recall")

    async def run(self, attempt: Attempt, *, adopt: bool) -> None:
        """Bring the attempt to an end; returns when the job no longer waits or runs with it.

        Cancelled from outside (the app stops) it changes nothing: the next start takes it up.
        """
        underway = self._underway[attempt.job_id] = _Underway(watched=not adopt)
        job = self._ledger.unfinished.get(attempt.job_id)
        if job is not None and job.cancel_requested:
            underway.wishes.put_nowait("cancel")
        if job is not None and job.state is JobState.RUNNING and adopt:
            underway.began_at = job.started_at
            underway.begun.set()
        self._live.begin(attempt.job_id)
        try:
            with about(job_id=attempt.job_id, backend_id=attempt.backend_id):
                while not await self._try(attempt, underway, adopt=adopt):
                    # What was sent before the disk failed is asked after, not repeated.
                    adopt = True
        finally:
            self._live.end(attempt.job_id)
            del self._underway[attempt.job_id]

    async def _try(self, attempt: Attempt, underway: _Underway, *, adopt: bool) -> bool:
        """Run it; False when our own database could not be used, after a pause."""
        try:
            await self._run_or_fail(attempt, underway, adopt=adopt)
        except StaleWriteError:
            log.warning("Job %s belongs to another process; leaving it", attempt.job_id)
        except NotFoundError:
            log.warning("Job %s is gone; leaving it", attempt.job_id)
        except StorageError as exc:
            log.warning("Job %s cannot be written down yet: %s", attempt.job_id, exc)
            self._live.silent(attempt.job_id, exc.message)
            underway.watched = False
            await asyncio.sleep(_STORAGE_PAUSE_S)
            return False
        return True

    async def _run_or_fail(self, attempt: Attempt, underway: _Underway, *, adopt: bool) -> None:
        """Run it; a mistake of ours fails the job, and nothing else."""
        try:
            await self._run(attempt, underway, adopt=adopt)
        except (StaleWriteError, NotFoundError, StorageError):
            raise
        except Exception as exc:
            log.exception("Job %s failed by a mistake of ours", attempt.job_id)
            await self._fail(attempt, _internal(exc))

    async def _run(self, attempt: Attempt, underway: _Underway, *, adopt: bool) -> None:
        backend = self._fleet.get(attempt.backend_id)
        if backend is None:
            backend = await self._wait_for_missing(attempt, underway)
            if backend is None:
                return
            adopt = True
        job = self._job(attempt)
        async with backend.open(attempt, job.request) as run:
            if not adopt:
                sent = await self._submit(run, attempt)
                if isinstance(sent, BackendError):
                    await self._fail(attempt, sent, backend=backend)
                    return
                attempt = sent
            await self._see_through(run, attempt, underway, backend)

    def _job(self, attempt: Attempt) -> Job:
        job = self._ledger.unfinished.get(attempt.job_id)
        if job is None:
            raise NotFoundError(f"There is no job {attempt.job_id}.")
        return job

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
                hint=answer.handle is None,
            ),
        )
        return accepted

    async def _see_through(
        self, run: Run, attempt: Attempt, underway: _Underway, backend: Backend
    ) -> None:
        for remaining in reversed(range(_FETCH_TRIES)):
            end = await self._follow_unless_stopped(run, attempt, underway)
            try:
                await self._settle(end, run, attempt, underway, backend)
            except BackendUnreachableError as exc:
                # Away while its pictures were fetched: `events` waits for it and finds them.
                underway.watched = False
                if remaining == 0:
                    message = Said(
                        "{backend} finished, but its pictures do not arrive: {cause}",
                        backend=backend.info.name,
                        cause=exc.message,
                    )
                    await self._fail(attempt, BadOutputError(message), backend=backend)
                    return
                log.warning("Fetching for job %s again: %s", attempt.job_id, exc)
            else:
                return

    async def _follow_unless_stopped(
        self, run: Run, attempt: Attempt, underway: _Underway
    ) -> RunEnd | _GaveUp:
        gave_up = False

        async def stop_when_asked() -> None:
            nonlocal gave_up
            while True:
                wish = await underway.wishes.get()
                if wish == "recall" and underway.begun.is_set():
                    continue  # it is being drawn: that goes on
                underway.timed_out = underway.timed_out or wish == "timeout"
                underway.taken_back = underway.taken_back or wish == "recall"
                try:
                    await run.interrupt(unless_begun=wish == "recall")
                except BackendUnreachableError as exc:
                    log.warning("No answer to a %s, job %s: %s", wish, attempt.job_id, exc)
                    if wish == "cancel":
                        gave_up = True
                        follow.cancel()
                        return

        timeout_s = self._job(attempt).terms.timeout_s
        try:
            async with asyncio.TaskGroup() as group:
                follow = group.create_task(
                    self._follow(run, attempt, underway), name=f"follow {attempt.id}"
                )
                others = [group.create_task(stop_when_asked(), name=f"stop {attempt.id}")]
                if timeout_s is not None:
                    limit = self._limit(underway, timeout_s)
                    others.append(group.create_task(limit, name=f"limit {attempt.id}"))
                follow.add_done_callback(lambda _: [each.cancel() for each in others])
        except ExceptionGroup as exc:
            raise exc.exceptions[0] from exc
        return _GaveUp() if gave_up else follow.result()

    async def _limit(self, underway: _Underway, timeout_s: float) -> None:
        """Wish for an end once the job has run for as long as it may."""
        await underway.begun.wait()
        began_at = underway.began_at or self._clock.now()
        run_s = (self._clock.now() - began_at).total_seconds()
        await asyncio.sleep(max(0.0, timeout_s - run_s))
        underway.wishes.put_nowait("timeout")

    async def _follow(self, run: Run, attempt: Attempt, underway: _Underway) -> RunEnd:
        job_id = attempt.job_id
        async with aclosing(run.events()) as events:
            async for event in events:
                match event:
                    case RunProgressed(progress=progress):
                        await self._begin(attempt, underway)
                        self._live.progressed(job_id, progress)
                    case RunNodesProgressed(nodes=nodes):
                        await self._begin(attempt, underway)
                        self._live.nodes_progressed(job_id, nodes)
                    case RunPreviewed(step=step, mime=mime, data=data, node_id=node_id):
                        await self._begin(attempt, underway)
                        self._live.previewed(
                            job_id, step=step, mime=mime, data=data, node_id=node_id
                        )
                    case RunSilent(reason=reason):
                        underway.watched = False
                        if self._job(attempt).state is JobState.RUNNING:
                            self._live.silent(job_id, reason)
                    case RunStarted():
                        await self._begin(attempt, underway)
                    case _:
                        return event
        raise BackendUnreachableError(f"The events of attempt {attempt.id} stopped without an end.")

    async def _begin(self, attempt: Attempt, underway: _Underway) -> None:
        """The backend works on it now; what was sent ahead is running from here on."""
        if underway.begun.is_set():
            return
        underway.began_at = self._clock.now()
        self._consequences.slots.start(attempt.backend_id, attempt.job_id, at=underway.began_at)
        if self._job(attempt).state is JobState.QUEUED:
            await self._ledger.change(attempt.job_id, self._ending(attempt).begun)
        underway.begun.set()

    async def _settle(
        self,
        end: RunEnd | _GaveUp,
        run: Run,
        attempt: Attempt,
        underway: _Underway,
        backend: Backend,
    ) -> None:
        name = backend.info.name
        match end:
            case RunSucceeded():
                await self._succeed(run, attempt, end, underway, backend)
            case RunFailed(error=error):
                await self._fail(attempt, error, backend=backend)
            case RunLost():
                await self._lose(attempt, name)
            case RunInterrupted() if self._job(attempt).cancel_requested:
                await self._cancelled(attempt, f"Stopped on {name}")
            case RunInterrupted() if underway.timed_out:
                await self._fail(attempt, self._too_late(attempt, name), backend=backend)
            case RunInterrupted() if underway.taken_back and not underway.begun.is_set():
                note, ending = f"Taken back from {name}, where it waited", self._ending(attempt)
                await self._ledger.change(
                    attempt.job_id, lambda job: ending.recalled(job, note=note)
                )
            case RunInterrupted():
                await self._cancelled(attempt, f"Stopped on {name}")
            case _GaveUp():
                await self._cancelled(attempt, f"Cancelled; {name} does not answer")

    async def _succeed(
        self,
        run: Run,
        attempt: Attempt,
        end: RunSucceeded,
        underway: _Underway,
        backend: Backend,
    ) -> None:
        """Bring the pictures home, then say done: file first, row after."""
        job, ended = self._job(attempt), self._clock.now()
        if not end.outputs:
            error = BadOutputError(
                Said("{backend} finished without a picture.", backend=backend.info.name),
                fix=Said("Does the workflow end in Save Image?"),
            )
            await self._fail(attempt, error, backend=backend)
            return
        self._live.progressed(attempt.job_id, Progress(fraction=1.0))
        try:
            images = await self._collector.fetch(
                run, end.outputs, attempt=attempt, request=job.request
            )
        except BackendUnreachableError:
            raise
        except (BadOutputError, StorageError) as exc:
            await self._fail(attempt, exc, backend=backend)
            return
        ending = self._ending(attempt)
        await self._ledger.change(
            attempt.job_id,
            lambda now: ending.done(now, images=images, notices=end.notices),
        )
        began = underway.began_at if underway.watched else None
        await self._consequences.succeeded(job, attempt, began=began, ended=ended)

    async def _fail(
        self, attempt: Attempt, error: OrchestratorError, *, backend: Backend | None = None
    ) -> None:
        job, ending, policy = self._job(attempt), self._ending(attempt), policy_of(error)
        if policy.lost:
            await self._lose(attempt, attempt.backend_id)
            return
        if policy.free_first and backend is not None:
            await self._consequences.free(backend)
        # Known before the job is back in the queue: it must not go there again.
        await self._consequences.failed(job, attempt, error)
        await self._ledger.change(attempt.job_id, lambda now: ending.failed(now, error=error))

    async def _lose(self, attempt: Attempt, name: str) -> None:
        reason = Said("{backend} forgot a job it had accepted.", backend=name)
        self._consequences.lost(attempt, reason)
        earlier, ending = await self._ledger.attempts(attempt.job_id), self._ending(attempt)
        await self._ledger.change(attempt.job_id, lambda job: ending.lost(job, earlier=earlier))

    async def _cancelled(self, attempt: Attempt, note: str) -> None:
        ending = self._ending(attempt)
        await self._ledger.change(attempt.job_id, lambda job: ending.cancelled(job, note=note))

    def _ending(self, attempt: Attempt) -> Ending:
        return Ending(attempt=attempt, now=self._clock.now(), retry=self._retry)

    def _too_late(self, attempt: Attempt, name: str) -> TimedOutError:
        limit = self._job(attempt).terms.timeout_s or 0
        return TimedOutError(
            Said("It ran on {backend} for more than {limit} s.", backend=name, limit=round(limit)),
            fix=Said("Give it more time, fewer steps or a smaller size."),
        )

    async def _wait_for_missing(self, attempt: Attempt, underway: _Underway) -> Backend | None:
        """Its backend was removed: the user brings it back, or cancels (then None)."""
        reason = Said(
            "Backend '{id}' is no longer configured, so nobody can say whether this was drawn. "
            "Configure it again, or cancel the job.",
            id=attempt.backend_id,
        )
        self._live.silent(attempt.job_id, reason)

        async def give_up() -> None:
            while await underway.wishes.get() != "cancel":
                log.info("Job %s cannot be taken back: its backend is gone", attempt.job_id)

        async with asyncio.TaskGroup() as group:
            name = f"missing backend of {attempt.id}"
            back = group.create_task(self._fleet.arrival(attempt.backend_id), name=name)
            given_up = group.create_task(give_up(), name=f"cancel {attempt.id}")
            back.add_done_callback(lambda _: given_up.cancel())
            given_up.add_done_callback(lambda _: back.cancel())
        if not back.cancelled():
            self._live.silent(attempt.job_id, None)
            return back.result()
        await self._cancelled(attempt, "Cancelled; its backend is no longer configured")
        return None


def _internal(exc: Exception) -> OrchestratorError:
    if isinstance(exc, OrchestratorError):
        return exc
    return OrchestratorError(
        Said("Something unforeseen went wrong here: {name}.", name=type(exc).__name__),
        fix=Said("The log has the details. Press Retry to try again."),
    )
