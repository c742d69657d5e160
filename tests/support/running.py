"""The whole core without pages and server, for one test."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from app.config import BackendSettings, RetrySettings, SchedulingSettings, Settings, Timeouts
from app.models import BackendInfo, Catalog, Job, JobState
from app.ports import Clock, FileStore, JobStore
from app.runs import Backend
from app.services import Services
from app.submission import Submission
from data.clock import SystemClock
from data.database import Database
from data.files import PictureFiles
from data.jobs import SqlJobStore
from main import Parts, open_services
from tests.support.fakes import LIMIT_S, FakeBackend, FakePrompt


def settings_for(
    home: Path, *, backends: Sequence[BackendInfo] = (), demo: bool = False, **changes: Any
) -> Settings:
    """Settings that know only these backends and this home."""
    configured = [
        BackendSettings.model_validate(
            {
                "id": each.id,
                "name": each.name,
                "url": each.url,
                "enabled": each.enabled,
                "max_concurrent_jobs": each.max_concurrent_jobs,
            }
        )
        for each in backends
    ]
    values: dict[str, Any] = {
        "home": home,
        "port": 0,
        "backends": tuple(configured),
        "demo_engine": demo,
        "demo_step_delay_s": 0,
        "retry": RetrySettings(),
        "scheduling": SchedulingSettings(prefetch=False),  # one prompt at a time unless wanted
        "timeouts": Timeouts(check_s=0.2, lost_confirm_s=0.1),
    }
    return Settings(**{**values, **changes})


@asynccontextmanager
async def running(
    home: Path,
    *backends: FakeBackend,
    clock: Clock | None = None,
    job_store: Callable[[Database, Clock], JobStore] | None = None,
    file_store: Callable[[Settings], FileStore] | None = None,
    configured: bool = True,
    **changes: Any,
) -> AsyncGenerator[Services]:
    """The services at work on these backends (with none: the demo engine).

    Unless `configured`, they are not in the configuration: whoever adds them gets these.
    """
    by_id = {backend.info.id: backend for backend in backends}

    def fake(
        info: BackendInfo, _catalog: Catalog | None, _settings: Settings, *_: object
    ) -> Backend:
        return by_id.setdefault(info.id, FakeBackend(info))

    parts = Parts(
        clock=clock or SystemClock(),
        job_store=job_store or _sql_jobs,
        file_store=file_store or _pictures,
        **({"backend": fake} if backends else {}),
    )
    settings = settings_for(
        home,
        backends=[each.info for each in backends if configured],
        **{"demo": not backends, **changes},
    )
    async with open_services(settings, parts=parts) as opened, asyncio.TaskGroup() as group:
        tasks = [group.create_task(work, name=name) for name, work in opened.background.items()]
        yield opened.services
        for task in tasks:
            task.cancel()


def _sql_jobs(database: Database, clock: Clock) -> JobStore:
    return SqlJobStore(database, clock=clock)


def _pictures(settings: Settings) -> FileStore:
    return PictureFiles(outputs=settings.outputs_dir, thumbnails=settings.thumbnails_dir)


def asked(prompt: str = "a red fox", **changes: Any) -> Submission:
    """A submission for `gpu-1`, unless told otherwise."""
    return Submission.model_validate({"prompt": prompt, "backend": "gpu-1", **changes})


async def submit(services: Services, prompt: str = "a red fox", **changes: Any) -> Job:
    """One job, submitted."""
    return (await services.jobs.submit(asked(prompt, **changes)))[0]


async def until(services: Services, ready: Callable[[], bool], *, limit_s: float = LIMIT_S) -> None:
    """Wait until something is true that changes with the events of the bus."""
    with services.bus.subscribe() as inbox:
        async with asyncio.timeout(limit_s):
            while not ready():
                await inbox.wait()
                inbox.drain()


async def until_job(
    services: Services, job_id: UUID, *states: JobState, limit_s: float = LIMIT_S
) -> Job:
    """Wait until the job is in one of the states (any final one unless given)."""
    wanted = states or tuple(state for state in JobState if state.is_terminal)
    with services.bus.subscribe() as inbox:
        async with asyncio.timeout(limit_s):
            while True:
                job = await services.jobs.get(job_id)
                if job.state in wanted:
                    return job
                await inbox.wait()
                inbox.drain()


async def until_that(
    services: Services, job_id: UUID, ready: Callable[[Job], bool], *, limit_s: float = LIMIT_S
) -> Job:
    """Wait until something is true of the job; the job as it is then."""
    with services.bus.subscribe() as inbox:
        async with asyncio.timeout(limit_s):
            while not ready(job := await services.jobs.get(job_id)):
                await inbox.wait()
                inbox.drain()
    return job


def reason(services: Services, job: Job) -> str | None:
    """Why the job waits, as the pages would say."""
    return services.jobs.view(job).reason


async def until_sent(backend: FakeBackend) -> FakePrompt:
    """The next prompt, once it has arrived."""
    prompt = await backend.next_prompt()
    async with asyncio.timeout(LIMIT_S):
        await prompt.sent.wait()
    return prompt


async def until_accepted(services: Services, job: Job) -> None:
    """Wait until it is written down that the backend has the prompt."""
    with services.bus.subscribe() as inbox:
        async with asyncio.timeout(LIMIT_S):
            while not any(
                each.type == "job.accepted" for each in await services.event_log.log(job.id)
            ):
                await inbox.wait()
                inbox.drain()
