"""The library of workflows over HTTP: keep, change, compare, bring in and give out."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api.access import author_of
from app.api.deps import Here
from app.api.problems import responses
from app.api.workflow_views import (
    CheckedView,
    ComparisonView,
    TakenView,
    WorkflowFull,
    WorkflowView,
    checked_view,
    comparison_view,
    full_view,
    taken_view,
    workflow_view,
)
from app.drawing.diagram import Diagram
from app.errors import InvalidRequestError
from app.models import MAX_WORKFLOW_NAME, WorkflowVersion
from app.said import Said
from app.services import Services
from app.submission import Name, Wire
from app.workflow_files import Taken
from app.workflows import MAX_TEXT

router = APIRouter(prefix="/api", tags=["workflows"])

Title = Annotated[str, Field(min_length=1, max_length=MAX_WORKFLOW_NAME)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Tags = Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=20)]
Document = Annotated[dict[str, JsonValue], Field(max_length=20_000)]
Number = Annotated[int, Query(ge=1, le=2**31)]
_FILE = {
    "required": False,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}, "image/png": {}}, "description": "The file"},
    **responses(404),
}


class NewWorkflow(Wire):
    """A workflow to begin with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Portraits"}]})

    name: Title
    description: Text = ""
    tags: Tags = Field(default=[])
    document: Document | None = None
    """The first version, as ComfyUI keeps workflows or in API format; None: it is empty."""


class ChangedWorkflow(Wire):
    """What is to be different; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Portraits at dusk"}]})

    name: Title | None = None
    description: Text | None = None
    tags: Tags | None = None
    document: Document | None = None
    """Saved as the next version."""
    note: Text = ""
    """What people should know of that version."""


class Named(Wire):
    """The name of a copy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Portraits 2"}]})

    name: Title


class WorkflowList(Wire):
    """Workflows, the one changed last first."""

    workflows: list[WorkflowView]


class VersionView(Wire):
    """A workflow as it was saved once; never changes."""

    number: int
    author: str
    note: str
    created_at: datetime


class VersionList(Wire):
    """The versions of a workflow, newest first."""

    versions: list[VersionView]


class ServedList(Wire):
    """Workflows that people keep on a backend, by path."""

    workflows: list[str]


@router.get("/workflows", responses=responses())
async def list_workflows(
    here: Here,
    q: Annotated[str, Query(max_length=500, description="Words of name, text or tags")] = "",
    tag: Annotated[list[str] | None, Query(max_length=20, description="All of them")] = None,
    deleted: Annotated[bool, Query(description="The trash instead")] = False,
) -> WorkflowList:
    """The library."""
    found = await here.workflows.all(text=q, tags=tag or (), deleted=deleted)
    return WorkflowList(workflows=[workflow_view(each) for each in found])


@router.post("/workflows", status_code=201, responses=responses(400, 503))
async def create_workflow(here: Here, request: Request, new: NewWorkflow) -> WorkflowView:
    """Begin a workflow: empty, or with a first version."""
    first = None
    if new.document is not None:
        diagram = await here.workflow_files.read(new.document)
        first = await here.workflows.converted(diagram)
    made = await here.workflows.create(
        new.name,
        first=first,
        author=author_of(request, access=here.access),
        description=new.description,
        tags=new.tags,
    )
    return workflow_view(made)


@router.post(
    "/workflows/import",
    status_code=201,
    responses=responses(404, 413, 502, 503),
    openapi_extra={"requestBody": _FILE},
)
async def import_workflow(
    here: Here,
    request: Request,
    name: Annotated[str, Query(max_length=500, description="Of the file")] = "",
    template: Annotated[str | None, Query(max_length=200, description="An official one")] = None,
    image: Annotated[UUID | None, Query(description="A picture of the gallery")] = None,
    backend: Annotated[str | None, Query(max_length=200, description="Whose userdata")] = None,
    userdata: Annotated[str | None, Query(max_length=500, description="The path there")] = None,
) -> TakenView:
    """Put a workflow into the library: the body is the file itself, at most 50 MB.

    It may be JSON as ComfyUI keeps or exports it, or a picture with a workflow inside. Instead of
    a body it may come from a template, the gallery, or what people keep on a backend. Without a
    form of its own it gets the one that suggests itself.
    """
    author = author_of(request, access=here.access)
    return taken_view(
        await _taken(
            here,
            request,
            name=name,
            template=template,
            image=image,
            served=(backend, userdata) if backend and userdata else None,
            author=author,
        )
    )


@router.get("/backends/{backend_id}/workflows", responses=responses(404, 502))
async def served_workflows(
    here: Here, backend_id: Annotated[str, Path(max_length=200)]
) -> ServedList:
    """The workflows that people keep on a backend."""
    return ServedList(workflows=await here.workflow_files.served(backend_id))


@router.get("/workflows/{workflow_id}", responses=responses(404))
async def get_workflow(
    here: Here, workflow_id: UUID, version: Number | None = None
) -> WorkflowFull:
    """One workflow, with what its newest version (or the one named) holds."""
    workflow = await here.workflows.get(workflow_id)
    schemas = here.known_nodes.schemas
    if version is None and workflow.version == 0:
        return full_view(workflow, None, None, schemas=schemas)
    found = await here.workflows.version(workflow_id, version)
    preset = await here.presets.fetch(f"{workflow_id}@{found.number}")
    return full_view(workflow, found, preset, schemas=schemas)


