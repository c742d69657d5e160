"""Which job goes next, and where: pure decisions, so that they can be explained and tested.

A job goes where it is expected to be done first: when what is there is done, its model is loaded
and it is drawn. The queue is gone through in order, each job put in thought where it would be
done first, until one of them would start right now; so a slow backend gets work exactly when the
faster ones have more than enough.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Protocol
from uuid import UUID

from app.errors import OutOfMemoryError
from app.matching import Candidate, Matching, Verdict, is_meant, needs_of
from app.models import AUTO, Decision, Fallback, GenerationRequest, Job, Weighed
from app.said import Said
from app.waiting import Lane, UnfinishedJobs

_LOOKED_AT = 96  # jobs in one decision
_LOOKED_AT_IN_VAIN = 16  # jobs of one lane that cannot start now, whose place is still counted
_GUESS_S, _GUESS_LOAD_S = 10.0, 5.0  # while nothing is known; only their proportion matters


class Paces(Protocol):
    """What `app.estimates` has learned."""

    def expected_s(self, request: GenerationRequest, backend_id: str) -> float | None:
        """How long it takes there with its model loaded; None if nothing is known."""
        ...

    def load_s(self, model: str, backend_id: str) -> float | None:
        """How long loading a model takes there; None if nothing is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """This job goes there now."""

    job: Job
    backend_id: str
    ahead: bool = False  # as the next one there, while another runs
    model: str = ""
    expected_s: float | None = None  # from its start to its end; None: not known
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Who has had a turn: sources of the same priority alternate."""

    busy: Mapping[str, int] = field(default_factory=dict[str, int])  # jobs at backends, by source
    served: Mapping[str, int] = field(default_factory=dict[str, int])  # number of the last turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was decided, and who was passed over for it: job to the backend it waits for."""

    choice: Choice | None
    passed: Mapping[UUID, str]


@dataclass(slots=True, kw_only=True)
class _Place:
    """A candidate while jobs are put there in thought."""

    candidate: Candidate
    free: int
    ahead: int
    starts_s: float
    guessed: bool
    model: str | None

    @property
    def id(self) -> str:
        return self.candidate.info.id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """A job at a place."""

    place: _Place
    model: str
    preference: int  # 0 before 1 before 2
    work_s: float
    load_s: float
    guessed: bool

    @property
    def done_s(self) -> float:
        return self.place.starts_s + self.load_s + self.work_s

    @property
    def order(self) -> tuple[int, float, int, float]:
        latency = self.place.candidate.status.latency_ms or 0.0
        return (self.preference, round(self.done_s, 3), -self.place.free, latency)


class Scheduler:
    """Pairs waiting jobs with backends."""

    def __init__(
        self, *, matching: Matching, paces: Paces, patience_s: float, prefetch: bool
    ) -> None:
        self._matching = matching
        self._paces = paces
        self._patience_s = patience_s
        self._prefetch = prefetch

    def choose(
        self,
        waiting: UnfinishedJobs,
        candidates: Sequence[Candidate],
        *,
        now: datetime,
        turns: Turns | None = None,
        passed_since: Mapping[UUID, datetime] | None = None,
    ) -> Outcome:
        """The next job to go, and where.

        `passed_since` says since when others were preferred to a job that could have gone; after
        a while that ends.
        """
        places = [_place(each, ahead=self._prefetch) for each in candidates if _there(each)]
        if not any(each.free or each.ahead for each in places):
            return Outcome(choice=None, passed={})
        round_ = _Round(
            self._matching,
            self._paces,
            places,
            candidates,
            now=now,
            late={
                job_id
                for job_id, since in (passed_since or {}).items()
                if (now - since).total_seconds() >= self._patience_s
            },
        )
        return round_.decide(waiting, turns or Turns())


