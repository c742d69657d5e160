"""What moves jobs, put together: health, estimates, slots, the runner and the dispatcher."""

from dataclasses import dataclass

from app.collecting import Collector
from app.config import Settings
from app.consequences import Consequences
from app.dispatcher import Dispatcher
from app.estimates import Estimates, PaceStore
from app.events import EventBus
from app.fleet import Fleet
from app.health import Health, QuarantineStore
from app.ledger import Ledger
from app.live import LiveRuns
from app.matching import Matching, Workflows
from app.ports import Clock, FileStore, JobStore
from app.runner import Runner
from app.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Its parts, for those who look at them or act on them."""

    health: Health
    estimates: Estimates
    slots: Slots
    live: LiveRuns
    runner: Runner
    dispatcher: Dispatcher


async def open_engine(
    settings: Settings,
    *,
    ledger: Ledger,
    store: JobStore,
    quarantines: QuarantineStore,
    paces: PaceStore,
    fleet: Fleet,
    files: FileStore,
    workflows: Workflows,
    bus: EventBus,
    clock: Clock,
) -> Engine:
    """Everything as a former process left it; the dispatcher is still to be served."""
    health = Health(store=quarantines, bus=bus, clock=clock, settings=settings.health)
    estimates = Estimates(store=paces, clock=clock)
    await health.open()
    await estimates.open()
    slots, live = Slots(), LiveRuns(bus=bus)
    runner = Runner(
        ledger=ledger,
        fleet=fleet,
        live=live,
        collector=Collector(files=files, clock=clock),
        consequences=Consequences(health=health, estimates=estimates, slots=slots, clock=clock),
        clock=clock,
        retry=settings.retry,
    )
    dispatcher = Dispatcher(
        ledger=ledger,
        store=store,
        fleet=fleet,
        slots=slots,
        health=health,
        matching=Matching(workflows=workflows, health=health),
        paces=estimates,
        runner=runner,
        bus=bus,
        clock=clock,
        settings=settings.scheduling,
        retry=settings.retry,
    )
    return Engine(
        health=health,
        estimates=estimates,
        slots=slots,
        live=live,
        runner=runner,
        dispatcher=dispatcher,
    )
