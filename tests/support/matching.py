"""Workflows, faults and paces as a test says, for the pure decisions of the scheduler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from uuid import UUID

from app.health import Quarantine
from app.ids import new_id
from app.matching import Candidate, Matching
from app.models import BackendInfo, BackendStatus, Catalog, GenerationRequest, Job
from app.scheduling import Outcome, Scheduler, Turns
from app.waiting import UnfinishedJobs
from tests.support.fakes import CATALOG, info
from tests.support.values import NOW, a_job, a_request

ONLINE = BackendStatus(online=True, catalog=CATALOG, latency_ms=1.0)
AWAY = BackendStatus(online=False, last_error="GPU-1 does not answer.", catalog=CATALOG)


@dataclass(frozen=True)
class FakeFit:
    """What is missing, and what must be in memory."""

    missing: tuple[str, ...] = ()
    model_key: str = ""


@dataclass(frozen=True)
class FakeKind:
    """A preset."""

    kind: Literal["comfyui", "bfl"] = "comfyui"


@dataclass
class FakeWorkflows:
    """Any preset but "gone"; a checkpoint must be there, and is the model."""

    def get(self, preset_id: str, /) -> FakeKind | None:
        """The preset `flux` is for the cloud."""
        if preset_id == "gone":
            return None
        return FakeKind("bfl" if preset_id == "flux" else "comfyui")

    def called(self, preset_id: str, /) -> str:
        """By its id."""
        return preset_id

    def fit(self, request: GenerationRequest, catalog: Catalog, /) -> FakeFit:
        """Missing is a named checkpoint that is not in the catalog."""
        named = request.checkpoint
        if named is not None and named not in catalog.checkpoints:
            return FakeFit(missing=(named,))
        return FakeFit(model_key=named or next(iter(catalog.checkpoints), ""))


@dataclass
class FakeHealth:
    """Quarantines as a test says: (backend, workflow or model)."""

    barred: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def quarantined(
        self, backend_id: str, *, workflow: str, models: Sequence[str]
    ) -> Quarantine | None:
        """The first that holds."""
        subject = next((x for x in (workflow, *models) if (backend_id, x) in self.barred), None)
        if subject is None:
            return None
        kind = "workflow" if subject == workflow else "model"
        return Quarantine(
            id=new_id(),
            kind=kind,
            subject=subject,
            backend_id=backend_id,
            code="node_failed",
            reason="It broke.",
            created_at=NOW,
        )


@dataclass
class FakePaces:
    """Seconds by backend, and what loading takes."""

    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    load: float | None = None

    def expected_s(self, request: GenerationRequest, backend_id: str) -> float | None:
        """The same for every request."""
        return self.seconds.get(backend_id)

    def load_s(self, model: str, backend_id: str) -> float | None:
        """The same for every model."""
        return self.load


def candidate(
    backend: str | BackendInfo = "gpu-1",
    *,
    status: BackendStatus = ONLINE,
    free: int = 1,
    ahead: int = 0,
    remaining_s: float | None = 0.0,
    loaded: str | None = None,
    resting: str | None = None,
) -> Candidate:
    """A backend as the scheduler sees it."""
    return Candidate(
        info=info(backend) if isinstance(backend, str) else backend,
        status=status,
        free_slots=free,
        free_ahead=ahead,
        remaining_s=remaining_s,
        loaded=loaded,
        resting=resting,
    )


def with_models(*names: str) -> BackendStatus:
    """Online, with these checkpoints."""
    catalog = Catalog(node_classes=CATALOG.node_classes, models={"checkpoints": names})
    return BackendStatus(online=True, catalog=catalog, latency_ms=1.0)


def job_for(target: str = "auto", rank: str = "a0", **changes: object) -> Job:
    """A waiting job; `checkpoint` and `preset` go into its request."""
    request = {key: changes.pop(key) for key in ("checkpoint", "preset") if key in changes}
    return a_job(rank, request=a_request(target=target, **request), **changes)


def matching(*, barred: set[tuple[str, str]] | None = None) -> Matching:
    """Judges as the fakes say."""
    return Matching(workflows=FakeWorkflows(), health=FakeHealth(barred or set()))


def decide(
    jobs: Sequence[Job],
    candidates: Sequence[Candidate],
    *,
    paces: FakePaces | None = None,
    barred: set[tuple[str, str]] | None = None,
    turns: Turns | None = None,
    passed_s: Mapping[UUID, float] | None = None,
    prefetch: bool = True,
    patience_s: float = 60,
) -> Outcome:
    """One decision of the scheduler."""
    waiting = UnfinishedJobs()
    for job in jobs:
        waiting.put(job)
    scheduler = Scheduler(
        matching=matching(barred=barred),
        paces=paces or FakePaces(),
        patience_s=patience_s,
        prefetch=prefetch,
    )
    since = {key: NOW - timedelta(seconds=s) for key, s in (passed_s or {}).items()}
    return scheduler.choose(waiting, candidates, now=NOW, turns=turns, passed_since=since)
