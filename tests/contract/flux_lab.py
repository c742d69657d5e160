"""The FLUX backend on a fake cloud, with a real ledger."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from app.config import FluxSettings, Settings, Timeouts
from app.events import EventBus
from app.models import Attempt, BackendStatus, GenerationRequest
from app.paid import Budget, Charge, ChargeStore
from app.runs import RunEnd, RunEvent
from backends.flux.backend import FluxBackend
from backends.flux.bodies import shown_body
from backends.flux.run import FluxRun
from data.charges import SqlChargeStore
from data.database import Database
from tests.support.fakes import LIMIT_S, FakeClock
from tests.support.flux_server import KEY, FluxServer
from tests.support.values import a_job, a_request, an_attempt

ULTRA = 60_000  # micro-dollars of the six credits of the usual model


@dataclass
class Lab:
    """One life of the backend; the fake cloud and the database outlive it."""

    server: FluxServer
    backend: FluxBackend
    budget: Budget
    settings: Settings
    statuses: asyncio.Queue[BackendStatus] = field(default_factory=asyncio.Queue[BackendStatus])
    """What the backend reported while it was `online`, in order."""

    async def charge(self, attempt: Attempt) -> Charge:
        """What the ledger says of an attempt."""
        charge = await self.budget.get(attempt.id)
        assert charge is not None
        return charge


NewLab = Callable[..., Lab]
"""Makes a backend, as `lab` does."""


def flux_settings(server: FluxServer, home: Path, **changes: Any) -> Settings:
    """Settings for the fake cloud."""
    flux: dict[str, Any] = {"api_key": SecretStr(KEY), "url": server.url, "poll_s": 0.01}
    values: dict[str, Any] = {
        "home": home,
        "allow_generation": True,
        "flux": FluxSettings(**{**flux, **changes.pop("flux", {})}),
        "timeouts": Timeouts(cloud_s=5, lost_confirm_s=0.05, reconnect_max_s=0.1),
    }
    return Settings(**{**values, **changes})


def lab(
    server: FluxServer,
    database: Database,
    home: Path,
    *,
    store: ChargeStore | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    agreed: float | None = 1000.0,
    **changes: Any,
) -> Lab:
    """A backend that is new: it remembers nothing."""
    settings = flux_settings(server, home, **changes)
    clock = FakeClock()
    budget = Budget(
        store=store or SqlChargeStore(database),
        settings=settings,
        payload=shown_body,
        agreed=lambda _: agreed,
        clock=clock,
        bus=EventBus(),
    )
    backend = FluxBackend(
        settings,
        clock=clock,
        budget=budget,
        input_path=lambda name: home / name,
        webhook_secret="of this home",
        check_every_s=0.02,
        transport=transport,
    )
    return Lab(server, backend, budget, settings)


@asynccontextmanager
async def online(made: Lab) -> AsyncGenerator[Lab]:
    """The backend kept connected, as the fleet does."""
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(made.backend.serve(made.statuses.put_nowait))
        async with asyncio.timeout(LIMIT_S):
            await made.statuses.get()
        yield made
        serving.cancel()


def wanted(prompt: str = "a red fox", **changes: Any) -> GenerationRequest:
    """A request for the cloud."""
    return a_request(prompt, **{"target": "flux", "preset": "flux", **changes})


def an_order(number: int = 1, *, job_id: Any = None, **changes: Any) -> Attempt:
    """An attempt there."""
    attempt = an_attempt(a_job(), number=number, backend_id="flux", **changes)
    if job_id is None:
        return attempt
    return Attempt(
        id=attempt.id,
        job_id=job_id,
        number=number,
        backend_id="flux",
        created_at=attempt.created_at,
    )


async def follow(run: FluxRun) -> list[RunEvent]:
    """All events up to the end, which is the last."""
    async with asyncio.timeout(LIMIT_S), aclosing(run.events()) as stream:
        events: list[RunEvent] = [event async for event in stream]
    assert isinstance(events[-1], RunEnd)
    return events


async def picture(run: FluxRun, end: RunEvent) -> bytes:
    """The bytes of what a run made."""
    (output,) = end.outputs  # pyright: ignore[reportAttributeAccessIssue] - a success
    async with asyncio.timeout(LIMIT_S):
        return b"".join([chunk async for chunk in run.fetch(output)])
