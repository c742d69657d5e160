"""2: trivial jobs through four backends, against the same backends fed directly."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from app.ids import new_id
from tests.benchmarks.dispatch import direct_graph
from tests.benchmarks.farm import app_on, ended, engines, events, online, request
from tests.benchmarks.results import Result
from tests.recovery.processes import Engine

BACKENDS = 4
JOBS, LONG_JOBS = 200, 2000
_BATCH = 50
_TARGET = 0.5


def measure_throughput(folder: Path, long: bool) -> list[Result]:
    """Jobs a second from the first submission to the last `done`."""
    jobs = LONG_JOBS if long else JOBS
    with engines(folder, count=BACKENDS) as made:
        direct = jobs / asyncio.run(_direct(made, jobs))
        ours = jobs / asyncio.run(_ours(folder, made, jobs))
    return [
        Result(
            name=f"2 throughput, {jobs} jobs",
            ours=f"{ours:.1f} jobs/s",
            floor=f"{direct:.1f} jobs/s (fed directly)",
            compared=f"{ours / direct:.2f}",
            target=f"≥ {_TARGET}",
            passed=ours / direct >= _TARGET,
        )
    ]


async def _ours(folder: Path, made: list[Engine], jobs: int) -> float:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        with app_on(folder, [each.url for each in made]) as app:
            await asyncio.to_thread(app.start)
            await online(http, app.url)
            # Only the ends: every message more would be work that nobody asked the app for.
            async with events(app.url, topics="job.done") as heard:
                began = time.perf_counter()
                for start in range(0, jobs, _BATCH):
                    body = request(seed=start, count=min(_BATCH, jobs - start))
                    (await http.post(f"{app.url}/api/generate", json=body)).raise_for_status()
                for _ in range(jobs):
                    await heard.next("job.done")
                return time.perf_counter() - began


async def _direct(made: list[Engine], jobs: int) -> float:
    """One prompt in flight on each, its picture fetched and thrown away."""
    numbers = iter(range(jobs))
    began = time.perf_counter()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http, asyncio.TaskGroup() as group:
        for engine in made:
            group.create_task(_feed(http, engine.url, numbers))
    return time.perf_counter() - began


async def _feed(http: httpx.AsyncClient, url: str, numbers: Iterator[int]) -> None:
    async with connect(f"{url.replace('http', 'ws')}/ws?clientId=bench") as socket:
        for number in numbers:
            prompt_id = str(new_id())
            graph = direct_graph(prompt_id, number)
            body = {"prompt": graph, "prompt_id": prompt_id, "client_id": "bench"}
            (await http.post(f"{url}/prompt", json=body)).raise_for_status()
            await ended(socket, prompt_id)
            await http.get(f"{url}/view", params={"filename": f"{prompt_id}_00001_.png"})
