"""The FLUX cloud as a `Backend`: a key that is looked at now and then, and a run per attempt."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx

from app.config import Settings
from app.errors import (
    BackendError,
    BackendUnreachableError,
    BusyError,
    CloudKeyError,
    ConflictError,
    NoCreditError,
    NotSentError,
)
from app.models import FLUX, Attempt, BackendInfo, BackendStatus, Catalog, GenerationRequest
from app.paid import Budget, KeyCheck
from app.ports import Clock
from app.said import Said
from backends.flux.answers import Task, UnreadableError, parse_task
from backends.flux.client import FluxClient
from backends.flux.order import InputPath
from backends.flux.run import FluxRun

log = logging.getLogger(__name__)

_SOONEST_S = 60.0  # between two looks at the key, by ourselves
_LATEST_S = 900.0
_CANNOT = Said("The FLUX cloud has no such switch.")


def flux_info(settings: Settings) -> BackendInfo:
    """The backend as the configuration makes it."""
    return BackendInfo(
        id=FLUX,
        name="FLUX cloud",
        kind="bfl",
        url=str(settings.flux.url).rstrip("/"),
        max_concurrent_jobs=settings.flux.max_in_flight,
    )


def is_flux_wanted(settings: Settings) -> bool:
    """Whether the cloud is among the backends: it has a key, or paid generation is switched on."""
    return settings.flux.api_key is not None or settings.allow_generation


class FluxBackend:
    """The ports `Backend` and `Cloud`: see there for what the methods promise."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        budget: Budget,
        input_path: InputPath,
        webhook_secret: str = "",
        check_every_s: float = _SOONEST_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._info = flux_info(settings)
        self._settings = settings
        self._clock = clock
        self._budget = budget
        self._input_path = input_path
        self._webhook_secret = webhook_secret
        self._check_every_s = check_every_s
        self._client = FluxClient(settings, clock=clock, transport=transport)
        self._status = BackendStatus(catalog=self._catalog())
        self._on_change: Callable[[BackendStatus], None] | None = None
        self._pause_s = check_every_s
        self._wake = asyncio.Event()
        self._rest_until = 0.0
        self._handles: dict[UUID, Mapping[str, Any]] = {}
        self._listeners: dict[str, Callable[[Task], None]] = {}

    @property
    def info(self) -> BackendInfo:
        return self._info

    @property
    def status(self) -> BackendStatus:
        return self._status

    @property
    def webhook(self) -> Mapping[str, str]:
        """What an order says of where to post its end."""
        url = self._settings.flux.webhook_url
        if url is None:
            return {}
        return {"webhook_url": str(url), "webhook_secret": self._webhook_secret}

    async def aclose(self) -> None:
        """Close the connections; the next request would open new ones."""
        await self._client.aclose()

    async def serve(self, on_change: Callable[[BackendStatus], None]) -> None:
        self._on_change = on_change
        try:
            while True:
                try:
                    await self._look_at_key()
                except Exception as exc:  # the fence of this loop: a bug here ends one look
                    log.exception("The FLUX cloud could not be looked at")
                    self._update(online=False, last_error=str(exc))
                await self._pause()
        finally:
            self._on_change = None
            await self._client.aclose()

    @asynccontextmanager
    async def open(self, attempt: Attempt, request: GenerationRequest) -> AsyncGenerator[FluxRun]:
        yield FluxRun(
            attempt,
            request,
            settings=self._settings,
            client=self._client,
            budget=self._budget,
            input_path=self._input_path,
            link=self,
        )

    async def check(self) -> BackendStatus:
        if (error := await self._look_at_key()) is not None:
            raise BackendUnreachableError(error.message, fix=error.fix)
        return self._status

    async def free(self) -> None:
        raise ConflictError(_CANNOT)

    async def interrupt_all(self) -> None:
        raise ConflictError(_CANNOT)

    async def validate(self) -> KeyCheck:
        """Look at the key now."""
        error = await self._look_at_key()
        valid = True if error is None else False if isinstance(error, CloudKeyError) else None
        reason = Said("The key is good.") if error is None else error.message
        return KeyCheck(valid=valid, reason=reason, endpoint=self._client.endpoint)

    def deliver(self, body: bytes, *, signature: str) -> bool:
        """Wake the run that a verified webhook is about; False if the signature is wrong."""
        expected = hmac.new(self._webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        given = signature.strip().removeprefix("sha256=").lower()
        if not self._webhook_secret or not hmac.compare_digest(expected.encode(), given.encode()):
            return False
        try:
            task = parse_task(body)
        except UnreadableError:
            log.warning("The FLUX cloud posted something that cannot be read")
            return True
        listener = self._listeners.get(task.id or "")
        if listener is not None:
            listener(task)
        return True

    def heard(self, error: BackendError | None) -> None:
        """A run tells how the cloud answered."""
        match error:
            case None:
                self._update(online=True, last_error=None, last_seen=self._clock.now())
            case BusyError(wait_s=wait_s):
                self._rest(error, wait_s=wait_s)
            case NoCreditError():
                self._rest(error, wait_s=_LATEST_S)  # the key is good all the same
            case CloudKeyError() | NotSentError():
                self._rest(error, wait_s=self._check_every_s)
            case _:
                pass

    def remember(self, attempt_id: UUID, handle: Mapping[str, Any]) -> None:
        """Keep a handle while this process lives; a few hundred bytes each."""
        self._handles[attempt_id] = handle

    def remembered(self, attempt_id: UUID) -> Mapping[str, Any] | None:
        """The handle kept of an attempt."""
        return self._handles.get(attempt_id)

    @contextmanager
    def listening(self, task_id: str, deliver: Callable[[Task], None]) -> Generator[None]:
        """Hand over what is posted about a task."""
        self._listeners[task_id] = deliver
        try:
            yield
        finally:
            self._listeners.pop(task_id, None)

    def _rest(self, error: BackendError, *, wait_s: float) -> None:
        """Give it no more work for so long; then the key is looked at."""
        self._rest_until = asyncio.get_running_loop().time() + wait_s
        self._update(online=False, last_error=error.message)
        self._wake.set()

    async def _look_at_key(self) -> BackendError | None:
        """Ask something that costs nothing; why the cloud is of no use now, if it is not."""
        error: BackendError | None = None
        began = time.perf_counter()
        if self._settings.flux.api_key is None:
            error = _no_key()
        else:
            try:
                await self._client.check_key()
            except (BackendUnreachableError, CloudKeyError) as exc:
                error = exc
        if error is not None:
            self._pause_s = min(self._pause_s * 2, max(_LATEST_S, self._check_every_s))
            if self._status.online or self._status.last_error != error.message:
                log.warning("%s", error)
            self._update(online=False, last_error=error.message, latency_ms=None)
            return error
        self._pause_s = self._check_every_s
        latency_ms = (time.perf_counter() - began) * 1000
        self._update(
            online=True,
            last_error=None,
            latency_ms=latency_ms,
            last_seen=self._clock.now(),
        )
        return None

    def _catalog(self) -> Catalog:
        models = {"bfl": tuple(self._settings.flux.prices_usd)}
        return Catalog(node_classes=frozenset(), models=models, read_at=self._clock.now())

    async def _pause(self) -> None:
        """Until the next look at the key is due: later after each failure, after a rest at once."""
        loop = asyncio.get_running_loop()
        due = loop.time() + (self._pause_s if not self._status.online else _LATEST_S)
        while loop.time() < due:
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                return
            self._wake.clear()
            due = self._rest_until

    def _update(self, **changes: Any) -> None:
        status = replace(self._status, **changes)
        if status == self._status:
            return
        self._status = status
        if self._on_change is not None:
            self._on_change(status)


def _no_key() -> CloudKeyError:
    return CloudKeyError(
        Said("No API key is set for the FLUX cloud."),
        fix=Said("Set flux.api_key (ORCHESTRATOR_FLUX__API_KEY) to a key of your account."),
    )
