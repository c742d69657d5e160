"""Runs one prompt after the other and tells about it in ComfyUI's words and order."""

import asyncio
import io
import logging
import os
import traceback
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from backends.demo.catalog import UPLOADS, Catalog
from backends.demo.failing import DemandedFailureError, fail_at_step, fail_node
from backends.demo.faults import Fault, FaultBox
from backends.demo.files import PngText, Workspace
from backends.demo.graph import Schedule, inputs_of, signatures
from backends.demo.history import History
from backends.demo.ledger import Ledger
from backends.demo.narrator import Narrator
from backends.demo.nodes.base import NodeResult, NodeRunner
from backends.demo.prompt_queue import PromptQueue, QueuedPrompt
from backends.demo.run import (
    AbandonedRunError,
    InterruptedRunError,
    Run,
)
from backends.demo.settings import DemoSettings
from backends.demo.sockets import Preview, SocketHub
from backends.demo.wire import JsonDict, full_type_name, is_link

log = logging.getLogger(__name__)

PREVIEW_QUALITY = 90


class Executor:
    """Owns the node cache and the interrupt flag."""

    def __init__(
        self,
        settings: DemoSettings,
        *,
        runners: Mapping[str, NodeRunner],
        catalog: Catalog,
        files: Workspace,
        queue: PromptQueue,
        history: History,
        hub: SocketHub,
        faults: FaultBox,
        ledger: Ledger,
    ) -> None:
        self._settings = settings
        self._runners = runners
        self._catalog = catalog
        self._files = files
        self._queue = queue
        self._history = history
        self._hub = hub
        self._faults = faults
        self._ledger = ledger
        self._cache: dict[str, NodeResult] = {}
        self.loaded: str | None = None  # the checkpoint in memory
        self._stop: type[Exception] | None = None  # what the running prompt is to raise
        self._wake = asyncio.Event()
        self._unhang = asyncio.Event()

    async def run(self) -> None:
        """Runs prompts until cancelled."""
        while True:
            item = await self._queue.get()
            self._stop = None
            self._wake.clear()
            try:
                await self._run_prompt(item)
            except Exception:
                log.exception("Prompt %s could not be run", item.prompt_id)
                self._queue.finish()

    def interrupt(self) -> None:
        """Stops the running prompt at its next step or node; no effect later when idle."""
        self._stop = InterruptedRunError
        self._wake.set()
        self._unhang.set()

    def forget(self) -> None:
        """Drops the cache and ends the running prompt as if the server had been restarted."""
        self._stop = AbandonedRunError
        self._wake.set()
        self._unhang.set()
        self.free(unload_models=True, free_memory=True)

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        if unload_models or free_memory:
            self.loaded = None
        if free_memory:
            self._cache.clear()

    def release_hang(self) -> None:
        self._unhang.set()

    async def load_checkpoint(self, name: str) -> None:
        """Takes its time when another one was used last; only one fits into memory."""
        if name != self.loaded:
            self.loaded = None
            await self.pause(self._settings.load_delay_s / self._settings.speed)
            self.loaded = name

    async def pause(self, seconds: float) -> None:
        """Waits, shorter when the run is stopped. Raises what stops it."""
        if seconds > 0 and not self._wake.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass
        if self._stop is not None:
            raise self._stop

    async def advance(
        self, run: Run, *, step: int, steps: int, preview: Callable[[], Image.Image] | None
    ) -> None:
        """Tells about a finished step, with a picture when somebody wants it."""
        await self.pause(0)
        self._ledger.step_sampled()
        await self._fail_at_step(step)
        image: Preview | None = None
        if preview is not None and self._wants_previews(run):
            image = await asyncio.to_thread(_jpeg, preview)
            await self.pause(0)
        run.narrator.step(run.node_id, step=step, steps=steps, image=image)

    async def report(
        self, run: Run, *, value: int, total: int, picture: Image.Image | None
    ) -> None:
        """Tells about other progress than sampling; a picture is sent whole."""
        await self.pause(0)
        image: Preview | None = None
        if picture is not None and self._hub.is_heard(run.item.client_id):
            image = await asyncio.to_thread(_png, picture)
        run.narrator.step(run.node_id, step=value, steps=total, image=image)

    def _wants_previews(self, run: Run) -> bool:
        # An old server does not know that a prompt may ask for none.
        refused = run.item.extra_data.get("preview_method") == "none"
        refused = refused and not self._settings.protocol.is_old
        return not refused and self._hub.is_heard(run.item.client_id)

    async def _fail_at_step(self, step: int) -> None:
        fail_at_step(self._faults, step=step)
        if self._faults.take_if(Fault.DROP_SOCKET_AT_STEP, step):
            self._hub.abort_all()
        if self._faults.take_if(Fault.ZOMBIE_SOCKET, step):
            self._hub.silence_all()
        if self._faults.take_if(Fault.HANG_AT_STEP, step):
            self._unhang.clear()
            await self._unhang.wait()
            await self.pause(0)

    async def _run_prompt(self, item: QueuedPrompt) -> None:
        await asyncio.to_thread(self._ledger.execution_started, item.prompt_id)
        narrator = Narrator(item, hub=self._hub, faults=self._faults)
        run = Run(
            item=item,
            control=self,
            narrator=narrator,
            files=self._files,
            png_text=PngText(
                graph=item.graph, extra_pnginfo=item.extra_data.get("extra_pnginfo") or {}
            ),
            step_delay_s=self._settings.step_delay_s / self._settings.speed,
            preview_side_px=self._settings.preview_side_px,
        )
        try:
            await self._run_nodes(run)
        except AbandonedRunError:
            narrator.close()
            self._queue.finish()
            return
        late_s = self._faults.take(Fault.HISTORY_LATE_S) or 0.0
        if not self._faults.take(Fault.LOSE_HISTORY):
            entry = narrator.history_entry(ui=run.ui)
            self._history.add(item.prompt_id, entry, late_s=late_s)
        self._hub.executing = None
        self._queue.finish()
        narrator.end()

    async def _run_nodes(self, run: Run) -> None:
        graph, narrator = run.item.graph, run.narrator
        narrator.started()
        known = await asyncio.to_thread(signatures, graph, fingerprint=self._fingerprint)
        used = set(known.values())
        self._cache = {key: value for key, value in self._cache.items() if key in used}
        cached = [node_id for node_id in graph if known[node_id] in self._cache]
        narrator.cached(cached)
        schedule = Schedule(
            graph,
            outputs=run.item.outputs,
            cached=set(cached),
            is_output=lambda node_id: self._catalog.is_output(graph[node_id]["class_type"]),
        )
        results = {node_id: self._cache[known[node_id]] for node_id in cached}
        try:
            while schedule:
                node_id = run.node_id = schedule.pick()
                await self.pause(0)
                if node_id in results:
                    self._show_cached(run, results[node_id])
                else:
                    results[node_id] = await self._run_node(run, results)
                    self._cache[known[node_id]] = results[node_id]
                schedule.complete(node_id)
        except AbandonedRunError:
            raise
        except InterruptedRunError:
            narrator.interrupted(run.node_id, executed=list(run.executed))
        except Exception as exc:
            log.info("Node %s of %s failed", run.node_id, run.item.prompt_id, exc_info=True)
            self._tell_failure(run, exc, results=results)
        else:
            if self._faults.take(Fault.DIE_AT_END):
                os._exit(1)
            narrator.succeeded()

    async def _run_node(self, run: Run, results: Mapping[str, NodeResult]) -> NodeResult:
        node_id, narrator = run.node_id, run.narrator
        class_type: str = run.item.graph[node_id]["class_type"]
        narrator.node_started(node_id)
        inputs = self._resolve(run, results)
        fail_node(self._faults, class_type=class_type, inputs=inputs)
        result = await self._runners[class_type](run, inputs)
        if result.ui is not None:
            run.ui[node_id] = result.ui
            narrator.node_showed(node_id, result.ui)
        run.executed.append(node_id)
        narrator.node_finished(node_id)
        return result

    def _show_cached(self, run: Run, result: NodeResult) -> None:
        if result.ui is not None:
            run.ui[run.node_id] = result.ui
            run.narrator.node_showed(run.node_id, result.ui)
        run.narrator.node_finished(run.node_id)

    def _resolve(self, run: Run, results: Mapping[str, NodeResult]) -> JsonDict:
        """The inputs of the node at hand, with links replaced by what they lead to."""
        node = run.item.graph[run.node_id]
        given = inputs_of(node)
        wanted = {spec.name for spec in self._catalog.inputs(node["class_type"], given=given)}
        return {
            name: results[value[0]].outputs[int(value[1])]
            if is_link(value) and value[0] in results
            else value
            for name, value in given.items()
            if name in wanted
        }

    def _tell_failure(
        self, run: Run, error: Exception, *, results: Mapping[str, NodeResult]
    ) -> None:
        demanded = isinstance(error, DemandedFailureError)
        inputs = self._resolve(run, results)
        run.narrator.failed(
            run.node_id,
            executed=list(run.executed),
            message=f"{error}\n{error.tips if demanded else ''}",
            kind=error.kind if demanded else full_type_name(error),
            frames=traceback.format_tb(error.__traceback__),
            inputs={name: [_shown(value)] for name, value in inputs.items()},
        )

    def _fingerprint(self, node: JsonDict) -> str:
        """What else than its inputs decides a node's result."""
        if node.get("class_type") == "SaveImageWebsocket":
            return uuid.uuid4().hex  # runs each time: what it sent cannot be looked up again
        places = [name for class_type, name in UPLOADS if class_type == node.get("class_type")]
        if not places:
            return ""
        path = self._files.named(str(inputs_of(node).get(places[0])))
        try:
            found = path.stat() if path else None
        except OSError:
            found = None
        return f"{found.st_mtime_ns}-{found.st_size}" if found else ""


def _jpeg(preview: Callable[[], Image.Image]) -> Preview:
    buffer = io.BytesIO()
    preview().convert("RGB").save(buffer, format="JPEG", quality=PREVIEW_QUALITY)
    return Preview(buffer.getvalue())


def _png(picture: Image.Image) -> Preview:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1)
    return Preview(buffer.getvalue(), "png")


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
