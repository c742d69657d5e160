"""Takes waiting jobs to free slots, and after a start takes up the jobs that were running.

It wakes when something changed or when the next retry is due; it never asks on a clock.
"""

import asyncio
import logging
from contextlib import suppress
from uuid import UUID

from app.errors import ConflictError, StaleWriteError, StorageError
from app.events import BackendChanged, EventBus, JobChanged, JobReasonsChanged, QueuePaused
from app.fleet import Fleet
from app.ids import new_id
from app.ledger import Ledger
from app.models import Attempt, AttemptState, Job, JobState
from app.ports import Clock, JobChange, JobStore
from app.runner import Runner
from app.said import Said
from app.scheduling import Choice, choose, explain, next_time

log = logging.getLogger(__name__)

_EXPLAINED = 100  # waiting jobs whose reasons are told to the pages; more do not fit a screen
_AFTER_ERROR_S = 5.0
_PAUSED = Said("The queue is paused.")


class Dispatcher:
    """One per process; `serve` runs until cancelled."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: JobStore,
        fleet: Fleet,
        runner: Runner,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._fleet = fleet
        self._runner = runner
        self._bus = bus
        self._clock = clock
        self._told: dict[UUID, str | None] = {}

    async def serve(self) -> None:
        """Recover what was running, then keep the slots filled."""
        kinds = (JobChanged, BackendChanged, QueuePaused)
        with self._bus.subscribe(*kinds) as inbox:
            async with asyncio.TaskGroup() as runs:
                await self._recover(runs)
                while not inbox.closed:
                    wait_s = await self._turn(runs)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await inbox.wait()
                    inbox.drain()

    def reason(self, job: Job) -> str | None:
        """Why a job waits; None if it does not, or only waits for its turn."""
        if job.state is not JobState.QUEUED:
            return None
        if self._ledger.paused:
            return _PAUSED
        return explain(job, self._fleet.candidates(), now=self._clock.now())

    async def _turn(self, runs: asyncio.TaskGroup) -> float | None:
        """Fill the free slots; how long to sleep at most."""
        try:
            await self._fill_slots(runs)
            self._tell_reasons()
        except StorageError:
            log.exception("The queue cannot be read or written; trying again")
            return _AFTER_ERROR_S
        except Exception:
            log.exception("A turn of the dispatcher failed; going on")
            return _AFTER_ERROR_S
        due = next_time(self._ledger.unfinished.queued(), now=self._clock.now())
        return None if due is None else max(0.0, (due - self._clock.now()).total_seconds())

    async def _fill_slots(self, runs: asyncio.TaskGroup) -> None:
        while not self._ledger.paused:
            choice = choose(
                self._ledger.unfinished.queued(), self._fleet.candidates(), now=self._clock.now()
            )
            if choice is None:
                return
            attempt = await self._claim(choice)
            if attempt is not None:
                self._start(runs, attempt, adopt=False)

    async def _claim(self, choice: Choice) -> Attempt | None:
        """Make the job ours, with its attempt on disk before anything is sent."""
        now = self._clock.now()
        attempt = Attempt(
            id=new_id(),
            job_id=choice.job.id,
            number=choice.job.attempts + 1,
            backend_id=choice.backend_id,
            created_at=now,
        )

        def step(job: Job) -> JobChange:
            if job.state is not JobState.QUEUED:
                raise ConflictError(f"Job {job.id} no longer waits.")
            running = job.to(
                JobState.RUNNING,
                backend_id=choice.backend_id,
                attempts=attempt.number,
                not_before=None,
                started_at=now,
                finished_at=None,
            )
            note = f"Attempt {attempt.number} of {job.max_attempts} on {choice.backend_id}"
            return JobChange(job=running, attempt=attempt, note=note)

        try:
            await self._ledger.change(choice.job.id, step)
        except (ConflictError, StaleWriteError):
            return None  # cancelled, or taken by another process, a moment ago
        return attempt

    def _start(self, runs: asyncio.TaskGroup, attempt: Attempt, *, adopt: bool) -> None:
        self._fleet.occupy(attempt.backend_id, attempt.job_id)
        task = runs.create_task(
            self._runner.run(attempt, adopt=adopt), name=f"attempt {attempt.id}"
        )
        task.add_done_callback(lambda _: self._freed_slot(attempt))

    def _freed_slot(self, attempt: Attempt) -> None:
        self._fleet.release(attempt.backend_id, attempt.job_id)
        info = self._fleet.info(attempt.backend_id)
        if info is not None:
            status = self._fleet.status(attempt.backend_id)
            self._bus.publish(BackendChanged(info=info, status=status))

    async def _recover(self, runs: asyncio.TaskGroup) -> None:
        for job_id in self._ledger.unfinished.ids(JobState.RUNNING):
            attempts = await self._store.attempts(job_id)
            open_ones = [each for each in attempts if each.state is AttemptState.OPEN]
            if open_ones:
                log.info("Taking up job %s, attempt %s", job_id, open_ones[-1].id)
                self._start(runs, open_ones[-1], adopt=True)
            else:
                log.error("Job %s runs without an attempt; it is queued again", job_id)
                await self._ledger.change(job_id, _requeue)

    def _tell_reasons(self) -> None:
        now, candidates = self._clock.now(), self._fleet.candidates()
        reasons: dict[UUID, str | None] = {}
        for number, job in enumerate(self._ledger.unfinished.queued()):
            if number >= _EXPLAINED:
                break
            paused = _PAUSED if self._ledger.paused else None
            reasons[job.id] = paused or explain(job, candidates, now=now)
        changed = {key: why for key, why in reasons.items() if self._told.get(key) != why}
        self._told = reasons
        if changed:
            self._bus.publish(JobReasonsChanged(reasons=changed))


def _requeue(job: Job) -> JobChange:
    return JobChange(job=job.to(JobState.QUEUED), note="Queued again: it had no attempt")
