"""ComfyUI's own API, for whoever needs more of it than this app offers: passed on as it is."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api import problems
from app.api.deps import Here
from app.api.problems import responses
from app.errors import BackendUnreachableError, NotFoundError
from app.models import BackendInfo
from app.runs import Forwarded, Proxy
from app.said import Said
from app.services import Services
from app.submission import Wire
from app.views import BackendView

log = logging.getLogger(__name__)

router = APIRouter(prefix="/api", tags=["backends"])

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_DEFAULT = "default"
_PASSED_ON: dict[int | str, dict[str, Any]] = {
    200: {"description": "What the backend answers, whatever its status"},
    **responses(404, 502, 504),
}


class ComfyStatus(Wire):
    """The default ComfyUI: how it is, looked at now, and what it has."""

    backend: BackendView
    error: str | None = None
    models: dict[str, list[str]]
    embeddings: list[str]
    samplers: list[str]
    schedulers: list[str]
    features: list[str]


@router.get("/comfy/status", responses=responses(404))
async def comfy_status(here: Here) -> ComfyStatus:
    """System figures and model lists in one answer; the lists kept last while it is away."""
    info = _find(here, _DEFAULT)
    backend = here.fleet.get(info.id)
    error = None
    if backend is not None:
        try:
            await backend.check()
        except BackendUnreachableError as exc:
            error = exc.message
    status = here.fleet.status(info.id)
    view = here.fleet.view(info.id)
    if view is None:  # removed meanwhile
        raise NotFoundError(Said("There is no backend '{id}'.", id=info.id))
    catalog = status.catalog
    return ComfyStatus(
        backend=view,
        error=error,
        models={name: list(files) for name, files in catalog.models.items()} if catalog else {},
        embeddings=list(catalog.embeddings) if catalog else [],
        samplers=list(catalog.samplers) if catalog else [],
        schedulers=list(catalog.schedulers) if catalog else [],
        features=sorted(status.features),
    )


def _find(here: Services, backend_id: str) -> BackendInfo:
    """The ComfyUI of that id; the default is the first enabled one that is not the demo."""
    infos = [info for info in here.fleet.infos() if info.kind != "bfl"]
    if backend_id == _DEFAULT:
        infos = sorted((info for info in infos if info.enabled), key=lambda info: info.is_demo)
    else:
        infos = [info for info in infos if info.id == backend_id]
    if not infos:
        raise NotFoundError(
            Said("There is no backend '{id}'.", id=backend_id)
            if backend_id != _DEFAULT
            else Said("There is no ComfyUI backend.")
        )
    return infos[0]


async def pass_on_to(here: Here, request: Request, backend_id: str, path: str) -> Response:
    """Pass the request on to that ComfyUI; 404 for a backend that is not configured."""
    return _passing(here, request, backend_id)


async def pass_on(here: Here, request: Request, path: str) -> Response:
    """Pass the request on to the default ComfyUI."""
    return _passing(here, request, _DEFAULT)


for _method in _METHODS:
    for _path, _endpoint in (
        ("/comfy/{path:path}", pass_on),
        ("/backends/{backend_id}/comfy/{path:path}", pass_on_to),
    ):
        router.add_api_route(
            _path,
            _endpoint,
            methods=[_method],
            operation_id=f"{_endpoint.__name__}_{_method.lower()}",
            response_class=Response,
            responses=_PASSED_ON,
        )


def _passing(here: Services, request: Request, backend_id: str) -> Response:
    return _Passing(request, proxy=here.proxy, backend=_find(here, backend_id))


class _Passing(Response):
    """Asks the backend while it answers, so that the connection there ends with the one here."""

    def __init__(self, request: Request, *, proxy: Proxy, backend: BackendInfo) -> None:
        super().__init__()
        self._request = request
        self._proxy = proxy
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with what the backend answers."""
        request = self._request
        started = False
        refusal: Response | None = None
        try:
            async with self._proxy.forward(
                self._backend,
                method=request.method,
                path=_raw_path(scope),
                query=request.url.query,
                headers=request.headers.items(),
                body=request.stream(),
            ) as answer:
                started = True
                await _streaming(answer)(scope, receive, send)
        except* BackendUnreachableError as group:
            exc = group.exceptions[0]
            if started:  # half an answer: the connection ends without the rest
                log.warning("'%s' broke off in the middle of an answer: %s", self._backend.id, exc)
            elif isinstance(exc, BackendUnreachableError):
                status = HTTPStatus.GATEWAY_TIMEOUT if exc.late else HTTPStatus.BAD_GATEWAY
                refusal = problems.problem(request, status, exc.message, code=exc.code, fix=exc.fix)
        if refusal is not None:
            await refusal(scope, receive, send)


def _streaming(answer: Forwarded) -> StreamingResponse:
    response = StreamingResponse(answer.body, answer.status)
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers
    ]
    return response


def _raw_path(scope: Scope) -> str:
    """What follows `/comfy/`, as it came over the wire: an encoded slash stays encoded."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("ascii", "replace").partition("?")[0].partition("/comfy/")[2]
