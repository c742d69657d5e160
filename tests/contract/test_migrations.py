"""The database at start: made, brought up to date, kept a copy of, or refused."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from app.errors import StorageError
from app.models import JobTerms, Workflow
from app.ports import NewVersion
from data.clock import SystemClock
from data.database import open_database
from data.images import SqlImageStore
from data.jobs import SqlJobStore
from data.library import SqlWorkflowStore
from data.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
NEXT_REVISION = '''
"""A column more, as a later version may add."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.add_column("setting", sa.Column("hint", sa.Text, nullable=True))
'''
OPEN = """
import asyncio, sys
from pathlib import Path
from data.database import open_database

async def start():
    async with open_database(Path(sys.argv[1])):
        pass

asyncio.run(start())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is, in a folder that is not there yet."""
    return tmp_path / "home" / "orchestrator.db"


def migrate(path: Path, *, to: str) -> None:
    """Make a database of an older schema."""
    config = Config()
    config.set_main_option("script_location", "data:migrations")
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    engine.dispose()


async def start(path: Path) -> None:
    """Open the database as the app does, and close it."""
    async with open_database(path):
        pass


def rows(path: Path, statement: str) -> list[Any]:
    """What the file says."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def change(path: Path, statement: str, *values: object) -> None:
    """Write into the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


async def test_a_fresh_database_gets_the_newest_schema_and_no_copy(path: Path) -> None:
    await start(path)

    tables = {name for (name,) in rows(path, "SELECT name FROM sqlite_master")}
    assert set(metadata.tables) | {"image_text"} <= tables
    assert [each.name for each in path.parent.glob("*before-upgrade*")] == []


async def test_a_second_start_changes_nothing(path: Path) -> None:
    await start(path)
    change(path, "INSERT INTO setting VALUES ('paused', 'true')")
    schema = rows(path, "SELECT sql FROM sqlite_master ORDER BY name")

    await start(path)

    assert rows(path, "SELECT name, value FROM setting") == [("paused", "true")]
    assert rows(path, "SELECT sql FROM sqlite_master ORDER BY name") == schema
    assert [each.name for each in path.parent.glob("*before-upgrade*")] == []


async def test_the_migrated_schema_is_that_of_the_tables(path: Path) -> None:
    await start(path)
    engine = create_engine(f"sqlite:///{path}")

    def ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
        return kind != "table" or not str(name).startswith("image_text")

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


async def test_the_database_is_safe_against_a_crash_and_checks_its_keys(path: Path) -> None:
    async with open_database(path) as database, database.write() as connection:
        settings = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


async def test_readers_cannot_write(path: Path) -> None:
    async with open_database(path) as database:
        with pytest.raises(StorageError, match="readonly"):
            async with database.read() as connection:
                await connection.exec_driver_sql("DELETE FROM setting")


async def test_a_copy_is_kept_before_an_older_database_is_upgraded(
    path: Path, tmp_path: Path
) -> None:
    await start(path)
    change(path, "INSERT INTO setting VALUES ('paused', 'true')")
    (head,) = rows(path, "SELECT version_num FROM alembic_version")[0]
    later = tmp_path / "later"
    shutil.copytree(ROOT / "data", later / "data", ignore=shutil.ignore_patterns("__pycache__"))
    revision = later / "data/migrations/versions/r9999_next.py"
    revision.write_text(NEXT_REVISION.format(head=head, revision=f"after_{head}"))

    subprocess.run(
        [sys.executable, "-c", OPEN, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(later), str(ROOT)])},
        cwd=later,
        check=True,
        timeout=60,
    )

    copy = path.with_name(f"orchestrator.before-upgrade-from-{head}.db")
    assert rows(copy, "SELECT * FROM setting") == [("paused", "true")]
    assert rows(copy, "SELECT version_num FROM alembic_version") == [(head,)]
    assert rows(path, "SELECT * FROM setting") == [("paused", "true", None)]
    assert rows(path, "SELECT version_num FROM alembic_version") == [(f"after_{head}",)]


async def test_jobs_and_pictures_of_the_first_schema_are_there_after_the_upgrade(
    path: Path,
) -> None:
    path.parent.mkdir()
    migrate(path, to="0001")
    old = ("target", "prompt", "negative_prompt", "width", "height", "steps", "cfg", "sampler")
    request = {
        **dict.fromkeys(old, ""),
        "prompt": "a red fox",
        "target": "gpu-1",
        "width": 512,
        "scheduler": "normal",
        "seed": 2**64 - 1,
        "checkpoint": None,
    }
    job_id, image_id = uuid4(), uuid4()
    at, drawn = "2026-05-17 12:00:00.000000", json.dumps(request)
    change(
        path,
        "INSERT INTO job (id, request, created_at, state, target, prompt, priority, rank, version, "
        "attempts, max_attempts, losses, cancel_requested) VALUES "
        "(?, ?, ?, 'queued', 'gpu-1', 'a red fox', 0, 'a0', 1, 0, 3, 0, 0)",
        job_id.hex, drawn, at,
    )  # fmt: skip
    change(
        path,
        'INSERT INTO image (id, request, created_at, node_id, "index", file, mime, sha256, '
        "size_bytes, width, height, prompt) VALUES "
        "(?, ?, ?, '9', 0, 'a.png', 'image/png', 'x', 1, 8, 8, 'a red fox')",
        image_id.hex, drawn, at,
    )  # fmt: skip

    async with open_database(path) as database:
        job = await SqlJobStore(database, clock=SystemClock()).get(job_id)
        image = await SqlImageStore(database, clock=SystemClock()).get(image_id)

    assert job is not None
    assert (job.request.seed, job.request.width) == (2**64 - 1, 512)
    assert (job.request.preset, job.source, job.terms) == ("text-to-image", "page", JobTerms())
    assert image is not None
    assert (image.kind, image.request) == ("image", job.request)


async def test_what_the_second_schema_holds_is_there_beside_an_empty_library(path: Path) -> None:
    """And a workflow can be put into that."""
    path.parent.mkdir()
    migrate(path, to="0002")
    job_id, at = uuid4(), "2026-05-17 12:00:00.000000"
    asked = dict.fromkeys(("target", "negative_prompt", "sampler", "scheduler"), "")
    sizes = {"width": 512, "height": 512, "steps": 20, "cfg": 7.0, "seed": 2**64 - 1}
    request = json.dumps({**asked, **sizes, "prompt": "a red fox", "checkpoint": None})
    shown = [row[1] for row in rows(path, "PRAGMA table_info(job)") if row[3] and row[4] is None]
    values = {
        **dict.fromkeys(shown, 0),
        "id": job_id.hex,
        "request": request,
        "created_at": at,
        "updated_at": at,
        "state": "queued",
        "source": "page",
        "prompt": "a red fox",
        "preset": "",
        "rank": "a0",
    }
    given = {name: value for name, value in values.items() if name in shown}
    change(
        path,
        f"INSERT INTO job ({', '.join(given)}) VALUES ({', '.join('?' * len(given))})",  # noqa: S608
        *given.values(),
    )
    change(path, "INSERT INTO setting VALUES ('paused', 'true')")
    now = SystemClock().now()
    workflow = Workflow(id=uuid4(), name="Foxes", created_at=now, updated_at=now)

    async with open_database(path) as database:
        job = await SqlJobStore(database, clock=SystemClock()).get(job_id)
        library = SqlWorkflowStore(database, clock=SystemClock())
        before = await library.all()
        await library.add(workflow, version=NewVersion(author="you", document={}, graph=None))
        after = await library.heads()

    assert job is not None
    assert (job.request.prompt, job.request.seed) == ("a red fox", 2**64 - 1)
    assert before == []
    assert [(each.name, version.number) for each, version in after] == [("Foxes", 1)]
    assert rows(path, "SELECT value FROM setting WHERE name = 'paused'") == [("true",)]
    copy = path.with_name("orchestrator.before-upgrade-from-0002.db")
    assert rows(copy, "SELECT prompt FROM job") == [("a red fox",)]


async def test_a_database_of_a_newer_version_is_refused_untouched(path: Path) -> None:
    await start(path)
    change(path, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StorageError, match="newer version") as caught:
        await start(path)

    assert "ORCHESTRATOR_HOME" in caught.value.fix
    assert rows(path, "SELECT version_num FROM alembic_version") == [("9999",)]


async def test_a_file_that_is_no_database_is_refused_untouched(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is a letter to my aunt" * 100)

    with pytest.raises(StorageError, match="not a database"):
        await start(path)

    assert path.read_bytes() == b"this is a letter to my aunt" * 100


async def test_a_database_in_a_place_that_is_no_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"")

    with pytest.raises(StorageError, match="home"):
        await start(tmp_path / "home" / "orchestrator.db")
