"""Why jobs wait, for people; and the backends as the scheduler wants to know them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.fleet import Fleet
from app.health import Health
from app.matching import Candidate, Matching, ago, needs_of
from app.models import BackendInfo, BackendStatus, Job
from app.ports import Clock
from app.said import Said
from app.slots import Slots

_PAUSED = Said("The queue is paused.")


class Roster:
    """The backends with what is free there."""

    def __init__(self, *, fleet: Fleet, slots: Slots, health: Health, clock: Clock) -> None:
        self._fleet = fleet
        self._slots = slots
        self._health = health
        self._clock = clock

    def candidates(self) -> list[Candidate]:
        """Every backend, those that are away or switched off, too."""
        return [self._candidate(info) for info in self._fleet.infos()]

    def _candidate(self, info: BackendInfo) -> Candidate:
        status = self._fleet.status(info.id)
        if not status.online:
            self._slots.unloaded(info.id)
        allowance = self._health.allowance(info.id)
        free = self._slots.free(info)
        resting = None
        if allowance is not None:
            view = self._health.circuit(info.id)
            if view.state == "open" and view.until is not None:
                resting = Said(
                    "{backend} rests for {duration} after {n} faults in a row: {reason}",
                    backend=info.name,
                    duration=ago(self._clock.now(), now=view.until),
                    n=view.faults,
                    reason=view.reason or "",
                )
        return Candidate(
            info=info,
            status=status,
            free_slots=free if allowance is None else min(free, allowance),
            free_ahead=self._slots.free_ahead(info) if allowance is None else 0,
            remaining_s=self._slots.remaining_s(info, now=self._clock.now()),
            loaded=self._slots.next_model(info.id),
            resting=resting,
        )


@dataclass(slots=True, kw_only=True)
class _Known:
    """Why jobs wait, by what they need, as long as no backend has changed."""

    at: tuple[int, int] = (0, 0)
    shown: list[tuple[BackendInfo, BackendStatus]] = field(
        default_factory=list[tuple[BackendInfo, BackendStatus]]
    )
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    reasons: dict[Hashable, str | None] = field(default_factory=dict[Hashable, str | None])


class Reasons:
    """Explains waiting jobs; `passed` are those that others were preferred to."""

    def __init__(
        self, *, roster: Roster, fleet: Fleet, health: Health, matching: Matching, clock: Clock
    ) -> None:
        self._roster = roster
        self._fleet = fleet
        self._health = health
        self._matching = matching
        self._clock = clock
        self._known = _Known()
        self.passed: Mapping[UUID, str] = {}

    def of(self, job: Job, *, paused: bool) -> str | None:
        """Why a queued job waits; None if it only waits for its turn."""
        now = self._clock.now()
        if job.ahead_on is not None:
            return self._reason_ahead(job.ahead_on)
        if paused:
            return _PAUSED
        if job.not_before is not None and job.not_before > now:
            return _back_off(job, job.not_before, now=now)
        why = self._explain(job, now=now)
        if why is None and job.id in self.passed:
            info = self._fleet.info(self.passed[job.id])
            return Said("Waits for {backend}: it suits best.", backend=info.name) if info else None
        return why

    def _explain(self, job: Job, *, now: datetime) -> str | None:
        """Asked for thousands of jobs at once, most of which need the same."""
        infos = self._fleet.infos()
        at = (int(now.timestamp()), self._health.revision)
        shown = [(info, self._fleet.status(info.id)) for info in infos]
        known = self._known
        same = known.at == at and len(known.shown) == len(shown)
        if not same or not all(
            a[0] is b[0] and a[1] is b[1] for a, b in zip(known.shown, shown, strict=True)
        ):
            known = self._known = _Known(at=at, shown=shown, candidates=self._roster.candidates())
        needs = needs_of(job)
        if needs not in known.reasons:
            known.reasons[needs] = self._matching.explain(job, known.candidates, now=now)
        return known.reasons[needs]

    def _reason_ahead(self, backend_id: str) -> str | None:
        info = self._fleet.info(backend_id)
        name = info.name if info is not None else backend_id
        status = self._fleet.status(backend_id) if info is not None else None
        if status is not None and not status.online and status.last_error:
            cause = status.last_error
            return Said("It waits at {backend}. {cause}", backend=name, cause=cause)
        return Said("Next on {backend}, where it waits already.", backend=name)


def _back_off(job: Job, until: datetime, *, now: datetime) -> str:
    seconds = max(1, round((until - now).total_seconds()))
    if job.failure is None:
        return Said("Tries again in {seconds} s.", seconds=seconds)
    cause = job.failure.message
    return Said("{cause} Tries again in {seconds} s.", cause=cause, seconds=seconds)
