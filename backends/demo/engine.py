"""The demo engine: all of its state, wired together, and the ASGI app that shows it."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, cast

from starlette.applications import Starlette

from backends.demo.app import build_app
from backends.demo.catalog import Catalog
from backends.demo.executor import Executor
from backends.demo.faults import Fault, FaultBox
from backends.demo.files import Workspace
from backends.demo.history import History
from backends.demo.ledger import Ledger
from backends.demo.nodes.base import NodeRunner
from backends.demo.nodes.table import RUNNERS
from backends.demo.prompt_queue import PromptQueue, QueuedPrompt
from backends.demo.settings import DemoSettings, Protocol
from backends.demo.sockets import SocketHub
from backends.demo.validation import InvalidPromptError, validate
from backends.demo.values import problem
from backends.demo.wire import FEATURES, OLD_FEATURES, BrokenRequestError, JsonDict, now_ms

__all__ = ["DemoEngine", "DemoSettings"]

SECRET_KEYS = ("auth_token_comfy_org", "api_key_comfy_org")


class DemoEngine:
    """One engine. Its files are made ready at once; nothing runs before `run`.

    `extra_nodes` adds node classes: a description as in `/object_info`, and what to run.
    """

    def __init__(
        self,
        settings: DemoSettings,
        *,
        extra_nodes: Mapping[str, tuple[JsonDict, NodeRunner]] | None = None,
    ) -> None:
        extra = extra_nodes or {}
        self.settings = settings
        self.files = Workspace(settings.home)
        self.files.prepare()
        self.catalog = Catalog(
            models=settings.models(),
            without=settings.without_classes,
            input_files=self.files.input_files,
            extra={name: described for name, (described, _runner) in extra.items()},
        )
        self.faults = FaultBox(changed=self._faults_changed)
        self.queue = PromptQueue(changed=self._queue_changed)
        self.history = History()
        self.features = OLD_FEATURES if settings.protocol.is_old else FEATURES
        self.hub = SocketHub(
            queue_remaining=lambda: self.queue.remaining,
            faults=self.faults,
            features=self.features,
        )
        self.ledger = Ledger(self.files.home / "executed.jsonl")
        self.executor = Executor(
            settings,
            runners={**RUNNERS, **{name: runner for name, (_info, runner) in extra.items()}},
            catalog=self.catalog,
            files=self.files,
            queue=self.queue,
            history=self.history,
            hub=self.hub,
            faults=self.faults,
            ledger=self.ledger,
        )
        self._number = 0
        self.app: Starlette = build_app(self)

    async def run(self) -> None:
        """Runs queued prompts until cancelled."""
        await self.executor.run()

    async def submit(self, body: Any, *, usage_source: str | None) -> JsonDict:
        """Queues what was posted to `/prompt` and returns the answer.

        Raises InvalidPromptError (400), BrokenRequestError or DuplicatePromptError (500).
        """
        number = self._take_number(body)
        if "prompt" not in body:
            raise InvalidPromptError(
                problem("no_prompt", "No prompt provided", "No prompt provided")
            )
        prompt_id = _prompt_id(body.get("prompt_id"), protocol=self.settings.protocol)
        graph, extra_data = _object(body, "prompt"), _object(body, "extra_data")
        if "client_id" in body:
            extra_data["client_id"] = body["client_id"]
        if usage_source is not None:
            extra_data["comfy_usage_source"] = usage_source
        targets: Any = body.get("partial_execution_targets")
        if targets is not None and not isinstance(targets, list):
            raise BrokenRequestError("partial_execution_targets must be a list")
        valid = await asyncio.to_thread(
            validate,
            graph,
            catalog=self.catalog,
            files=self.files,
            targets=cast("list[str] | None", targets),
            is_old=self.settings.protocol.is_old,
        )
        for key in SECRET_KEYS:
            extra_data.pop(key, None)
        if not self.settings.protocol.is_old:
            extra_data["create_time"] = now_ms()
        self.ledger.prompt_received(prompt_id)
        item = QueuedPrompt(
            number=number,
            prompt_id=prompt_id,
            graph=graph,
            extra_data=extra_data,
            outputs=valid.outputs,
        )
        self.queue.put(item)
        return {"prompt_id": prompt_id, "number": number, "node_errors": valid.node_errors}

    def cancel(self, prompt_id: str) -> bool:
        """Takes a prompt out of the queue or interrupts it; False when it is neither."""
        if self.queue.delete(prompt_id):
            return True
        if self.queue.is_running([prompt_id]):
            self.executor.interrupt()
            return True
        return False

    def arm_faults(self, wanted: JsonDict) -> None:
        """Arms faults; those that act at once are done on return. Raises UnknownFaultError."""
        self.faults.arm(wanted)
        if wanted.get(Fault.FORGET) and self.faults.take(Fault.FORGET):
            self._forget()
        zombie = self.faults.shown().get(Fault.ZOMBIE_SOCKET)
        if zombie is not None and zombie["value"] is True:
            self.hub.silence_all()
            if zombie["times"] is not None:
                self.faults.take(Fault.ZOMBIE_SOCKET)

    def _forget(self) -> None:
        self.hub.abort_all()
        self.queue.clear()
        self.history.clear()
        self.executor.forget()
        self._number = 0

    def _take_number(self, body: Any) -> float:
        try:
            if "number" in body:
                return float(body["number"])
            front = "front" in body and body["front"]
        except (TypeError, ValueError) as exc:
            raise BrokenRequestError("number or front cannot be read") from exc
        number = -self._number if front else self._number
        self._number += 1
        return number

    def _queue_changed(self) -> None:
        self.hub.send_status()

    def _faults_changed(self) -> None:
        self.executor.release_hang()


def _object(body: JsonDict, key: str) -> JsonDict:
    value: Any = body.get(key, {})
    if not isinstance(value, dict):
        raise BrokenRequestError(f"{key} must be an object")
    return cast("JsonDict", value)


def _prompt_id(wanted: object, *, protocol: Protocol) -> str:
    if wanted is None or protocol is Protocol.NO_ID:
        return str(uuid.uuid4())
    if protocol.is_old:
        return str(wanted)
    try:
        if isinstance(wanted, str) and str(uuid.UUID(wanted)) == wanted:
            return wanted
    except ValueError:
        pass
    raise InvalidPromptError(
        problem(
            "invalid_prompt_id",
            "prompt_id must be a valid UUID",
            "prompt_id must be a UUID string in canonical lowercase hyphenated form; "
            "omit it to let the server generate one",
        )
    )
