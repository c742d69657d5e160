"""The library: workflows that people keep, and what they do with them."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.drawing.convert import to_api
from app.drawing.diagram import Diagram
from app.drawing.diffs.diffing import Comparison, compare
from app.drawing.files.ui_format import read_ui, write_ui
from app.drawing.findings import Finding
from app.drawing.saved import preset_of
from app.drawing.schema import Schemas
from app.errors import InvalidRequestError, NotFoundError
from app.events import EventBus, JobChanged, LoggedEvent, WorkflowChanged
from app.graphs.nodes import Graph
from app.graphs.preset import Preset
from app.graphs.running import split_id
from app.ids import new_id
from app.known_nodes import KnownNodes
from app.models import MAX_WORKFLOW_NAME, JobState, Workflow, WorkflowVersion
from app.ports import Clock, KeptDraft, NewVersion, WorkflowChanges, WorkflowStore
from app.presets import Presets
from app.said import Said

log = logging.getLogger(__name__)

YOU = "you"
"""The author of what is saved while nobody has to log in."""
MAX_TEXT = 10_000
_MAX_TAGS = 20
_MAX_TAG = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A diagram as it is kept and as it runs."""

    diagram: Diagram
    document: dict[str, Any]
    graph: Graph | None  # None: nothing of it runs
    findings: tuple[Finding, ...]


