"""How long others may be preferred to a job."""

from pathlib import Path
from typing import Any

from app.models import Catalog
from tests.support.fakes import CATALOG, FakeBackend, FakeClock, info
from tests.support.running import running, submit, until_sent

TWO_MODELS = Catalog(
    node_classes=CATALOG.node_classes,
    models={"checkpoints": ("a.safetensors", "b.safetensors")},
    samplers=CATALOG.samplers,
    schedulers=CATALOG.schedulers,
)


async def test_patience_goes_on_while_every_backend_is_busy(home: Path) -> None:
    clock, backend = FakeClock(), FakeBackend(info())
    backend.becomes(catalog=TWO_MODELS)
    patience: dict[str, Any] = {"scheduling": {"prefetch": False, "affinity_patience_s": 30}}
    went: list[str | None] = []

    async with running(home, backend, clock=clock, **patience) as services:
        names = ["b", "a", *"bbbb"]
        for name in names:
            await submit(services, params={"checkpoint": f"{name}.safetensors"})
        for _ in names:
            prompt = await until_sent(backend)
            went.append(prompt.requests[0].checkpoint)
            clock.advance(20)
            prompt.succeed()

    # Without an end to it, the one that needs another model would be the last of all.
    assert went == [f"{name}.safetensors" for name in "bbbabb"]
