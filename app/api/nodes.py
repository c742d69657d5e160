"""Every node class the backends have, in short, for the palette of the builder."""

import asyncio
import hashlib
from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from app.api.deps import Here
from app.drawing.schema import InputSpec, NodeSchema
from app.known_nodes import KnownNodes
from app.submission import Wire

router = APIRouter(prefix="/api", tags=["workflows"])

_MAX_HELP = 300
# Asked for again with every page; unchanged it costs an empty answer.
_HEADERS = {"Cache-Control": "private, no-cache"}


class NodeClassView(Wire):
    """A node class; what is false or empty and has a default is left out."""

    class_type: str = Field(alias="class", description="Its name in API graphs")
    name: str = Field(description="Its name for people")
    category: str = Field(description="Folders, as in `image/upscaling`")
    inputs: list[str] = Field(description="The types that only a link can bring, each once")
    widgets: list[str] = Field(description="The types of the inputs that have a widget, each once")
    outputs: list[str] = Field(description="The types it gives, in order")
    backends: int = Field(description="How many backends have it")
    help: str = ""
    output: bool = Field(default=False, description="It shows or saves something")
    deprecated: bool = False
    experimental: bool = False
    paid: bool = Field(default=False, description="It calls a paid service")


class NodeClassList(Wire):
    """Every node class, by name."""

    nodes: list[NodeClassView]
    backends: int = Field(description="How many backends have said what they have")


@router.get("/nodes", responses={200: {"model": NodeClassList}, 304: {"description": "Unchanged"}})
async def list_node_classes(here: Here, request: Request) -> Response:
    """Every node class that a backend has, also those that are offline; knows ETag."""
    # Hundreds of classes are read the first time, which is too long for the loop.
    body = await asyncio.to_thread(_listed, here.known_nodes)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": etag}
    known = request.headers.get("if-none-match", "")
    if etag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _listed(known: KnownNodes) -> bytes:
    owners = {schema.class_type: known.backends_of(schema.class_type) for schema in known.classes()}
    found = NodeClassList(
        nodes=[_view(each, backends=len(owners[each.class_type])) for each in known.classes()],
        backends=len({backend_id for ids in owners.values() for backend_id in ids}),
    )
    return found.model_dump_json(by_alias=True, exclude_defaults=True).encode()


def _view(schema: NodeSchema, *, backends: int) -> NodeClassView:
    inputs = list(_sockets(schema.inputs))
    return NodeClassView.model_validate(
        {
            "class": schema.class_type,
            "name": schema.name,
            "category": schema.category,
            "inputs": list(dict.fromkeys(each.type for each in inputs if each.widget is None)),
            "widgets": list(dict.fromkeys(each.type for each in inputs if each.widget)),
            "outputs": [each.type for each in schema.outputs],
            "backends": backends,
            "help": schema.help[:_MAX_HELP],
            "output": schema.is_output,
            "deprecated": schema.deprecated,
            "experimental": schema.experimental,
            "paid": schema.is_api,
        }
    )


def _sockets(specs: tuple[InputSpec, ...]) -> Iterator[InputSpec]:
    """The inputs that a link can end at, also those that come with a choice or by growing."""
    for spec in specs:
        if spec.grows:
            yield from _sockets(spec.grows)
            continue
        if not spec.socketless:
            yield spec
        for children in spec.children.values():
            yield from _sockets(children)
