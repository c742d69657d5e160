"""Which backend can take a job, and why another cannot: pure, so that it can be explained."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from hashlib import sha256
from json import dumps
from typing import Literal, Protocol

from app.graphs.inline import Given
from app.health import Quarantine
from app.models import (
    AUTO,
    DEMO,
    BackendInfo,
    BackendStatus,
    Catalog,
    Fallback,
    GenerationRequest,
    Job,
)
from app.said import Said, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backend that might take a job."""

    info: BackendInfo
    status: BackendStatus
    free_slots: int
    free_ahead: int = 0  # how many prompts may be sent there ahead
    remaining_s: float | None = 0.0  # until a job that goes there now would start
    loaded: str | None = None  # the model in memory, as far as we know
    resting: str | None = None  # why it gets no work at the moment, for people


class Fitting(Protocol):
    """How a request fits a catalog, see `app.presets`."""

    @property
    def missing(self) -> tuple[str, ...]: ...

    @property
    def model_key(self) -> str: ...


class Kind(Protocol):
    """A preset, as far as it matters here."""

    @property
    def kind(self) -> Literal["comfyui", "bfl"]: ...


class Workflows(Protocol):
    """What `app.presets` knows."""

    def get(self, preset_id: str, /) -> Kind | None:
        """One of the presets."""
        ...

    def called(self, preset_id: str, /) -> str:
        """What people call a preset."""
        ...

    def fit(self, request: GenerationRequest, catalog: Catalog, /) -> Fitting:
        """What a backend with that catalog lacks for it."""
        ...


class Quarantined(Protocol):
    """What `app.health` knows of faults."""

    def quarantined(
        self, backend_id: str, *, workflow: str, models: Sequence[str]
    ) -> Quarantine | None:
        """What keeps this work from the backend."""
        ...


Why = Literal[
    "ok", "target", "tags", "missing", "disabled", "offline", "unknown", "barred", "rests"
]
AWAY: frozenset[Why] = frozenset({"disabled", "offline", "barred", "rests"})
"""What passes by itself or by somebody's hand; the job could go elsewhere meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a backend can take a job, a free slot aside."""

    why: Why = "ok"
    reason: str | None = None  # why not, for people
    lacks: str | None = None
    model: str = ""  # what must be in memory there

    @property
    def ok(self) -> bool:
        """It can."""
        return self.why == "ok"


