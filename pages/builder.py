"""The workflow builder: the library, and one workflow to draw in."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.drawing.files.from_api import from_api
from app.errors import InvalidRequestError, NotFoundError, OrchestratorError
from app.events import BackendChanged, BackendRemoved, Event, WorkflowChanged
from app.graphs.running import split_id
from app.models import Workflow
from app.said import Said
from app.services import Services
from components import notify
from components.feed import Batch, ClientFeed
from components.generation_form.choices import Choices
from components.i18n import say, tr
from components.scope import Scope
from components.workflow_graph import IS_AVAILABLE, how_to_get
from components.workflow_library import WorkflowLibrary
from pages.arriving import open_taken
from pages.drawing import Drawing

SHEET = Path(__file__).with_name("builder.css")
SHORTCUTS: tuple[tuple[str, str], ...] = (
    ("Tab", "Add a node"),
    ("Ctrl C V X", "Copy, paste or cut nodes"),
    ("Ctrl Z Y", "Undo or redo"),
    ("Ctrl S", "Save a version"),
    ("Ctrl ↵", "Test run"),
    ("Ctrl F", "Search in the graph"),
    ("F", "Fit the graph to the window"),
    ("L", "Lay the nodes out"),
    ("M", "Mute nodes"),
    ("B", "Bypass nodes"),
    ("?", "All keys of the graph"),
)
"""Keys and what they do here; the descriptions are messages for `tr`."""
_MAX_DIGITS = 10
_NAME = 80  # characters of a prompt that a workflow is called by
_FEATURED = ("image_sdxl_simple", "sdxlturbo_example", "sd3.5_simple_example")


def library(services: Services, image: str | None = None, job: str | None = None) -> None:
    """The page at `/builder`; `?image=<id>` or `?job=<id>` opens the workflow that made it."""
    ui.page_title(f"{tr('Builder')} – Orchestrator")
    with Scope(classes="o-page") as scope:
        wanted = image or job
        if wanted:
            made_by = _open_maker(services, wanted, is_job=image is None)
            scope.task(made_by, name="open the workflow of a result")
        else:
            scope.task(_Library(services).run(), name="workflow library")


def workflow(services: Services, workflow_id: str, version: str = "") -> None:
    """The page at `/builder/{workflow_id}`; `?version=<n>` shows what is new since that one."""
    ui.page_title(f"{tr('Builder')} – Orchestrator")
    with Scope(classes="o-page o-builder") as scope:
        if IS_AVAILABLE:
            scope.task(_draw(services, workflow_id, since=version), name="builder")
        else:
            _say(tr("The canvas is not there yet"), how_to_get(), testid="builder-unavailable")


async def _draw(services: Services, workflow_id: str, *, since: str) -> None:
    try:
        found = await services.workflows.get(_known_id(workflow_id))
        draft = await services.drafts.open(found.id)
    except OrchestratorError as exc:
        _say(tr("This workflow cannot be opened"), str(exc), testid="builder-missing")
        return
    ui.page_title(f"{found.name} – Orchestrator")
    old = int(since) if since.isdecimal() and len(since) < _MAX_DIGITS else 0
    await Drawing(services, found, draft, since=old).run()


async def _open_maker(services: Services, wanted: str, *, is_job: bool) -> None:
    """Go to the workflow that made a picture or belongs to a job."""
    try:
        maker = _maker_of_job if is_job else _maker_of_image
        found = await maker(services, _known_id(wanted))
    except OrchestratorError as exc:
        notify.show_error(exc)
        await _Library(services).run()
    else:
        ui.navigate.to(f"/builder/{found}")


async def _maker_of_job(services: Services, job_id: UUID) -> object:
    """What of `/builder/` shows the workflow of a job."""
    job = await services.jobs.detail(job_id, say=say)
    request = (await services.jobs.get(job_id)).request
    saved = await _kept(services, request.preset)
    if saved is not None:
        return saved
    if request.graph is not None:
        schemas = services.known_nodes.schemas
        diagram = await asyncio.to_thread(from_api, request.graph, schemas=schemas)
        name = " ".join(request.prompt.split())[:_NAME] or tr("Workflow of a job")
        return (await services.workflows.begin_draft(name, diagram)).id
    images = job.result.images if job.result else []
    if not images:
        raise NotFoundError(
            Said("Nothing is known yet of the workflow of this job."),
            fix=Said("Open it from its picture, once that is there."),
        )
    return (await services.workflow_files.take_image(images[0].id)).workflow.id


async def _maker_of_image(services: Services, image_id: UUID) -> object:
    """What of `/builder/` shows the workflow of a picture."""
    image = await services.gallery.get(image_id)
    saved = await _kept(services, f"{image.workflow_id}@{image.workflow_version}")
    return saved or (await services.workflow_files.take_image(image_id)).workflow.id


async def _kept(services: Services, preset: str) -> str | None:
    """What of `/builder/` shows the version that a preset is, if it is in the library."""
    workflow_id, number = split_id(preset)
    if number is None:
        return None
    try:
        found = await services.workflows.get(_known_id(workflow_id))
    except NotFoundError:
        return None
    return f"{found.id}?version={number}"


class _Library:
    """The workflows that are kept, live."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        """Build it, and keep it right until cancelled."""
        services = self._services
        here = ui.context.client
        infos = [each for each in services.fleet.infos() if each.kind == "comfyui"]
        self._library = WorkflowLibrary(
            backends=[{"id": each.id, "name": each.name} for each in infos],
            featured=await self._featured(),
        )
        self._library.on("open", lambda event: open_taken(event.args))
        self._library.on("blank", self._blank)
        self._library.on("duplicate", self._duplicate)
        self._library.on("tag", self._tag)
        self._library.on("remove", self._remove)
        self._library.on("failed", lambda event: _complain(str(event.args)))
        feed = ClientFeed(
            here,
            bus=services.bus,
            snapshot=self._show,
            fold=_fold,
            send=lambda _: feed.refresh(),
        )
        await feed.run()

    async def _featured(self) -> Sequence[dict[str, str]]:
        templates = await self._services.templates.list()
        by_name = {each.name: each for each in templates}
        return [
            {"name": name, "title": by_name[name].title, "about": by_name[name].description}
            for name in _FEATURED
            if name in by_name
        ]

    async def _show(self) -> None:
        kept = await self._services.workflows.all()
        choices = Choices.of(self._services)
        self._library.send([self._card(each, choices) for each in kept])

    def _card(self, kept: Workflow, choices: Choices) -> dict[str, Any]:
        preset = self._services.presets.get(str(kept.id)) if kept.version else None
        if preset is None or not preset.variants:
            runs = {"ok": False, "text": tr("Never saved") if not kept.version else ""}
            if kept.version:
                runs["text"] = tr("Saves no picture yet")
        else:
            standing = choices.standing(preset)
            runs = {"ok": standing.online, "text": standing.state}
        thumb = f"/api/images/{kept.thumbnail}/thumbnail" if kept.thumbnail else None
        return {
            "id": str(kept.id),
            "name": kept.name,
            "description": kept.description,
            "tags": list(kept.tags),
            "version": kept.version,
            "hasDraft": kept.has_draft,
            "thumb": thumb,
            "runs": runs,
        }

    async def _blank(self) -> None:
        try:
            made = await self._services.workflows.create(tr("New workflow"))
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            ui.navigate.to(f"/builder/{made.id}")

    async def _duplicate(self, event: GenericEventArguments) -> None:
        workflows = self._services.workflows
        try:
            source = await workflows.get(_known_id(str(event.args)))
            name = tr("Copy of {name}", name=source.name)[:200]
            await workflows.duplicate(source.id, name=name)
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            notify.show_done(tr("Duplicated"))

    async def _tag(self, event: GenericEventArguments) -> None:
        given: dict[str, Any] = event.args
        tags = [str(each) for each in given["tags"]]
        try:
            await self._services.workflows.edit(_known_id(str(given["id"])), tags=tags)
        except OrchestratorError as exc:
            notify.show_error(exc)

    async def _remove(self, event: GenericEventArguments) -> None:
        workflows = self._services.workflows
        try:
            gone = await workflows.get(_known_id(str(event.args)))
            await workflows.delete(gone.id)
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            text = tr("{name} was deleted", name=gone.name)
            notify.show_undo(text, lambda: workflows.bring_back(gone.id))


def _fold(event: Event, batch: Batch) -> None:
    if isinstance(event, WorkflowChanged | BackendChanged | BackendRemoved):
        batch["workflows"] = {"now": True}


def _known_id(text: str) -> UUID:
    """The id of a workflow in an address.

    Raises:
        NotFoundError: it is none.
    """
    try:
        return UUID(text)
    except ValueError as exc:
        raise NotFoundError(tr("There is no workflow {id}.", id=text[:60])) from exc


def _say(title: str, text: str, *, testid: str) -> None:
    with ui.element("div").classes("o-empty").props(f"data-testid={testid}"):
        with ui.element("h1").classes("o-h1"):
            ui.label(title)
        with ui.element("p"):
            ui.label(text)
        with (
            ui.element("div").classes("o-acts"),
            ui.element("a").props("href=/builder").classes("o-btn"),
        ):
            ui.label(tr("All workflows"))


def _complain(reason: str) -> None:
    notify.show_error(InvalidRequestError("file", reason))
