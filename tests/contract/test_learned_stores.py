"""What was learned, and what is in quarantine, come back from the database as they were."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from app.errors import StaleWriteError
from app.estimates import Pace
from app.health import Evidence, Quarantine
from app.ids import new_id
from app.said import Said
from data.database import Database, open_database
from data.jobs import SqlJobStore
from data.paces import SqlPaceStore
from data.quarantines import SqlQuarantineStore
from tests.support.fakes import FakeClock
from tests.support.values import NOW


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """An empty one."""
    async with open_database(tmp_path / "orchestrator.db") as opened:
        yield opened


async def test_a_pace_is_kept_once_for_each_work_backend_and_size(database: Database) -> None:
    store = SqlPaceStore(database)
    pace = Pace(work="sdxl", backend_id="gpu-1", size=-3, seconds=12.5, count=2, updated_at=NOW)
    others = [
        replace(pace, size=4),
        replace(pace, backend_id="gpu-2"),
        replace(pace, work="load:a"),
    ]

    for each in (pace, *others, replace(pace, seconds=9.0, count=3)):
        await store.put(each)

    kept = {(each.work, each.backend_id, each.size): each for each in await store.all()}
    assert len(kept) == 4
    assert kept["sdxl", "gpu-1", -3] == replace(pace, seconds=9.0, count=3)


async def test_a_quarantine_keeps_its_evidence_and_its_end(database: Database) -> None:
    clock = FakeClock()
    store = SqlQuarantineStore(database, clock=clock)
    said = Said("{backend} broke.", backend="gpu-1")
    evidence = Evidence(job_id=new_id(), at=NOW, message=said)
    first = Quarantine(
        id=new_id(),
        kind="model",
        subject="folder/a.safetensors",
        backend_id="gpu-1",
        code="corrupt_model",
        reason=said,
        evidence=(evidence,),
        created_at=NOW,
    )
    second = replace(first, id=new_id(), kind="workflow", created_at=NOW + timedelta(1))

    added = await store.put(first)
    await store.put(second)
    lifted = await store.put(replace(first, lifted_at=NOW + timedelta(2)))

    found = await store.all()
    assert found == [second, replace(first, lifted_at=NOW + timedelta(2))]
    assert isinstance(found[1].reason, Said)
    assert found[1].evidence[0].message == said
    assert (added.type, lifted.type) == ("quarantine.added", "quarantine.lifted")
    log = await SqlJobStore(database, clock=clock).events_after(0, limit=9)
    assert [each.type for each in log] == ["quarantine.added"] * 2 + ["quarantine.lifted"]


async def test_what_is_only_a_hint_is_not_synced_but_what_follows_is(database: Database) -> None:
    def level(connection: Connection) -> int | None:
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    levels = [await database.transact(level, synced=each) for each in (True, False, False, True)]

    assert levels == [2, 1, 1, 2]  # FULL, NORMAL


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO setting (name, value) VALUES ('a', '1')")
        raise StaleWriteError("Somebody was faster.")

    with pytest.raises(StaleWriteError):
        await database.transact(work)

    async with database.read() as connection:
        found = await connection.exec_driver_sql("SELECT count(*) FROM setting")
        assert found.scalar() == 0


async def test_a_caller_that_is_cancelled_waits_for_what_has_begun(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(10)
        connection.exec_driver_sql("INSERT INTO setting (name, value) VALUES ('a', '1')")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(database.transact(work))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        go_on.set()

    async with database.read() as connection:
        found = await connection.exec_driver_sql("SELECT count(*) FROM setting")
        assert found.scalar() == 1
