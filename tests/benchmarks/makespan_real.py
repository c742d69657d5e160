"""3, for real: the same list, shorter and quicker, through the app and engines of those speeds.

What the simulation leaves out is in it: HTTP, the disk, the dispatcher's own time.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.farm import app_on, events, online
from tests.benchmarks.makespan import (
    LOAD_S,
    MODELS,
    SPEEDS,
    STEP_S,
    Plan,
    compared,
    perfect_s,
    plans_of,
    shortest_queue_s,
)
from tests.benchmarks.results import Result
from tests.recovery.processes import Engine

JOBS, LONG_JOBS = 100, 200
_QUICKER = 4  # than in the simulation


def measure_makespan_real(folder: Path, long: bool) -> list[Result]:
    """Ours against perfect packing, and against the shortest queue as simulated."""
    plans = plans_of(0, jobs=LONG_JOBS if long else JOBS)
    with ExitStack() as stack:
        made = [_engine(folder / name, speed=speed) for name, speed in SPEEDS.items()]
        for each in made:
            stack.callback(each.kill)
            each.start()
        ours = asyncio.run(_ours(folder, made, plans))
    return [
        compared(
            f"{len(plans)} jobs, for real",
            ours=ours,
            perfect=perfect_s(plans) / _QUICKER,
            peer=shortest_queue_s(plans) / _QUICKER,
        )
    ]


def _engine(home: Path, *, speed: float) -> Engine:
    options = ["--speed", str(speed), "--load-delay", str(LOAD_S / _QUICKER)]
    for name in MODELS:
        options += ["--checkpoint", name]
    return Engine(home, step_delay_s=STEP_S / _QUICKER, options=options)


async def _ours(folder: Path, made: Sequence[Engine], plans: Sequence[Plan]) -> float:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        with app_on(folder, [each.url for each in made]) as app:
            await asyncio.to_thread(app.start)
            await online(http, app.url)
            async with events(app.url, topics="job.done") as heard:
                began = time.perf_counter()
                for plan in plans:
                    (
                        await http.post(f"{app.url}/api/generate", json=_body(plan))
                    ).raise_for_status()
                for _ in plans:
                    await heard.next("job.done")
                return time.perf_counter() - began


def _body(plan: Plan) -> dict[str, Any]:
    """The job of the plan, small: what is drawn matters less here than for how long."""
    steps = plan.job.request.steps
    params = {"width": 64, "height": 64, "steps": steps, "checkpoint": plan.model}
    return {"prompt": "a red fox", "backend": "auto", "params": params}
