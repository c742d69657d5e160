"""The FastAPI app: every router, one shape of errors, JSON 404 below `/api`."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response
from fastapi_offline import FastAPIOffline

from app.api import access, events, images, jobs, problems, system
from app.services import Services


def create_api(services: Services) -> FastAPI:
    """The API over the services; pages are mounted beside it by main.py."""
    # The offline variant serves the scripts of /docs itself instead of naming a foreign host.
    api = FastAPIOffline(
        title="Orchestrator",
        version=system.app_version(),
        summary="Runs AI image generation on every ComfyUI machine you own, and keeps it.",
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    api.state.services = services
    problems.install(api)
    for family in (jobs, images, system, events, access):
        api.include_router(family.router)

    @api.api_route(
        "/api/{path:path}",
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        include_in_schema=False,
    )
    async def unknown(request: Request, path: str) -> Response:  # pyright: ignore[reportUnusedFunction] - registered by the decorator
        raise HTTPException(404, f"There is no {request.method} /api/{path}.")

    return api
