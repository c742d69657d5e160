"""The backends added while running, and the catalogs of all of them, in SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.events import LoggedEvent
from app.fleet import KeptCatalog
from app.models import BackendInfo, Catalog
from app.ports import Clock
from data import rows
from data.database import Database
from data.jobs import log_all
from data.node_specs import keep_specs, kept_specs
from data.tables import backend, catalog


class SqlFleetStore:
    """`app.fleet.FleetStore` on the database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def backends(self) -> list[BackendInfo]:
        """Those added on the page, oldest first."""
        async with self._database.read() as connection:
            found = await connection.execute(
                select(backend).order_by(backend.c.created_at, backend.c.id)
            )
            return [_info(row) for row in found.mappings()]

    async def save(self, info: BackendInfo, *, event: str) -> LoggedEvent:
        """Insert one, or overwrite it but for its place in the list."""
        now = self._clock.now()
        row = {
            "name": info.name,
            "kind": info.kind,
            "url": info.url,
            "enabled": info.enabled,
            "capabilities": list(info.capabilities),
            "tags": list(info.tags),
            "max_concurrent_jobs": info.max_concurrent_jobs,
        }
        async with self._database.write() as connection:
            new = {"id": info.id, "created_at": now}
            await _put(connection, backend, backend.c.id == info.id, row=row, new=new)
            data = {"backendId": info.id, "enabled": info.enabled}
            return (await log_all(connection, [rows.event_row(event, info.id, at=now, data=data)]))[
                0
            ]

    async def remove(self, backend_id: str) -> LoggedEvent:
        """Take one out, with its catalog."""
        async with self._database.write() as connection:
            await connection.execute(delete(backend).where(backend.c.id == backend_id))
            await connection.execute(delete(catalog).where(catalog.c.backend_id == backend_id))
            event = rows.event_row(
                "backend.removed",
                backend_id,
                at=self._clock.now(),
                data={"backendId": backend_id},
            )
            return (await log_all(connection, [event]))[0]

    async def catalogs(self) -> dict[str, KeptCatalog]:
        """What is kept, by backend."""
        async with self._database.read() as connection:
            found = (await connection.execute(select(catalog))).mappings().all()
            specs = await kept_specs(connection)
        return {row["backend_id"]: _kept(row, specs) for row in found}

    async def keep_catalog(self, backend_id: str, kept: KeptCatalog, *, at: datetime) -> None:
        """Keep it, in the place of what was kept."""

        def write(connection: Connection) -> None:
            digests = keep_specs(connection, kept.catalog.specs, beside=backend_id)
            row = {
                "url": kept.url,
                "catalog": _catalog_json(kept.catalog, digests),
                "read_at": kept.catalog.read_at or at,
            }
            here = catalog.c.backend_id == backend_id
            if connection.execute(update(catalog).where(here).values(**row)).rowcount == 0:
                connection.execute(insert(catalog).values(backend_id=backend_id, **row))

        # In the thread: a server's node classes take megabytes.
        await self._database.transact(write)


async def _put(
    connection: AsyncConnection,
    into: Table,
    where: ColumnElement[bool],
    *,
    row: Mapping[str, Any],
    new: Mapping[str, Any],
) -> None:
    """Overwrite the row, or insert it with what only a new one gets."""
    changed = await connection.execute(update(into).where(where).values(**row))
    if changed.rowcount == 0:
        await connection.execute(insert(into).values(**row, **new))


def _info(row: RowMapping) -> BackendInfo:
    return BackendInfo(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        enabled=row["enabled"],
        capabilities=tuple(row["capabilities"]),
        tags=tuple(row["tags"]),
        max_concurrent_jobs=row["max_concurrent_jobs"],
        origin="page",
    )


def _catalog_json(value: Catalog, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        "node_classes": sorted(value.node_classes),
        "models": {folder: list(names) for folder, names in value.models.items()},
        "embeddings": list(value.embeddings),
        "samplers": list(value.samplers),
        "schedulers": list(value.schedulers),
        "specs": dict(digests),
    }


def _kept(row: RowMapping, specs: Mapping[str, str]) -> KeptCatalog:
    value: Mapping[str, Any] = row["catalog"]
    digests: Mapping[str, str] = value.get("specs", {})  # there was none before the builder
    return KeptCatalog(
        url=row["url"],
        catalog=Catalog(
            node_classes=frozenset(value["node_classes"]),
            models={folder: tuple(names) for folder, names in value["models"].items()},
            embeddings=tuple(value["embeddings"]),
            samplers=tuple(value["samplers"]),
            schedulers=tuple(value["schedulers"]),
            specs={name: specs[each] for name, each in digests.items() if each in specs},
            read_at=row["read_at"],
        ),
    )
