"""1: from `POST /api/generate` to the prompt at the backend, on an idle app."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from app.ids import new_id
from app.models import Catalog, GenerationRequest
from data.presets import load_presets
from tests.benchmarks.farm import Events, Gate, app_on, ended, engines, events, online, request
from tests.benchmarks.results import Result, quantile

JOBS = 100
WARM_UP = 10
_P50_MS, _P95_MS = 10, 30
_PRESETS = load_presets()


def measure_dispatch(folder: Path, long: bool) -> list[Result]:
    """The time our way adds to posting the same prompt straight, both through the same door."""
    with engines(folder, count=1) as made:
        ours, direct = asyncio.run(_measure(folder, Gate(made[0]), JOBS * 2 if long else JOBS))
    results: list[Result] = []
    for share, limit_ms in ((0.5, _P50_MS), (0.95, _P95_MS)):
        a, b = quantile(ours, share) * 1000, quantile(direct, share) * 1000
        results.append(
            Result(
                name=f"1 dispatch p{share * 100:.0f}",
                ours=f"{a:.1f} ms",
                floor=f"{b:.1f} ms (straight by httpx)",
                compared=f"+{a - b:.1f} ms",
                target=f"≤ +{limit_ms} ms",
                passed=a - b <= limit_ms,
            )
        )
    return results


async def _measure(folder: Path, gate: Gate, jobs: int) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    direct: list[float] = []
    async with gate.open(), httpx.AsyncClient(trust_env=False) as http:
        with app_on(folder, [gate.url]) as app:
            await asyncio.to_thread(app.start)
            await online(http, app.url)
            address = f"{gate.url.replace('http', 'ws')}/ws?clientId=bench"
            async with events(app.url) as heard, connect(address) as socket:
                for number in range(jobs + WARM_UP):
                    ours.append(await _through_us(http, app.url, gate, heard, number))
                    direct.append(await _straight(http, socket, gate, number))
    return ours[WARM_UP:], direct[WARM_UP:]


async def _through_us(
    http: httpx.AsyncClient, url: str, gate: Gate, heard: Events, number: int
) -> float:
    began = time.perf_counter()
    answer = await http.post(f"{url}/api/generate", json=request(seed=number))
    took = await gate.arrival() - began
    answer.raise_for_status()
    await heard.next("job.done")
    return took


async def _straight(
    http: httpx.AsyncClient, socket: ClientConnection, gate: Gate, number: int
) -> float:
    prompt_id = str(new_id())
    body = {"prompt": direct_graph(prompt_id, number), "prompt_id": prompt_id, "client_id": "bench"}
    began = time.perf_counter()
    answer = await http.post(f"{gate.url}/prompt", json=body)
    took = await gate.arrival() - began
    answer.raise_for_status()
    await ended(socket, prompt_id)
    return took


def direct_graph(prefix: str, number: int) -> dict[str, Any]:
    """The same prompt as ours, built by the same function."""
    wanted = GenerationRequest(
        target="auto", prompt="a red fox", width=64, height=64, steps=1, seed=1_000_000 + number
    )
    catalog = Catalog(
        node_classes=frozenset(),
        models={"checkpoints": ("demo-painter.safetensors",)},
        samplers=("euler",),
        schedulers=("normal",),
    )
    return dict(_PRESETS.build(wanted, prefix=prefix, catalog=catalog).graph)
