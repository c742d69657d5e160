"""The ASGI app: routes, their `/api` twins, and the plain error pages."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from backends.demo.answers import Handler, Table
from backends.demo.control_routes import ControlRoutes
from backends.demo.file_routes import FileRoutes
from backends.demo.info_routes import InfoRoutes
from backends.demo.middleware import BodyLimit, DemandedAnswers, OriginCheck
from backends.demo.prompt_queue import DuplicatePromptError
from backends.demo.wire import BrokenRequestError

if TYPE_CHECKING:
    from backends.demo.engine import DemoEngine


def build_app(engine: "DemoEngine") -> Starlette:
    """The app of one engine; it holds no state of its own."""
    control, files, info = ControlRoutes(engine), FileRoutes(engine.files), InfoRoutes(engine)
    both = {**control.table(), **files.table(), **info.table()}
    routes: list[BaseRoute] = [
        WebSocketRoute("/ws", engine.hub.serve),
        WebSocketRoute("/api/ws", engine.hub.serve),
        *_routes(both, prefix=""),
        *_routes(both, prefix="/api"),
        *([] if engine.settings.protocol.is_old else _routes(control.jobs_table(), prefix="/api")),
        *_routes(control.demo_table(faults=engine.settings.faults), prefix=""),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(OriginCheck),
            Middleware(DemandedAnswers, faults=engine.faults),
            Middleware(BodyLimit),
        ],
        exception_handlers={
            404: _not_found,
            405: _not_allowed,
            BrokenRequestError: _fallen_over,
            DuplicatePromptError: _fallen_over,
        },
    )


def _routes(table: Table, *, prefix: str) -> list[Route]:
    routes: list[Route] = []
    for path, handlers in table.items():
        routes.append(Route(prefix + path, _by_method(handlers), methods=list(handlers)))
    return routes


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await handlers[method](request)

    return endpoint


def _not_found(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.headers:
        return Response(status_code=404, headers=error.headers)
    return Response(status_code=404, media_type="application/octet-stream")


def _not_allowed(_request: Request, error: Exception) -> Response:
    allowed = error.headers if isinstance(error, HTTPException) else None
    methods = sorted((allowed or {}).get("Allow", "").split(", "))
    return PlainTextResponse(
        "405: Method Not Allowed", status_code=405, headers={"Allow": ",".join(methods)}
    )


def _fallen_over(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse(
        "500 Internal Server Error\n\nServer got itself in trouble", status_code=500
    )
