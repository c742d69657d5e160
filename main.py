"""Composition root and entry: the only file that knows everyone."""

import argparse
import asyncio
import hashlib
import hmac
import logging
import logging.handlers
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from filelock import FileLock, Timeout

from app.access import AccessService
from app.api.access import Gate
from app.api.create import create_api
from app.api.guard import Guard
from app.config import ConfigError, Settings, Timeouts, load_settings
from app.dispatcher import Dispatcher
from app.errors import OrchestratorError, StorageError
from app.events import EventBus
from app.fleet import Fleet
from app.gallery import GalleryService
from app.jobs import JobService
from app.ledger import Ledger
from app.live import LiveRuns
from app.models import DEMO, BackendInfo
from app.ports import Clock, FileStore, JobStore
from app.runner import Runner
from app.runs import Backend
from app.services import Services
from app.throttle import Throttle
from backends.comfyui.backend import ComfyBackend
from backends.demo.server import DemoSettings, serve_demo
from data.clock import SystemClock
from data.database import Database, open_database
from data.files import PictureFiles
from data.images import SqlImageStore
from data.jobs import SqlJobStore
from data.sessions import SqlSessionStore

log = logging.getLogger("orchestrator")

_MAX_BODY_BYTES = 10 * 2**20
_LOG_FILE_BYTES = 10 * 2**20
_LOG_FILES = 3
_BACKLOG = 512
_DAY_S = 86_400
_LOGIN_TRIES = 10  # a minute


class StartError(Exception):
    """The app cannot start; the message says why and what to do."""


def _job_store(database: Database, clock: Clock) -> JobStore:
    return SqlJobStore(database, clock=clock)


def _file_store(settings: Settings) -> FileStore:
    return PictureFiles(outputs=settings.outputs_dir, thumbnails=settings.thumbnails_dir)


def _comfy_backend(info: BackendInfo, timeouts: Timeouts, clock: Clock, client_id: str) -> Backend:
    return ComfyBackend(info, timeouts=timeouts, clock=clock, client_id=client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the services are made of; tests put other parts in."""

    clock: Clock = field(default_factory=SystemClock)
    job_store: Callable[[Database, Clock], JobStore] = _job_store
    file_store: Callable[[Settings], FileStore] = _file_store
    backend: Callable[[BackendInfo, Timeouts, Clock, str], Backend] = _comfy_backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The services, and what must run beside them for them to work."""

    services: Services
    background: Mapping[str, Coroutine[Any, Any, None]]


@asynccontextmanager
async def open_services(
    settings: Settings, *, parts: Parts | None = None
) -> AsyncGenerator[Opened]:
    """Everything but the pages and the server.

    Raises:
        StartError: another process uses this home.
        StorageError: the database or a folder cannot be used.
    """
    parts = parts or Parts()
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(settings))
        await asyncio.to_thread(_warn_of, settings.outputs_dir)
        database = await stack.enter_async_context(open_database(settings.database))
        store = parts.job_store(database, parts.clock)
        images = SqlImageStore(database, clock=parts.clock)
        files = parts.file_store(settings)
        bus = EventBus()
        ledger = Ledger(store=store, bus=bus)
        await ledger.open()
        infos = [each.to_info() for each in settings.backends]
        if settings.demo_engine:
            infos.insert(0, await _start_demo(settings, stack))
        made = [
            parts.backend(info, settings.timeouts, parts.clock, _client_id(settings, info))
            for info in infos
        ]
        fleet = Fleet(made, bus=bus)
        live = LiveRuns(bus=bus)
        runner = Runner(
            ledger=ledger,
            fleet=fleet,
            live=live,
            files=files,
            clock=parts.clock,
            retry=settings.retry,
        )
        dispatcher = Dispatcher(
            ledger=ledger, store=store, fleet=fleet, runner=runner, bus=bus, clock=parts.clock
        )
        gallery = GalleryService(
            store=images, jobs=store, files=files, fleet=fleet, bus=bus, clock=parts.clock
        )
        jobs = JobService(
            ledger=ledger,
            store=store,
            images=images,
            fleet=fleet,
            live=live,
            runner=runner,
            dispatcher=dispatcher,
            clock=parts.clock,
            retry=settings.retry,
            submissions=Throttle(per_minute=settings.submissions_per_minute),
        )
        token = settings.auth_token
        access = AccessService(
            token=token.get_secret_value() if token else None,
            store=SqlSessionStore(database),
            bus=bus,
            clock=parts.clock,
            tries=Throttle(per_minute=_LOGIN_TRIES),
            session_days=settings.session_days,
        )
        await access.open()
        services = Services(
            settings=settings,
            bus=bus,
            jobs=jobs,
            gallery=gallery,
            fleet=fleet,
            access=access,
            event_log=store,
            started_at=parts.clock.now(),
        )
        background = {
            "fleet": fleet.serve(),
            "dispatcher": dispatcher.serve(),
            "housekeeping": _keep_house(services, parts.clock),
        }
        yield Opened(services=services, background=background)


