"""How long work takes, learned from what was done: per workflow, backend and size.

A moving average each; the size is a binary logarithm, so that neighbours differ by a factor of
two. What loading a model takes is learned apart from the rest.
"""

import logging
import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from app.errors import StorageError
from app.models import GenerationRequest
from app.ports import Clock

log = logging.getLogger(__name__)

_LOAD = "load:"
_WEIGHT = 0.3  # of the newest one
_NOTABLE = 0.25  # a change smaller than this share is not written down


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one kind of work took on one backend."""

    work: str  # a preset, or "load:" and a model
    backend_id: str
    size: int = 0
    seconds: float
    count: int = 1  # 0: only known with loading included
    updated_at: datetime


class PaceStore(Protocol):
    """Paces on disk."""

    async def all(self) -> list[Pace]: ...

    async def put(self, pace: Pace, /) -> None:
        """Insert it, or overwrite the one of the same work, backend and size."""
        ...


class Estimates:
    """Learns, and says what is expected."""

    def __init__(self, *, store: PaceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._paces: dict[tuple[str, str], dict[int, Pace]] = {}
        self._backends: dict[str, set[str]] = {}  # that a kind of work is known of
        self._written: dict[tuple[str, str, int], float] = {}

    async def open(self) -> None:
        """Read what a former process learned."""
        for pace in await self._store.all():
            self._keep(pace)
            self._written[pace.work, pace.backend_id, pace.size] = pace.seconds

    def expected_s(self, request: GenerationRequest, backend_id: str) -> float | None:
        """How long the request takes there with its model loaded; None if nothing is known.

        Where this backend has not done such work yet, the average of the others counts.
        """
        if request.graph is not None:
            return None  # each is another
        size = size_of(request)
        own = self._scaled(request.preset, backend_id, size)
        if own is not None:
            return own
        others = self._backends.get(request.preset, set())
        known = [self._scaled(request.preset, each, size) for each in others]
        return _average([each for each in known if each is not None])

    def load_s(self, model: str, backend_id: str) -> float | None:
        """How long loading a model takes there; None if nothing is known."""
        work = f"{_LOAD}{model}"
        own = self._paces.get((work, backend_id))
        if own is not None:
            return own[0].seconds
        others = self._backends.get(work, set())
        return _average([self._paces[work, each][0].seconds for each in others])

    async def learn(
        self, request: GenerationRequest, backend_id: str, *, seconds: float, model: str, warm: bool
    ) -> None:
        """A clean run took that long; `warm` says that its model was loaded before."""
        if request.graph is not None:
            return
        size = size_of(request)
        known = self._paces.get((request.preset, backend_id), {})
        if warm or not model:
            await self._learn(request.preset, backend_id, size, seconds)
        elif any(each.count for each in known.values()):
            expected = self._scaled(request.preset, backend_id, size) or 0.0
            await self._learn(f"{_LOAD}{model}", backend_id, 0, max(0.0, seconds - expected))
        elif size not in known:
            pace = self._pace(request.preset, backend_id, size, seconds, count=0)
            await self._put(pace)

    async def _learn(self, work: str, backend_id: str, size: int, seconds: float) -> None:
        known = self._paces.get((work, backend_id), {}).get(size)
        if known is None or known.count == 0:
            await self._put(self._pace(work, backend_id, size, seconds, count=1))
            return
        mixed = known.seconds + _WEIGHT * (seconds - known.seconds)
        count = known.count + 1
        await self._put(replace(known, seconds=mixed, count=count, updated_at=self._clock.now()))

    def _pace(self, work: str, backend_id: str, size: int, seconds: float, *, count: int) -> Pace:
        now = self._clock.now()
        return Pace(
            work=work,
            backend_id=backend_id,
            size=size,
            seconds=seconds,
            count=count,
            updated_at=now,
        )

    async def _put(self, pace: Pace) -> None:
        self._keep(pace)
        key = (pace.work, pace.backend_id, pace.size)
        written = self._written.get(key)
        notable = written is None or abs(pace.seconds - written) > _NOTABLE * written
        if not notable and pace.count not in (1, 2):
            return  # not every picture is worth a write
        try:
            await self._store.put(pace)
        except StorageError as exc:
            log.warning("What was learned could not be written down: %s", exc)
        else:
            self._written[key] = pace.seconds

    def _keep(self, pace: Pace) -> None:
        self._paces.setdefault((pace.work, pace.backend_id), {})[pace.size] = pace
        self._backends.setdefault(pace.work, set()).add(pace.backend_id)

    def _scaled(self, work: str, backend_id: str, size: int) -> float | None:
        """The pace of the nearest size that is known, in proportion."""
        sizes = self._paces.get((work, backend_id))
        if not sizes:
            return None
        clean = [each for each in sizes.values() if each.count] or list(sizes.values())
        nearest = min(clean, key=lambda each: (abs(each.size - size), -each.size))
        return nearest.seconds * 2.0 ** (size - nearest.size)


def size_of(request: GenerationRequest) -> int:
    """The binary logarithm of the work in a request, in megapixel-steps."""
    frames = request.options.get("frames", 1)
    count = max(1, int(frames)) if isinstance(frames, int | float) else 1
    units = request.width * request.height * max(1, request.steps) * count / 2**20
    return round(math.log2(max(units, 2**-20)))


def _average(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
