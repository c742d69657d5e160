"""The library without a database, under the same contract suite."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.errors import NotFoundError
from app.events import LoggedEvent
from app.models import Workflow, WorkflowVersion
from app.ports import Clock, KeptDraft, NewVersion, WorkflowChanges
from app.said import Said
from data.memory import MemoryLog


class MemoryWorkflowStore:
    """`app.ports.WorkflowStore` in dictionaries."""

    def __init__(self, *, log: MemoryLog) -> None:
        self._log = log
        self._clock: Clock = log.clock
        self._workflows: dict[UUID, Workflow] = {}
        self._versions: dict[tuple[UUID, int], WorkflowVersion] = {}
        self._drafts: dict[UUID, KeptDraft] = {}

    async def add(
        self, value: Workflow, *, version: NewVersion | None, draft: KeptDraft | None = None
    ) -> tuple[Workflow, LoggedEvent]:
        number = 0 if version is None else 1
        if version is not None:
            self._put(version, value.id, number, at=value.created_at)
        if draft is not None:
            self._drafts[value.id] = draft
        self._workflows[value.id] = replace(value, version=number, has_draft=False)
        return self._listed(value.id), self._event("workflow.created", value.id)

    async def get(self, workflow_id: UUID) -> Workflow | None:
        return self._listed(workflow_id) if workflow_id in self._workflows else None

    async def all(self, *, deleted: bool = False) -> list[Workflow]:
        found = [
            self._listed(each.id)
            for each in self._workflows.values()
            if (each.deleted_at is not None) is deleted
        ]
        return sorted(found, key=lambda each: (each.updated_at, each.id), reverse=True)

    async def change(
        self, workflow_id: UUID, changes: WorkflowChanges, *, event: str
    ) -> tuple[Workflow, LoggedEvent]:
        self._workflows[workflow_id] = replace(self._require(workflow_id), **changes)
        return self._listed(workflow_id), self._event(event, workflow_id)

    async def save(
        self, workflow_id: UUID, version: NewVersion, *, at: datetime
    ) -> tuple[Workflow, WorkflowVersion, LoggedEvent]:
        before = self._require(workflow_id)
        saved = self._put(version, workflow_id, before.version + 1, at=at)
        self._drafts.pop(workflow_id, None)
        self._workflows[workflow_id] = replace(before, version=saved.number, updated_at=at)
        return self._listed(workflow_id), saved, self._event("workflow.saved", workflow_id)

    async def version(self, workflow_id: UUID, number: int) -> WorkflowVersion | None:
        return self._versions.get((workflow_id, number))

    async def versions(self, workflow_id: UUID) -> list[WorkflowVersion]:
        found = [each for key, each in self._versions.items() if key[0] == workflow_id]
        newest = sorted(found, key=lambda each: each.number, reverse=True)
        return [replace(each, document={}, graph=None) for each in newest]

    async def heads(self) -> list[tuple[Workflow, WorkflowVersion]]:
        return [
            (each, self._versions[each.id, each.version])
            for each in await self.all()
            if each.version
        ]

    async def draft(self, workflow_id: UUID) -> KeptDraft | None:
        return self._drafts.get(workflow_id)

    async def keep_draft(self, workflow_id: UUID, draft: KeptDraft | None) -> None:
        if workflow_id not in self._workflows:
            return
        now = self._clock.now()
        self._workflows[workflow_id] = replace(self._workflows[workflow_id], updated_at=now)
        if draft is None:
            self._drafts.pop(workflow_id, None)
        else:
            self._drafts[workflow_id] = draft

    def _listed(self, workflow_id: UUID) -> Workflow:
        return replace(self._workflows[workflow_id], has_draft=workflow_id in self._drafts)

    def _require(self, workflow_id: UUID) -> Workflow:
        found = self._workflows.get(workflow_id)
        if found is None:
            raise NotFoundError(Said("There is no workflow '{id}'.", id=workflow_id))
        return found

    def _put(
        self, version: NewVersion, workflow_id: UUID, number: int, *, at: datetime
    ) -> WorkflowVersion:
        saved = WorkflowVersion(
            workflow_id=workflow_id,
            number=number,
            author=version.author,
            note=version.note,
            document=version.document,
            graph=version.graph,
            created_at=at,
        )
        self._versions[workflow_id, number] = saved
        return saved

    def _event(self, type_: str, workflow_id: UUID) -> LoggedEvent:
        version = self._workflows[workflow_id].version
        return self._log.append(type_, workflow_id, workflowId=str(workflow_id), version=version)
