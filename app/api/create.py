"""The FastAPI app: every router, one shape of errors, JSON 404 below `/api`."""

from collections.abc import Sequence

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from app.api import (
    access,
    backends,
    diagnostics,
    events,
    flux,
    groups,
    images,
    inputs,
    jobs,
    nodes,
    presets,
    problems,
    proxy,
    system,
    templates,
    webhooks,
    workflows,
)
from app.services import Services
from app.version import app_version

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def create_api(services: Services) -> FastAPI:
    """The API over the services; pages are mounted beside it by main.py."""
    # The offline variant serves the scripts of /docs itself instead of naming a foreign host.
    api = FastAPIOffline(
        title="Orchestrator",
        version=app_version(),
        summary="Runs AI image generation on every ComfyUI machine you own, and keeps it.",
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    api.state.services = services
    problems.install(api)
    for family in (
        jobs,
        groups,
        webhooks,
        images,
        system,
        backends,
        proxy,
        diagnostics,
        events,
        flux,
        access,
        presets,
        inputs,
        nodes,
        workflows,
        templates,
    ):
        api.include_router(family.router)

    served = list(api.router.routes)

    @api.api_route("/api/{path:path}", methods=list(_METHODS), include_in_schema=False)
    async def unknown(request: Request, path: str) -> Response:  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        allowed = [each for each in _METHODS if _takes(served, request.scope, method=each)]
        if allowed:
            detail = f"/api/{path} does not take {request.method}."
            raise HTTPException(405, detail, headers={"Allow": ", ".join(allowed)})
        raise HTTPException(404, f"There is no {request.method} /api/{path}.")

    return api


def _takes(routes: Sequence[BaseRoute], scope: Scope, *, method: str) -> bool:
    asked = {**scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in routes)
