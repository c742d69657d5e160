"""The workflows that people are drawing: what is in memory counts, pages only show it.

A draft stays here while a page holds it, and a while longer. Whatever is done to it is kept in
the library within half a second, so that a process that is killed loses no more than that.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from app.draft import Draft
from app.drawing.diagram import Diagram
from app.drawing.files.ui_format import read_ui, write_ui
from app.drawing.schema import Schemas
from app.errors import NotFoundError, OrchestratorError, StorageError
from app.events import (
    BackendChanged,
    BackendRemoved,
    DraftChanged,
    EventBus,
    Subscription,
    WorkflowChanged,
)
from app.ports import KeptDraft, WorkflowStore
from app.said import Said

__all__ = ["Draft", "Drafts"]

log = logging.getLogger("orchestrator.drafts")

_RETRY_S = 5.0


class Drafts:
    """All drafts that are open; there is one of each workflow, however many pages show it."""

    def __init__(
        self,
        *,
        store: WorkflowStore,
        schemas: Callable[[], Schemas],
        bus: EventBus,
        keep_after: timedelta = timedelta(seconds=0.5),
        linger: timedelta = timedelta(minutes=10),
    ) -> None:
        self._store = store
        self._schemas = schemas
        self._bus = bus
        self._keep_after_s = keep_after.total_seconds()
        self._linger_s = linger.total_seconds()
        self._known: WeakValueDictionary[UUID, Draft] = WeakValueDictionary()
        self._held: dict[UUID, Draft] = {}
        self._unkept: dict[UUID, Draft] = {}
        self._changed = asyncio.Event()
        self._opening = asyncio.Lock()
        self._keeping = asyncio.Lock()

    async def open(self, workflow_id: UUID) -> Draft:
        """The draft of a workflow: what was drawn last, else its newest version, else nothing.

        Raises:
            NotFoundError: there is no such workflow.
        """
        async with self._opening:
            draft = self._known.get(workflow_id)
            if draft is None:
                draft = await self._read(workflow_id)
                self._known[workflow_id] = draft
            self._held[workflow_id] = draft
            draft.touched = time.monotonic()
            return draft

    def peek(self, workflow_id: UUID) -> Draft | None:
        """The draft, if somebody has it open."""
        return self._known.get(workflow_id)

    async def _read(self, workflow_id: UUID) -> Draft:
        workflow = await self._store.get(workflow_id)
        if workflow is None or workflow.deleted_at is not None:
            raise NotFoundError(Said("There is no such workflow."))
        kept = await self._store.draft(workflow_id)
        document, base = None, workflow.version
        if kept is not None:
            document, base = kept.document, kept.base
        elif workflow.version:
            version = await self._store.version(workflow_id, workflow.version)
            document = version.document if version is not None else None
        return Draft(
            workflow_id,
            await self._diagram(document) if document else Diagram(),
            base=base,
            dirty=kept is not None,
            schemas=self._schemas,
            on_change=self._on_change,
        )

    async def _diagram(self, document: Mapping[str, Any]) -> Diagram:
        diagram, _ = await asyncio.to_thread(read_ui, document, schemas=self._schemas())
        return diagram

    def _on_change(self, draft: Draft) -> None:
        self._unkept[draft.workflow_id] = draft
        self._held[draft.workflow_id] = draft
        self._changed.set()
        self._bus.publish(DraftChanged(workflow_id=draft.workflow_id, rev=draft.rev))

    async def keep(self) -> None:
        """Put what was drawn into the library now; what cannot be written is tried again later."""
        async with self._keeping:
            for draft in list(self._unkept.values()):
                # Taken off first: what is drawn meanwhile puts it on again.
                self._unkept.pop(draft.workflow_id, None)
                try:
                    await self._keep(draft)
                except NotFoundError:
                    self._held.pop(draft.workflow_id, None)
                except asyncio.CancelledError:
                    self._unkept.setdefault(draft.workflow_id, draft)  # `serve` keeps it at its end
                    raise
                except OrchestratorError as exc:
                    log.warning("The draft of workflow %s is not kept: %s", draft.workflow_id, exc)
                    self._unkept.setdefault(draft.workflow_id, draft)
                    said = Said("What you draw is not kept yet. {problem}", problem=exc.message)
                    self._note(draft, StorageError(said, fix=exc.fix))
                except Exception:
                    # One workflow that cannot be written must not end the whole app.
                    log.exception("The draft of workflow %s is not kept", draft.workflow_id)
                else:
                    self._note(draft, None)

    def _note(self, draft: Draft, problem: StorageError | None) -> None:
        """Have the pages told, once, that it cannot be kept, or can again."""
        was_kept, draft.problem = draft.problem is None, problem
        if was_kept is not (problem is None):
            self._bus.publish(DraftChanged(workflow_id=draft.workflow_id, rev=draft.rev))

    async def _keep(self, draft: Draft) -> None:
        kept: KeptDraft | None = None
        if draft.dirty:
            base, diagram = draft.base, draft.diagram
            document = await asyncio.to_thread(write_ui, diagram, schemas=draft.schemas)
            kept = KeptDraft(document=document, base=base)
        await self._store.keep_draft(draft.workflow_id, kept)

    async def serve(self) -> None:
        """Keep what is drawn, tell pages of new node classes, and forget what rests."""
        try:
            with self._bus.subscribe(BackendChanged, BackendRemoved, WorkflowChanged) as events:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keep_changed(), name="drafts-keep")
                    group.create_task(self._follow(events), name="drafts-follow")
        finally:
            await self.keep()

    async def _keep_changed(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_RETRY_S if self._unkept else self._linger_s):
                    await self._changed.wait()
            except TimeoutError:
                pass  # nothing was drawn: time to look what rests, or to try again
            else:
                await asyncio.sleep(self._keep_after_s)  # what comes in quick succession is one
                self._changed.clear()
            await self.keep()
            self.forget_resting()

    async def _follow(self, events: Subscription) -> None:
        async for event in events:
            if not isinstance(event, WorkflowChanged):
                for draft in list(self._known.values()):
                    self._refresh(draft)
                continue
            try:
                await self._follow_version(event.workflow_id)
            except OrchestratorError as exc:
                log.warning("Workflow %s cannot be followed: %s", event.workflow_id, exc)
            except Exception:
                # What one workflow holds must not end the whole app.
                log.exception("Workflow %s cannot be followed", event.workflow_id)

    def _refresh(self, draft: Draft) -> None:
        try:
            draft.refresh()
        except Exception:
            # What one workflow holds, or a backend says of its nodes, must not end the whole app.
            log.exception("The draft of workflow %s is not refreshed", draft.workflow_id)

    async def _follow_version(self, workflow_id: UUID) -> None:
        """Notice a version that was saved by somebody else than the page."""
        draft = self._known.get(workflow_id)
        workflow = await self._store.get(workflow_id) if draft is not None else None
        if draft is None or workflow is None or workflow.version <= draft.base:
            return
        version = await self._store.version(workflow_id, workflow.version)
        if version is None or workflow.version <= draft.base:
            return
        shown = draft.diagram
        document = await asyncio.to_thread(write_ui, shown, schemas=draft.schemas)
        if document == version.document:
            draft.saved(version.number, shown)
            return
        diagram = await self._diagram(version.document)
        if draft.dirty:  # asked only now: something may have been drawn meanwhile
            self._on_change(draft)  # the library dropped what it had kept of it
        else:
            draft.replace(diagram)
            draft.saved(version.number, diagram)

    def forget_resting(self) -> None:
        """Let go of drafts that nobody touched for a while; pages that show one still hold it."""
        before = time.monotonic() - self._linger_s
        for workflow_id, draft in [*self._held.items()]:
            if draft.touched <= before and workflow_id not in self._unkept:
                del self._held[workflow_id]
