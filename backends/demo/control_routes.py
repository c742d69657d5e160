"""Prompts, queue, history, jobs, and the faults that tests ask for."""

import os
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from backends.demo.answers import Handler, JsonAnswer, Table, read_json, read_object
from backends.demo.faults import Fault, UnknownFaultError
from backends.demo.jobs import BadJobQueryError, find_job, list_jobs
from backends.demo.validation import InvalidPromptError
from backends.demo.wire import BrokenRequestError, JsonDict

if TYPE_CHECKING:
    from backends.demo.engine import DemoEngine


class ControlRoutes:
    """Everything that makes the engine run or stop something, or tells what it ran."""

    def __init__(self, engine: "DemoEngine") -> None:
        self._engine = engine

    def table(self) -> Table:
        return {
            "/prompt": {"GET": self._status, "POST": self._submit},
            "/queue": {"GET": self._queue, "POST": self._edit_queue},
            "/interrupt": {"POST": self._interrupt},
            "/free": {"POST": self._free},
            "/history": {"GET": self._history, "POST": self._edit_history},
            "/history/{prompt_id}": {"GET": self._history_entry},
        }

    def jobs_table(self) -> Table:
        return {
            "/jobs": {"GET": self._jobs},
            "/jobs/cancel": {"POST": self._cancel_jobs},
            "/jobs/{job_id}": {"GET": self._job},
            "/jobs/{job_id}/cancel": {"POST": self._cancel_job},
        }

    def demo_table(self, *, faults: bool) -> Table:
        table: dict[str, Mapping[str, Handler]] = {"/demo/stats": {"GET": self._stats}}
        if faults:
            table["/demo/faults"] = {
                "GET": self._faults,
                "POST": self._arm_faults,
                "DELETE": self._clear_faults,
            }
        return table

    async def _status(self, _request: Request) -> Response:
        return JsonAnswer({"exec_info": {"queue_remaining": self._engine.queue.remaining}})

    async def _submit(self, request: Request) -> Response:
        body = await read_json(request)
        if self._engine.faults.take(Fault.DIE_BEFORE_ACCEPT):
            os._exit(1)
        try:
            answer = await self._engine.submit(
                body, usage_source=request.headers.get("comfy-usage-source")
            )
        except InvalidPromptError as exc:
            return JsonAnswer(exc.body, status_code=400)
        if self._engine.faults.take(Fault.DIE_AFTER_ACCEPT):
            os._exit(1)
        return JsonAnswer(answer)

    async def _queue(self, _request: Request) -> Response:
        queue = self._engine.queue
        running = [queue.running.as_item()] if queue.running else []
        pending = [item.as_item() for item in queue.pending]
        return JsonAnswer({"queue_running": running, "queue_pending": pending})

    async def _edit_queue(self, request: Request) -> Response:
        body = await read_object(request)
        if body.get("clear"):
            self._engine.queue.clear()
        for prompt_id in _ids(body, "delete"):
            self._engine.queue.delete(prompt_id)
        return Response()

    async def _interrupt(self, request: Request) -> Response:
        body = await read_object(request, default={})
        is_old = self._engine.settings.protocol.is_old
        wanted = None if is_old else body.get("prompt_id")
        if not wanted or self._engine.queue.is_running([wanted]):
            self._engine.executor.interrupt()
        return Response()

    async def _free(self, request: Request) -> Response:
        body = await read_object(request)
        self._engine.executor.free(
            unload_models=bool(body.get("unload_models")),
            free_memory=bool(body.get("free_memory")),
        )
        return Response()

    async def _history(self, request: Request) -> Response:
        query = request.query_params
        try:
            max_items = int(query["max_items"]) if "max_items" in query else None
            offset = int(query.get("offset", -1))
        except ValueError as exc:
            raise BrokenRequestError("max_items and offset must be numbers") from exc
        return JsonAnswer(self._engine.history.page(max_items=max_items, offset=offset))

    async def _history_entry(self, request: Request) -> Response:
        prompt_id: str = request.path_params["prompt_id"]
        entry = self._engine.history.get(prompt_id)
        return JsonAnswer({prompt_id: entry} if entry else {})

    async def _edit_history(self, request: Request) -> Response:
        body = await read_object(request)
        if body.get("clear"):
            self._engine.history.clear()
        for prompt_id in _ids(body, "delete"):
            self._engine.history.delete(prompt_id)
        return Response()

    async def _jobs(self, request: Request) -> Response:
        engine = self._engine
        try:
            page = list_jobs(request.query_params, queue=engine.queue, history=engine.history)
        except BadJobQueryError as exc:
            return JsonAnswer({"error": str(exc)}, status_code=400)
        return JsonAnswer(page)

    async def _job(self, request: Request) -> Response:
        engine = self._engine
        job = find_job(request.path_params["job_id"], queue=engine.queue, history=engine.history)
        if job is None:
            return JsonAnswer({"error": "Job not found"}, status_code=404)
        return JsonAnswer(job)

    async def _cancel_job(self, request: Request) -> Response:
        return JsonAnswer({"cancelled": self._engine.cancel(request.path_params["job_id"])})

    async def _cancel_jobs(self, request: Request) -> Response:
        body = await read_object(request)
        wanted: Any = body.get("job_ids")
        if not isinstance(wanted, list):
            return JsonAnswer({"error": "job_ids must be a list"}, status_code=400)
        ids: list[Any] = list(wanted)  # pyright: ignore[reportUnknownArgumentType] - foreign JSON
        invalid = [each for each in ids if not _is_uuid(each)]
        if invalid:
            error = {"error": "job_ids contains invalid id(s)", "invalid_ids": invalid}
            return JsonAnswer(error, status_code=400)
        cancelled = [self._engine.cancel(each) for each in ids]
        return JsonAnswer({"cancelled": any(cancelled)})

    async def _stats(self, _request: Request) -> Response:
        return JsonAnswer(self._engine.ledger.shown())

    async def _faults(self, _request: Request) -> Response:
        return JsonAnswer(self._engine.faults.shown())

    async def _arm_faults(self, request: Request) -> Response:
        try:
            self._engine.arm_faults(await read_object(request))
        except UnknownFaultError as exc:
            return JsonAnswer({"error": str(exc)}, status_code=400)
        return JsonAnswer(self._engine.faults.shown())

    async def _clear_faults(self, _request: Request) -> Response:
        self._engine.faults.clear()
        return JsonAnswer({})


def _ids(body: JsonDict, key: str) -> list[str]:
    value: Any = body.get(key, [])
    if not isinstance(value, list):
        raise BrokenRequestError(f"{key} must be a list")
    return [each for each in value if isinstance(each, str)]  # pyright: ignore[reportUnknownVariableType] - foreign JSON


def _is_uuid(value: object) -> bool:
    try:
        return str(uuid.UUID(str(value))) == value
    except ValueError:
        return False
