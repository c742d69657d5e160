"""Feeds the diagnostics page: a snapshot, then what changes; and does what is pressed there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.dependencies import register_esm
from nicegui.events import GenericEventArguments

from app.delivery_views import DeliveryView
from app.errors import OrchestratorError
from app.events import (
    BackendChanged,
    BackendRemoved,
    DeliveryChanged,
    Event,
    IncidentChanged,
    JobChanged,
    JobProgressed,
    JobRemoved,
    QuarantineChanged,
    QueuePaused,
    Sampled,
)
from app.logs import Record
from app.models import DEMO
from app.services import Services
from app.status import IncidentView, LogView
from app.submission import Wire
from app.views import BackendView, to_json
from components import charts as _charts
from components import modules as _modules  # noqa: F401  (registers what the parts import)
from components import notify
from components.diagnostics.words import TEXTS
from components.feed import Batch, ClientFeed
from components.i18n import say, texts, tr

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
SHEETS: tuple[Path, ...] = (_HERE / "diagnostics.css", _charts.SHEET)
_LINES = 400
_FIGURES_PAUSE_S = 2.0
_DELIVERIES = 50
_NOT_SHOWN = ("models", "samplers", "schedulers")

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-diagnostics",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)


class DiagnosticsBoard(ui.element, component="diagnostics.js"):
    """The page's one element; `run` it in the page's scope."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._diagnostics = services.diagnostics
        self._props["texts"] = texts(*TEXTS)
        self._sample = 0
        self._line = 0
        self._catalogs: dict[str, object] = {}
        self._jobs_changed = asyncio.Event()
        self._told = asyncio.Event()
        self._feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=self._fold,
            send=self._send,
        )
        self.on("action", self._handle_action)

    async def run(self) -> None:
        """Feed the page until cancelled."""
        loop = asyncio.get_running_loop()

        def heard(_: Record) -> None:  # in the thread that logs
            loop.call_soon_threadsafe(self._feed.add, "log", "grew")

        with self._diagnostics.log_book.listen(heard):
            async with asyncio.TaskGroup() as group:
                kept = [
                    group.create_task(
                        self._keep(self._jobs_changed, self._figures), name="figures"
                    ),
                    group.create_task(self._keep(self._told, self._deliveries), name="deliveries"),
                ]
                await self._feed.run()
                for each in kept:
                    each.cancel()

    async def _snapshot(self) -> None:
        status = self._diagnostics.status
        samples, lines = status.samples(), self._lines(after=0)
        parts = {
            "app": to_json(status.app()),
            **await self._figures(),
            **await self._deliveries(),
            "queue": to_json(self._services.jobs.queue()),
            "backends": [self._shown(each) for each in self._services.fleet.views()],
            "incidents": _all(status.incidents(say=say)),
            "quarantines": _all(status.quarantines(say=say)),
            "matrix": self._matrix(),
            "settings": _all(status.settings()),
            "paths": _all(await status.paths(say=say)),
            "selfTest": self._self_test(),
            "samples": _all(samples),
            "log": _all(lines),
        }
        self._note_sent(samples=samples[-1].number if samples else 0, lines=lines)
        self._catalogs = self._catalogs_now()
        self.run_method("snapshot", parts)

    def _fold(self, event: Event, batch: Batch) -> None:
        match event:
            case BackendChanged(info=info):
                batch.setdefault("backends", {})[info.id] = {}
            case BackendRemoved(backend_id=backend_id):
                batch.setdefault("backends", {})[backend_id] = {}
            case IncidentChanged():
                batch.setdefault("parts", {})["incidents"] = {}
            case QuarantineChanged():
                batch.setdefault("parts", {})["quarantines"] = {}
            case Sampled():
                batch.setdefault("parts", {})["samples"] = {}
                batch.setdefault("backends", {}).update({each: {} for each in self._resting()})
            case JobProgressed(job_id=job_id, progress=progress):
                batch.setdefault("progress", {})[str(job_id)] = {
                    "nodeTitle": progress.node_title,
                    "step": progress.step,
                    "steps": progress.steps,
                }
            case DeliveryChanged():
                self._told.set()
            case JobChanged(job=job):
                self._jobs_changed.set()
                if job.state.is_terminal and (job.terms.webhook or job.group_id):
                    self._told.set()
                batch.setdefault("parts", {})["queue"] = {}
                if job.backend_id is not None:
                    batch.setdefault("backends", {})[job.backend_id] = {}
            case JobRemoved() | QueuePaused():
                self._jobs_changed.set()
                batch.setdefault("parts", {})["queue"] = {}
            case _:
                pass

    def _send(self, batch: Batch) -> None:
        status, parts = self._diagnostics.status, batch.get("parts", {})
        changes: dict[str, Any] = {}
        if "progress" in batch:
            changes["progress"] = batch["progress"]
        if batch.get("backends"):
            changes["backends"] = {each: self._backend(each) for each in batch["backends"]}
        if "incidents" in parts:
            changes["incidents"] = _all(status.incidents(say=say))
        if "quarantines" in parts:
            changes["quarantines"] = _all(status.quarantines(say=say))
        if "queue" in parts:
            changes["queue"] = to_json(self._services.jobs.queue())
        if "samples" in parts:
            samples = status.samples(after=self._sample)
            changes["samples"] = _all(samples)
            self._note_sent(samples=samples[-1].number if samples else self._sample)
        if "log" in batch:
            lines = self._lines(after=self._line)
            changes["log"] = _all(lines)
            self._note_sent(lines=lines)
        catalogs = self._catalogs_now()
        if "quarantines" in parts or self._catalogs != catalogs:
            self._catalogs = catalogs
            changes["matrix"] = self._matrix()
        self.run_method("apply", changes)

    def _resting(self) -> list[str]:
        """The backends whose circuit changes with time alone."""
        circuit = self._services.health.circuit
        return [
            each.id for each in self._services.fleet.infos() if circuit(each.id).state != "closed"
        ]

    def _note_sent(self, *, samples: int | None = None, lines: Sequence[LogView] = ()) -> None:
        self._sample = self._sample if samples is None else samples
        self._line = lines[-1].number if lines else self._line

    def _lines(self, *, after: int) -> list[LogView]:
        found = self._diagnostics.log_book.recent(after=after, limit=_LINES)
        return [LogView.of(each) for each in found]

    def _backend(self, backend_id: str) -> dict[str, Any] | None:
        view = self._services.fleet.view(backend_id)
        return self._shown(view) if view is not None else None

    def _shown(self, view: BackendView) -> dict[str, Any]:
        """A backend without its catalog, that is in the matrix; what it said in our language."""
        shown = to_json(view)
        for name in _NOT_SHOWN:
            del shown[name]
        error = self._services.fleet.status(view.id).last_error
        reason = self._services.health.circuit(view.id).reason
        shown["name"] = _name(view.id, view.name)
        return {**shown, "lastError": error and say(error), "circuitReason": reason and say(reason)}

    def _matrix(self) -> dict[str, Any]:
        matrix = to_json(self._diagnostics.status.matrix())
        known = zip(matrix["backends"], matrix["names"], strict=True)
        return {**matrix, "names": [_name(*each) for each in known]}

    def _catalogs_now(self) -> dict[str, object]:
        fleet = self._services.fleet
        return {info.id: fleet.status(info.id).catalog for info in fleet.infos()}

    def _self_test(self) -> dict[str, Any] | None:
        view = self._diagnostics.self_test.view(say=say)
        return to_json(view) if view is not None else None

    async def _keep(
        self, changed: asyncio.Event, read: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        """Show what is read from the database anew, at most every few seconds."""
        while True:
            await changed.wait()
            changed.clear()
            if not self.client.has_socket_connection:
                continue  # it gets everything when it is back
            try:
                parts = await read()
            except OrchestratorError as exc:
                log.warning("A part of the diagnostics page could not be read: %s", exc)
            else:
                self.run_method("apply", parts)
            await asyncio.sleep(_FIGURES_PAUSE_S)

    async def _figures(self) -> dict[str, Any]:
        return {"jobs": to_json(await self._diagnostics.status.jobs())}

    async def _deliveries(self) -> dict[str, Any]:
        found = await self._services.webhooks.page(limit=_DELIVERIES)
        return {"deliveries": _all([DeliveryView.of(each) for each in found])}

    async def _handle_action(self, event: GenericEventArguments) -> None:
        verb, thing = str(event.args.get("verb")), str(event.args.get("id", ""))
        try:
            await self._act(verb, thing)
        except OrchestratorError as exc:
            notify.show_error(exc)
        finally:
            self.run_method("finished", {"verb": verb, "id": thing})

    async def _act(self, verb: str, thing: str) -> None:
        machines, diagnostics = self._services.machines, self._diagnostics
        match verb:
            case "check":
                await machines.check(thing)
            case "free":
                await machines.free(thing)
                notify.show_done(tr("The models are unloaded."))
            case "interrupt":
                await machines.interrupt(thing)
                notify.show_done(tr("What ran there is stopped."))
            case "enable" | "disable":
                await machines.set_enabled(thing, enabled=verb == "enable")
            case "lift":
                await diagnostics.health.lift(UUID(thing))
            case "resolve":
                await diagnostics.incidents.resolve(UUID(thing))
            case "deliver":
                await self._services.webhooks.retry(UUID(thing))
            case "history":
                await self._show_history()
            case "paths":
                paths = await diagnostics.status.paths(say=say)
                self.run_method("apply", {"paths": _all(paths)})
            case "self_test":
                await diagnostics.self_test.run(self._show_self_test)
            case "seen":
                diagnostics.self_test.shown()
                self._show_self_test()
            case _:
                log.warning("The diagnostics page sent an unknown action: %r", verb)

    async def _show_history(self) -> None:
        found = await self._diagnostics.incidents.history(limit=100)
        views = [IncidentView.of(each, say=say) for each in found]
        self.run_method("apply", {"history": _all(views)})

    def _show_self_test(self) -> None:
        self.run_method("apply", {"selfTest": self._self_test()})


def _name(backend_id: str, name: str) -> str:
    return tr("Demo engine") if backend_id == DEMO else name


def _all(views: Sequence[Wire]) -> list[dict[str, Any]]:
    return [to_json(each) for each in views]
