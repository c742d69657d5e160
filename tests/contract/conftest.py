"""The stores under contract: one suite for SQL on a file and for the twins in memory."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.models import Image, JobState
from app.ports import ImageStore, JobChange, JobStore
from data.database import Database, open_database
from data.images import SqlImageStore
from data.jobs import SqlJobStore
from data.memory import MemoryImageStore, MemoryJobStore, MemoryLog
from tests.support.fakes import FakeClock
from tests.support.values import a_job


@dataclass
class Stores:
    """Both stores on one database, and their clock."""

    jobs: JobStore
    images: ImageStore
    clock: FakeClock

    async def keep(self, *images: Image) -> list[Image]:
        """Images as they get in: with the end of a job each; as stored, oldest first."""
        stored: list[Image] = []
        for image in images:
            job = a_job(state=JobState.RUNNING)
            await self.jobs.add([job], note="")
            done = JobChange(job=job.to(JobState.DONE), note="Done", images=[image])
            stored += (await self.jobs.apply(done)).images
        return stored


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """A fresh database in a file."""
    async with open_database(tmp_path / "orchestrator.db") as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    """Stands still."""
    return FakeClock()


@pytest.fixture
def sql(database: Database, clock: FakeClock) -> Stores:
    """The real stores."""
    return Stores(SqlJobStore(database, clock=clock), SqlImageStore(database, clock=clock), clock)


@pytest.fixture
def memory(clock: FakeClock) -> Stores:
    """Their twins in memory."""
    log = MemoryLog(clock=clock)
    images = MemoryImageStore(log=log)
    return Stores(MemoryJobStore(log=log, images=images), images, clock)


@pytest.fixture(params=["sql", "memory"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Each kind in turn."""
    return request.getfixturevalue(request.param)
