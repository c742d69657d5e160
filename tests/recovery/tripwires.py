"""Ports that watch every call on its way, and kill the process at a chosen one.

A place is named `port.method:before` or `port.method:after`, for the steps of a job
`store.apply.<step>`, for the events of a run `run.events.<kind>`, with `#n` for the n-th time.
"""

import inspect
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from app.models import AttemptState, JobState
from app.ports import JobChange, StoredFile
from app.runs import Output, RunEvent


class Tripwire:
    """Counts the places that were reached; at the chosen one this process is gone."""

    def __init__(self, place: str | None, *, trace: Path | None = None) -> None:
        self._place, _, nth = (place or "").partition("#")
        self._nth = int(nth or 1)
        self._trace = trace
        self._reached: Counter[str] = Counter()

    def reach(self, place: str) -> None:
        """Say that the job is at this place now."""
        self._reached[place] += 1
        if self._trace is not None:
            with self._trace.open("a", encoding="utf-8") as lines:
                lines.write(f"{place}\n")
        if place == self._place and self._reached[place] == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """Any port: its coroutine methods tell the wire before and after."""

    def __init__(self, inner: Any, *, name: str, wire: Tripwire) -> None:
        self._inner = inner
        self._name = name
        self._wire = wire

    def __getattr__(self, method: str) -> Any:
        member = getattr(self._inner, method)
        if not inspect.iscoroutinefunction(member):
            return member

        async def call(*args: Any, **kwargs: Any) -> Any:
            place = f"{self._name}.{method}{_detail(args)}"
            self._wire.reach(f"{place}:before")
            result = await member(*args, **kwargs)
            self._wire.reach(f"{place}:after")
            return result

        return call


class WatchedFiles(Watched):
    """The outputs folder."""

    async def save(self, name: PurePosixPath, chunks: AsyncIterator[bytes]) -> StoredFile:
        """As the port says."""
        self._wire.reach("files.save:before")
        stored = await self._inner.save(name, chunks)
        self._wire.reach("files.save:after")
        return stored


class WatchedBackend(Watched):
    """A backend whose runs are watched."""

    @asynccontextmanager
    async def open(self, attempt: Any, request: Any) -> AsyncGenerator["WatchedRun"]:
        """As the port says."""
        async with self._inner.open(attempt, request) as run:
            yield WatchedRun(run, name="run", wire=self._wire)


class WatchedRun(Watched):
    """A run: its events and the pieces of its files are places, too."""

    async def interrupt(self, **how: Any) -> None:
        """As the port says; the end of the run may overtake the answer and cut this short."""
        self._wire.reach("run.interrupt:before")
        try:
            await self._inner.interrupt(**how)
        finally:
            self._wire.reach("run.interrupt:after")

    async def events(self) -> AsyncGenerator[RunEvent]:
        """As the port says."""
        async with aclosing(self._inner.events()) as events:
            async for event in events:
                self._wire.reach(f"run.events.{type(event).__name__}:before")
                yield event

    async def fetch(self, output: Output) -> AsyncGenerator[bytes]:
        """As the port says, in halves, so that there is a middle."""
        self._wire.reach("run.fetch:before")
        async with aclosing(self._inner.fetch(output)) as chunks:
            async for chunk in chunks:
                middle = len(chunk) // 2
                yield chunk[:middle]
                self._wire.reach("run.fetch.half:after")
                yield chunk[middle:]
        self._wire.reach("run.fetch:after")


def watched(inner: Callable[..., Any], make: type[Watched], **how: Any) -> Callable[..., Any]:
    """The factory of a part, with what it makes watched."""
    return lambda *args: make(inner(*args), **how)


def _detail(args: tuple[Any, ...]) -> str:
    return f".{_step(args[0])}" if args and isinstance(args[0], JobChange) else ""


def _step(change: JobChange) -> str:
    """What a change of a job is called as a place."""
    if change.event is not None:
        return change.event.removeprefix("job.")
    if change.job.state is JobState.RUNNING:
        return "claim" if change.attempt else "begun"
    if change.attempt is not None and change.attempt.state is AttemptState.LOST:
        return "lost"
    if change.job.state is JobState.QUEUED:
        return "requeue" if change.attempt else "retry"
    return change.job.state.value
