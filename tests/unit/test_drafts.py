"""Workflows being drawn: in step over pages, undone and redone, kept without being asked."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.drafts import Draft, Drafts
from app.drawing.diagram import Diagram
from app.drawing.files.ui_format import read_ui, write_ui
from app.drawing.schema import NodeSchema, Schemas
from app.errors import InvalidRequestError, NotFoundError, StorageError
from app.events import BackendRemoved, DraftChanged, EventBus, WorkflowChanged
from app.ids import new_id
from app.models import Workflow
from app.ports import KeptDraft, NewVersion
from data.memory import MemoryLog
from data.memory_library import MemoryWorkflowStore
from tests.support.diagrams import schemas, text_to_image, with_subgraph
from tests.support.fakes import LIMIT_S, START, FakeClock

_STEPS = {"op": "value", "id": "3", "name": "steps"}


class Store(MemoryWorkflowStore):
    """A library which tells what is kept, and may fail."""

    def __init__(self) -> None:
        super().__init__(log=MemoryLog(clock=FakeClock()))
        self.kept: asyncio.Queue[KeptDraft | None] = asyncio.Queue()
        self.broken = False
        self.slow = False
        self.asked = asyncio.Event()

    async def keep_draft(self, workflow_id: UUID, draft: KeptDraft | None) -> None:
        if self.broken:
            raise StorageError("The disk is full.")
        self.asked.set()
        if self.slow:
            self.slow = False
            await asyncio.Event().wait()
        await super().keep_draft(workflow_id, draft)
        self.kept.put_nowait(draft)


@dataclass
class Rig:
    """Drafts over a library that begins with one workflow."""

    store: Store = field(default_factory=Store)
    bus: EventBus = field(default_factory=EventBus)
    known: Schemas = field(default_factory=schemas)
    workflow_id: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        self.drafts = Drafts(
            store=self.store,
            schemas=lambda: self.known,
            bus=self.bus,
            keep_after=timedelta(0),
            linger=timedelta(hours=1),
        )

    async def begin(self, diagram: Diagram | None, *, draft: Diagram | None = None) -> Draft:
        """Put a workflow into the library and open it."""
        value = Workflow(id=self.workflow_id, name="Foxes", created_at=START, updated_at=START)
        version = None if diagram is None else NewVersion(author="you", **_as_saved(diagram))
        kept = None if draft is None else KeptDraft(base=0, document=_document(draft))
        await self.store.add(value, version=version, draft=kept)
        return await self.drafts.open(self.workflow_id)

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[None]:
        """Serve beside the test, as the app does; cancelled at its end."""
        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
            task = group.create_task(self.drafts.serve())
            await asyncio.sleep(0)
            yield
            task.cancel()

    async def next_kept(self) -> KeptDraft | None:
        """What is kept next."""
        async with asyncio.timeout(LIMIT_S):
            return await self.store.kept.get()


def _document(diagram: Diagram) -> dict[str, Any]:
    return write_ui(diagram, schemas=schemas())


def _as_saved(diagram: Diagram) -> dict[str, Any]:
    return {"document": _document(diagram), "graph": None}


def steps_of(draft: Draft | Mapping[str, Any]) -> Any:
    """The steps of the sampler in a draft or in the file of one."""
    if isinstance(draft, Draft):
        return draft.diagram.root.nodes["3"].values["steps"]
    return read_ui(draft, schemas=schemas())[0].root.nodes["3"].values["steps"]


async def test_a_draft_is_what_was_drawn_last() -> None:
    """Else the newest version, else nothing; one for all who open it."""
    saved, drawn, fresh = Rig(), Rig(), Rig()
    draft = await saved.begin(text_to_image())
    assert (len(draft.diagram.root.nodes), draft.base, draft.dirty) == (7, 1, False)
    assert await saved.drafts.open(saved.workflow_id) is draft
    draft = await drawn.begin(None, draft=with_subgraph())
    assert (len(draft.diagram.subgraphs), draft.base, draft.dirty) == (1, 0, True)
    draft = await fresh.begin(None)
    assert (draft.diagram, draft.dirty) == (Diagram(), False)


async def test_what_is_not_in_the_library_cannot_be_opened() -> None:
    """Nor what lies in the trash."""
    rig = Rig()
    with pytest.raises(NotFoundError):
        await rig.drafts.open(new_id())
    await rig.begin(None)
    found = await rig.store.get(rig.workflow_id)
    assert found is not None
    await rig.store.change(found.id, {"deleted_at": START}, event="workflow.deleted")
    other = Drafts(store=rig.store, schemas=schemas, bus=rig.bus)
    with pytest.raises(NotFoundError):
        await other.open(rig.workflow_id)


async def test_every_change_is_told_and_can_be_taken_back() -> None:
    """One step for all that was sent at once; a new change forgets what was taken back."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    heard = rig.bus.subscribe(DraftChanged)
    first = draft.apply("", [{**_STEPS, "value": 30}, {"op": "remove", "ids": ["9"]}])
    second = draft.apply("", [{**_STEPS, "value": 40}])
    assert second > first
    assert [event.rev for event in heard.drain() if isinstance(event, DraftChanged)] == [
        first,
        second,
    ]
    draft.undo()
    draft.undo()
    draft.undo()
    assert (steps_of(draft), draft.dirty, draft.can_undo) == (20, False, False)
    draft.redo()
    assert (steps_of(draft), "9" in draft.diagram.root.nodes, draft.can_redo) == (30, False, True)
    draft.apply("", [{**_STEPS, "value": 50}])
    draft.redo()
    assert (steps_of(draft), draft.can_redo) == (50, False)


