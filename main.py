"""Composition root and entry: the only file that knows everyone."""

import argparse
import asyncio
import functools
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from app.access import open_access
from app.api.access import Gate
from app.api.create import create_api
from app.api.guard import Guard
from app.api.measure import Measured
from app.config import ConfigError, Settings, load_settings
from app.diagnostics import open_diagnostics
from app.engine import open_engine
from app.errors import StorageError
from app.events import EventBus
from app.fleet import Fleet
from app.gallery import GalleryService
from app.groups import GroupService
from app.home import (
    StartError,
    alone_in,
    derived_secret,
    kept_secret,
    secret_of,
    warn_unless_writable,
)
from app.housekeeping import keep_house
from app.inputs import InputService
from app.jobs import JobService
from app.ledger import Ledger
from app.library import open_library
from app.logs import LogBook, Secrets, configure_logging
from app.machines import MachineService
from app.metrics import Metrics
from app.models import DEMO, BackendInfo, Catalog
from app.paid import Budget
from app.ports import Clock, FileStore, JobStore
from app.presets import Presets
from app.runs import Backend
from app.services import Services
from app.submitting import Submitting
from app.trial import Trials
from backends.comfyui.backend import ComfyBackend
from backends.comfyui.client import OnCall
from backends.comfyui.proxy import open_proxy
from backends.demo.server import DemoSettings, serve_demo
from backends.flux.backend import FluxBackend, is_flux_wanted
from backends.flux.bodies import shown_body
from backends.webhooks import open_webhooks
from data.cards import PngCards
from data.charges import SqlChargeStore
from data.clock import SystemClock
from data.database import Database, open_database
from data.deliveries import SqlDeliveryStore
from data.files import PictureFiles
from data.fleet import SqlFleetStore
from data.images import SqlImageStore
from data.incidents import SqlIncidentStore
from data.inputs import InputFiles
from data.jobs import SqlJobStore
from data.library import SqlWorkflowStore
from data.paces import SqlPaceStore
from data.presets import load_presets
from data.quarantines import SqlQuarantineStore
from data.sessions import SqlSessionStore
from data.statistics import SqlStatistics

log = logging.getLogger("orchestrator")

_MAX_BODY_BYTES = 10 * 2**20
_BACKLOG = 512
_bundled = functools.cache(load_presets)


@functools.cache
def _presets(home: Path) -> Presets:
    """The presets of a home: the bundled ones, and the workflows that are kept there."""
    return Presets(_bundled().all())


MakeBackend = Callable[[BackendInfo, Catalog | None, Settings, Clock, OnCall], Backend]


def _job_store(database: Database, clock: Clock) -> JobStore:
    return SqlJobStore(database, clock=clock)


def _file_store(settings: Settings) -> FileStore:
    return PictureFiles(outputs=settings.outputs_dir, thumbnails=settings.thumbnails_dir)


