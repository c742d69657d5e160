"""The fire drill: one small demo job from end to end, and how long each leg of its way took."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.errors import ConflictError, OrchestratorError
from app.events import Event, EventBus, ImageAdded, JobChanged, JobProgressed
from app.fleet import Fleet
from app.gallery import GalleryService
from app.jobs import JobService
from app.models import DEMO, Job, JobState
from app.ports import Clock
from app.said import Said
from app.submission import Submission, Wire
from app.views import Say

log = logging.getLogger(__name__)

PROMPT = "Self-test: a lighthouse"
_SMALL = {"width": 256, "height": 256, "steps": 4}
_FIRST = 100  # the priority

LegName = Literal[
    "submitted", "claimed", "accepted", "progress", "preview", "finished", "stored", "done", "page"
]
LEGS: tuple[LegName, ...] = (
    "submitted",
    "claimed",
    "accepted",
    "progress",
    "preview",
    "finished",
    "stored",
    "done",
    "page",
)
"""What must happen, in this order; `page` only when a page asked for the test."""


class LegView(Wire):
    """One leg: `ms` from the leg before to this one; null: not reached."""

    name: LegName
    ms: float | None


class SelfTestView(Wire):
    """What came of the newest self-test."""

    state: Literal["running", "passed", "failed"]
    started_at: datetime
    total_ms: float | None
    slowest: LegName | None
    legs: list[LegView]
    job_id: UUID | None
    error: str | None
    fix: str | None


@dataclass(slots=True)
class _Drill:
    started_at: datetime
    started: float
    times: dict[LegName, float] = field(default_factory=dict["LegName", float])
    state: Literal["running", "passed", "failed"] = "running"
    job_id: UUID | None = None
    error: OrchestratorError | None = None
    cleaned: list[UUID] = field(default_factory=list[UUID])

    def reached(self, leg: LegName, at: float) -> bool:
        """Note the time of a leg, the first time."""
        return self.times.setdefault(leg, at) == at


class SelfTest:
    """Runs the drill, one at a time."""

    def __init__(
        self,
        *,
        jobs: JobService,
        gallery: GalleryService,
        fleet: Fleet,
        bus: EventBus,
        clock: Clock,
        limit_s: float,
    ) -> None:
        self._jobs = jobs
        self._gallery = gallery
        self._fleet = fleet
        self._bus = bus
        self._clock = clock
        self._limit_s = limit_s
        self._drill: _Drill | None = None

    async def run(self, on_leg: Callable[[], object] = lambda: None) -> None:
        """Make one small picture on the demo engine and take it away again.

        `on_leg` is called whenever `view` has something new. What goes wrong is in `view`, too.

        Raises:
            ConflictError: one is under way, the queue is paused or there is no demo engine.
        """
        self._require_possible()
        drill = self._drill = _Drill(started_at=self._clock.now(), started=_now())
        on_leg()
        try:
            async with asyncio.timeout(self._limit_s):
                await self._see_through(drill, on_leg)
            drill.state = "passed"
        except TimeoutError:
            drill.error = OrchestratorError(
                Said("The self-test was not done after {seconds} s.", seconds=f"{self._limit_s:g}"),
                fix=Said("See below which leg was not reached, and read the log."),
            )
        except OrchestratorError as exc:
            drill.error = exc
        finally:
            if drill.state != "passed":
                drill.state = "failed"
            on_leg()
        await self._clean_up(drill)
        log.info("The self-test %s in %.0f ms", drill.state, _total_ms(drill) or 0)

    def shown(self) -> None:
        """A page has shown that the job is done: the last leg."""
        if self._drill is not None and self._drill.state == "passed":
            self._drill.reached("page", _now())

    def view(self, *, say: Say) -> SelfTestView | None:
        """The newest self-test; None while there was none since the start."""
        drill = self._drill
        if drill is None:
            return None
        legs = _legs(drill)
        known = [each for each in legs if each.ms is not None]
        slowest = max(known, key=lambda each: each.ms or 0, default=None)
        return SelfTestView(
            state=drill.state,
            started_at=drill.started_at,
            total_ms=_total_ms(drill),
            slowest=slowest.name if slowest else None,
            legs=legs,
            job_id=drill.job_id,
            error=say(drill.error.message) if drill.error else None,
            fix=say(drill.error.fix) if drill.error else None,
        )

    def _require_possible(self) -> None:
        if self._drill is not None and self._drill.state == "running":
            raise ConflictError(Said("A self-test is under way."))
        if self._jobs.queue().paused:
            raise ConflictError(
                Said("The queue is paused, so the self-test would wait."),
                fix=Said("Resume the queue first."),
            )
        info = self._fleet.info(DEMO)
        status = self._fleet.status(DEMO) if info is not None and info.enabled else None
        # Right after the start it is not online yet; then the job waits for it.
        if status is None or (not status.online and status.last_error):
            raise ConflictError(
                Said("The self-test needs the demo engine, and that does not answer."),
                fix=Said("Set demo_engine to true in the configuration, and restart."),
            )

    async def _see_through(self, drill: _Drill, on_leg: Callable[[], object]) -> None:
        with self._bus.subscribe(ImageAdded, JobChanged, JobProgressed) as inbox:
            submission = Submission.model_validate(
                {"prompt": PROMPT, "backend": DEMO, "priority": _FIRST, "params": _SMALL}
            )
            drill.job_id = (await self._jobs.submit(submission, client="self-test"))[0].id
            drill.reached("submitted", _now())
            on_leg()
            async for event in inbox:
                leg = _leg(event, drill.job_id)
                if leg is not None and drill.reached(leg, _now()):
                    on_leg()
                if isinstance(event, JobChanged) and event.job.id == drill.job_id:
                    _raise_if_ended_badly(event.job)
                    if event.job.state is JobState.DONE:
                        drill.cleaned = [each.id for each in event.images]
                        return

    async def _clean_up(self, drill: _Drill) -> None:
        """Its picture goes to the trash, and it goes off the list."""
        if drill.job_id is None:
            return
        try:
            await self._gallery.delete(drill.cleaned)
            if not (await self._jobs.get(drill.job_id)).state.is_terminal:
                await self._jobs.cancel(drill.job_id)
            else:
                await self._jobs.remove(drill.job_id)
        except OrchestratorError as exc:
            log.warning("What the self-test made could not be removed: %s", exc)


def _leg(event: Event, job_id: UUID) -> LegName | None:
    match event:
        case JobProgressed(job_id=its_id, progress=progress, preview_rev=rev) if its_id == job_id:
            if progress.fraction >= 1:
                return "finished"
            if rev > 0:
                return "preview"
            return "progress" if progress.fraction > 0 else None
        case ImageAdded(image=image) if image.job_id == job_id:
            return "stored"
        case JobChanged(job=job, logged=logged) if job.id == job_id:
            if job.state is JobState.DONE:
                return "done"
            if logged is not None and logged.type == "job.accepted":
                return "accepted"
            return "claimed" if job.state is JobState.RUNNING else None
        case _:
            return None


def _raise_if_ended_badly(job: Job) -> None:
    if job.state is JobState.FAILED and job.failure is not None:
        raise OrchestratorError(job.failure.message, fix=job.failure.fix)
    if job.state is JobState.CANCELLED:
        raise OrchestratorError(Said("Somebody cancelled the job of the self-test."))


def _legs(drill: _Drill) -> list[LegView]:
    legs: list[LegView] = []
    before = drill.started
    for name in LEGS:
        at = drill.times.get(name)
        # Legs may overtake each other: a job may be accepted after its first progress is heard.
        ms = None if at is None else round(max(0.0, at - before) * 1000, 1)
        before = before if at is None else max(before, at)
        legs.append(LegView(name=name, ms=ms))
    return legs


def _total_ms(drill: _Drill) -> float | None:
    if not drill.times:
        return None
    return round((max(drill.times.values()) - drill.started) * 1000, 1)


def _now() -> float:
    return asyncio.get_running_loop().time()