async def test_what_is_refused_changes_nothing() -> None:
    """Neither the part of it that would have fitted."""
    draft = await Rig().begin(text_to_image())
    before, rev = draft.diagram, draft.rev
    with pytest.raises(InvalidRequestError):
        draft.apply("", [{**_STEPS, "value": 30}, {**_STEPS, "value": "many"}])
    assert (draft.diagram, draft.rev, draft.can_undo) == (before, rev, False)
    assert draft.apply("", [{**_STEPS, "value": 20}]) == rev


async def test_pages_get_what_changed_since_what_they_show() -> None:
    """None where they have to look anew."""
    draft = await Rig().begin(text_to_image())
    shown = draft.view("")
    draft.apply("", [{**_STEPS, "value": 30}])
    draft.apply("", [{"op": "remove", "ids": ["9"]}])
    changes = draft.changes_since(shown["rev"], "")
    assert changes is not None
    assert (changes["nodes"]["3"]["id"], changes["nodes"]["9"]) == ("3", None)
    assert (changes["rev"], changes["canUndo"], changes["dirty"]) == (draft.rev, True, True)
    assert draft.changes_since(1, "") is None
    with pytest.raises(NotFoundError):
        draft.view("3")


async def test_a_page_in_a_subgraph_that_goes_comes_out_of_it() -> None:
    """To the closest level that is there."""
    draft = await Rig().begin(with_subgraph())
    rev = draft.rev
    assert draft.nearest("20") == "20"
    draft.apply("", [{"op": "remove", "ids": ["20"]}])
    assert draft.changes_since(rev, "20") is None
    assert draft.nearest("20") == ""


async def test_what_was_drawn_is_kept_without_being_asked() -> None:
    """Another process would open it as it was."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    async with rig.served():
        draft.apply("", [{**_STEPS, "value": 30}])
        kept = await rig.next_kept()
        assert kept is not None
        assert (kept.base, steps_of(kept.document)) == (1, 30)
        draft.undo()
        assert await rig.next_kept() is None
    again = Drafts(store=rig.store, schemas=schemas, bus=rig.bus)
    assert (await again.open(rig.workflow_id)).diagram == draft.diagram


async def test_what_was_drawn_last_is_kept_at_the_end() -> None:
    """Although the process is stopped at once."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    async with rig.served():
        draft.apply("", [{**_STEPS, "value": 30}])
    kept = await rig.store.draft(rig.workflow_id)
    assert kept is not None
    assert steps_of(kept.document) == 30


async def test_what_was_being_kept_when_the_process_is_stopped_is_kept() -> None:
    """The writing that is under way is cut off, and done again at the end."""
    rig = Rig()
    rig.store.slow = True
    draft = await rig.begin(text_to_image())
    async with rig.served():
        draft.apply("", [{**_STEPS, "value": 30}])
        await rig.store.asked.wait()
    kept = await rig.store.draft(rig.workflow_id)
    assert kept is not None
    assert steps_of(kept.document) == 30


async def test_what_cannot_be_kept_stays_in_memory_and_is_tried_again() -> None:
    """It is no reason to stop drawing."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    rig.store.broken = True
    draft.apply("", [{**_STEPS, "value": 30}])
    with rig.bus.subscribe(DraftChanged) as told:
        await rig.drafts.keep()
        await rig.drafts.keep()
        assert draft.problem is not None
        assert "The disk is full." in draft.problem.message
        rig.store.broken = False
        await rig.drafts.keep()
        assert draft.problem is None
        assert len(told.drain()) == 2  # that it cannot be kept, and that it can
    kept = await rig.next_kept()
    assert kept is not None
    assert steps_of(kept.document) == 30


async def test_a_saved_draft_is_clean_until_the_next_change() -> None:
    """What was drawn while it was being saved stays."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    draft.apply("", [{**_STEPS, "value": 30}])
    saved = draft.diagram
    draft.apply("", [{**_STEPS, "value": 40}])
    draft.saved(2, saved)
    assert (draft.base, draft.dirty) == (2, True)
    draft.undo()
    assert not draft.dirty
    await rig.drafts.keep()
    assert await rig.next_kept() is None