@router.put("/workflows/{workflow_id}", responses=responses(400, 404, 503))
async def change_workflow(
    here: Here, request: Request, workflow_id: UUID, changed: ChangedWorkflow
) -> WorkflowView:
    """Rename, describe, tag, or save a new version."""
    diagram = None
    if changed.document is not None:
        before = await here.workflows.get(workflow_id)
        drawn = await here.workflows.diagram(workflow_id) if before.version else Diagram()
        diagram = await here.workflow_files.read(changed.document, form=drawn.parameters)
    if {changed.name, changed.description} != {None} or changed.tags is not None:
        await here.workflows.edit(
            workflow_id,
            name=changed.name,
            description=changed.description,
            tags=changed.tags,
        )
    if diagram is not None:
        author = author_of(request, access=here.access)
        await _save(here, workflow_id, diagram, author=author, note=changed.note)
    return workflow_view(await here.workflows.get(workflow_id))


@router.delete("/workflows/{workflow_id}", status_code=204, responses=responses(404, 503))
async def delete_workflow(here: Here, workflow_id: UUID) -> None:
    """Put it into the trash; `restore` brings it back. Jobs that name it still run."""
    await here.workflows.delete(workflow_id)


@router.post("/workflows/{workflow_id}/restore", responses=responses(404, 503))
async def restore_workflow(
    here: Here, request: Request, workflow_id: UUID, version: Number | None = None
) -> WorkflowView:
    """Bring it back from the trash; or, with `version`, save that one again as the newest."""
    if version is None:
        return workflow_view(await here.workflows.bring_back(workflow_id))
    diagram = await here.workflows.diagram(workflow_id, version)
    note = str(Said("Version {n} again", n=version))
    await _save(
        here, workflow_id, diagram, author=author_of(request, access=here.access), note=note
    )
    return workflow_view(await here.workflows.get(workflow_id))


@router.post(
    "/workflows/{workflow_id}/duplicate", status_code=201, responses=responses(400, 404, 503)
)
async def duplicate_workflow(
    here: Here, request: Request, workflow_id: UUID, named: Named
) -> WorkflowView:
    """A copy with a name of its own, and a history of its own."""
    author = author_of(request, access=here.access)
    made = await here.workflows.duplicate(workflow_id, name=named.name, author=author)
    return workflow_view(made)


@router.get("/workflows/{workflow_id}/versions", responses=responses(404))
async def list_versions(here: Here, workflow_id: UUID) -> VersionList:
    """Its versions, newest first."""
    found = await here.workflows.versions(workflow_id)
    return VersionList(versions=[_version_view(each) for each in found])


@router.get("/workflows/{workflow_id}/compare", responses=responses(404))
async def compare_versions(
    here: Here, workflow_id: UUID, old: Number, new: Number
) -> ComparisonView:
    """What is different in the newer of two versions, in words and by node."""
    return comparison_view(await here.workflows.compare(workflow_id, old, new))


@router.post("/workflows/{workflow_id}/validate", responses=responses(404))
async def validate_workflow(
    here: Here,
    workflow_id: UUID,
    version: Number | None = None,
    backend_id: Annotated[Name | None, Query(alias="backendId")] = None,
) -> CheckedView:
    """What is wrong with it, node by node, and where it runs (or whether on that backend)."""
    await here.workflows.get(workflow_id)
    diagram = await here.workflows.diagram(workflow_id, version)
    return checked_view(await here.workflow_checks.look(diagram, backend_id=backend_id))


@router.post("/workflows/{workflow_id}/export", response_class=Response, responses=_EXPORTED)
@router.get(
    "/workflows/{workflow_id}/export",
    response_class=Response,
    responses=_EXPORTED,
    include_in_schema=False,  # the same, for links
)
async def export_workflow(
    here: Here,
    workflow_id: UUID,
    as_format: Annotated[Literal["api", "ui", "png"], Query(alias="format")] = "ui",
    version: Number | None = None,
    draft: bool = False,
) -> Response:
    """As ComfyUI opens it (`ui`), as it runs (`api`), or as a picture with both inside (`png`).

    The newest version unless one is named; with `draft`, what is drawn, saved or not.
    """
    drawn = (await here.drafts.open(workflow_id)).diagram if draft else None
    file = await here.workflow_files.export(
        workflow_id, as_format=as_format, number=version, draft=drawn
    )
    disposition = f"attachment; filename*=utf-8''{quote(file.name)}"
    return Response(file.data, media_type=file.mime, headers={"Content-Disposition": disposition})


async def _save(
    here: Services, workflow_id: UUID, diagram: Diagram, *, author: str, note: str
) -> WorkflowVersion:
    """The next version; pages that have the workflow open show it, unless they drew on it."""
    version = await here.workflows.save(workflow_id, diagram, author=author, note=note)
    draft = here.drafts.peek(workflow_id)
    if draft is not None and not draft.dirty:
        draft.replace(diagram)
        draft.saved(version.number, diagram)
    return version


async def _taken(
    here: Services,
    request: Request,
    *,
    name: str,
    template: str | None,
    image: UUID | None,
    served: tuple[str, str] | None,
    author: str,
) -> Taken:
    files = here.workflow_files
    if template is not None:
        return await files.take_template(template, author=author)
    if image is not None:
        return await files.take_image(image, author=author)
    if served is not None:
        return await files.take_served(*served, author=author)
    data = await request.body()  # the guard counts it
    if not data:
        raise InvalidRequestError(
            "file",
            Said("There is no file in the request."),
            fix=Said("Send the file itself as the body."),
        )
    return await files.take(data, name=name, author=author)


def _version_view(version: WorkflowVersion) -> VersionView:
    return VersionView(
        number=version.number,
        author=version.author,
        note=version.note,
        created_at=version.created_at,
    )