async def _start_demo(settings: Settings, stack: AsyncExitStack) -> BackendInfo:
    demo = DemoSettings(home=settings.demo_dir, step_delay_s=settings.demo_step_delay_s)
    async with asyncio.timeout(settings.timeouts.startup_s):
        url = await stack.enter_async_context(serve_demo(demo))
    return BackendInfo(id=DEMO, name="Demo engine", kind="embedded", url=url)


async def _keep_house(services: Services, clock: Clock) -> None:
    """At start take in files without a row; once a day drop what is past its time."""
    keep = timedelta(days=services.settings.events_keep_days)
    await _leave_undone_on_error(services.gallery.sweep())
    while True:
        before = clock.now() - keep
        await _leave_undone_on_error(services.event_log.forget_events(before=before))
        await _leave_undone_on_error(services.event_log.forget_removed(before=before))
        await asyncio.sleep(_DAY_S)


async def _leave_undone_on_error(work: Coroutine[Any, Any, int]) -> None:
    try:
        await work
    except OrchestratorError as exc:
        log.warning("Housekeeping was left undone: %s", exc)


def _alone(settings: Settings) -> FileLock:
    """Held while this process uses the home: two would run every job twice."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home / "in-use.lock")
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise StartError(
            f"Another Orchestrator already uses {settings.home}. "
            "Stop it, or start this one with another ORCHESTRATOR_HOME."
        ) from exc
    except OSError as exc:
        raise StartError(
            f"The folder {settings.home} cannot be used: {exc.strerror or exc}. "
            "Make it writable, or choose another with ORCHESTRATOR_HOME."
        ) from exc
    return lock


def _warn_of(folder: Path) -> None:
    """Say at once when pictures cannot be kept; what is there can still be looked at."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        log.warning(
            "Pictures cannot be kept in %s: %s. Every job will fail until it is a writable folder, "
            "or another is set with ORCHESTRATOR_OUTPUTS.",
            folder,
            exc.strerror or exc,
        )


class _Server(uvicorn.Server):
    """Ends the streams of events when asked to stop, so that no open one holds it up."""

    def __init__(self, config: uvicorn.Config, *, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._on_stop()
        super().handle_exit(sig, frame)


async def serve(settings: Settings, *, open_browser: bool) -> None:
    """Run the app until a signal stops it."""
    listener = _listen(settings)
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    try:
        async with open_services(settings) as opened, asyncio.TaskGroup() as group:
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


def guarded(api: FastAPI, services: Services) -> Guard:
    """The app as the outside sees it: foreign pages and strangers are refused first."""
    hosts = frozenset({"localhost", socket.gethostname().lower(), *services.settings.allowed_hosts})
    gate = Gate(api, access=services.access)
    return Guard(gate, hosts=hosts, max_body_bytes=_MAX_BODY_BYTES)


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
        storage_secret=_secret(services.settings),
        session_middleware_kwargs={"same_site": "strict"},
        show_welcome_message=False,
    )


def _client_id(settings: Settings, info: BackendInfo) -> str:
    """What a backend knows this home by, the same after a restart.

    A run that was under way goes on telling that id how far it is; the lock on the home keeps
    others from using it at the same time.
    """
    return hmac.new(_secret(settings).encode(), info.id.encode(), hashlib.sha256).hexdigest()[:32]


def _secret(settings: Settings) -> str:
    """What only this home knows; made once, readable by its owner only."""
    path = settings.home / "session.key"
    try:
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(secrets.token_urlsafe(32))
        return path.read_text(encoding="ascii")
    except OSError as exc:
        raise StorageError(f"{path} cannot be read or written: {exc.strerror or exc}.") from exc


def _configure_logging(settings: Settings) -> None:
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    layout = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s")
    to_file = logging.handlers.RotatingFileHandler(
        settings.logs_dir / "orchestrator.log",
        maxBytes=_LOG_FILE_BYTES,
        backupCount=_LOG_FILES,
        encoding="utf-8",
    )
    to_screen = logging.StreamHandler()
    for handler in (to_file, to_screen):
        handler.setFormatter(layout)
    logging.basicConfig(level=settings.log_level, handlers=[to_file, to_screen], force=True)
    for noisy in ("uvicorn", "httpx", "httpcore", "websockets", "PIL", "alembic", "multipart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run Orchestrator.")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    return parser.parse_args()


def main() -> int:
    """Exit code 0 when stopped by a signal, 1 when it could not start or crashed."""
    arguments = _arguments()
    try:
        settings = load_settings()
    except ConfigError as exc:
        print(f"The configuration has mistakes:\n{exc}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        _configure_logging(settings)
        asyncio.run(serve(settings, open_browser=not arguments.no_browser))
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
