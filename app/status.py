"""Everything the diagnostics page shows, as values for the wire."""

import asyncio
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from app.config import Settings
from app.diagnosis import explain
from app.facts import Matrix, PathView, SettingView, check_paths, matrix_of, settings_in_force
from app.fleet import Fleet
from app.health import Health, Quarantine
from app.incidents import Incident, Incidents, Severity
from app.logs import LogBook, Record
from app.models import JobState
from app.ports import Clock
from app.samples import Sample, Sampler
from app.selftest import SelfTest, SelfTestView
from app.submission import Wire
from app.views import BackendView, Say

_DAY = timedelta(hours=24)
_LOG_LINES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many jobs there are by state."""

    by_state: Mapping[JobState, int] = field(default_factory=dict[JobState, int])

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_state.values())

    @property
    def success(self) -> float | None:
        """The share of those that ended well, of all that were not cancelled; None: none yet."""
        done, failed = (self.by_state.get(s, 0) for s in (JobState.DONE, JobState.FAILED))
        return done / (done + failed) if done + failed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a workflow took lately on a backend."""

    backend_id: str
    workflow_id: str
    count: int
    median_s: float
    longest_s: float


class Statistics(Protocol):
    """Figures about the jobs in the database."""

    async def counts(self, *, since: datetime | None = None) -> Tally:
        """How many jobs are in each state; with `since`: of those that ended since then."""
        ...

    async def paces(self) -> list[Pace]:
        """How long the newest jobs took, the most frequent kind first."""
        ...


class IncidentView(Wire):
    """A trouble, why it happened and what to do."""

    id: UUID
    code: str
    title: str
    subject: str
    severity: Severity
    cause: str
    fix: str
    count: int
    first_at: datetime
    last_at: datetime
    resolved_at: datetime | None
    backend_id: str | None
    job_ids: list[str]

    @classmethod
    def of(cls, incident: Incident, *, say: Say) -> "IncidentView":
        """The same for the wire."""
        kind, _, name = incident.subject.partition(":")
        backend_id = name if kind == "backend" else incident.data.get("backendId")
        return cls(
            id=incident.id,
            code=incident.code,
            title=say(explain(incident.code).title),
            subject=incident.subject,
            severity=incident.severity,
            cause=say(incident.cause),
            fix=say(incident.fix),
            count=incident.count,
            first_at=incident.first_at,
            last_at=incident.last_at,
            resolved_at=incident.resolved_at,
            backend_id=backend_id,
            job_ids=incident.job_ids,
        )


class EvidenceView(Wire):
    """A fault that led to a quarantine."""

    job_id: UUID
    at: datetime
    message: str


class QuarantineView(Wire):
    """A model or workflow that gets no more work on a backend."""

    id: UUID
    kind: Literal["model", "workflow"]
    subject: str
    backend_id: str
    code: str
    reason: str
    fix: str
    evidence: list[EvidenceView]
    created_at: datetime
    lifted_at: datetime | None

    @classmethod
    def of(cls, quarantine: Quarantine, *, say: Say) -> "QuarantineView":
        """The same for the wire."""
        return cls(
            id=quarantine.id,
            kind=quarantine.kind,
            subject=quarantine.subject,
            backend_id=quarantine.backend_id,
            code=quarantine.code,
            reason=say(quarantine.reason),
            fix=say(explain(quarantine.code).fix),
            evidence=[
                EvidenceView(job_id=each.job_id, at=each.at, message=say(each.message))
                for each in quarantine.evidence
            ],
            created_at=quarantine.created_at,
            lifted_at=quarantine.lifted_at,
        )


class LogView(Wire):
    """One record of the log."""

    number: int
    at: datetime
    level: str
    logger: str
    message: str
    job_id: str | None
    backend_id: str | None
    trace: str | None

    @classmethod
    def of(cls, record: Record) -> "LogView":
        """The same for the wire."""
        return cls(
            number=record.number,
            at=record.at,
            level=record.level.lower(),
            logger=record.logger,
            message=record.message,
            job_id=record.job_id,
            backend_id=record.backend_id,
            trace=record.trace,
        )


class SampleView(Wire):
    """How busy it was at one time."""

    number: int
    at: datetime
    waiting: int
    running: int
    oldest_wait_seconds: float
    done: int
    """Since the sample before."""
    failed: int
    lag_ms: float
    cpu_percent: float
    own_cpu_percent: float
    ram_used: int
    ram_total: int
    own_ram: int
    disk_free: int | None
    disk_total: int | None
    vram: dict[str, float]
    """Used bytes by backend."""

    @classmethod
    def of(cls, sample: Sample) -> "SampleView":
        """The same for the wire."""
        machine = sample.machine
        return cls(
            number=sample.number,
            at=sample.at,
            waiting=sample.waiting,
            running=sample.running,
            oldest_wait_seconds=round(sample.oldest_wait_s, 1),
            done=sample.done,
            failed=sample.failed,
            lag_ms=round(sample.lag_s * 1000, 1),
            cpu_percent=machine.cpu_percent,
            own_cpu_percent=machine.own_cpu_percent,
            ram_used=machine.ram_used_bytes,
            ram_total=machine.ram_total_bytes,
            own_ram=machine.own_ram_bytes,
            disk_free=machine.disk.free_bytes if machine.disk else None,
            disk_total=machine.disk.total_bytes if machine.disk else None,
            vram=dict(sample.vram),
        )


