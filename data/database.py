"""The SQLite file: one writer, a few readers, migrations at start.

Every BEGIN/execute/COMMIT is a hop to the driver's thread, so what limits writes is hops, not the
disk: one held connection behind a lock is the fastest safe way. `BEGIN IMMEDIATE` because a
deferred transaction that reads and then writes fails with SQLITE_BUSY whatever the timeout.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from app.errors import StorageError
from app.said import Said

log = logging.getLogger(__name__)

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 5000
_READERS = 4


class Database:
    """Hands out the writer and the readers; open it with `open_database`."""

    def __init__(
        self, path: Path, *, writer: AsyncConnection, readers: AsyncEngine, steps: "_Thread"
    ) -> None:
        self.path = path
        self._steps = steps
        self._writer = writer
        self._readers = readers
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """The writer in a transaction: committed at the end, rolled back on any error.

        Raises:
            StorageError: the database is locked by another process, full or read-only.
        """
        async with self._lock:
            try:
                async with self._writer.begin():
                    yield self._writer
            except DBAPIError as exc:
                raise _storage_error(self.path, exc) from exc

    async def transact(self, work: Callable[[Connection], T], *, synced: bool = True) -> T:
        """What `work` returns, done in one transaction and one hop to a thread.

        For what is written often: a statement over `write` costs several hops each. Unless
        `synced`, a power cut may undo it, with what was written after it and not synced either.

        Raises:
            StorageError: the database is locked by another process, full or read-only.
            Whatever `work` raises; then nothing was written.
        """
        async with self._lock:
            try:
                return await self._steps.run(work, synced=synced)
            except DBAPIError as exc:
                raise _storage_error(self.path, exc) from exc

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A reader on a consistent snapshot.

        Raises:
            StorageError: the database cannot be read.
        """
        try:
            async with self._readers.connect() as connection:
                yield connection
        except DBAPIError as exc:
            raise _storage_error(self.path, exc) from exc

    async def probe(self) -> None:
        """Show that writing works, without leaving a trace.

        Raises:
            StorageError: it does not.
        """
        async with self.write() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO setting (name, value) VALUES ('probe', 'null') "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            )


class _Thread:
    """A second connection for writing, in a thread of its own; the lock keeps the two apart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._synced = True  # as connections are opened

    async def run(self, work: Callable[[Connection], T], *, synced: bool) -> T:
        """Do it there; a caller that is cancelled waits for the end of what has begun."""
        done = asyncio.get_running_loop().run_in_executor(
            self._executor, self._transaction, work, synced
        )
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._executor.submit(self._engine.dispose).result()
        self._executor.shutdown()

    def _transaction(self, work: Callable[[Connection], T], synced: bool) -> T:
        if synced is not self._synced:
            self._sync(synced)
        with self._engine.begin() as connection:
            return work(connection)

    def _sync(self, synced: bool) -> None:
        raw = self._engine.raw_connection()
        try:
            raw.cursor().execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
        finally:
            raw.close()
        self._synced = synced


@asynccontextmanager
async def open_database(path: Path) -> AsyncGenerator[Database]:
    """The database at the newest schema; a copy of an older one is kept beside it.

    Raises:
        StorageError: the file cannot be opened, or was written by a newer version.
    """
    try:
        await asyncio.to_thread(_upgrade, path)
    except (DBAPIError, sqlite3.Error, OSError) as exc:
        raise _storage_error(path, exc) from exc
    writer_engine = _engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
    readers = _engine(path, begin="BEGIN", pool_size=_READERS, pragmas=["query_only=ON"])
    thread_engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool)
    _configure(thread_engine, begin="BEGIN IMMEDIATE", pragmas=[])
    steps = _Thread(thread_engine)
    try:
        async with writer_engine.connect() as writer:
            await _open_all(readers)
            yield Database(path, writer=writer, readers=readers, steps=steps)
    finally:
        steps.close()
        await readers.dispose()
        await writer_engine.dispose()


async def _open_all(readers: AsyncEngine) -> None:
    """Open every connection now: one that is cancelled while it opens leaves its thread alone."""
    async with AsyncExitStack() as stack:
        for _ in range(_READERS):
            await stack.enter_async_context(readers.connect())


def _engine(
    path: Path, *, begin: str, pool_size: int, pragmas: list[str] | None = None
) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=pool_size, max_overflow=0)
    _configure(engine.sync_engine, begin=begin, pragmas=pragmas or [])
    return engine


def _configure(engine: Any, *, begin: str, pragmas: list[str]) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",  # an attempt must be on disk before its prompt is sent
            "foreign_keys=ON",
            *pragmas,
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        connection.exec_driver_sql(begin)


def _upgrade(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", "data:migrations")
    script = ScriptDirectory.from_config(config)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    _configure(engine, begin="BEGIN IMMEDIATE", pragmas=[])
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        if current is not None:
            _refuse_newer(path, script, current)
            _keep_copy(path, current)
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        log.info("Database %s is at schema %s", path, script.get_current_head())
    finally:
        engine.dispose()


def _refuse_newer(path: Path, script: ScriptDirectory, current: str) -> None:
    if current not in {revision.revision for revision in script.walk_revisions()}:
        raise StorageError(
            Said(
                "The database {path} was written by a newer version (schema {schema}).",
                path=path,
                schema=current,
            ),
            fix=Said("Update the app, or start it with another ORCHESTRATOR_HOME."),
        )


def _keep_copy(path: Path, revision: str) -> None:
    copy = path.with_name(f"{path.stem}.before-upgrade-from-{revision}{path.suffix}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    log.info("Kept a copy of the database before its upgrade: %s", copy)


def _storage_error(path: Path, exc: Exception) -> StorageError:
    cause = str(getattr(exc, "orig", None) or exc)
    if "locked" in cause or "busy" in cause:
        fix = Said("Another program holds it; close that and try again.")
    elif "full" in cause:
        fix = Said("Free some disk space and try again.")
    elif "readonly" in cause or "unable to open" in cause:
        fix = Said("Make the folder writable, or choose another with ORCHESTRATOR_HOME.")
    else:
        fix = Said("See the log for details.")
    message = Said("The database {path} cannot be used: {cause}.", path=path, cause=cause)
    return StorageError(message, fix=fix)
