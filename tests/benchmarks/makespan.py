"""3: how long a fleet of unequal machines takes for a long queue, on a clock that is simulated.

The decisions are the app's own: scheduler, slots and estimates, which start without knowing
anything. Only the machines are made up, and time.
"""

import asyncio
import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.estimates import Estimates, Pace
from app.matching import Candidate
from app.models import BackendStatus, Job
from app.ranking import ranks_after
from app.scheduling import Choice, Scheduler, Turns
from app.slots import Slots, Work
from app.waiting import UnfinishedJobs
from tests.benchmarks.results import Result
from tests.support.fakes import FakeClock, info
from tests.support.matching import matching, with_models
from tests.support.values import a_job, a_request

JOBS = 400
SPEEDS = {"gpu-1": 1.0, "gpu-2": 1.0, "gpu-3": 2.0, "gpu-4": 4.0}
MODELS = ("sdxl.safetensors", "sd15.safetensors", "flux.safetensors")
_SWITCHES = 0.2  # share of the jobs that need another model than the one before
_STEPS = (10, 20, 20, 20, 40)
STEP_S = 0.5  # at speed 1
LOAD_S = 8.0  # at speed 1
_TARGET = 1.15
_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One job of the list."""

    job: Job
    model: str
    work_s: float  # at speed 1


def measure_makespan(folder: Path, long: bool) -> list[Result]:
    """Ours against perfect packing, and against the shortest queue; the worst of some lists."""
    worst: tuple[float, float, float, float] | None = None
    for seed in range(5 if long else 2):
        plans = plans_of(seed)
        perfect = perfect_s(plans)
        ours = asyncio.run(_Fleet(plans).run())
        peer = shortest_queue_s(plans)
        if worst is None or ours / perfect > worst[0]:
            worst = (ours / perfect, ours, perfect, peer)
    assert worst is not None
    _, ours, perfect, peer = worst
    return [compared(f"{JOBS} jobs, simulated", ours=ours, perfect=perfect, peer=peer)]


def compared(what: str, *, ours: float, perfect: float, peer: float) -> Result:
    """The line of the table."""
    return Result(
        name=f"3 makespan on speeds 1, 1, 2, 4: {what}",
        ours=f"{ours:.0f} s",
        floor=f"{perfect:.0f} s perfect; {peer:.0f} s shortest queue",
        compared=f"{ours / perfect:.2f} × perfect, {ours / peer:.2f} × shortest queue",
        target=f"≤ {_TARGET} × perfect, < shortest queue",
        passed=ours / perfect <= _TARGET and ours < peer,
    )


def perfect_s(plans: Sequence[Plan]) -> float:
    """All work divided by all speed, without loading a model."""
    return sum(each.work_s for each in plans) / sum(SPEEDS.values())


def plans_of(seed: int, *, jobs: int = JOBS) -> list[Plan]:
    """A list of jobs, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - makes lists, guards nothing
    plans: list[Plan] = []
    model = MODELS[0]
    for rank in ranks_after(None, count=jobs):
        if dice.random() < _SWITCHES:
            model = dice.choice([each for each in MODELS if each != model])
        steps = dice.choice(_STEPS)
        request = a_request(target="auto", checkpoint=model, steps=steps, width=1024, height=1024)
        job = a_job(rank, request=request)
        plans.append(Plan(job=job, model=model, work_s=steps * STEP_S))
    return plans


def shortest_queue_s(plans: Sequence[Plan]) -> float:
    """How long it takes if each job, in order, goes to the backend with the fewest jobs."""
    counts = dict.fromkeys(SPEEDS, 0)
    busy_s = dict.fromkeys(SPEEDS, 0.0)
    loaded: dict[str, str] = {}
    ends: list[tuple[float, str]] = []
    now, waiting = 0.0, list(reversed(plans))
    while waiting or ends:
        while waiting and min(counts.values()) < 2:
            plan = waiting.pop()
            backend = min(counts, key=lambda each: counts[each])
            counts[backend] += 1
            cost = plan.work_s + (LOAD_S if loaded.get(backend) != plan.model else 0)
            loaded[backend] = plan.model
            busy_s[backend] = max(busy_s[backend], now) + cost / SPEEDS[backend]
            heapq.heappush(ends, (busy_s[backend], backend))
        now, backend = heapq.heappop(ends)
        counts[backend] -= 1
    return max(busy_s.values())


