"""The port to the machines that make pictures: a backend, and one attempt on it.

`backends/` implements it; tests use fakes.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.errors import BackendError
from app.models import (
    Attempt,
    BackendInfo,
    BackendStatus,
    Catalog,
    GenerationRequest,
    NodeProgress,
    Progress,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file a run produced, as its backend names it."""

    node_id: str
    index: int
    filename: str
    locator: dict[str, Any]  # for the backend that made it, opaque to everybody else


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgressed:
    """The run got further."""

    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNodesProgressed:
    """Some nodes of the run got further; those not named are where they were."""

    nodes: Mapping[str, NodeProgress]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPreviewed:
    """The run shows what it has so far."""

    step: int
    mime: str
    data: bytes = field(repr=False)
    node_id: str | None = None  # the node that shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSilent:
    """The backend does not answer (reason for people), or answers again (None)."""

    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSucceeded:
    """Ended, confirmed: these files are there."""

    outputs: tuple[Output, ...]
    notices: tuple[str, ...] = ()  # what is missing of it although it ended well, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    """Ended, confirmed, with an error."""

    error: BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInterrupted:
    """Ended, confirmed: somebody stopped it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLost:
    """The backend answers, and twice knew nothing of the attempt, nor has a file of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The backend has begun to work on it; until then it waits there."""


RunEnd = RunSucceeded | RunFailed | RunInterrupted | RunLost
RunEvent = RunStarted | RunProgressed | RunNodesProgressed | RunPreviewed | RunSilent | RunEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A backend has taken an attempt."""

    handle: Mapping[str, Any] | None = None
    """What to ask with after a restart; kept with the attempt before anything is asked."""
    notices: tuple[str, ...] = ()
    """What was replaced to make it run there, for people."""


class Run(Protocol):
    """One attempt on one backend, from the moment we listen for it."""

    async def submit(self) -> Accepted:
        """Send it. Returns once the backend has accepted it.

        Raises:
            NotSentError: certainly not there.
            BackendUnreachableError: may be there; `events` finds out.
            PromptRejectedError, MissingCapabilityError: never will be.
        """
        ...

    def events(self) -> AsyncGenerator[RunEvent]:
        """What happens, whether submitted just now or before a restart; a RunEnd is the last.

        Never raises for an unreachable backend: it yields RunSilent and goes on asking.
        """
        ...

    async def interrupt(self, *, unless_begun: bool = False) -> None:
        """Stop it wherever it is there: waiting or running; nobody else's prompt is touched.

        `unless_begun`: only while it waits there; one that runs is left to go on.

        Raises:
            BackendUnreachableError: the backend did not answer.
        """
        ...

    def fetch(self, output: Output) -> AsyncGenerator[bytes]:
        """The bytes of an output.

        Raises (while iterating):
            BackendUnreachableError: try again later, the file is still there.
            BadOutputError: the backend does not have the file.
        """
        ...


class Backend(Protocol):
    """A machine that makes pictures."""

    @property
    def info(self) -> BackendInfo: ...

    @property
    def status(self) -> BackendStatus: ...

    async def serve(self, on_change: Callable[[BackendStatus], None]) -> None:
        """Keep connected until cancelled; call back whenever `status` has changed."""
        ...

    def open(
        self, attempt: Attempt, request: GenerationRequest
    ) -> AbstractAsyncContextManager[Run]:
        """Listen for an attempt: opened before it is submitted, so that nothing is missed."""
        ...

    async def check(self) -> BackendStatus:
        """Look at it once, now, and read its catalog anew; also without `serve`.

        Raises:
            BackendUnreachableError: says why.
        """
        ...

    async def free(self) -> None:
        """Have it unload its models and drop its caches.

        Raises:
            BackendUnreachableError: it did not answer.
            ConflictError: this kind of backend cannot.
        """
        ...

    async def interrupt_all(self) -> None:
        """Stop whatever runs there, of anybody; what waits stays.

        Raises:
            BackendUnreachableError: it did not answer.
            ConflictError: this kind of backend cannot.
        """
        ...


BackendFactory = Callable[[BackendInfo, Catalog | None], Backend]
"""Makes the backend of a configuration, with the catalog that was kept of it, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """The answer of a backend to a request that was passed on to it, as it comes."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes]


class Proxy(Protocol):
    """Passes requests on to configured ComfyUI servers, and to nothing else."""

    def forward(
        self,
        backend: BackendInfo,
        *,
        method: str,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
        body: AsyncIterator[bytes],
    ) -> AbstractAsyncContextManager[Forwarded]:
        """Pass one on; the answer is streamed while the context is open.

        Raises:
            BackendUnreachableError: no answer within `proxy_s`.
        """
        ...