class _Round:
    """One decision."""

    def __init__(
        self,
        matching: Matching,
        paces: Paces,
        places: Sequence[_Place],
        candidates: Sequence[Candidate],
        *,
        now: datetime,
        late: set[UUID],
    ) -> None:
        self._matching = matching
        self._paces = paces
        self._places = places
        self._candidates = candidates
        self._now = now
        self._late = late
        self._verdicts: dict[object, Mapping[str, Verdict]] = {}
        self._passed: dict[UUID, str] = {}

    def decide(self, waiting: UnfinishedJobs, turns: Turns) -> Outcome:
        """Go through the queue until a job can start."""
        walk = _Walk(waiting, turns, now=self._now)
        fallback: tuple[Job, _Option, list[_Option]] | None = None
        jobs = iter(walk)
        for seen, job in enumerate(jobs):
            options = self._options(job)
            open_ones = [each for each in options if each.place.free or each.place.ahead]
            if not open_ones:
                walk.drop_lane_after(_LOOKED_AT_IN_VAIN if options else 0)
                if self._is_shut(job):
                    walk.drop_target_after(_LOOKED_AT_IN_VAIN)
            if options:
                chosen = self._pick(job, options)
                if chosen is not None:
                    return self._settle(job, chosen, options, jobs)
                free = [each for each in options if each.place.free]
                if free and fallback is None:
                    fallback = (job, min(free, key=_order), options)
                self._put_in_thought(job, min(options, key=_order), could_start=bool(free))
                walk.served()
            if seen >= _LOOKED_AT and fallback is not None:
                job, chosen, options = fallback
                self._passed.pop(job.id, None)
                return self._outcome(job, chosen, options)
            if seen >= _LOOKED_AT * 8:
                break
        return Outcome(choice=None, passed=self._passed)

    def _is_shut(self, job: Job) -> bool:
        """Whether nothing that is for the same backend can start now, whatever else it needs."""
        target = job.request.target
        if target == AUTO or job.terms.fallback is Fallback.AUTO:
            return False
        return not any(
            is_meant(target, each.candidate.info) and (each.free or each.ahead)
            for each in self._places
        )

    def _pick(self, job: Job, options: Sequence[_Option]) -> _Option | None:
        """Where the job goes now; None if it does better to wait."""
        best = min(options, key=_order)
        if best.place.free:
            return best
        free = [each for each in options if each.place.free]
        guessed = best.guessed or best.place.guessed
        if free and (job.id in self._late or (guessed and best.preference >= free[0].preference)):
            return min(free, key=_order)
        if best.place.ahead and _may_go_ahead(job) and not free:
            return best
        if best.place.ahead and _may_go_ahead(job) and not guessed:
            return best
        return None

    def _settle(
        self, job: Job, chosen: _Option, options: Sequence[_Option], behind: Iterator[Job]
    ) -> Outcome:
        """The job goes, unless one behind it spares the backend loading another model."""
        loaded = chosen.place.model
        if chosen.load_s > 0 and loaded and job.id not in self._late:
            for _, other in zip(range(_LOOKED_AT), behind, strict=False):
                if other.priority != job.priority:
                    break
                others = self._options(other)
                same = [each for each in others if each.place is chosen.place]
                if not same or same[0].model != loaded or same[0].preference > 0:
                    continue
                if not chosen.place.free and not _may_go_ahead(other):
                    continue
                if min(others, key=_order).place is chosen.place:
                    self._passed[job.id] = chosen.place.id
                    return self._outcome(other, same[0], others)
        return self._outcome(job, chosen, options)

    def _options(self, job: Job) -> list[_Option]:
        verdicts = self._verdicts_on(job)
        able = [each for each in self._places if verdicts[each.id].ok]
        known = {each.id: self._paces.expected_s(job.request, each.id) for each in able}
        values = [each for each in known.values() if each is not None]
        average = sum(values) / len(values) if values else _GUESS_S
        options: list[_Option] = []
        for place in able:
            model = verdicts[place.id].model
            work_s = known[place.id]
            options.append(
                _Option(
                    place=place,
                    model=model,
                    preference=_preference(job, place.id),
                    work_s=average if work_s is None else work_s,
                    load_s=self._load_s(model, place),
                    guessed=not values,
                )
            )
        return options

    def _load_s(self, model: str, place: _Place) -> float:
        if not model or place.model == model:
            return 0.0
        load_s = self._paces.load_s(model, place.id)
        return _GUESS_LOAD_S if load_s is None else load_s

    def _verdicts_on(self, job: Job) -> Mapping[str, Verdict]:
        needs = needs_of(job)
        if needs not in self._verdicts:
            self._verdicts[needs] = self._matching.judge(job, self._candidates, now=self._now)
        return self._verdicts[needs]

    def _put_in_thought(self, job: Job, best: _Option, *, could_start: bool) -> None:
        if could_start:
            self._passed[job.id] = best.place.id
        best.place.starts_s += (best.load_s + best.work_s) / max(
            1, best.place.candidate.info.max_concurrent_jobs
        )
        best.place.model = best.model or best.place.model

    def _outcome(self, job: Job, chosen: _Option, options: Sequence[_Option]) -> Outcome:
        verdicts = self._verdicts_on(job)
        decision = _decision(job, chosen, options, verdicts, self._candidates)
        choice = Choice(
            job=job,
            backend_id=chosen.place.id,
            ahead=not chosen.place.free,
            model=chosen.model,
            expected_s=None if chosen.guessed else chosen.load_s + chosen.work_s,
            decision=decision,
        )
        return Outcome(choice=choice, passed=self._passed)