class _Forgetful:
    """No disk."""

    async def all(self) -> list[Pace]:
        return []

    async def put(self, pace: Pace, /) -> None: ...


class _Fleet:
    """Machines that do what the scheduler says, each one job after the other."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = {each.job.id: each for each in plans}
        self._clock = FakeClock()
        self._start = self._clock.now()
        self._waiting = UnfinishedJobs()
        for each in plans:
            self._waiting.put(each.job)
        self._slots = Slots()
        self._estimates = Estimates(store=_Forgetful(), clock=self._clock)
        self._scheduler = Scheduler(
            matching=matching(), paces=self._estimates, patience_s=_PATIENCE_S, prefetch=True
        )
        self._memory: dict[str, str] = {}
        self._ends: list[tuple[datetime, str, Plan]] = []
        self._next: dict[str, Plan] = {}
        self._since: dict[object, datetime] = {}
        self._began: dict[str, tuple[datetime, bool]] = {}

    async def run(self) -> float:
        """Seconds until the last job is done."""
        self._dispatch()
        while self._ends:
            at, backend, plan = heapq.heappop(self._ends)
            self._clock.advance((at - self._clock.now()).total_seconds())
            await self._done(backend, plan)
            self._dispatch()
        return (self._clock.now() - self._start).total_seconds()

    async def _done(self, backend: str, plan: Plan) -> None:
        work = self._slots.work(backend, plan.job.id)
        began, _ = self._began[backend]
        assert work is not None
        await self._estimates.learn(
            plan.job.request,
            backend,
            seconds=(self._clock.now() - began).total_seconds(),
            model=work.model,
            warm=work.warm,
        )
        self._slots.release(backend, plan.job.id)
        if backend in self._next:
            following = self._next.pop(backend)
            self._slots.start(backend, following.job.id, at=self._clock.now())
            self._begin(backend, following)

    def _dispatch(self) -> None:
        while True:
            now = self._clock.now()
            outcome = self._scheduler.choose(
                self._waiting,
                [self._candidate(each) for each in SPEEDS],
                now=now,
                turns=Turns(),
                passed_since=self._since,  # pyright: ignore[reportArgumentType]
            )
            self._since = {each: self._since.get(each, now) for each in outcome.passed}
            if outcome.choice is None:
                return
            self._go(outcome.choice)

    def _go(self, choice: Choice) -> None:
        plan, now = self._plans[choice.job.id], self._clock.now()
        self._waiting.discard(choice.job.id)
        work = Work(
            job_id=choice.job.id,
            source="page",
            model=choice.model,
            expected_s=choice.expected_s,
            started_at=None if choice.ahead else now,
        )
        self._slots.occupy(choice.backend_id, work)
        if choice.ahead:
            self._next[choice.backend_id] = plan
        else:
            self._begin(choice.backend_id, plan)

    def _begin(self, backend: str, plan: Plan) -> None:
        now, cold = self._clock.now(), self._memory.get(backend) != plan.model
        self._memory[backend] = plan.model
        self._began[backend] = (now, cold)
        seconds = (plan.work_s + (LOAD_S if cold else 0)) / SPEEDS[backend]
        heapq.heappush(self._ends, (now + timedelta(seconds=seconds), backend, plan))

    def _candidate(self, backend: str) -> Candidate:
        info_, now = info(backend), self._clock.now()
        status: BackendStatus = with_models(*MODELS)
        return Candidate(
            info=info_,
            status=status,
            free_slots=self._slots.free(info_),
            free_ahead=self._slots.free_ahead(info_),
            remaining_s=self._slots.remaining_s(info_, now=now),
            loaded=self._slots.next_model(backend),
        )
