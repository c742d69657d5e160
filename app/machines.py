"""What people do with backends: add, try, change, switch off and remove them while the app runs."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from app.addresses import at_usual_port, place_of, plain_url
from app.config import Timeouts
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from app.fleet import Fleet, FleetStore
from app.health import Health
from app.models import AUTO, DEMO, FLUX, BackendInfo, BackendStatus
from app.runs import Backend, BackendFactory
from app.said import Said
from app.submission import Wire

MAX_SLOTS = 64
_ID = r"[a-z0-9][a-z0-9-]{0,39}"
_PRESET_IDS = (AUTO, DEMO, FLUX)

Word = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^\S(.*\S)?$")]
Words = Annotated[tuple[Word, ...], Field(max_length=20)]
Slots = Annotated[int, Field(ge=1, le=MAX_SLOTS)]
Title = Annotated[str, Field(min_length=1, max_length=80, pattern=r"\S")]


class NewBackend(Wire):
    """A ComfyUI server to be added."""

    id: str | None = Field(default=None, pattern=f"^{_ID}$")
    """Made from the name unless given."""
    name: Title
    kind: Literal["comfyui"] = "comfyui"
    url: str
    enabled: bool = True
    capabilities: Words = ()
    tags: Words = ()
    max_concurrent_jobs: Slots = 1

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return plain_url(value)


class BackendPatch(Wire):
    """What to change; what is left out stays."""

    name: Title | None = None
    url: str | None = None
    enabled: bool | None = None
    capabilities: Words | None = None
    tags: Words | None = None
    max_concurrent_jobs: Slots | None = None

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        return None if value is None else plain_url(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of trying an address."""

    status: BackendStatus
    seconds: float
    known: BackendInfo | None = None  # a backend that has this address already
    better_url: str | None = None  # where a ComfyUI does answer on the same machine


