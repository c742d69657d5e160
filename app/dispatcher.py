"""Takes waiting jobs to free slots, and after a start takes up the jobs that were under way.

It wakes when something changed or when the next time comes; it never asks on a clock.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from app.config import RetrySettings, SchedulingSettings
from app.errors import ConflictError, NotFoundError, StaleWriteError, StorageError
from app.events import (
    BackendChanged,
    BackendRemoved,
    EventBus,
    JobChanged,
    JobReasonsChanged,
    QuarantineChanged,
    QueuePaused,
)
from app.fleet import Fleet
from app.health import Health
from app.ids import new_id
from app.ledger import Ledger
from app.matching import Matching
from app.models import Attempt, AttemptState, Job, JobState
from app.ports import Clock, JobChange, JobStore
from app.reasons import Reasons, Roster
from app.runner import Runner
from app.said import Said
from app.scheduling import Choice, Paces, Scheduler, Turns
from app.slots import Slots, Work

log = logging.getLogger(__name__)

_EXPLAINED = 100  # waiting jobs whose reasons are told to the pages; more do not fit a screen
_AFTER_ERROR_S = 5.0
_SOURCES = 1000  # whose last turn is remembered: anybody may name a new one
_TOLD_AGAIN_S = 60.0  # reasons that say how long something lasts


class Dispatcher:
    """One per process; `serve` runs until cancelled."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: JobStore,
        fleet: Fleet,
        slots: Slots,
        health: Health,
        matching: Matching,
        paces: Paces,
        runner: Runner,
        bus: EventBus,
        clock: Clock,
        settings: SchedulingSettings,
        retry: RetrySettings,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._fleet = fleet
        self._slots = slots
        self._health = health
        self._runner = runner
        self._bus = bus
        self._clock = clock
        self._longest_pause = timedelta(seconds=retry.backoff_max_s)
        self._patience = timedelta(seconds=settings.affinity_patience_s)
        self._scheduler = Scheduler(
            matching=matching,
            paces=paces,
            patience_s=settings.affinity_patience_s,
            prefetch=settings.prefetch,
        )
        self._roster = Roster(fleet=fleet, slots=slots, health=health, clock=clock)
        self._reasons = Reasons(
            roster=self._roster, fleet=fleet, health=health, matching=matching, clock=clock
        )
        self._told: dict[UUID, str | None] = {}
        self._served: dict[str, int] = {}
        self._turn_number = 0
        self._passed_since: dict[UUID, datetime] = {}
        self._rested: set[str] = set()

    async def serve(self) -> None:
        """Recover what was under way, then keep the slots filled."""
        kinds = (JobChanged, BackendChanged, BackendRemoved, QueuePaused, QuarantineChanged)
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
        return self._reasons.of(job, paused=self._ledger.paused)

    async def _turn(self, runs: asyncio.TaskGroup) -> float | None:
        """Fill the free slots; how long to sleep at most."""
        try:
            self._take_back()
            await self._mend_times()
            await self._fill_slots(runs)
            self._tell_reasons()
            self._tell_of_circuits()
        except StorageError:
            log.exception("The queue cannot be read or written; trying again")
            return _AFTER_ERROR_S
        except Exception:
            log.exception("A turn of the dispatcher failed; going on")
            return _AFTER_ERROR_S
        return self._sleep_s()

    async def _mend_times(self) -> None:
        """A retry that is further away than any pause: the clock was set back meanwhile."""
        longest = self._clock.now() + self._longest_pause
        for job_id in self._ledger.unfinished.deferred_beyond(longest):
            with suppress(ConflictError, NotFoundError, StaleWriteError):
                await self._ledger.change(job_id, _due_now)

    def _sleep_s(self) -> float | None:
        now = self._clock.now()
        times = [
            self._ledger.unfinished.next_time(now=now),
            self._health.next_time(),
            *(since + self._patience for since in self._passed_since.values()),
        ]
        waits = [(each - now).total_seconds() for each in times if each is not None and each > now]
        if any(map(_says_how_long, self._told.values())):
            waits.append(_TOLD_AGAIN_S)
        return min(waits, default=None)

    async def _fill_slots(self, runs: asyncio.TaskGroup) -> None:
        while not self._ledger.paused:
            now = self._clock.now()
            outcome = self._scheduler.choose(
                self._ledger.unfinished,
                self._roster.candidates(),
                now=now,
                turns=Turns(busy=self._slots.busy(), served=self._served),
                passed_since=self._passed_since,
            )
            self._reasons.passed = outcome.passed
            self._remember_passed(outcome.passed, now=now)
            if outcome.choice is None:
                return
            attempt = await self._claim(outcome.choice)
            if attempt is not None:
                self._go(runs, attempt, outcome.choice)

    def _remember_passed(self, passed: Mapping[UUID, str], *, now: datetime) -> None:
        """Since when others are preferred to a job, until it goes.

        Not only as long as each decision says so again: with all slots taken there is none, and
        one that looks at another job first does not get as far.
        """
        unfinished = self._ledger.unfinished
        known = {**dict.fromkeys(passed, now), **self._passed_since}
        self._passed_since = {
            job_id: since
            for job_id, since in known.items()
            if (job := unfinished.get(job_id)) is not None
            and job.state is JobState.QUEUED
            and job.ahead_on is None
        }

    async def _claim(self, choice: Choice) -> Attempt | None:
        """Make the job ours, with its attempt on disk before anything is sent."""
        now = self._clock.now()
        attempt = Attempt(
            id=new_id(),
            job_id=choice.job.id,
            number=choice.job.attempts + 1,
            backend_id=choice.backend_id,
            created_at=now,
            decision=choice.decision,
        )

        def step(job: Job) -> JobChange:
            if job.state is not JobState.QUEUED or job.ahead_on is not None:
                raise ConflictError(f"Job {job.id} no longer waits.")
            placement = choice.decision.reason
            if choice.ahead:
                waits = job.changed(ahead_on=choice.backend_id, placement=placement)
                note = f"Sent ahead to {choice.backend_id}"
                return JobChange(job=waits, attempt=attempt, note=note, event="job.ahead")
            running = job.to(
                JobState.RUNNING,
                backend_id=choice.backend_id,
                attempts=attempt.number,
                placement=placement,
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

    def _go(self, runs: asyncio.TaskGroup, attempt: Attempt, choice: Choice) -> None:
        self._turn_number += 1
        self._served.pop(choice.job.source, None)
        self._served[choice.job.source] = self._turn_number
        if len(self._served) > _SOURCES:
            del self._served[next(iter(self._served))]  # the one that had no turn for longest
        self._health.trying(attempt.backend_id, attempt.job_id)
        work = Work(
            job_id=attempt.job_id,
            source=choice.job.source,
            model=choice.model,
            expected_s=choice.expected_s,
            started_at=None if choice.ahead else attempt.created_at,
        )
        self._start(runs, attempt, work, adopt=False)

    def _start(self, runs: asyncio.TaskGroup, attempt: Attempt, work: Work, *, adopt: bool) -> None:
        self._slots.occupy(attempt.backend_id, work)
        task = runs.create_task(
            self._runner.run(attempt, adopt=adopt), name=f"attempt {attempt.id}"
        )
        task.add_done_callback(lambda _: self._freed_slot(attempt))

    def _freed_slot(self, attempt: Attempt) -> None:
        self._slots.release(attempt.backend_id, attempt.job_id)
        self._health.released(attempt.backend_id, attempt.job_id)
        self._announce(attempt.backend_id)

    def _announce(self, backend_id: str) -> None:
        info = self._fleet.info(backend_id)
        if info is not None:
            self._bus.publish(BackendChanged(info=info, status=self._fleet.status(backend_id)))

    def _take_back(self) -> None:
        """Have prompts that were sent ahead back from where nothing shall start any more."""
        for job in self._ledger.unfinished.ahead():
            info = self._fleet.info(job.ahead_on)
            if self._ledger.paused or info is None or not info.enabled:
                self._runner.recall(job.id)

    async def _recover(self, runs: asyncio.TaskGroup) -> None:
        unfinished = self._ledger.unfinished
        ahead = [job.id for job in unfinished.ahead()]
        for job_id in [*unfinished.ids(JobState.RUNNING), *ahead]:
            job = unfinished.get(job_id)
            attempts = await self._store.attempts(job_id)
            open_ones = [each for each in attempts if each.state is AttemptState.OPEN]
            if open_ones and job is not None:
                log.info("Taking up job %s, attempt %s", job_id, open_ones[-1].id)
                began_at = job.started_at if job.state is JobState.RUNNING else None
                work = Work(job_id=job_id, source=job.source, started_at=began_at)
                self._start(runs, open_ones[-1], work, adopt=True)
            else:
                log.error("Job %s is under way without an attempt; it is queued again", job_id)
                await self._ledger.change(job_id, _requeue)

    def _tell_reasons(self) -> None:
        reasons: dict[UUID, str | None] = {}
        for number, job in enumerate(self._ledger.unfinished.queued()):
            if number >= _EXPLAINED:
                break
            reasons[job.id] = self._reasons.of(job, paused=self._ledger.paused)
        changed = {key: why for key, why in reasons.items() if self._told.get(key) != why}
        self._told = reasons
        if changed:
            self._bus.publish(JobReasonsChanged(reasons=changed))

    def _tell_of_circuits(self) -> None:
        """Say when one has opened, or may be tried again."""
        resting = {
            each.id for each in self._fleet.infos() if self._health.circuit(each.id).state == "open"
        }
        changed, self._rested = self._rested ^ resting, resting
        for backend_id in changed:
            self._announce(backend_id)


def _says_how_long(why: object) -> bool:
    if not isinstance(why, Said):
        return False
    return "duration" in why.params or any(map(_says_how_long, why.params.values()))


def _requeue(job: Job) -> JobChange:
    if job.state is JobState.QUEUED:
        return JobChange(job=job.changed(ahead_on=None), note="Queued again: it had no attempt")
    return JobChange(job=job.to(JobState.QUEUED), note="Queued again: it had no attempt")


def _due_now(job: Job) -> JobChange:
    if job.not_before is None:
        raise ConflictError(f"Job {job.id} waits for no time.")
    note = "The clock was set back; it no longer waits"
    return JobChange(job=job.changed(not_before=None), note=note, event="job.due")