class _Walk:
    """The jobs that could go now, in order: by priority; within one, sources take turns."""

    def __init__(self, waiting: UnfinishedJobs, turns: Turns, *, now: datetime) -> None:
        self._waiting = waiting
        self._now = now
        self._busy = Counter(dict(turns.busy))
        self._served = dict(turns.served)
        self._tick = count(max(self._served.values(), default=0) + 1)
        self._source = ""
        self._lane = 0
        self._in_vain: Counter[int] = Counter()
        self._dropped: set[int] = set()
        self._target = ""
        self._in_vain_at: Counter[str] = Counter()
        self._shut: set[str] = set()

    def __iter__(self) -> Iterator[Job]:
        for level in self._waiting.levels():
            self._dropped, self._in_vain = set(), Counter()
            yield from self._level(level)

    def served(self) -> None:
        """The job just given has its place: the next source has its turn."""
        self._busy[self._source] += 1
        self._served[self._source] = next(self._tick)

    def drop_lane_after(self, times: int) -> None:
        """The job just given cannot start now, nor can those with the same needs."""
        self._in_vain[self._lane] += 1
        if self._in_vain[self._lane] > times:
            self._dropped.add(self._lane)

    def drop_target_after(self, times: int) -> None:
        """The job just given cannot start now, nor can any other for the same backend alone."""
        self._in_vain_at[self._target] += 1
        if self._in_vain_at[self._target] > times:
            self._shut.add(self._target)

    def _may_start(self, job: Job) -> bool:
        if job.not_before is not None and job.not_before > self._now:
            return False
        return job.request.target not in self._shut or job.terms.fallback is Fallback.AUTO

    def _turn(self, source: str, rank: str) -> tuple[int, int, str]:
        return (self._busy[source], self._served.get(source, 0), rank)

    def _level(self, level: Mapping[str, list[Lane]]) -> Iterator[Job]:
        numbers = count()
        heaps: dict[str, list[tuple[str, UUID, int, int]]] = {}
        lanes: list[Lane] = []
        for source, its_lanes in level.items():
            heaps[source] = []
            for lane in its_lanes:
                lanes.append(lane)
                heaps[source].append((*lane[0], next(numbers), 0))
            heapq.heapify(heaps[source])
        while heaps:
            source = min(heaps, key=lambda each: self._turn(each, heaps[each][0][0]))
            heap = heaps[source]
            _, job_id, number, index = heap[0]
            if number in self._dropped or index + 1 >= len(lanes[number]):
                heapq.heappop(heap)
                if not heap:
                    del heaps[source]
            else:
                heapq.heapreplace(heap, (*lanes[number][index + 1], number, index + 1))
            job = self._waiting.get(job_id)
            if job is not None and number not in self._dropped and self._may_start(job):
                self._source, self._lane, self._target = source, number, job.request.target
                yield job