class Matching:
    """Judges backends for jobs."""

    def __init__(self, *, workflows: Workflows, health: Quarantined) -> None:
        self._workflows = workflows
        self._health = health

    def verdict(self, job: Job, candidate: Candidate, *, now: datetime) -> Verdict:
        """Whether this backend can take the job."""
        return self.judge(job, [candidate], now=now)[candidate.info.id]

    def judge(
        self, job: Job, candidates: Sequence[Candidate], *, now: datetime
    ) -> dict[str, Verdict]:
        """The verdict on each backend."""
        verdicts = {each.info.id: self._judge(job, each, now=now) for each in candidates}
        if job.terms.fallback is not Fallback.AUTO or job.request.target in (AUTO, DEMO):
            return verdicts
        named = verdicts.get(job.request.target)
        if named is not None and named.why not in AWAY:
            return verdicts
        for each in candidates:
            if not each.info.is_demo and each.info.id != job.request.target:
                verdicts[each.info.id] = self._judge(job, each, now=now, anywhere=True)
        return verdicts

    def explain(self, job: Job, candidates: Sequence[Candidate], *, now: datetime) -> str | None:
        """Why a job gets no slot, for people; None if it only waits for one."""
        verdicts = self.judge(job, candidates, now=now)
        if any(each.ok for each in verdicts.values()):
            return None
        meant = [
            (each, verdicts[each.info.id])
            for each in candidates
            if verdicts[each.info.id].why != "target"
        ]
        if not meant:
            return _nobody_meant(job, known=self._runs_on(job.request) is not None)
        reason = _of_several(meant, now=now) if len(meant) > 1 else meant[0][1].reason
        away = any(verdict.why in AWAY for _, verdict in meant)
        if reason and away and job.terms.fallback is Fallback.ASK and job.request.target != AUTO:
            return Said("{reason} It can run elsewhere if you say so.", reason=reason)
        return reason

    def _judge(
        self, job: Job, candidate: Candidate, *, now: datetime, anywhere: bool = False
    ) -> Verdict:
        info, status, request = candidate.info, candidate.status, job.request
        if not anywhere and not is_meant(request.target, info):
            reason = Said("The job is not for {backend}.", backend=info.name)
            return Verdict(why="target", reason=reason)
        if (other := self._of_another_kind(request, info)) is not None:
            return other
        wanted = set(job.terms.tags) - set(info.tags) - set(info.capabilities)
        if wanted:
            tags = ", ".join(sorted(wanted))
            reason = Said("{backend} does not have the tag {tags}.", backend=info.name, tags=tags)
            return Verdict(why="tags", reason=reason)
        model = ""
        if status.catalog is not None and info.kind != "bfl":  # the cloud has what it offers
            fit = self._workflows.fit(request, status.catalog)
            model = fit.model_key
            if fit.missing:
                lacks = listed(fit.missing)
                reason = Said(
                    "Needs {file}; {backend} does not have it.", file=lacks, backend=info.name
                )
                return Verdict(why="missing", reason=reason, lacks=lacks)
        return self._present(job, candidate, model, now=now)

    def _of_another_kind(self, request: GenerationRequest, info: BackendInfo) -> Verdict | None:
        kind = self._runs_on(request)
        if kind is not None and (kind == "bfl") == (info.kind == "bfl"):
            return None
        # What is not even for this kind of machine is not worth a word unless it was named.
        why: Why = "target" if kind is None or request.target == AUTO else "missing"
        reason = Said(
            "{backend} cannot run the workflow {workflow}.",
            backend=info.name,
            workflow=self._workflows.called(request.preset),
        )
        return Verdict(why=why, reason=reason, lacks=request.preset)

    def _runs_on(self, request: GenerationRequest) -> Literal["comfyui", "bfl"] | None:
        """The kind of backend it is for; None: there is no such workflow."""
        if request.graph is not None:
            return "comfyui"
        preset = self._workflows.get(request.preset)
        return preset.kind if preset is not None else None

    def _present(self, job: Job, candidate: Candidate, model: str, *, now: datetime) -> Verdict:
        """It could; whether it is there, and trusted."""
        info, status = candidate.info, candidate.status
        if not info.enabled:
            reason = Said("{backend} is switched off.", backend=info.name)
            return Verdict(why="disabled", reason=reason, model=model)
        if not status.online:
            return Verdict(why="offline", reason=_offline(info, status, now=now), model=model)
        if status.catalog is None and info.kind != "bfl":
            reason = Said("{backend} has not said yet what it can do.", backend=info.name)
            return Verdict(why="unknown", reason=reason)
        models = [model, *model.split("+"), *files_of(job.request)]
        barred = self._health.quarantined(info.id, workflow=workflow_of(job.request), models=models)
        if barred is not None:
            reason = Said(
                "{subject} is in quarantine on {backend}: {reason} Diagnostics can lift it.",
                subject=self._workflows.called(barred.subject),
                backend=info.name,
                reason=barred.reason,
            )
            return Verdict(why="barred", reason=reason, model=model)
        if candidate.resting is not None:
            return Verdict(why="rests", reason=candidate.resting, model=model)
        return Verdict(model=model)


def is_meant(target: str, info: BackendInfo) -> bool:
    """Whether a target names this backend.

    The demo engine is only meant by its own name: it must never fake a real model's work.
    """
    if target == DEMO:
        return info.is_demo
    if target == AUTO:
        return not info.is_demo
    return info.id == target


