"""The machines: which there are, how they are, and what can be done with them."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import Field

from app.api.deps import Here
from app.api.problems import responses
from app.machines import BackendPatch, NewBackend, Trial
from app.services import Services
from app.submission import Wire
from app.views import BackendView

router = APIRouter(prefix="/api/backends", tags=["backends"])


class BackendList(Wire):
    """Every configured backend."""

    backends: list[BackendView]


class TrialRequest(Wire):
    """An address to try."""

    url: str = Field(max_length=2000, examples=["http://192.168.1.20:8188"])


class TrialView(Wire):
    """What answered at an address, or why nothing did."""

    ok: bool
    error: str | None
    better_url: str | None
    """Where a ComfyUI does answer on that machine."""
    known_as: str | None
    """The backend that has this address already."""
    seconds: float
    latency_ms: float | None
    comfy_version: str | None
    gpu_name: str | None
    vram_total: int | None
    vram_free: int | None
    node_count: int
    model_count: int
    models: dict[str, int]
    """How many models, by folder."""


@router.get("", responses=responses())
async def list_backends(here: Here) -> BackendList:
    """Every configured backend and how it is."""
    return BackendList(backends=here.fleet.views())


@router.post("", status_code=201, responses=responses(400, 409))
async def add_backend(here: Here, body: NewBackend) -> BackendView:
    """Add a ComfyUI server; it is connected at once."""
    info = await here.machines.add(body)
    return _view(here, info.id)


@router.post("/test", responses=responses(400))
async def test_backend(here: Here, body: TrialRequest) -> TrialView:
    """Try an address without adding it: what answers there, or why nothing does."""
    return trial_view(await here.machines.try_url(body.url))


@router.get("/{backend_id}", responses=responses(404))
async def get_backend(here: Here, backend_id: str) -> BackendView:
    """One backend and how it is."""
    return _view(here, backend_id)


@router.patch("/{backend_id}", responses=responses(400, 404, 409))
async def edit_backend(here: Here, backend_id: str, body: BackendPatch) -> BackendView:
    """Change a backend; 409 when it is defined by the configuration."""
    await here.machines.edit(backend_id, body)
    return _view(here, backend_id)


@router.delete("/{backend_id}", status_code=204, responses=responses(404, 409))
async def remove_backend(
    here: Here,
    backend_id: str,
    force: Annotated[bool, Query(description="Also while it runs jobs; it finishes them")] = False,
) -> Response:
    """Take a backend out; 409 while it runs jobs, unless forced."""
    await here.machines.remove(backend_id, force=force)
    return Response(status_code=204)


@router.get("/{backend_id}/status", responses=responses(404))
async def backend_status(here: Here, backend_id: str) -> BackendView:
    """How a backend is, as last heard."""
    return _view(here, backend_id)


@router.post("/{backend_id}/check", responses=responses(404, 502))
async def check_backend(here: Here, backend_id: str) -> BackendView:
    """Look at it now, and read its nodes and models anew."""
    await here.machines.check(backend_id)
    return _view(here, backend_id)


@router.post("/{backend_id}/interrupt", responses=responses(404, 409, 502))
async def interrupt_backend(here: Here, backend_id: str) -> BackendView:
    """Stop whatever runs there, of anybody; what waits in its queue stays."""
    await here.machines.interrupt(backend_id)
    return _view(here, backend_id)


@router.post("/{backend_id}/free", responses=responses(404, 409, 502))
async def free_backend(here: Here, backend_id: str) -> BackendView:
    """Have it unload its models and drop its caches."""
    await here.machines.free(backend_id)
    return _view(here, backend_id)


@router.post("/{backend_id}/enable", responses=responses(404, 409))
async def enable_backend(here: Here, backend_id: str) -> BackendView:
    """Give it work again."""
    await here.machines.set_enabled(backend_id, enabled=True)
    return _view(here, backend_id)


@router.post("/{backend_id}/disable", responses=responses(404, 409))
async def disable_backend(here: Here, backend_id: str) -> BackendView:
    """Give it no new work; what runs there is seen through."""
    await here.machines.set_enabled(backend_id, enabled=False)
    return _view(here, backend_id)


def trial_view(trial: Trial) -> TrialView:
    """What was found, for the wire."""
    status = trial.status
    catalog = status.catalog
    counts = {folder: len(names) for folder, names in catalog.models.items()} if catalog else {}
    return TrialView(
        ok=status.online,
        error=status.last_error,
        better_url=trial.better_url,
        known_as=trial.known.id if trial.known else None,
        seconds=round(trial.seconds, 2),
        latency_ms=status.latency_ms,
        comfy_version=status.version,
        gpu_name=status.gpu_name,
        vram_total=status.vram_total_bytes,
        vram_free=status.vram_free_bytes,
        node_count=len(catalog.node_classes) if catalog else 0,
        model_count=sum(counts.values()),
        models=counts,
    )


def _view(here: Services, backend_id: str) -> BackendView:
    view = here.fleet.view(backend_id)
    if view is None:
        raise HTTPException(404, f"There is no backend '{backend_id}'.")
    return view