def _comfy_backend(
    info: BackendInfo, catalog: Catalog | None, settings: Settings, clock: Clock, on_call: OnCall
) -> Backend:
    return ComfyBackend(
        info,
        timeouts=settings.timeouts,
        clock=clock,
        presets=_presets(settings.home),
        inputs=InputFiles(settings.inputs_dir).path,
        catalog=catalog,
        client_id=_client_id(settings, info),
        on_call=on_call,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the services are made of; tests put other parts in."""

    clock: Clock = field(default_factory=SystemClock)
    job_store: Callable[[Database, Clock], JobStore] = _job_store
    file_store: Callable[[Settings], FileStore] = _file_store
    backend: MakeBackend = _comfy_backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The services, and what must run beside them for them to work."""

    services: Services
    background: Mapping[str, Coroutine[Any, Any, None]]


@asynccontextmanager
async def open_services(
    settings: Settings, *, parts: Parts | None = None, log_book: LogBook | None = None
) -> AsyncGenerator[Opened]:
    """Everything but the pages and the server.

    Raises:
        StartError: another process uses this home.
        StorageError: the database or a folder cannot be used.
    """
    parts = parts or Parts()
    async with AsyncExitStack() as stack:
        stack.enter_context(alone_in(settings.home))
        await asyncio.to_thread(warn_unless_writable, settings.outputs_dir)
        database = await stack.enter_async_context(open_database(settings.database))
        store = parts.job_store(database, parts.clock)
        images = SqlImageStore(database, clock=parts.clock)
        files = parts.file_store(settings)
        presets = _presets(settings.home)
        inputs = InputService(store=InputFiles(settings.inputs_dir), images=images, files=files)
        bus = EventBus()
        metrics = Metrics(bus=bus, backend=lambda backend_id: fleet.info(backend_id))
        ledger = Ledger(store=store, bus=bus)
        await ledger.open()
        budget = Budget(
            store=SqlChargeStore(database),
            settings=settings,
            payload=shown_body,
            agreed=ledger.agreed_price,
            clock=parts.clock,
            bus=bus,
        )
        cloud = FluxBackend(
            settings,
            clock=parts.clock,
            budget=budget,
            input_path=inputs.path,
            webhook_secret=derived_secret(settings.home, "flux webhook"),
        )
        stack.push_async_callback(cloud.aclose)
        infos = [each.to_info() for each in settings.backends]
        if settings.demo_engine:
            infos.insert(0, await _start_demo(settings, stack))
        if is_flux_wanted(settings):
            infos.append(cloud.info)
        fleet_store = SqlFleetStore(database, clock=parts.clock)

        def make_backend(info: BackendInfo, catalog: Catalog | None) -> Backend:
            if info.kind == "bfl":
                return cloud
            return parts.backend(info, catalog, settings, parts.clock, metrics.called_comfy)

        fleet = Fleet(
            make_backend,
            configured=infos,
            store=fleet_store,
            bus=bus,
            clock=parts.clock,
        )
        await fleet.open()
        proxy = await stack.enter_async_context(open_proxy(settings.timeouts))
        library = await open_library(
            store=SqlWorkflowStore(database, clock=parts.clock),
            presets=presets,
            needed=[job.request.preset for job in ledger.unfinished.all()],
            fleet=fleet,
            proxy=proxy,
            images=images,
            files=files,
            cards=PngCards(),
            bus=bus,
            clock=parts.clock,
        )
        engine = await open_engine(
            settings,
            ledger=ledger,
            store=store,
            quarantines=SqlQuarantineStore(database, clock=parts.clock),
            paces=SqlPaceStore(database),
            fleet=fleet,
            files=files,
            workflows=presets,
            bus=bus,
            clock=parts.clock,
        )
        engine.health.name_workflows(presets.called)
        fleet.consult(circuit=engine.health.circuit, running=engine.slots.running)
        machines = MachineService(
            fleet=fleet,
            store=fleet_store,
            factory=make_backend,
            timeouts=settings.timeouts,
            health=engine.health,
        )
        live, runner, dispatcher = engine.live, engine.runner, engine.dispatcher
        gallery = GalleryService(
            store=images, jobs=store, files=files, fleet=fleet, bus=bus, clock=parts.clock
        )
        submitting = Submitting(
            ledger=ledger,
            fleet=fleet,
            presets=presets,
            inputs=inputs,
            known=library.known_nodes,
            budget=budget,
            clock=parts.clock,
            settings=settings,
        )
        jobs = JobService(
            ledger=ledger,
            store=store,
            images=images,
            live=live,
            runner=runner,
            dispatcher=dispatcher,
            submitting=submitting,
            budget=budget,
            clock=parts.clock,
        )
        told = SqlDeliveryStore(database)
        kept = functools.partial(kept_secret, settings.home)
        webhooks = await stack.enter_async_context(
            open_webhooks(settings, store=told, bus=bus, clock=parts.clock, kept=kept)
        )
        sessions = SqlSessionStore(database)
        access = await open_access(settings, store=sessions, bus=bus, clock=parts.clock)
        diagnostics = await open_diagnostics(
            settings,
            metrics=metrics,
            log_book=log_book or LogBook(secrets=Secrets(settings)),
            statistics=SqlStatistics(database),
            incident_store=SqlIncidentStore(database, clock=parts.clock),
            delivery=told.get,
            ledger=ledger,
            fleet=fleet,
            health=engine.health,
            jobs=jobs,
            gallery=gallery,
            bus=bus,
            clock=parts.clock,
            called=presets.called,
        )
        services = Services(
            settings=settings,
            bus=bus,
            submitting=submitting,
            trials=Trials(submitting=submitting, jobs=jobs),
            jobs=jobs,
            groups=GroupService(store=store, images=images, jobs=jobs, bus=bus),
            webhooks=webhooks,
            gallery=gallery,
            presets=presets,
            known_nodes=library.known_nodes,
            workflows=library.workflows,
            workflow_checks=library.checks,
            workflow_files=library.files,
            templates=library.templates,
            drafts=library.drafts,
            inputs=inputs,
            fleet=fleet,
            machines=machines,
            proxy=proxy,
            access=access,
            event_log=store,
            budget=budget,
            cloud=cloud,
            engine=engine,
            health=engine.health,
            diagnostics=diagnostics,
            started_at=parts.clock.now(),
        )
        background = {
            "fleet": fleet.serve(),
            "dispatcher": dispatcher.serve(),
            "webhooks": webhooks.serve(),
            "diagnostics": diagnostics.serve(),
            "workflows": library.workflows.serve(),
            "drafts": library.drafts.serve(),
            "housekeeping": keep_house(services, parts.clock),
        }
        yield Opened(services=services, background=background)


async def _start_demo(settings: Settings, stack: AsyncExitStack) -> BackendInfo:
    demo = DemoSettings(home=settings.demo_dir, step_delay_s=settings.demo_step_delay_s)
    async with asyncio.timeout(settings.timeouts.startup_s):
        url = await stack.enter_async_context(serve_demo(demo))
    return BackendInfo(id=DEMO, name="Demo engine", kind="embedded", url=url)


class _Server(uvicorn.Server):
    """Ends the streams of events when asked to stop, so that no open one holds it up."""

    def __init__(self, config: uvicorn.Config, *, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._on_stop()
        super().handle_exit(sig, frame)


async def serve(settings: Settings, *, open_browser: bool, log_book: LogBook | None = None) -> None:
    """Run the app until a signal stops it."""
    listener = _listen(settings)
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    try:
        async with (
            open_services(settings, log_book=log_book) as opened,
            asyncio.TaskGroup() as group,
        ):
            services = opened.services
            api = create_api(services)
            _mount_pages(api, services)
            tasks = [group.create_task(work, name=name) for name, work in opened.background.items()]
            server = _Server(_server_config(api, services), on_stop=services.bus.close)
            _greet(settings, url)
            if open_browser:
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            # From here on uvicorn takes the signals; outside of it they must not cut our cleanup.
            for each in (signal.SIGTERM, signal.SIGINT):
                signal.signal(each, signal.SIG_IGN)
            await server.serve([listener])
            for task in tasks:
                task.cancel()
    finally:
        listener.close()


def _greet(settings: Settings, url: str) -> None:
    """Tell the person who started it where everything is."""
    print(f"Orchestrator is at {url} (Ctrl-C stops it)")  # noqa: T201
    print(f"  pictures  {settings.outputs_dir}")  # noqa: T201
    print(f"  log       {settings.logs_dir / 'orchestrator.log'}", flush=True)  # noqa: T201


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named TCP, unlike socket.create_server's: asyncio then sends small answers without delay.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise StartError(
            f"Cannot listen on {settings.host}, port {settings.port}: {exc.strerror or exc}. "
            "Is it running already? Another port: --port, ORCHESTRATOR_PORT or `port` in "
            "config.yaml."
        ) from exc
    return listener


def guarded(api: FastAPI, services: Services) -> ASGIApp:
    """The app as the outside sees it: foreign pages and strangers are refused first."""
    hosts = frozenset({"localhost", socket.gethostname().lower(), *services.settings.allowed_hosts})
    gate = Gate(api, access=services.access)
    guard = Guard(gate, hosts=hosts, max_body_bytes=_MAX_BODY_BYTES)
    return Measured(guard, meter=services.diagnostics.metrics)


def _server_config(api: FastAPI, services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        guarded(api, services),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(services.settings.timeouts.shutdown_s),
    )


def _mount_pages(api: FastAPI, services: Services) -> None:
    """The pages, imported here because NiceGUI decides on import where it keeps its storage."""
    os.environ["NICEGUI_STORAGE_PATH"] = str(services.settings.home / "sessions")
    from nicegui import ui

    from components import theme
    from pages.login import login_routes
    from pages.shell import build_root

    api.router.routes.extend(login_routes(services.access))

    ui.run_with(
        api,
        root=build_root(services),
        title="Orchestrator",
        favicon=theme.FAVICON,
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=30,
        storage_secret=secret_of(services.settings.home),
        session_middleware_kwargs={"same_site": "strict"},
        show_welcome_message=False,
    )


def _client_id(settings: Settings, info: BackendInfo) -> str:
    """What a backend knows this home by, the same after a restart.

    A run that was under way goes on telling that id how far it is; the lock on the home keeps
    others from using it at the same time.
    """
    return derived_secret(settings.home, info.id)[:32]


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, on the quicker event loop where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def main() -> int:
    """Exit code 0 when stopped by a signal, 1 when it could not start or crashed."""
    parser = argparse.ArgumentParser(description="Run Orchestrator.")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
    except ConfigError as exc:
        print(f"The configuration has mistakes:\n{exc}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        book = configure_logging(settings)
        _run(serve(settings, open_browser=not arguments.no_browser, log_book=book))
    except KeyboardInterrupt:
        return 0
    except (StartError, StorageError, OSError) as exc:
        fix = f" {exc.fix}" if isinstance(exc, StorageError) else ""
        print(f"Orchestrator cannot start. {exc}{fix}", file=sys.stderr)  # noqa: T201
        return 1
    except BaseExceptionGroup:
        log.exception("Orchestrator crashed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
