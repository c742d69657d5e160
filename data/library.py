"""The library in SQL: workflows, their versions and their drafts.

Documents may be large, so what writes one does so in the thread of the database.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from app.errors import NotFoundError
from app.events import LoggedEvent
from app.models import Workflow, WorkflowVersion
from app.ports import Clock, KeptDraft, NewVersion, WorkflowChanges
from app.said import Said
from data import rows
from data.database import Database
from data.tables import event, workflow, workflow_version

_LISTED = [
    *(each for each in workflow.c if each.name not in ("draft", "draft_base")),
    workflow.c.draft.is_not(None).label("has_draft"),
]
_INSERT_EVENT = insert(event).returning(event)
_KEEP_DRAFT = (
    update(workflow)
    .where(workflow.c.id == bindparam("this"))
    .values({each: bindparam(each) for each in ("draft", "draft_base", "updated_at")})
)


class SqlWorkflowStore:
    """`app.ports.WorkflowStore` on the database; each method is one short transaction."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self, value: Workflow, *, version: NewVersion | None, draft: KeptDraft | None = None
    ) -> tuple[Workflow, LoggedEvent]:
        """Insert one, with its first version, or with only a draft."""
        return await self._database.transact(
            lambda connection: _add(connection, value, version, draft)
        )

    async def get(self, workflow_id: UUID) -> Workflow | None:
        """One of them, deleted or not."""
        async with self._database.read() as connection:
            found = await connection.execute(select(*_LISTED).where(workflow.c.id == workflow_id))
            row = found.mappings().first()
        return None if row is None else _workflow(row)

    async def all(self, *, deleted: bool = False) -> list[Workflow]:
        """Those that live, or (True) those in the trash; the one changed last comes first."""
        in_trash = workflow.c.deleted_at.is_not(None)
        statement = (
            select(*_LISTED)
            .where(in_trash if deleted else ~in_trash)
            .order_by(workflow.c.updated_at.desc(), workflow.c.id.desc())
        )
        async with self._database.read() as connection:
            found = await connection.execute(statement)
            return [_workflow(row) for row in found.mappings()]

    async def change(
        self, workflow_id: UUID, changes: WorkflowChanges, *, event: str
    ) -> tuple[Workflow, LoggedEvent]:
        """Overwrite what `changes` has and nothing else."""
        row = {**changes, "tags": list(changes["tags"])} if "tags" in changes else dict(changes)
        at = self._clock.now()

        def write(connection: Connection) -> tuple[Workflow, LoggedEvent]:
            _update(connection, workflow_id, row)
            changed = _listed(connection, workflow_id)
            logged = _log(connection, event, workflow_id, at=at, version=changed.version)
            return changed, logged

        return await self._database.transact(write)

    async def save(
        self, workflow_id: UUID, version: NewVersion, *, at: datetime
    ) -> tuple[Workflow, WorkflowVersion, LoggedEvent]:
        """Write the next version and drop the draft."""

        def write(connection: Connection) -> tuple[Workflow, WorkflowVersion, LoggedEvent]:
            found = connection.execute(
                select(workflow.c.version).where(workflow.c.id == workflow_id)
            ).scalar()
            if found is None:
                raise _none(workflow_id)
            saved = _numbered(version, workflow_id, found + 1, at=at)
            connection.execute(insert(workflow_version).values(**_version_row(saved)))
            row = {"version": saved.number, "draft": None, "draft_base": None, "updated_at": at}
            _update(connection, workflow_id, row)
            logged = _log(connection, "workflow.saved", workflow_id, at=at, version=saved.number)
            return _listed(connection, workflow_id), saved, logged

        return await self._database.transact(write)

    async def version(self, workflow_id: UUID, number: int) -> WorkflowVersion | None:
        """One of its versions, whole."""
        statement = select(workflow_version).where(
            workflow_version.c.workflow_id == workflow_id, workflow_version.c.number == number
        )
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).mappings().first()
        return None if row is None else _version(row)

    async def versions(self, workflow_id: UUID) -> list[WorkflowVersion]:
        """All of them, newest first; their documents are left empty."""
        shown = [each for each in workflow_version.c if each.name not in ("document", "graph")]
        statement = (
            select(*shown)
            .where(workflow_version.c.workflow_id == workflow_id)
            .order_by(workflow_version.c.number.desc())
        )
        async with self._database.read() as connection:
            found = await connection.execute(statement)
            return [
                WorkflowVersion(document={}, graph=None, **dict(row)) for row in found.mappings()
            ]

    async def heads(self) -> list[tuple[Workflow, WorkflowVersion]]:
        """Every living workflow that has a version, with its newest."""
        newest = (workflow_version.c.workflow_id == workflow.c.id) & (
            workflow_version.c.number == workflow.c.version
        )
        versions = [each.label(f"version_{each.name}") for each in workflow_version.c]
        statement = (
            select(*_LISTED, *versions)
            .join_from(workflow, workflow_version, newest)
            .where(workflow.c.deleted_at.is_(None))
            .order_by(workflow.c.updated_at.desc(), workflow.c.id.desc())
        )
        async with self._database.read() as connection:
            found = await connection.execute(statement)
            return [(_workflow(row), _version(row, prefix="version_")) for row in found.mappings()]

    async def draft(self, workflow_id: UUID) -> KeptDraft | None:
        """What is drawn and not saved."""
        statement = select(workflow.c.draft, workflow.c.draft_base).where(
            workflow.c.id == workflow_id
        )
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).mappings().first()
        if row is None or row["draft"] is None:
            return None
        return KeptDraft(document=row["draft"], base=row["draft_base"] or 0)

    async def keep_draft(self, workflow_id: UUID, draft: KeptDraft | None) -> None:
        """Overwrite it, or (None) drop it."""
        row = {
            "this": workflow_id,
            "draft": None if draft is None else dict(draft.document),
            "draft_base": None if draft is None else draft.base,
            "updated_at": self._clock.now(),
        }

        def write(connection: Connection) -> None:
            connection.execute(_KEEP_DRAFT, row)

        await self._database.transact(write)


