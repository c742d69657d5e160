"""The library: workflows, their versions, which never change, and their drafts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.errors import NotFoundError
from app.ids import new_id
from app.models import Workflow
from app.ports import KeptDraft, NewVersion, WorkflowStore
from data.database import Database
from data.library import SqlWorkflowStore
from data.memory import MemoryLog
from data.memory_library import MemoryWorkflowStore
from tests.support.fakes import FakeClock
from tests.support.values import NOW

DOCUMENT = {"nodes": [{"id": 1, "type": "Ночь 🌙", "values": [2**64 - 1, None, "\ud800"]}]}
GRAPH = {"1": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1}}}


@pytest.fixture(params=["sql", "memory"])
def store(request: pytest.FixtureRequest, clock: FakeClock) -> WorkflowStore:
    """Each kind in turn."""
    if request.param == "memory":
        return MemoryWorkflowStore(log=MemoryLog(clock=clock))
    database: Database = request.getfixturevalue("database")
    return SqlWorkflowStore(database, clock=clock)


def a_workflow(name: str = "Portraits", **changes: Any) -> Workflow:
    """One that is not in the store yet."""
    values: dict[str, Any] = {"id": new_id(), "created_at": NOW, "updated_at": NOW}
    return Workflow(**{**values, "name": name, **changes})


def a_version(note: str = "", **changes: Any) -> NewVersion:
    """Something to save."""
    values: dict[str, Any] = {"author": "you", "document": DOCUMENT, "graph": GRAPH}
    return NewVersion(**{**values, "note": note, **changes})


async def test_a_workflow_comes_back_as_it_was_put_in(store: WorkflowStore) -> None:
    value = a_workflow(description="Для лиц", tags=("faces", "ночь"), thumbnail=new_id())

    added, logged = await store.add(value, version=a_version("first"))

    assert added == replace(value, version=1)
    assert await store.get(value.id) == added
    assert (logged.type, logged.subject) == ("workflow.created", str(value.id))
    version = await store.version(value.id, 1)
    assert version is not None
    assert (version.document, version.graph) == (DOCUMENT, GRAPH)
    assert (version.author, version.note, version.created_at) == ("you", "first", NOW)


async def test_what_is_not_there_is_not_found(store: WorkflowStore) -> None:
    value = a_workflow()

    assert await store.get(value.id) is None
    assert await store.version(value.id, 1) is None
    assert await store.draft(value.id) is None
    assert await store.versions(value.id) == []
    with pytest.raises(NotFoundError):
        await store.change(value.id, {"name": "Nobody's"}, event="workflow.edited")
    with pytest.raises(NotFoundError):
        await store.save(value.id, a_version(), at=NOW)


async def test_each_save_is_a_version_more_and_leaves_the_earlier_ones(
    store: WorkflowStore,
) -> None:
    added, _ = await store.add(a_workflow(), version=a_version("first"))
    later = NOW + timedelta(hours=1)

    saved_of, saved, logged = await store.save(
        added.id, a_version("second", document={"nodes": []}, graph=None), at=later
    )

    assert (saved_of.version, saved_of.updated_at) == (2, later)
    assert (saved.number, saved.graph, saved.created_at) == (2, None, later)
    assert (logged.type, logged.data["version"]) == ("workflow.saved", 2)
    first = await store.version(added.id, 1)
    assert first is not None
    assert first.document == DOCUMENT
    listed = await store.versions(added.id)
    assert [(each.number, each.note) for each in listed] == [(2, "second"), (1, "first")]
    assert all(each.document == {} and each.graph is None for each in listed)


async def test_a_draft_lives_until_the_next_save(store: WorkflowStore) -> None:
    draft = KeptDraft(document=DOCUMENT, base=0)
    added, _ = await store.add(a_workflow(), version=None, draft=draft)
    assert (added.has_draft, added.version) == (True, 0)
    assert await store.draft(added.id) == draft

    newer = KeptDraft(document={"nodes": []}, base=0)
    await store.keep_draft(added.id, newer)
    assert await store.draft(added.id) == newer

    saved_of, _, _ = await store.save(added.id, a_version(), at=NOW)
    assert not saved_of.has_draft
    assert await store.draft(added.id) is None

    await store.keep_draft(added.id, newer)
    await store.keep_draft(added.id, None)
    found = await store.get(added.id)
    assert found is not None
    assert not found.has_draft


async def test_the_one_changed_last_comes_first_and_the_deleted_apart(
    store: WorkflowStore, clock: FakeClock
) -> None:
    old, _ = await store.add(a_workflow("Old"), version=None)
    new, _ = await store.add(a_workflow("New", updated_at=NOW + timedelta(seconds=1)), version=None)
    assert [each.name for each in await store.all()] == ["New", "Old"]

    clock.advance(10_000_000)
    await store.keep_draft(old.id, KeptDraft(document={}, base=0))
    assert [each.name for each in await store.all()] == ["Old", "New"]

    deleted, logged = await store.change(new.id, {"deleted_at": NOW}, event="workflow.deleted")
    assert deleted == replace(new, deleted_at=NOW)
    assert logged.type == "workflow.deleted"
    assert [each.name for each in await store.all()] == ["Old"]
    assert [each.name for each in await store.all(deleted=True)] == ["New"]
    found = await store.get(new.id)
    assert found is not None
    assert found.deleted_at == NOW


async def test_a_change_overwrites_what_it_names_and_nothing_else(store: WorkflowStore) -> None:
    added, _ = await store.add(a_workflow(), version=a_version())
    image: UUID = new_id()

    shown, _ = await store.change(added.id, {"thumbnail": image}, event="workflow.shown")
    named, logged = await store.change(
        added.id, {"name": "Лица", "tags": ("a",), "description": "d"}, event="workflow.edited"
    )

    assert shown == replace(added, thumbnail=image)
    assert named == replace(shown, name="Лица", tags=("a",), description="d")
    assert await store.get(added.id) == named
    assert (logged.type, logged.data["version"]) == ("workflow.edited", 1)


async def test_heads_are_the_newest_versions_of_those_that_live(store: WorkflowStore) -> None:
    first, _ = await store.add(a_workflow("first"), version=a_version("1"))
    await store.save(first.id, a_version("2"), at=NOW)
    await store.add(a_workflow("never saved"), version=None)
    gone, _ = await store.add(a_workflow("gone"), version=a_version())
    await store.change(gone.id, {"deleted_at": NOW}, event="workflow.deleted")

    (head,) = await store.heads()

    assert head == (await store.get(first.id), await store.version(first.id, 2))