class PaceView(Wire):
    """How long a workflow took lately on a backend."""

    backend_id: str
    workflow_id: str
    workflow_name: str
    count: int
    median_seconds: float
    longest_seconds: float


class JobFigures(Wire):
    """The jobs in figures."""

    total: int
    by_state: dict[str, int]
    success_rate: float | None
    """Of the last 24 hours: done among done and failed."""
    done_lately: int
    failed_lately: int
    paces: list[PaceView]


class AppFacts(Wire):
    """This process."""

    version: str
    started_at: datetime
    uptime_seconds: float
    python: str
    system: str


class StatusView(Wire):
    """How everything is."""

    app: AppFacts
    jobs: JobFigures
    backends: list[BackendView]
    quarantines: list[QuarantineView]
    incidents: list[IncidentView]
    matrix: Matrix
    samples: list[SampleView]
    settings: list[SettingView]
    paths: list[PathView]
    self_test: SelfTestView | None
    log: list[LogView]


class StatusService:
    """Reads all of it together, or a part for the page."""

    def __init__(
        self,
        *,
        settings: Settings,
        statistics: Statistics,
        fleet: Fleet,
        health: Health,
        incidents: Incidents,
        sampler: Sampler,
        self_test: SelfTest,
        log_book: LogBook,
        clock: Clock,
        version: str,
        called: Callable[[str], str],
    ) -> None:
        """`called` says what people call a workflow."""
        self._called = called
        self._settings = settings
        self._statistics = statistics
        self._fleet = fleet
        self._health = health
        self._incidents = incidents
        self._sampler = sampler
        self._self_test = self_test
        self._log_book = log_book
        self._clock = clock
        self._version = version
        self._started_at = clock.now()

    async def all(self, *, say: Say) -> StatusView:
        """Everything, at once."""
        return StatusView(
            app=self.app(),
            jobs=await self.jobs(),
            backends=self._fleet.views(),
            quarantines=self.quarantines(say=say),
            incidents=self.incidents(say=say),
            matrix=self.matrix(),
            samples=self.samples(),
            settings=self.settings(),
            paths=await self.paths(say=say),
            self_test=self._self_test.view(say=say),
            log=[LogView.of(each) for each in self._log_book.recent(limit=_LOG_LINES)],
        )

    def app(self) -> AppFacts:
        """This process."""
        return AppFacts(
            version=self._version,
            started_at=self._started_at,
            uptime_seconds=round((self._clock.now() - self._started_at).total_seconds(), 1),
            python=platform.python_version(),
            system=platform.platform(terse=True),
        )

    async def jobs(self) -> JobFigures:
        """The jobs in figures."""
        all_jobs = await self._statistics.counts()
        lately = await self._statistics.counts(since=self._clock.now() - _DAY)
        return JobFigures(
            total=all_jobs.total,
            by_state={state.value: all_jobs.by_state.get(state, 0) for state in JobState},
            success_rate=lately.success,
            done_lately=lately.by_state.get(JobState.DONE, 0),
            failed_lately=lately.by_state.get(JobState.FAILED, 0),
            paces=[
                PaceView(
                    backend_id=each.backend_id,
                    workflow_id=each.workflow_id,
                    workflow_name=self._called(each.workflow_id),
                    count=each.count,
                    median_seconds=round(each.median_s, 2),
                    longest_seconds=round(each.longest_s, 2),
                )
                for each in await self._statistics.paces()
            ],
        )

    async def counts(self) -> Mapping[JobState, int]:
        """How many jobs are in each state."""
        return (await self._statistics.counts()).by_state

    def incidents(self, *, say: Say) -> list[IncidentView]:
        """What is not over."""
        return [IncidentView.of(each, say=say) for each in self._incidents.now_open()]

    def quarantines(self, *, say: Say) -> list[QuarantineView]:
        """What is in quarantine."""
        return [QuarantineView.of(each, say=say) for each in self._health.quarantines()]

    def matrix(self) -> Matrix:
        """What runs where."""
        fleet = [(info, self._fleet.status(info.id).catalog) for info in self._fleet.infos()]
        return matrix_of(fleet, quarantines=self._health.quarantines())

    def samples(self, *, after: int = 0) -> list[SampleView]:
        """How busy it was in the last hour, after the sample with that number."""
        return [SampleView.of(each) for each in self._sampler.since(after)]

    def settings(self) -> list[SettingView]:
        """The configuration in force."""
        return settings_in_force(self._settings, secrets=self._log_book.secrets)

    async def paths(self, *, say: Say) -> list[PathView]:
        """The places on disk, looked at now."""
        return await asyncio.to_thread(check_paths, self._settings, say=say)
