"""Figures for Prometheus, in a registry of their own: counted as things happen, read when asked."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from app.events import EventBus, JobChanged
from app.models import BackendInfo, Job, JobState
from app.paid import DEFAULT_MODEL
from app.views import BackendView

CONTENT_TYPE = CONTENT_TYPE_LATEST
_LAG_PERIOD_S = 0.5
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_JOB_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """Counts what happens; `serve` listens to jobs and measures the event loop."""

    def __init__(
        self,
        *,
        bus: EventBus,
        backend: Callable[[str | None], BackendInfo | None],
    ) -> None:
        self._bus = bus
        self._backend = backend
        self.worst_lag_s = 0.0
        """The longest lag since somebody set this to 0."""
        self._registry = CollectorRegistry()
        self._make_own()
        self._make_jobs()
        ProcessCollector(registry=self._registry)

    def _make_own(self) -> None:
        registry = self._registry
        self._requests = Counter(
            "orchestrator_http_requests",
            "Answered HTTP requests",
            ["method", "route", "status"],
            registry=registry,
        )
        self._request_s = Histogram(
            "orchestrator_http_request_duration_seconds",
            "Time to answer an HTTP request",
            ["method", "route"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._lag = Gauge(
            "orchestrator_event_loop_lag_seconds",
            "How late the event loop was the last time it was measured",
            registry=registry,
        )
        self._lags = Histogram(
            "orchestrator_event_loop_lag_distribution_seconds",
            "How late the event loop was",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )

    def _make_jobs(self) -> None:
        registry = self._registry
        self._calls = Counter(
            "orchestrator_comfy_api_calls",
            "Requests to ComfyUI servers; status is the HTTP status, or error",
            ["endpoint", "status"],
            registry=registry,
        )
        self._flux = Counter(
            "orchestrator_flux_generations",
            "Jobs that ended on the FLUX cloud",
            ["model", "status"],
            registry=registry,
        )
        self._jobs = Gauge("orchestrator_jobs", "Jobs by state", ["status"], registry=registry)
        self._durations = Histogram(
            "orchestrator_job_duration_seconds",
            "From the start of a job to its pictures",
            ["backend"],
            buckets=_JOB_BUCKETS,
            registry=registry,
        )
        self._waits = Histogram(
            "orchestrator_queue_wait_seconds",
            "From being queued to being started",
            buckets=_JOB_BUCKETS,
            registry=registry,
        )
        self._up = Gauge(
            "orchestrator_backend_up", "1 while it answers", ["backend"], registry=registry
        )

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request was answered; `route` is its template."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_s.labels(method, route).observe(seconds)

    def called_comfy(self, endpoint: str, status: int) -> None:
        """A ComfyUI server answered with that HTTP status, or (0) did not."""
        self._calls.labels(endpoint, str(status) if status else "error").inc()

    async def serve(self) -> None:
        """Count until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measure_lag(), name="event loop lag")
            with self._bus.subscribe(JobChanged) as inbox:
                async for event in inbox:
                    if isinstance(event, JobChanged):
                        self._count(event)

    def text(self, *, jobs: Mapping[JobState, int], backends: Sequence[BackendView]) -> bytes:
        """Everything in Prometheus' format, with how many jobs and which backends there are."""
        for state in JobState:
            self._jobs.labels(state.value).set(jobs.get(state, 0))
        self._up.clear()
        for each in backends:
            self._up.labels(each.id).set(int(each.online))
        return generate_latest(self._registry)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_PERIOD_S
            await asyncio.sleep(_LAG_PERIOD_S)
            lag = max(0.0, loop.time() - due)
            self._lag.set(lag)
            self._lags.observe(lag)
            self.worst_lag_s = max(self.worst_lag_s, lag)

    def _count(self, event: JobChanged) -> None:
        job = event.job
        if not is_step(event, job.state):
            return
        if job.state is JobState.RUNNING and job.queued_at and job.started_at:
            self._waits.observe(max(0.0, (job.started_at - job.queued_at).total_seconds()))
        if job.state is JobState.DONE and job.started_at and job.finished_at:
            seconds = (job.finished_at - job.started_at).total_seconds()
            self._durations.labels(job.backend_id or "").observe(max(0.0, seconds))
        info = self._backend(job.backend_id)
        if job.state.is_terminal and info is not None and info.kind == "bfl":
            self._flux.labels(_cloud_model(job), job.state.value).inc()


def _cloud_model(job: Job) -> str:
    return job.request.checkpoint or DEFAULT_MODEL


def is_step(event: JobChanged, state: JobState) -> bool:
    """Whether the event is the job's coming into that state, not another change of it."""
    return (
        event.job.state is state
        and event.logged is not None
        and event.logged.type == f"job.{state.value}"
    )
