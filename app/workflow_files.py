"""Workflows coming in from files, servers, templates and pictures, and going out as files."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol, cast
from urllib.parse import quote
from uuid import UUID

from app.drawing.checks.checking import check
from app.drawing.diagram import Diagram, Parameter
from app.drawing.files.importing import MAX_BYTES, Imported, read_file, too_large
from app.drawing.files.ui_format import write_ui
from app.drawing.findings import Finding
from app.drawing.form.parameters import rebind, suggest
from app.drawing.saved import as_requested
from app.drawing.schema import Schemas
from app.errors import BackendUnreachableError, InvalidRequestError, NotFoundError
from app.fleet import Fleet
from app.graphs.nodes import Graph
from app.graphs.running import split_id
from app.known_nodes import KnownNodes
from app.models import (
    MAX_WORKFLOW_NAME,
    BackendInfo,
    GenerationRequest,
    Image,
    Workflow,
    WorkflowVersion,
)
from app.ports import FileStore, ImageStore
from app.runs import Forwarded, Proxy
from app.said import Said
from app.templates import Templates
from app.workflows import YOU, WorkflowService

_FOLDER = "workflows"  # where ComfyUI keeps those of a user
_PLAIN = [("Accept-Encoding", "identity")]
_SHOWN = 200  # characters of a path
_NOT_FOUND = 404
_FIRST_ERROR = 400

Format = Literal["api", "ui", "png"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A workflow that came in, and what is to say about it."""

    workflow: Workflow
    graph: Graph | None  # None: nothing of it runs
    findings: tuple[Finding, ...]
    diagram: Diagram


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file for people to keep."""

    name: str
    mime: str
    data: bytes


class Cards(Protocol):
    """Makes the picture that a workflow travels in."""

    def make(self, diagram: Diagram, *, picture: Path | None, texts: dict[str, str]) -> bytes:
        """A PNG with the texts in it: the picture, or a drawing of the diagram."""
        ...


class WorkflowFiles:
    """What goes into the library and out of it as files."""

    def __init__(
        self,
        *,
        workflows: WorkflowService,
        known: KnownNodes,
        templates: Templates,
        fleet: Fleet,
        proxy: Proxy,
        images: ImageStore,
        files: FileStore,
        cards: Cards,
    ) -> None:
        self._workflows = workflows
        self._known = known
        self._templates = templates
        self._fleet = fleet
        self._proxy = proxy
        self._images = images
        self._files = files
        self._cards = cards

    async def take(
        self, data: bytes, *, name: str = "", author: str = YOU, note: str = ""
    ) -> Taken:
        """Put the workflow of a file into the library; one without a form gets one.

        Raises:
            InvalidRequestError: no workflow can be read from it; the library is untouched.
        """
        imported, findings = await asyncio.to_thread(
            _examined, data, name=name, schemas=self._known.schemas
        )
        made = await self._workflows.converted(imported.diagram)
        workflow = await self._workflows.create(
            _plain_name(name, imported), first=made, author=author, note=note
        )
        return Taken(
            workflow=workflow,
            graph=made.graph,
            findings=_unique((*findings, *made.findings)),
            diagram=imported.diagram,
        )

    async def read(
        self, document: Mapping[str, Any], *, form: tuple[Parameter, ...] = ()
    ) -> Diagram:
        """The diagram of a document as ComfyUI keeps it, or in API format.

        One without a form of its own gets this one, at the nodes that it fits; without any, the
        one that suggests itself.

        Raises:
            InvalidRequestError: it is no workflow.
        """
        data = await asyncio.to_thread(_json, document)
        imported, _ = await asyncio.to_thread(
            _examined, data, name="", schemas=self._known.schemas, form=form
        )
        return imported.diagram

    async def take_template(self, name: str, *, author: str = YOU) -> Taken:
        """Put an official template into the library.

        Raises:
            NotFoundError: there is none of that name.
        """
        template = await self._templates.get(name)
        data = await self._templates.read(name)
        return await self.take(data, name=template.title, author=author)

    async def take_image(self, image_id: UUID, *, author: str = YOU) -> Taken:
        """Put the workflow that made a picture of the gallery into the library.

        Raises:
            NotFoundError: there is no such picture, or its file is gone.
            InvalidRequestError: nothing tells how it was made.
        """
        image = await self._images.get(image_id)
        if image is None:
            raise NotFoundError(Said("There is no image {id}.", id=image_id))
        name = (image.request.prompt if image.request else "") or str(image.file.name)
        data = await self._data_of(image)
        return await self.take(data, name=name, author=author)

    async def served(self, backend_id: str) -> list[str]:
        """The workflows that people keep on a backend, by path.

        Raises:
            NotFoundError: there is no such backend.
            BackendUnreachableError: it does not answer.
        """
        query = f"dir={_FOLDER}&recurse=true"
        body = await self._fetch(backend_id, path="userdata", query=query)
        return [] if body is None else await asyncio.to_thread(_listed, body)

    async def take_served(self, backend_id: str, path: str, *, author: str = YOU) -> Taken:
        """Put a workflow that people keep on a backend into the library.

        Raises:
            NotFoundError: there is no such backend, or no such workflow on it.
            InvalidRequestError: no workflow can be read from it.
            BackendUnreachableError: it does not answer.
        """
        place = quote(f"{_FOLDER}/{path}", safe="")
        body = await self._fetch(backend_id, path=f"userdata/{place}", query="")
        if body is None:
            raise NotFoundError(Said("There is no workflow {path} there.", path=path[:_SHOWN]))
        return await self.take(body, name=PurePosixPath(path).stem, author=author)

    async def export(
        self,
        workflow_id: UUID,
        *,
        as_format: Format,
        number: int | None = None,
        draft: Diagram | None = None,
    ) -> Exported:
        """A version (None: the newest) as a file, or else its draft if that is given.

        Raises:
            NotFoundError: there is no such workflow or version.
            InvalidRequestError: nothing of it runs, so there is no API format of it.
        """
        workflow = await self._workflows.get(workflow_id)
        stem = _file_name(workflow.name)
        if draft is None:
            version = await self._workflows.version(workflow_id, number)
            document, graph = version.document, version.graph
            diagram = await self._workflows.read(version)
        else:
            made = await self._workflows.converted(draft)
            document, graph, diagram = made.document, made.graph, draft
            stem = f"{stem} (draft)"
        if as_format == "ui":
            data = await asyncio.to_thread(_json, document)
            return Exported(name=f"{stem}.json", mime="application/json", data=data)
        if as_format == "api":
            if graph is None:
                raise InvalidRequestError(
                    "format",
                    Said("Nothing of this workflow runs yet."),
                    fix=Said("Add a node that makes something, or export it as drawn."),
                )
            data = await asyncio.to_thread(_json, graph)
            return Exported(name=f"{stem} (API).json", mime="application/json", data=data)
        inside = (
            {"workflow": document} if graph is None else {"workflow": document, "prompt": graph}
        )
        picture = await self._picture_of(workflow)
        data = await asyncio.to_thread(self._card, diagram, picture=picture, inside=inside)
        return Exported(name=f"{stem}.png", mime="image/png", data=data)

    def _card(self, diagram: Diagram, *, picture: Path | None, inside: Mapping[str, Any]) -> bytes:
        texts = {name: json.dumps(value) for name, value in inside.items()}
        return self._cards.make(diagram, picture=picture, texts=texts)

    async def _picture_of(self, workflow: Workflow) -> Path | None:
        image = await self._images.get(workflow.thumbnail) if workflow.thumbnail else None
        return self._files.path(image.file) if image and image.kind == "image" else None

    async def _data_of(self, image: Image) -> bytes:
        """What tells how an image was made: the version its job named, its graph, its file."""
        request = image.request
        if request is not None and request.graph is not None:
            return await asyncio.to_thread(_json, request.graph)
        workflow_id, number = split_id(request.preset if request else "")
        if request is not None and number is not None:
            version = await self._workflows.version(UUID(workflow_id), number)
            diagram = await self._workflows.read(version)
            return await asyncio.to_thread(
                _as_made, version, diagram, request, schemas=self._known.schemas
            )
        path = self._files.path(image.file)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except OSError as exc:
            raise NotFoundError(Said("{path} is gone.", path=image.file)) from exc

    async def _fetch(self, backend_id: str, *, path: str, query: str) -> bytes | None:
        """What the backend has there; None if it has nothing."""
        info = self._fleet.info(backend_id)
        if info is None or info.kind == "bfl":
            raise NotFoundError(Said("There is no backend '{id}'.", id=backend_id))
        asked = self._proxy.forward(
            info, method="GET", path=path, query=query, headers=_PLAIN, body=_nothing()
        )
        async with asked as answer:
            if answer.status == _NOT_FOUND:
                return None
            if answer.status >= _FIRST_ERROR:
                raise BackendUnreachableError(
                    Said("{backend} answers {status}.", backend=info.name, status=answer.status)
                )
            return await _read(answer, info)


def _listed(body: bytes) -> list[str]:
    """The paths of workflows among what a backend says it keeps; none if it talks nonsense."""
    try:
        listed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []
    names = cast("list[Any]", listed) if isinstance(listed, list) else []
    paths = (each for each in names if isinstance(each, str))
    return sorted(each.replace("\\", "/") for each in paths if each.endswith(".json"))


def _examined(
    data: bytes, *, name: str, schemas: Schemas, form: tuple[Parameter, ...] = ()
) -> tuple[Imported, tuple[Finding, ...]]:
    imported = read_file(data, name=name, schemas=schemas)
    diagram = imported.diagram
    if not diagram.parameters and form:
        diagram, _ = rebind(replace(diagram, parameters=form), schemas=schemas)
    if not diagram.parameters:
        diagram = replace(diagram, parameters=suggest(diagram, schemas=schemas))
    findings = (*imported.findings, *check(diagram, schemas=schemas))
    return replace(imported, diagram=diagram), findings


def _as_made(
    version: WorkflowVersion, diagram: Diagram, request: GenerationRequest, *, schemas: Schemas
) -> bytes:
    """The document of a version with the values of a job in it."""
    filled = as_requested(version, diagram, request, schemas=schemas)
    return _json(write_ui(filled, schemas=schemas))


def _unique(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each once, though several looked at the same place."""
    seen = {(each.node_id, each.input, each.code): each for each in reversed(findings)}
    return tuple(reversed(seen.values()))


def _plain_name(name: str, imported: Imported) -> str:
    """A name that can be taken, from whatever a file is called."""
    wanted = name or imported.name
    text = "".join(each if each.isprintable() else " " for each in wanted)
    plain = " ".join(text.encode(errors="replace").decode().split())
    for suffix in (".json", ".png", ".webp", ".jpg", ".jpeg", ".txt"):
        plain = plain.removesuffix(suffix)
    return plain[:MAX_WORKFLOW_NAME].strip() or "Workflow"


def _file_name(name: str) -> str:
    plain = "".join(
        "_" if each in '\\/:*?"<>|' or not each.isprintable() else each for each in name
    )
    return plain.strip(" .")[:100] or "workflow"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""  # makes it a generator


async def _read(answer: Forwarded, info: BackendInfo) -> bytes:
    body = bytearray()
    async for chunk in answer.body:
        body += chunk
        if len(body) > MAX_BYTES:
            raise too_large()
    return bytes(body)
