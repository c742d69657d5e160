"""The app without its pages as a process of its own, which kills itself where it is told to.

    python -m tests.recovery.crashing_app PLAN.json

It submits what the plan says, goes on until no job waits or runs, and exits with 0; or it is
gone by SIGKILL at the place the plan names. The product has no hooks for this: the ports are
wrapped from outside.
"""

import asyncio
import json
import os
import resource
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

import httpx

from app.config import RetrySettings, SchedulingSettings, Settings, Timeouts
from app.errors import ConflictError
from app.events import Event, JobChanged, JobProgressed
from app.models import BackendInfo, JobState
from app.services import Services
from data.files import PictureFiles
from main import Parts, open_services
from tests.recovery.tripwires import Tripwire, Watched, WatchedBackend, WatchedFiles, watched
from tests.support.running import asked, settings_for

ENGINE_ID = "gpu-1"
STEPS = 3
QUICK = Timeouts(
    connect_s=2, request_s=5, check_s=0.3, reconnect_max_s=0.3, ping_s=5, lost_confirm_s=0.15
)
SOON = RetrySettings(backoff_s=0.05, backoff_max_s=0.1)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One life of the app."""

    home: Path
    engine: str  # its address
    submit: int = 0
    seed: int = 0  # of the first job; a picture asked for again would come from a cache
    size: int = 64
    crash_at: str | None = None
    trace: Path | None = None
    on_progress: str | None = None  # "cancel", or "forget": the engine loses its memory
    prefetch: bool = False  # a prompt more than runs
    on_ahead: str | None = None  # "cancel" it, or "pause" and go on when it is back
    retry_failed: bool = False  # as the user would, once
    outputs: Path | None = None
    largest_file: int | None = None  # bytes; what goes beyond fails as on a full disk

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """From the command line."""
        values = json.loads(text)
        for name in ("home", "trace", "outputs"):
            values[name] = values[name] and Path(values[name])
        return cls(**values)


def live(plan: Plan) -> None:
    """One life, from start to end; blocks."""
    plan.home.mkdir(parents=True, exist_ok=True)
    os.chdir(plan.home)  # away from any config.yaml
    if plan.largest_file is not None:
        # Python ignores SIGXFSZ, so a write beyond the limit fails with EFBIG.
        resource.setrlimit(resource.RLIMIT_FSIZE, (plan.largest_file, plan.largest_file))
    asyncio.run(_live(plan))


def _file_store(settings: Settings) -> PictureFiles:
    """As of the app, but each piece is written as it comes, as those of large files are."""
    outputs, thumbnails = settings.outputs_dir, settings.thumbnails_dir
    return PictureFiles(outputs=outputs, thumbnails=thumbnails, held_bytes=1)


async def _live(plan: Plan) -> None:
    wire = Tripwire(plan.crash_at, trace=plan.trace)
    plain = Parts()
    parts = Parts(
        job_store=watched(plain.job_store, Watched, name="store", wire=wire),
        file_store=watched(_file_store, WatchedFiles, name="files", wire=wire),
        backend=watched(plain.backend, WatchedBackend, name="backend", wire=wire),
    )
    engine = BackendInfo(id=ENGINE_ID, name="GPU 1", kind="comfyui", url=plan.engine)
    settings = settings_for(
        plan.home,
        backends=[engine],
        timeouts=QUICK,
        retry=SOON,
        outputs=plan.outputs,
        scheduling=SchedulingSettings(prefetch=plan.prefetch),
    )
    async with open_services(settings, parts=parts) as opened, asyncio.TaskGroup() as group:
        tasks = [group.create_task(work, name=name) for name, work in opened.background.items()]
        await _work(opened.services, plan)
        for task in tasks:
            task.cancel()


async def _work(services: Services, plan: Plan) -> None:
    """Submit, play the user, and return when nothing waits or runs."""
    user = _User(services, plan)
    await services.jobs.resume()  # of what a former life paused
    with services.bus.subscribe(JobChanged, JobProgressed) as inbox:
        for number in range(plan.submit):
            params = {
                "width": plan.size,
                "height": plan.size,
                "steps": STEPS,
                "seed": plan.seed + number,
            }
            await services.jobs.submit(asked(f"fox number {number}", params=params))
        while services.jobs.queue().queued or services.jobs.queue().running:
            await inbox.wait()
            for event in inbox.drain():
                await user.react(event)


class _User:
    """Presses the buttons that the plan names, each once."""

    def __init__(self, services: Services, plan: Plan) -> None:
        self._services = services
        self._plan = plan
        self._todo = {plan.on_progress, "retry" if plan.retry_failed else None} - {None}
        self._ahead: UUID | None = None  # the first job that was sent ahead

    async def react(self, event: Event) -> None:
        """Do what the plan wants at this event."""
        match event:
            case JobProgressed(job_id=job_id) if "cancel" in self._todo:
                self._todo.discard("cancel")
                with suppress(ConflictError):
                    await self._services.jobs.cancel(job_id)
            case JobProgressed() if "forget" in self._todo:
                self._todo.discard("forget")
                await self._fault(forget=True)
            case JobChanged(job=job) if job.ahead_on is not None and self._ahead is None:
                self._ahead = job.id
                await self._on_ahead(job.id)
            case JobChanged(job=job) if job.id == self._ahead and job.ahead_on is None:
                if self._services.jobs.queue().paused:
                    await self._services.jobs.resume()
                    await self._fault()
            case JobChanged(job=job) if job.state is JobState.FAILED and "retry" in self._todo:
                self._todo.discard("retry")
                await self._services.jobs.retry(job.id)
            case _:
                pass

    async def _on_ahead(self, job_id: UUID) -> None:
        match self._plan.on_ahead:
            case "pause":
                await self._services.jobs.pause()
            case "cancel":
                with suppress(ConflictError):
                    await self._services.jobs.cancel(job_id)
                await self._fault()
            case _:
                pass

    async def _fault(self, **faults: object) -> None:
        """Arm faults at the engine; any call lets go on what hangs."""
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(f"{self._plan.engine}/demo/faults", json=faults)


if __name__ == "__main__":
    live(Plan.from_json(sys.argv[1]))