class WorkflowService:
    """Keeps workflows and their versions, and offers them as presets."""

    def __init__(
        self,
        *,
        store: WorkflowStore,
        known: KnownNodes,
        presets: Presets,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._known = known
        self._presets = presets
        self._bus = bus
        self._clock = clock

    async def open(self, *, needed: Iterable[str] = ()) -> None:
        """Offer what is kept; `needed` are presets that unfinished jobs name."""
        self._presets.forget_saved()
        self._presets.consult(self._load)
        for workflow, version in await self._store.heads():
            await self._offer(workflow, version)
        for preset_id in dict.fromkeys(needed):
            await self._presets.fetch(preset_id)

    async def serve(self) -> None:
        """Show each workflow by its last result; runs until cancelled."""
        with self._bus.subscribe(JobChanged) as inbox:
            async for event in inbox:
                inbox.caught_up()
                if isinstance(event, JobChanged):
                    await self._look_at(event)

    async def all(
        self, *, text: str = "", tags: Collection[str] = (), deleted: bool = False
    ) -> list[Workflow]:
        """Those whose name, description or tags have every word, and that have all the tags.

        The one changed last comes first.
        """
        words = text.casefold().split()
        found = await self._store.all(deleted=deleted)
        return [
            each
            for each in found
            if set(tags) <= set(each.tags) and all(word in _searched(each) for word in words)
        ]

    async def get(self, workflow_id: UUID) -> Workflow:
        """One that lives.

        Raises:
            NotFoundError: there is none with that id, or it was deleted.
        """
        found = await self._store.get(workflow_id)
        if found is None or found.deleted_at is not None:
            raise none_of(workflow_id)
        return found

    async def create(
        self,
        name: str,
        *,
        first: Converted | None = None,
        author: str = YOU,
        note: str = "",
        description: str = "",
        tags: Sequence[str] = (),
    ) -> Workflow:
        """Begin a workflow: empty, or with a first version.

        Raises:
            InvalidRequestError: the name, the description or a tag cannot be taken.
        """
        now = self._clock.now()
        value = Workflow(
            id=new_id(),
            name=checked_name(name),
            description=_checked_text(description, field="description"),
            tags=_checked_tags(tags),
            created_at=now,
            updated_at=now,
        )
        version = first and _new_version(first, author=author, note=note)
        added, logged = await self._store.add(value, version=version)
        await self._offer_head(added, diagram=first and first.diagram)
        self._tell(added.id, logged)
        return added

    async def begin_draft(self, name: str, diagram: Diagram) -> Workflow:
        """Begin a workflow that is only drawn so far.

        Raises:
            InvalidRequestError: the name cannot be taken.
        """
        now = self._clock.now()
        value = Workflow(id=new_id(), name=checked_name(name), created_at=now, updated_at=now)
        converted = await self.converted(diagram)
        draft = KeptDraft(document=converted.document, base=0)
        added, logged = await self._store.add(value, version=None, draft=draft)
        self._tell(added.id, logged)
        return added

    async def edit(
        self,
        workflow_id: UUID,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> Workflow:
        """Rename it, describe it, tag it; None leaves as is.

        Raises:
            NotFoundError: there is none with that id.
            InvalidRequestError: the name, the description or a tag cannot be taken.
        """
        await self.get(workflow_id)
        changes = WorkflowChanges(updated_at=self._clock.now())
        if name is not None:
            changes["name"] = checked_name(name)
        if description is not None:
            changes["description"] = _checked_text(description, field="description")
        if tags is not None:
            changes["tags"] = _checked_tags(tags)
        after, logged = await self._store.change(workflow_id, changes, event="workflow.edited")
        self._presets.rename_saved(str(workflow_id), name=after.name, description=after.description)
        self._tell(workflow_id, logged)
        return after

    async def duplicate(self, workflow_id: UUID, *, name: str, author: str = YOU) -> Workflow:
        """A workflow of that name that begins as the newest version, or the draft, of another.

        Raises:
            NotFoundError: there is none with that id.
            InvalidRequestError: the name cannot be taken.
        """
        source = await self.get(workflow_id)
        draft = await self._store.draft(workflow_id)
        head = await self._store.version(workflow_id, source.version) if source.version else None
        now = self._clock.now()
        value = replace(
            source, id=new_id(), name=checked_name(name), created_at=now, updated_at=now
        )
        version = head and NewVersion(author=author, document=head.document, graph=head.graph)
        copied = draft and replace(draft, base=1 if version else 0)
        added, logged = await self._store.add(value, version=version, draft=copied)
        await self._offer_head(added)
        self._tell(added.id, logged)
        return added

    async def delete(self, workflow_id: UUID) -> None:
        """Put it into the trash; jobs that name it still run.

        Raises:
            NotFoundError: there is none with that id.
        """
        await self.get(workflow_id)
        gone = WorkflowChanges(deleted_at=self._clock.now())
        _, logged = await self._store.change(workflow_id, gone, event="workflow.deleted")
        self._presets.withdraw_saved(str(workflow_id))
        self._tell(workflow_id, logged)

    async def bring_back(self, workflow_id: UUID) -> Workflow:
        """Take it out of the trash.

        Raises:
            NotFoundError: there is none with that id.
        """
        found = await self._store.get(workflow_id)
        if found is None:
            raise none_of(workflow_id)
        if found.deleted_at is not None:
            back = WorkflowChanges(deleted_at=None)
            found, logged = await self._store.change(workflow_id, back, event="workflow.restored")
            await self._offer_head(found)
            self._tell(workflow_id, logged)
        return found

    async def save(
        self, workflow_id: UUID, diagram: Diagram, *, author: str = YOU, note: str = ""
    ) -> WorkflowVersion:
        """Keep the diagram as the next version; the kept draft goes.

        Raises:
            NotFoundError: there is none with that id.
            InvalidRequestError: the note is too long.
        """
        await self.get(workflow_id)
        version = _new_version(await self.converted(diagram), author=author, note=note)
        saved_of, saved, logged = await self._store.save(workflow_id, version, at=self._clock.now())
        await self._offer(saved_of, saved, diagram=diagram)
        self._tell(workflow_id, logged)
        return saved

    async def versions(self, workflow_id: UUID) -> list[WorkflowVersion]:
        """All of them, newest first, without what they hold.

        Raises:
            NotFoundError: there is none with that id.
        """
        await self.get(workflow_id)
        return await self._store.versions(workflow_id)

    async def version(self, workflow_id: UUID, number: int | None = None) -> WorkflowVersion:
        """One of its versions, whole; None: the newest.

        Raises:
            NotFoundError: there is no such workflow or version.
        """
        found = await self._store.get(workflow_id)
        if found is None:
            raise none_of(workflow_id)
        version = await self._store.version(workflow_id, number or found.version)
        if version is None:
            raise NotFoundError(
                Said("'{name}' has no version {n}.", name=found.name, n=number or 1),
                fix=Said("Save it first.") if found.version == 0 else "",
            )
        return version

    async def diagram(self, workflow_id: UUID, number: int | None = None) -> Diagram:
        """What a version draws; None: the newest.

        Raises:
            NotFoundError: there is no such workflow or version.
        """
        return await self.read(await self.version(workflow_id, number))

    async def read(self, version: WorkflowVersion) -> Diagram:
        """What a version draws."""
        diagram, _ = await asyncio.to_thread(_read, version, self._known.schemas)
        return diagram

    async def compare(self, workflow_id: UUID, old: int, new: int | Diagram) -> Comparison:
        """What changed between two versions, or from a version to what is drawn.

        Raises:
            NotFoundError: there is no such workflow or version.
        """
        before = await self.diagram(workflow_id, old)
        after = new if isinstance(new, Diagram) else await self.diagram(workflow_id, new)
        return await asyncio.to_thread(compare, before, after, schemas=self._known.schemas)

    async def restore(
        self, workflow_id: UUID, number: int, *, author: str = YOU
    ) -> WorkflowVersion:
        """Save an old version again, as the newest.

        Raises:
            NotFoundError: there is no such workflow or version.
        """
        diagram = await self.diagram(workflow_id, number)
        note = Said("Version {n} again", n=number)
        return await self.save(workflow_id, diagram, author=author, note=str(note))

    async def show_result(self, workflow_id: UUID, image_id: UUID) -> None:
        """Have an image stand for the workflow; nothing happens if that is gone."""
        found = await self._store.get(workflow_id)
        if found is None or found.deleted_at is not None or found.thumbnail == image_id:
            return
        shown = WorkflowChanges(thumbnail=image_id)
        _, logged = await self._store.change(workflow_id, shown, event="workflow.shown")
        self._tell(workflow_id, logged)

    async def converted(self, diagram: Diagram) -> Converted:
        """The diagram as it is kept and as it runs."""
        return await asyncio.to_thread(convert, diagram, schemas=self._known.schemas)

    async def _offer_head(self, workflow: Workflow, *, diagram: Diagram | None = None) -> None:
        if workflow.version:
            head = await self._store.version(workflow.id, workflow.version)
            if head is not None:
                await self._offer(workflow, head, diagram=diagram)

    async def _offer(
        self, workflow: Workflow, version: WorkflowVersion, *, diagram: Diagram | None = None
    ) -> None:
        preset = await self._preset(workflow, version, diagram=diagram)
        if preset is not None:
            self._presets.put_saved(preset, is_head=True)

    async def _load(self, workflow_id: str, number: int) -> Preset | None:
        """The preset of any version, also of a deleted workflow."""
        try:
            key = UUID(workflow_id)
        except ValueError:
            return None
        workflow = await self._store.get(key)
        version = await self._store.version(key, number) if workflow else None
        if workflow is None or version is None:
            return None
        return await self._preset(workflow, version)

    async def _preset(
        self, workflow: Workflow, version: WorkflowVersion, *, diagram: Diagram | None = None
    ) -> Preset | None:
        try:
            schemas = self._known.schemas
            return await asyncio.to_thread(_preset, workflow, version, diagram, schemas)
        except Exception:  # one workflow that cannot be read must not keep the app from starting
            log.exception("Workflow %s, version %d cannot be offered", workflow.id, version.number)
            return None

    async def _look_at(self, event: JobChanged) -> None:
        image = next((each for each in event.images if each.kind in ("image", "video")), None)
        workflow_id, number = split_id(event.job.request.preset)
        if number is None or image is None or event.job.state is not JobState.DONE:
            return
        try:
            await self.show_result(UUID(workflow_id), image.id)
        except Exception:  # the picture of a card is not worth the engine
            log.exception("The last result of workflow %s is not shown", workflow_id)

    def _tell(self, workflow_id: UUID, logged: LoggedEvent) -> None:
        self._bus.publish(WorkflowChanged(workflow_id=workflow_id, logged=logged))


def none_of(workflow_id: object) -> NotFoundError:
    """There is no workflow with that id."""
    return NotFoundError(Said("There is no workflow '{id}'.", id=workflow_id))


def checked_name(name: str) -> str:
    """The name, without what is around it.

    Raises:
        InvalidRequestError: it is empty, too long, or has what is no text in it.
    """
    plain = " ".join(_checked_text(name, field="name").split())
    if not plain:
        raise InvalidRequestError("name", Said("Give the workflow a name."))
    if len(plain) > MAX_WORKFLOW_NAME:
        raise InvalidRequestError(
            "name", Said("The name has more than {n} characters.", n=MAX_WORKFLOW_NAME)
        )
    return plain


def _checked_text(text: str, *, field: str) -> str:
    if len(text) > MAX_TEXT:
        raise InvalidRequestError(field, Said("It has more than {n} characters.", n=MAX_TEXT))
    if "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise InvalidRequestError(field, Said("It holds characters that are no text."))
    return text


def _checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    plain = [" ".join(_checked_text(each, field="tags").split()) for each in tags]
    unique = tuple(dict.fromkeys(each for each in plain if each))
    if len(unique) > _MAX_TAGS or any(len(each) > _MAX_TAG for each in unique):
        raise InvalidRequestError(
            "tags",
            Said("At most {n} tags of {m} characters each.", n=_MAX_TAGS, m=_MAX_TAG),
        )
    return unique


def _searched(workflow: Workflow) -> str:
    return " ".join((workflow.name, workflow.description, *workflow.tags)).casefold()


def _read(version: WorkflowVersion, schemas: Schemas) -> tuple[Diagram, tuple[Finding, ...]]:
    return read_ui(version.document, schemas=schemas)


def convert(diagram: Diagram, *, schemas: Schemas) -> Converted:
    """The diagram as it is kept and as it runs."""
    made = to_api(diagram, schemas=schemas)
    return Converted(
        diagram=diagram,
        document=write_ui(diagram, schemas=schemas),
        graph=made.graph or None,
        findings=made.findings,
    )


def _new_version(made: Converted, *, author: str, note: str) -> NewVersion:
    return NewVersion(
        author=author[:MAX_WORKFLOW_NAME],
        note=_checked_text(note, field="note"),
        document=made.document,
        graph=made.graph,
    )


def _preset(
    workflow: Workflow, version: WorkflowVersion, diagram: Diagram | None, schemas: Schemas
) -> Preset:
    drawn = diagram or _read(version, schemas)[0]
    return preset_of(workflow, version, drawn, schemas=schemas)
