"""Everything that tells how the app is, put together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.config import Settings
from app.events import EventBus
from app.fleet import Fleet
from app.gallery import GalleryService
from app.health import Health
from app.incidents import Incidents, IncidentStore
from app.jobs import JobService
from app.ledger import Ledger
from app.logs import LogBook
from app.metrics import Metrics
from app.ports import Clock
from app.samples import Sampler
from app.selftest import SelfTest
from app.status import Statistics, StatusService
from app.version import app_version
from app.watch import Watch
from app.webhooks import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """What the diagnostics page and its routes use."""

    status: StatusService
    incidents: Incidents
    health: Health
    metrics: Metrics
    sampler: Sampler
    self_test: SelfTest
    log_book: LogBook
    watch: Watch

    async def serve(self) -> None:
        """Measure, sample, watch and write down until cancelled."""
        work: Mapping[str, Coroutine[Any, Any, None]] = {
            "metrics": self.metrics.serve(),
            "sampler": self.sampler.serve(),
            "watch": self.watch.serve(),
            "incidents": self.incidents.serve(),
        }
        async with asyncio.TaskGroup() as group:
            for name, coroutine in work.items():
                group.create_task(coroutine, name=name)


async def open_diagnostics(
    settings: Settings,
    *,
    metrics: Metrics,
    log_book: LogBook,
    statistics: Statistics,
    incident_store: IncidentStore,
    delivery: Callable[[UUID], Awaitable[Delivery | None]],
    ledger: Ledger,
    fleet: Fleet,
    health: Health,
    jobs: JobService,
    gallery: GalleryService,
    bus: EventBus,
    clock: Clock,
    called: Callable[[str], str],
) -> Diagnostics:
    """All of it over the services; `serve` it then."""
    await asyncio.to_thread(log_book.secrets.add_kept_in, settings.home)
    incidents = Incidents(store=incident_store, bus=bus, clock=clock)
    await incidents.open()
    sampler = Sampler(
        ledger=ledger,
        fleet=fleet,
        metrics=metrics,
        bus=bus,
        clock=clock,
        outputs=settings.outputs_dir,
    )
    self_test = SelfTest(
        jobs=jobs,
        gallery=gallery,
        fleet=fleet,
        bus=bus,
        clock=clock,
        limit_s=settings.timeouts.self_test_s,
    )
    watch = Watch(
        incidents=incidents,
        fleet=fleet,
        health=health,
        sampler=sampler,
        delivery=delivery,
        bus=bus,
        clock=clock,
    )
    status = StatusService(
        settings=settings,
        statistics=statistics,
        fleet=fleet,
        health=health,
        incidents=incidents,
        sampler=sampler,
        self_test=self_test,
        log_book=log_book,
        clock=clock,
        version=app_version(),
        called=called,
    )
    return Diagnostics(
        status=status,
        incidents=incidents,
        health=health,
        metrics=metrics,
        sampler=sampler,
        self_test=self_test,
        log_book=log_book,
        watch=watch,
    )
