"""The stores under contract, in SQL and in memory, and a FLUX cloud."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.models import Image, JobState
from app.ports import ImageStore, JobChange, JobStore
from data.database import Database, open_database
from data.images import SqlImageStore
from data.jobs import SqlJobStore
from data.memory import MemoryImageStore, MemoryJobStore, MemoryLog
from tests.contract.flux_lab import Lab, NewLab, lab
from tests.support.fakes import FakeClock
from tests.support.flux_server import FluxServer
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


@pytest.fixture(scope="module")
def _server() -> Generator[FluxServer]:
    with FluxServer() as started:
        yield started


@pytest.fixture
def server(_server: FluxServer) -> FluxServer:
    """A cloud, as good as new."""
    return _server.reset()


@pytest.fixture
async def new(database: Database, tmp_path: Path) -> AsyncGenerator[NewLab]:
    """Makes backends on one ledger, each a new life; closed after the test."""
    async with AsyncExitStack() as stack:

        def make(server: FluxServer, **changes: Any) -> Lab:
            made = lab(server, database, tmp_path, **changes)
            stack.push_async_callback(made.backend.aclose)
            return made

        yield make


@pytest.fixture
def flux(new: NewLab, server: FluxServer) -> Lab:
    """The backend."""
    return new(server)
