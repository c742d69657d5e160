"""What servers say of their node classes, kept once for all servers that say the same."""

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from data.tables import catalog, node_spec

_CHUNK = 200  # rows in one statement: SQLite bounds the number of variables


def keep_specs(connection: Connection, specs: Mapping[str, str], *, beside: str) -> dict[str, str]:
    """Keep them for the backend `beside`, inside the caller's transaction: digests by class.

    What no catalog names any more goes: a new model file changes what its loaders say.
    """
    digests = {name: _digest(name, spec) for name, spec in specs.items()}
    there = set(connection.execute(select(node_spec.c.digest)).scalars())
    rows = [
        {"digest": digest, "class_type": name[:200], "spec": specs[name]}
        for name, digest in digests.items()
        if digest not in there
    ]
    if rows:
        connection.execute(insert(node_spec).on_conflict_do_nothing(), rows)
    needed = set(digests.values()) | _named_by_others(connection, beside)
    gone = sorted(there - needed)
    for start in range(0, len(gone), _CHUNK):
        chunk = gone[start : start + _CHUNK]
        connection.execute(delete(node_spec).where(node_spec.c.digest.in_(chunk)))
    return digests


async def kept_specs(connection: AsyncConnection) -> dict[str, str]:
    """All of them by digest; equal texts are one text in memory."""
    found = await connection.execute(select(node_spec.c.digest, node_spec.c.spec))
    return {digest: sys.intern(spec) for digest, spec in found}


def _named_by_others(connection: Connection, backend_id: str) -> set[str]:
    others = select(catalog.c.catalog).where(catalog.c.backend_id != backend_id)
    named: set[str] = set()
    for value in connection.execute(others).scalars():
        specs: Mapping[str, Any] = value.get("specs", {})
        named.update(specs.values())
    return named


def _digest(class_type: str, spec: str) -> str:
    return hashlib.sha256(f"{class_type}\0{spec}".encode(errors="surrogatepass")).hexdigest()