def _there(candidate: Candidate) -> bool:
    return candidate.info.enabled and candidate.status.online and candidate.resting is None


def _place(candidate: Candidate, *, ahead: bool) -> _Place:
    return _Place(
        candidate=candidate,
        free=max(0, candidate.free_slots),
        ahead=candidate.free_ahead if ahead and candidate.info.kind != "bfl" else 0,
        starts_s=_GUESS_S if candidate.remaining_s is None else candidate.remaining_s,
        guessed=candidate.remaining_s is None,
        model=candidate.loaded,
    )


def _order(option: _Option) -> tuple[int, float, int, float]:
    return option.order


def _preference(job: Job, backend_id: str) -> int:
    """0: wanted, 1: as good as any, 2: it has failed there."""
    if backend_id in job.failed_on or backend_id in job.lost_on:
        return 2
    # Its memory was freed for this job: once more there, before it goes elsewhere.
    stays = job.failure is not None and job.failure.code == OutOfMemoryError.code
    return int(stays and job.backend_id != backend_id and job.backend_id not in job.failed_on)


def _may_go_ahead(job: Job) -> bool:
    """A job that made trouble is given only to a backend that has nothing else to do."""
    return not job.losses and job.failure is None and not job.failed_on


def _decision(
    job: Job,
    chosen: _Option,
    options: Sequence[_Option],
    verdicts: Mapping[str, Verdict],
    candidates: Sequence[Candidate],
) -> Decision:
    by_id = {each.place.id: each for each in options}
    weighed: list[Weighed] = []
    for each in candidates:
        verdict, option = verdicts[each.info.id], by_id.get(each.info.id)
        if verdict.why == "target":
            continue
        known = option is not None and not (option.guessed or option.place.guessed)
        weighed.append(
            Weighed(
                backend_id=each.info.id,
                rejected=verdict.reason,
                expected_s=round(option.done_s, 1) if option is not None and known else None,
                loaded=option is not None and bool(option.model) and option.load_s == 0,
            )
        )
    return Decision(reason=_reason(job, chosen, options, verdicts), weighed=tuple(weighed))


def _reason(
    job: Job, chosen: _Option, options: Sequence[_Option], verdicts: Mapping[str, Verdict]
) -> str:
    backend, target = chosen.place.candidate.info.name, job.request.target
    if target != AUTO and verdicts.get(target) is not None and target != chosen.place.id:
        away = verdicts[target]
        if not away.ok and away.reason:
            return Said("{backend} instead: {reason}", backend=backend, reason=away.reason)
    lacks = [each.lacks for each in verdicts.values() if each.lacks]
    others = [each for each in options if each is not chosen]
    if not others:
        if lacks and target == AUTO:
            return Said("The only backend with {what}: {backend}.", what=lacks[0], backend=backend)
        return Said("{backend} is the only one that can take it.", backend=backend)
    other = min(others, key=_order)
    loaded = bool(chosen.model) and chosen.load_s == 0
    if chosen.guessed or chosen.place.guessed or other.place.guessed:
        if loaded and other.load_s > 0:
            return Said("{backend}: its model is loaded.", backend=backend)
        return Said("{backend} has nothing else to do.", backend=backend)
    figures = {
        "backend": backend,
        "seconds": max(1, round(chosen.done_s)),
        "others": max(1, round(other.done_s)),
        "other": other.place.candidate.info.name,
    }
    if loaded:
        return Said(
            "{backend}: its model is loaded, {seconds} s expected against {others} s on {other}.",
            **figures,
        )
    return Said("{backend}: {seconds} s expected against {others} s on {other}.", **figures)
