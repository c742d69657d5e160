"""How busy the app and its machine were during the last hour: one look every few seconds."""

import asyncio
import logging
import shutil
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from app.events import EventBus, JobChanged, Sampled
from app.fleet import Fleet
from app.ledger import Ledger
from app.metrics import Metrics, is_step
from app.models import JobState
from app.ports import Clock

log = logging.getLogger(__name__)

PERIOD_S = 5.0
KEPT = 720  # an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The space where something is kept."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How the machine is that this app runs on."""

    cpu_percent: float  # of all its cores
    own_cpu_percent: float  # of this process, of one core
    ram_total_bytes: int
    ram_used_bytes: int
    own_ram_bytes: int
    disk: Disk | None  # where pictures are kept; None: it cannot be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look."""

    number: int  # grows by one
    at: datetime
    waiting: int
    running: int
    oldest_wait_s: float
    done: int  # since the look before
    failed: int
    lag_s: float  # the worst since the look before
    machine: Machine
    vram: Mapping[str, float] = field(default_factory=dict[str, float])
    """Used bytes by backend, of those online that tell."""


class Sampler:
    """Looks every few seconds and keeps an hour of it; `serve` it."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fleet: Fleet,
        metrics: Metrics,
        bus: EventBus,
        clock: Clock,
        outputs: Path,
        period_s: float = PERIOD_S,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._metrics = metrics
        self._bus = bus
        self._clock = clock
        self._outputs = outputs
        self._period_s = period_s
        self._process = psutil.Process()
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._number = 0
        self._done = 0
        self._failed = 0

    @property
    def history(self) -> list[Sample]:
        """The samples of the last hour, oldest first."""
        return list(self._samples)

    @property
    def last(self) -> Sample | None:
        """The newest."""
        return self._samples[-1] if self._samples else None

    def since(self, number: int) -> list[Sample]:
        """Those after the one with that number."""
        return [each for each in self._samples if each.number > number]

    async def serve(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count(), name="throughput")
            while True:
                await self.look()
                await asyncio.sleep(self._period_s)

    async def look(self) -> Sample:
        """Take one sample now."""
        machine = await asyncio.to_thread(self._machine)
        waiting, running = self._ledger.counts()
        lag, self._metrics.worst_lag_s = self._metrics.worst_lag_s, 0.0
        self._number += 1
        sample = Sample(
            number=self._number,
            at=self._clock.now(),
            waiting=waiting,
            running=running,
            oldest_wait_s=self._oldest_wait_s(),
            done=self._done,
            failed=self._failed,
            lag_s=lag,
            machine=machine,
            vram=self._vram(),
        )
        self._done = self._failed = 0
        self._samples.append(sample)
        self._bus.publish(Sampled(number=sample.number))
        return sample

    async def _count(self) -> None:
        with self._bus.subscribe(JobChanged) as inbox:
            async for event in inbox:
                if isinstance(event, JobChanged):
                    self._done += is_step(event, JobState.DONE)
                    self._failed += is_step(event, JobState.FAILED)

    def _oldest_wait_s(self) -> float:
        times = [job.queued_at for job in self._ledger.unfinished.queued() if job.queued_at]
        return max(0.0, (self._clock.now() - min(times)).total_seconds()) if times else 0.0

    def _vram(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for info in self._fleet.infos():
            status = self._fleet.status(info.id)
            total, free = status.vram_total_bytes, status.vram_free_bytes
            if status.online and total and free is not None:
                used[info.id] = total - free
        return used

    def _machine(self) -> Machine:
        memory = psutil.virtual_memory()
        with self._process.oneshot():
            own_cpu = self._process.cpu_percent()
            own_ram = self._process.memory_info().rss
        return Machine(
            cpu_percent=psutil.cpu_percent(),
            own_cpu_percent=own_cpu,
            ram_total_bytes=memory.total,
            ram_used_bytes=memory.total - memory.available,
            own_ram_bytes=own_ram,
            disk=disk_of(self._outputs),
        )


def disk_of(folder: Path) -> Disk | None:
    """The space of the disk that a folder is on, or will be on; None: it cannot be looked at."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(total_bytes=usage.total, free_bytes=usage.free)