async def test_a_version_saved_elsewhere_shows_unless_something_was_drawn() -> None:
    """And can be undone like any change."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    heard = rig.bus.subscribe(DraftChanged)
    async with rig.served():
        newer = read_ui(_document(text_to_image()), schemas=schemas())[0]
        nodes = {**newer.root.nodes, "3": replace(newer.root.nodes["3"], title="Paints")}
        newer = replace(newer, root=replace(newer.root, nodes=nodes))
        version = NewVersion(author="api", **_as_saved(newer))
        _, _, logged = await rig.store.save(rig.workflow_id, version, at=START)
        rig.bus.publish(WorkflowChanged(workflow_id=rig.workflow_id, logged=logged))
        assert await heard.wait()
        while draft.base < 2:
            heard.drain()
            await heard.wait()
        assert (draft.diagram.root.nodes["3"].title, draft.dirty) == ("Paints", False)
        draft.undo()
        assert (draft.diagram.root.nodes["3"].title, draft.dirty) == (None, True)
        _, _, logged = await rig.store.save(rig.workflow_id, version, at=START)
        rig.bus.publish(WorkflowChanged(workflow_id=rig.workflow_id, logged=logged))
    assert (draft.diagram.root.nodes["3"].title, draft.base) == (None, 2)


async def test_what_is_drawn_is_kept_again_when_a_version_was_saved_elsewhere() -> None:
    """Saving had dropped it from the library."""
    rig = Rig()
    draft = await rig.begin(text_to_image())
    async with rig.served():
        draft.apply("", [{**_STEPS, "value": 30}])
        await rig.next_kept()
        version = NewVersion(author="api", **_as_saved(with_subgraph()))
        _, _, logged = await rig.store.save(rig.workflow_id, version, at=START)
        rig.bus.publish(WorkflowChanged(workflow_id=rig.workflow_id, logged=logged))
        kept = await rig.next_kept()
    assert kept is not None
    assert (kept.base, steps_of(kept.document)) == (1, 30)


async def test_values_get_their_names_once_a_backend_knows_the_class() -> None:
    """And pages have to look anew."""
    rig = Rig()
    less = {key: each for key, each in schemas().items() if key != "KSampler"}
    rig.known = less
    file: dict[str, Any] = {
        "nodes": [{"id": 3, "type": "KSampler", "widgets_values": [7, "fixed", 12, 5.0]}]
    }
    value = Workflow(id=rig.workflow_id, name="Foxes", created_at=START, updated_at=START)
    version = NewVersion(author="you", document=file, graph=None)
    await rig.store.add(value, version=version)
    draft = await rig.drafts.open(rig.workflow_id)
    draft.apply("", [{"op": "value", "id": "3", "name": "#2", "value": 13}])
    assert draft.diagram.root.nodes["3"].loose == (7, "fixed", 13, 5.0)
    rev = draft.rev
    heard = rig.bus.subscribe(DraftChanged)
    async with rig.served():
        rig.known = _all()
        rig.bus.publish(BackendRemoved(backend_id="gpu-1"))
        assert await heard.wait()
        assert steps_of(draft) == 13
        assert draft.changes_since(rev, "") is None
        draft.undo()
        assert steps_of(draft) == 12


def _all() -> Mapping[str, NodeSchema]:
    return dict(schemas())


async def test_drafts_that_nobody_touches_leave_memory() -> None:
    """Those that a page shows stay the same for whoever opens them next."""
    rig = Rig()
    drafts = Drafts(store=rig.store, schemas=schemas, bus=rig.bus, linger=timedelta(0))
    await rig.begin(text_to_image())
    shown = await drafts.open(rig.workflow_id)
    drafts.forget_resting()
    assert drafts.peek(rig.workflow_id) is shown
    shown.apply("", [{**_STEPS, "value": 30}])
    rev = shown.rev
    del shown
    drafts.forget_resting()
    gc.collect()
    held = drafts.peek(rig.workflow_id)
    assert held is not None
    assert held.rev == rev
    del held
    await drafts.keep()
    drafts.forget_resting()
    gc.collect()
    assert drafts.peek(rig.workflow_id) is None
    assert steps_of(await drafts.open(rig.workflow_id)) == 30