def _add(
    connection: Connection,
    value: Workflow,
    version: NewVersion | None,
    draft: KeptDraft | None,
) -> tuple[Workflow, LoggedEvent]:
    number = 0 if version is None else 1
    row = {
        "id": value.id,
        "name": value.name,
        "description": value.description,
        "tags": list(value.tags),
        "version": number,
        "thumbnail": value.thumbnail,
        "draft": None if draft is None else dict(draft.document),
        "draft_base": None if draft is None else draft.base,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
        "deleted_at": value.deleted_at,
    }
    connection.execute(insert(workflow).values(**row))
    if version is not None:
        first = _numbered(version, value.id, number, at=value.created_at)
        connection.execute(insert(workflow_version).values(**_version_row(first)))
    logged = _log(connection, "workflow.created", value.id, at=value.created_at, version=number)
    listed = connection.execute(select(*_LISTED).where(workflow.c.id == value.id))
    return _workflow(listed.mappings().one()), logged


def _update(connection: Connection, workflow_id: UUID, row: Mapping[str, Any]) -> None:
    changed = connection.execute(update(workflow).where(workflow.c.id == workflow_id).values(**row))
    if changed.rowcount == 0:
        raise _none(workflow_id)


def _listed(connection: Connection, workflow_id: UUID) -> Workflow:
    found = connection.execute(select(*_LISTED).where(workflow.c.id == workflow_id))
    return _workflow(found.mappings().one())


def _log(
    connection: Connection, type_: str, workflow_id: UUID, *, at: datetime, version: int
) -> LoggedEvent:
    data = {"workflowId": str(workflow_id), "version": version}
    row = rows.event_row(type_, str(workflow_id), at=at, data=data)
    return rows.event_value(connection.execute(_INSERT_EVENT, row).mappings().one())


def _none(workflow_id: UUID) -> NotFoundError:
    return NotFoundError(Said("There is no workflow '{id}'.", id=workflow_id))


def _numbered(
    version: NewVersion, workflow_id: UUID, number: int, *, at: datetime
) -> WorkflowVersion:
    return WorkflowVersion(
        workflow_id=workflow_id,
        number=number,
        author=version.author,
        note=version.note,
        document=version.document,
        graph=version.graph,
        created_at=at,
    )


def _version_row(value: WorkflowVersion) -> dict[str, Any]:
    return {
        "workflow_id": value.workflow_id,
        "number": value.number,
        "author": value.author,
        "note": value.note,
        "document": dict(value.document),
        "graph": None if value.graph is None else dict(value.graph),
        "created_at": value.created_at,
    }


def _version(row: RowMapping, *, prefix: str = "") -> WorkflowVersion:
    return WorkflowVersion(
        workflow_id=row[f"{prefix}workflow_id"],
        number=row[f"{prefix}number"],
        author=row[f"{prefix}author"],
        note=row[f"{prefix}note"],
        document=row[f"{prefix}document"],
        graph=row[f"{prefix}graph"],
        created_at=row[f"{prefix}created_at"],
    )


def _workflow(row: RowMapping) -> Workflow:
    return Workflow(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        tags=tuple(row["tags"]),
        version=row["version"],
        thumbnail=row["thumbnail"],
        has_draft=bool(row["has_draft"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
    )
