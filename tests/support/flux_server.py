"""A cloud that answers like the FLUX API, misbehaves when told to, and counts what it was paid for.

It runs in a thread on a free port of this machine, so that tests with and without a loop, and
apps in processes of their own, can use it; it outlives them.
"""

import asyncio
import hashlib
import hmac
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.pictures import png

KEY = "a-key-of-the-test"
LIMIT_S = 20
MODELS = (
    *("flux-pro-1.1", "flux-pro-1.1-ultra", "flux-dev", "flux-kontext-pro", "flux-kontext-max"),
    *("flux-2-pro", "flux-2-flex", "flux-2-max", "flux-2-klein-4b", "flux-2-klein-9b"),
)


@dataclass
class FluxTask:
    """One paid order."""

    id: str
    model: str
    body: dict[str, Any]
    pending: int  # looks until it is ready
    end: str = "Ready"
    polls: int = 0
    samples: int = 0
    downloads: int = 0


@dataclass
class Orders:
    """What the next orders and answers do; empty: all goes well."""

    submit: deque[str] = field(default_factory=deque[str])
    """`401`, `402`, `422`, `429`, `500` (taken nevertheless), `garbage`, `drop`, `hang`."""
    pending: int = 1
    """How many looks find a new task pending."""
    end: str = "Ready"
    """How new tasks end: a status of the API, or `Task not found`."""
    end_status: int = 200
    """The HTTP status that terminal answers come with."""
    expired: int = 0
    """How many of the next downloads find their address expired."""
    cost: float | None = 6.0  # credits
    retry_after_s: int = 7
    polling_url: str | None = None
    """What to name instead of the real address."""


class FluxServer:
    """The fake cloud; a context manager."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.tasks: dict[str, FluxTask] = {}
        self.requests: list[tuple[str, str]] = []  # method and path, as they came
        self.keys: list[str | None] = []  # of every request
        self.arrived = threading.Event()  # an order
        self.release = threading.Event()  # lets orders that hang go on
        self.url = ""
        self._numbers = count(1)
        self._server = uvicorn.Server(
            uvicorn.Config(self._app(), port=0, log_config=None, timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, name="flux server")

    def reset(self) -> "FluxServer":
        """As if new: nothing was ordered, and nothing goes wrong."""
        self.release.set()
        self.release = threading.Event()
        self.arrived = threading.Event()
        self.orders = Orders()
        self.tasks, self.requests, self.keys = {}, [], []
        self._numbers = count(1)
        return self

    def __enter__(self) -> "FluxServer":
        self._thread.start()
        pause = threading.Event()
        for _ in range(LIMIT_S * 100):
            if self._server.started:
                break
            pause.wait(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release.set()
        self._server.should_exit = True
        self._thread.join(LIMIT_S)

    @property
    def paid(self) -> int:
        """How many orders were taken."""
        return len(self.tasks)

    @property
    def only(self) -> FluxTask:
        """The one order there is."""
        (task,) = self.tasks.values()
        return task

    @property
    def posts(self) -> int:
        """How many orders arrived, taken or not."""
        return sum(method == "POST" for method, _ in self.requests)

    def webhook(self, task: FluxTask) -> tuple[bytes, str]:
        """What the cloud posts about a task that ended: the body and its signature."""
        body = json.dumps(self._answer(task)).encode()
        secret = str(task.body["webhook_secret"]).encode()
        return body, hmac.new(secret, body, hashlib.sha256).hexdigest()

    def _app(self) -> Starlette:
        routes = [
            Route("/v1/get_result", self._get_result),
            Route("/v1/{model}", self._post, methods=["POST"]),
            Route("/samples/{id}/{number:int}", self._sample),
        ]
        return Starlette(routes=routes)

    async def _post(self, request: Request) -> Response:
        refused = self._note(request)
        body = await request.json()
        fault = self.orders.submit.popleft() if self.orders.submit else ""
        self.arrived.set()
        if refused is not None or fault in ("401", "402", "422", "429"):
            return refused or self._refusal(fault)
        if request.path_params["model"] not in MODELS:
            return JSONResponse({"detail": "Not Found"}, 404)
        task = FluxTask(
            id=f"task-{next(self._numbers)}",
            model=request.path_params["model"],
            body=body,
            pending=self.orders.pending,
            end=self.orders.end,
        )
        self.tasks[task.id] = task
        if fault == "500":
            return JSONResponse({"detail": "Internal"}, 500)
        if fault == "garbage":
            return Response("<html>")
        if fault == "drop":
            return Response(b"{", headers={"content-length": "100"})  # and the connection breaks
        if fault == "hang":
            await _wait(self.release)
        return JSONResponse(self._taken(task))

    def _taken(self, task: FluxTask) -> dict[str, Any]:
        taken: dict[str, Any] = {"id": task.id}
        if "webhook_url" in task.body:
            taken |= {"status": "Pending", "webhook_url": task.body["webhook_url"]}
        else:
            own = f"{self.url}/v1/get_result?id={task.id}"
            taken["polling_url"] = self.orders.polling_url or own
        return taken if self.orders.cost is None else {**taken, "cost": self.orders.cost}

    def _refusal(self, fault: str) -> Response:
        details: dict[str, Any] = {
            "401": "Invalid key",
            "402": "Insufficient credits",
            "422": [{"loc": ["body", "prompt"], "msg": "too long", "type": "value_error"}],
            "429": "Too many active tasks",
        }
        headers = {"Retry-After": str(self.orders.retry_after_s)} if fault == "429" else None
        return JSONResponse({"detail": details[fault]}, int(fault), headers=headers)

    async def _get_result(self, request: Request) -> Response:
        if (refused := self._note(request)) is not None:
            return refused
        task = self.tasks.get(request.query_params["id"])
        if task is None or task.end == "Task not found":
            return JSONResponse({"id": "", "status": "Task not found", "result": None}, 404)
        task.polls += 1
        if task.polls <= task.pending:
            progress = task.polls / (task.pending + 1)
            return JSONResponse({"id": task.id, "status": "Pending", "progress": progress})
        return JSONResponse(self._answer(task), self.orders.end_status)

    def _answer(self, task: FluxTask) -> dict[str, Any]:
        answer: dict[str, Any] = {"id": task.id, "status": task.end, "result": None}
        if task.end == "Ready":
            task.samples += 1
            sample = f"{self.url}/samples/{task.id}/{task.samples}"
            answer["result"] = {"sample": sample, "prompt": task.body["prompt"]}
        if task.end.endswith("Moderated"):
            answer["details"] = {"Moderation Reasons": ["Violence"]}
        return answer

    async def _sample(self, request: Request) -> Response:
        self.requests.append((request.method, request.url.path))
        self.keys.append(request.headers.get("x-key"))
        if self.orders.expired > 0:
            self.orders.expired -= 1
            return Response("expired", 403)
        self.tasks[request.path_params["id"]].downloads += 1
        return Response(png(seed=1), media_type="image/png")

    def _note(self, request: Request) -> Response | None:
        self.requests.append((request.method, request.url.path))
        self.keys.append(request.headers.get("x-key"))
        if request.headers.get("x-key") != KEY:
            return JSONResponse({"detail": "Not authenticated"}, 403)
        return None


async def _wait(event: threading.Event) -> None:
    async with asyncio.timeout(LIMIT_S):
        await asyncio.to_thread(event.wait, LIMIT_S)