class MachineService:
    """Changes the fleet for good: into the database first, then at once where it runs."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        store: FleetStore,
        factory: BackendFactory,
        timeouts: Timeouts,
        health: Health | None = None,
    ) -> None:
        self._health = health
        self._fleet = fleet
        self._store = store
        self._factory = factory
        self._timeouts = timeouts
        self._lock = asyncio.Lock()  # so that two cannot take one id or address

    async def add(self, new: NewBackend) -> BackendInfo:
        """Add a backend; it is connected at once.

        Raises:
            ConflictError: its id or its address is taken.
        """
        async with self._lock:
            info = BackendInfo(
                id=new.id or self._free_id(new.name),
                name=new.name.strip(),
                kind=new.kind,
                url=new.url,
                enabled=new.enabled,
                capabilities=new.capabilities,
                tags=new.tags,
                max_concurrent_jobs=new.max_concurrent_jobs,
                origin="page",
            )
            self._refuse_taken_id(info.id)
            self._refuse_taken_url(info)
            return await self._put(info, event="backend.added")

    async def restore(self, info: BackendInfo) -> BackendInfo:
        """Put a backend back that was removed.

        Raises:
            ConflictError: its id or its address was given to another.
        """
        async with self._lock:
            self._refuse_taken_id(info.id)
            self._refuse_taken_url(info)
            return await self._put(info, event="backend.added")

    async def edit(self, backend_id: str, patch: BackendPatch) -> BackendInfo:
        """Change a backend; with another address it is connected anew.

        Raises:
            NotFoundError: there is no such backend.
            ConflictError: it cannot be changed here, or not now.
        """
        async with self._lock:
            before = self._changeable(backend_id)
            given = patch.model_dump(exclude_none=True)
            if patch.name is not None:
                given["name"] = patch.name.strip()
            after = replace(before, **given)
            if after == before:
                return before
            if after.url != before.url:
                self._refuse_taken_url(after)
                self._refuse_while_running(before)
                self._forget_faults(backend_id)
            return await self._put(after, event="backend.edited")

    async def set_enabled(self, backend_id: str, *, enabled: bool) -> BackendInfo:
        """Switch a backend on, or off: then it gets no new work, and finishes what it has."""
        return await self.edit(backend_id, BackendPatch(enabled=enabled))

    async def remove(self, backend_id: str, *, force: bool = False) -> BackendInfo:
        """Take a backend out; what it was, for `restore`.

        With `force` also one that runs jobs: they are seen through first.

        Raises:
            NotFoundError: there is no such backend.
            ConflictError: it cannot be removed here, or runs jobs.
        """
        async with self._lock:
            info = self._changeable(backend_id)
            running = len(self._fleet.job_ids(backend_id))
            if running and not force:
                raise ConflictError(
                    Said("{backend} still runs jobs: {n}.", backend=info.name, n=running),
                    fix=Said("Cancel them or wait, or remove it and let it finish them."),
                )
            logged = await self._store.remove(backend_id)
            self._forget_faults(backend_id)
            self._fleet.drop(backend_id, logged=logged)
            return info

    async def check(self, backend_id: str) -> BackendStatus:
        """Look at it now, and read anew what it can do.

        Raises:
            NotFoundError, BackendUnreachableError
        """
        return await self._backend(backend_id).check()

    async def free(self, backend_id: str) -> None:
        """Have it unload its models.

        Raises:
            NotFoundError, BackendUnreachableError, ConflictError
        """
        await self._backend(backend_id).free()

    async def interrupt(self, backend_id: str) -> None:
        """Stop whatever runs there, of anybody.

        Raises:
            NotFoundError, BackendUnreachableError, ConflictError
        """
        await self._backend(backend_id).interrupt_all()

    async def try_url(self, url: str, *, but: str | None = None) -> Trial:
        """Connect once, the way a backend does, without adding it.

        Raises:
            InvalidRequestError: this is no address.
        """
        try:
            address = plain_url(url)
        except ValueError as exc:
            raise InvalidRequestError("url", exc.args[0]) from exc
        started = asyncio.get_running_loop().time()
        status = await self._try(address)
        seconds = asyncio.get_running_loop().time() - started
        better = None if status.online else await self._usual_port(address)
        known = self._with_url(address, but=but)
        return Trial(status=status, seconds=seconds, known=known, better_url=better)

    async def _try(self, url: str) -> BackendStatus:
        host = urlsplit(url).hostname or url
        # No backend has such an id: what is derived from it never gets in the way of a real one.
        info = BackendInfo(id=f"{host} (test)", name=host, kind="comfyui", url=url)
        backend = self._factory(info, None)
        answered = asyncio.Event()

        def heard(status: BackendStatus) -> None:
            if status.online or status.last_error:
                answered.set()

        try:
            async with (
                asyncio.timeout(self._timeouts.connect_s + self._timeouts.request_s),
                asyncio.TaskGroup() as group,
            ):
                serving = group.create_task(backend.serve(heard), name=f"trial of {url}")
                await answered.wait()
                status = backend.status
                serving.cancel()
        except TimeoutError:
            return replace(backend.status, online=False, last_error=Said("No answer in time."))
        return status

    async def _usual_port(self, url: str) -> str | None:
        """The same machine at ComfyUI's usual port, if one answers there."""
        usual = at_usual_port(url)
        return usual if usual is not None and (await self._try(usual)).online else None

    async def _put(self, info: BackendInfo, *, event: str) -> BackendInfo:
        logged = await self._store.save(info, event=event)
        self._fleet.put(info, logged=logged)
        return info

    def _forget_faults(self, backend_id: str) -> None:
        if self._health is not None:
            self._health.close(backend_id)

    def _changeable(self, backend_id: str) -> BackendInfo:
        info = self._fleet.info(backend_id)
        if info is None:
            raise _unknown(backend_id)
        if info.origin == "config":
            raise ConflictError(
                Said("{backend} is defined by the configuration.", backend=info.name),
                fix=_where_configured(info),
            )
        return info

    def _backend(self, backend_id: str) -> Backend:
        backend = self._fleet.get(backend_id)
        if backend is None or self._fleet.info(backend_id) is None:
            raise _unknown(backend_id)
        return backend

    def _refuse_taken_id(self, backend_id: str) -> None:
        if self._fleet.info(backend_id) is not None or backend_id in _PRESET_IDS:
            raise ConflictError(
                Said("There is a backend '{id}' already.", id=backend_id),
                fix=Said("Choose another id."),
            )

    def _refuse_taken_url(self, info: BackendInfo) -> None:
        other = self._with_url(info.url, but=info.id)
        if other is not None:
            raise ConflictError(
                Said("{backend} has this address already.", backend=other.name),
                fix=Said("One server is one backend: give that one more slots or other tags."),
            )

    def _refuse_while_running(self, info: BackendInfo) -> None:
        running = len(self._fleet.job_ids(info.id))
        if running:
            raise ConflictError(
                Said("{backend} still runs jobs: {n}.", backend=info.name, n=running),
                fix=Said("Cancel them or wait; then change its address."),
            )

    def _with_url(self, url: str, *, but: str | None) -> BackendInfo | None:
        wanted = place_of(url)
        others = [each for each in self._fleet.infos() if each.id != but and each.kind != "bfl"]
        return next((each for each in others if place_of(each.url) == wanted), None)

    def _free_id(self, name: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:34].strip("-") or "backend"
        taken: Sequence[str] = [*_PRESET_IDS, *(each.id for each in self._fleet.infos())]
        numbers = range(2, len(taken) + 3)
        return next(each for each in (base, *(f"{base}-{n}" for n in numbers)) if each not in taken)


def _unknown(backend_id: str) -> NotFoundError:
    return NotFoundError(Said("There is no backend '{id}'.", id=backend_id))


def _where_configured(info: BackendInfo) -> str:
    key = {"embedded": "demo_engine", "bfl": "flux"}.get(info.kind, "backends")
    return Said(
        "Change `{key}` in config.yaml or the environment, and start the app anew.", key=key
    )