def needs_of(job: Job) -> Hashable:
    """Jobs with the same needs get the same verdicts."""
    request = job.request
    return (
        request.target,
        request.preset,
        request.checkpoint,
        request.vae,
        request.loras,
        request.sampler,
        request.scheduler,
        request.image is None,
        request.mask is None,
        tuple(sorted(request.options.items())) if request.options else (),
        None if request.graph is None else id(request.graph),
        job.terms.tags,
        job.terms.fallback,
    )


def workflow_of(request: GenerationRequest) -> str:
    """What a quarantine calls the workflow: the preset, or a hash of a graph given with it."""
    return request.preset if request.graph is None else _hash_of(Given(request.graph))


@lru_cache(maxsize=1024)
def _hash_of(given: Given) -> str:
    text = dumps(given.graph, sort_keys=True, default=str)
    return f"graph:{sha256(text.encode()).hexdigest()[:16]}"


def files_of(request: GenerationRequest) -> list[str]:
    """The model files that a request names."""
    named = [request.checkpoint, request.vae, *(each.name for each in request.loras)]
    return [each for each in named if each]


def ago(since: datetime, *, now: datetime) -> str:
    """How long that is, in the unit that reads best."""
    seconds = max(0, round((now - since).total_seconds()))
    if seconds < 90:
        return Said("{n} s", n=seconds)
    if seconds < 5400:
        return Said("{n} min", n=round(seconds / 60))
    return Said("{n} h", n=round(seconds / 3600))


def _offline(info: BackendInfo, status: BackendStatus, *, now: datetime) -> str:
    cause = status.last_error or Said("{backend} is not connected yet.", backend=info.name)
    if status.last_seen is None or not status.last_error:
        return cause
    duration = ago(status.last_seen, now=now)
    return Said("{cause} It is offline for {duration}.", cause=cause, duration=duration)


def _of_several(meant: Sequence[tuple[Candidate, Verdict]], *, now: datetime) -> str | None:
    lacking = [verdict.lacks for _, verdict in meant if verdict.lacks]
    having = [(each, verdict) for each, verdict in meant if verdict.why in AWAY]
    if not lacking or len(set(lacking)) > 1:
        reasons = [verdict.reason for _, verdict in having or meant if verdict.reason]
        return reduce(_and, reasons, None)
    what = lacking[0]
    if len(lacking) == len(meant):
        return Said("No backend has {what}.", what=what)
    if not having:
        # Those without it last: of what keeps the others away something may be mended sooner.
        ordered = sorted(meant, key=lambda each: each[1].lacks is not None)
        return reduce(_and, [verdict.reason for _, verdict in ordered if verdict.reason], None)
    places = reduce(_and, [_has_it(each, verdict, now=now) for each, verdict in having], None)
    return Said("Waits for a backend with {what}: {places}", what=what, places=places)


def _has_it(candidate: Candidate, verdict: Verdict, *, now: datetime) -> str:
    backend = candidate.info.name
    if verdict.why == "offline" and candidate.status.last_seen is not None:
        duration = ago(candidate.status.last_seen, now=now)
        return Said(
            "{backend} has it and is offline for {duration}.", backend=backend, duration=duration
        )
    states: dict[Why, Callable[[], str]] = {
        "offline": lambda: Said("{backend} has it and is offline.", backend=backend),
        "disabled": lambda: Said("{backend} has it and is switched off.", backend=backend),
    }
    return states[verdict.why]() if verdict.why in states else str_of(verdict)


def str_of(verdict: Verdict) -> str:
    """The sentence of a verdict that has one."""
    assert verdict.reason is not None, "only a good verdict has no reason"
    return verdict.reason


def _nobody_meant(job: Job, *, known: bool) -> str:
    if not known:
        return Said("There is no workflow {workflow}.", workflow=job.request.preset)
    if job.request.target == AUTO:
        return Said("No ComfyUI backend is configured. Add one in Settings, or choose Demo.")
    if job.request.target == DEMO:
        return Said("The demo engine is switched off (demo_engine: false).")
    return Said("Backend '{id}' is not configured, or switched off.", id=job.request.target)


def _and(first: str | None, second: str) -> str:
    return second if first is None else Said("{first} {second}", first=first, second=second)
