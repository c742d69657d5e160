"""Whether the app itself is well."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response

from app.api.deps import Here
from app.errors import StorageError
from app.submission import Wire
from app.version import app_version

router = APIRouter(prefix="/api", tags=["system"])


class Part(Wire):
    """How one part of the app is."""

    status: Literal["ok", "failed", "online", "offline", "none"]
    detail: str | None = None
    port: int | None = None


class Health(Wire):
    """How the app is: `panel` serves pages, `worker` runs jobs, `comfyui` are the backends."""

    panel: Part
    worker: Part
    comfyui: Part
    version: str
    uptime_seconds: float


@router.get("/health", responses={503: {"model": Health, "description": "Cannot serve"}})
async def health(here: Here, response: Response) -> Health:
    """200 while jobs can be taken in; 503 when the database cannot be written."""
    worker = Part(status="ok")
    try:
        await here.event_log.probe()
    except StorageError as exc:
        response.status_code = 503
        worker = Part(status="failed", detail=f"{exc.message} {exc.fix}")
    real = [each for each in here.fleet.views() if each.kind == "comfyui" and each.enabled]
    online = [each for each in real if each.online]
    comfyui = Part(
        status="none" if not real else "online" if online else "offline",
        detail=f"{len(online)} of {len(real)} backends answer" if real else None,
    )
    return Health(
        panel=Part(status="ok", port=here.settings.port),
        worker=worker,
        comfyui=comfyui,
        version=app_version(),
        uptime_seconds=round((datetime.now(UTC) - here.started_at).total_seconds(), 1),
    )
