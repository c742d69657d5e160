"""A clock and a backend that do what a test says; real implementations of the ports."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.models import Attempt, BackendInfo, BackendStatus, Catalog, GenerationRequest
from app.runs import Accepted, Output, RunEnd, RunEvent, RunInterrupted, RunSucceeded
from tests.support.pictures import png

LIMIT_S = 10
"""No wait of a test is longer."""
START = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
CATALOG = Catalog(
    node_classes=frozenset(
        {
            "CheckpointLoaderSimple",
            "CLIPTextEncode",
            "EmptyLatentImage",
            "KSampler",
            "SaveImage",
            "VAEDecode",
        }
    ),
    models={"checkpoints": ("model-a.safetensors",)},
    samplers=("euler",),
    schedulers=("normal",),
)

Step = BaseException | asyncio.Event | None
"""What the next call does: raise this, wait for this, or go on."""


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)


@dataclass
class FakePrompt:
    """What the fake server knows of one attempt; it outlives the process that sent it."""

    attempt: Attempt
    requests: list[GenerationRequest] = field(default_factory=list[GenerationRequest])
    interrupts: int = 0
    fetched: int = 0
    opened: int = 0
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    fetching: asyncio.Event = field(default_factory=asyncio.Event)
    events: asyncio.Queue[RunEvent] = field(default_factory=asyncio.Queue[RunEvent])

    @property
    def job_id(self) -> UUID:
        """The job it belongs to."""
        return self.attempt.job_id

    def push(self, event: RunEvent) -> None:
        """Something happens on the server."""
        self.events.put_nowait(event)

    def succeed(self, *, pictures: int = 1, suffix: str = ".png") -> None:
        """The server finishes it with that many pictures."""
        self.push(RunSucceeded(outputs=tuple(output(i, suffix=suffix) for i in range(pictures))))


class FakeBackend:
    """`app.ports.Backend` without a machine; prompts wait until the test ends them.

    With `automatic`, every prompt is finished with one picture the moment it is accepted.
    """

    def __init__(self, info: BackendInfo, *, automatic: bool = False, online: bool = True) -> None:
        self._info = info
        self._status = BackendStatus(
            online=online,
            catalog=CATALOG,
            latency_ms=1.0,
            last_error=None if online else f"{info.name} does not answer.",
        )
        self._on_change: Callable[[BackendStatus], None] | None = None
        self.automatic = automatic
        self.answer = Accepted()
        self.checks = self.frees = self.stops = 0
        self.prompts: dict[UUID, FakePrompt] = {}
        self.on_submit: deque[Step] = deque()
        self.on_interrupt: deque[Step] = deque()
        self.on_fetch: deque[Step] = deque()
        self.before_submit: Callable[[Attempt], None] | None = None
        self._entered: asyncio.Queue[FakePrompt] = asyncio.Queue()

    @property
    def info(self) -> BackendInfo:
        """As configured."""
        return self._info

    @property
    def status(self) -> BackendStatus:
        """As told by the test."""
        return self._status

    @property
    def submitted(self) -> list[FakePrompt]:
        """Every prompt that arrived here, in order."""
        return [prompt for prompt in self.prompts.values() if prompt.requests]

    async def serve(self, on_change: Callable[[BackendStatus], None]) -> None:
        """Report changes until cancelled."""
        self._on_change = on_change
        on_change(self._status)
        try:
            await asyncio.Event().wait()
        finally:
            self._on_change = None

    def becomes(self, **changes: Any) -> None:
        """Change the status, and say so; without changes it only says so."""
        self._status = replace(self._status, **changes)
        if self._on_change is not None:
            self._on_change(self._status)

    async def check(self) -> BackendStatus:
        """Count it."""
        self.checks += 1
        return self._status

    async def free(self) -> None:
        """Count it."""
        self.frees += 1

    async def interrupt_all(self) -> None:
        """Count it."""
        self.stops += 1

    @asynccontextmanager
    async def open(self, attempt: Attempt, request: GenerationRequest) -> AsyncGenerator["FakeRun"]:
        """Listen for an attempt; the prompt is the same one after a restart."""
        prompt = self.prompts.setdefault(attempt.id, FakePrompt(attempt))
        prompt.opened += 1
        self._entered.put_nowait(prompt)
        yield FakeRun(self, prompt, request)

    async def next_prompt(self) -> FakePrompt:
        """The next attempt that a run is opened for."""
        async with asyncio.timeout(LIMIT_S):
            return await self._entered.get()


class FakeRun:
    """`app.ports.Run` on a fake prompt."""

    def __init__(
        self, backend: FakeBackend, prompt: FakePrompt, request: GenerationRequest
    ) -> None:
        self._backend = backend
        self._prompt = prompt
        self._request = request

    async def submit(self) -> Accepted:
        """Take it, unless the script says otherwise."""
        if self._backend.before_submit is not None:
            self._backend.before_submit(self._prompt.attempt)
        await _play(self._backend.on_submit)
        self._prompt.requests.append(self._request)
        self._prompt.sent.set()
        if self._backend.automatic:
            self._prompt.succeed()
        return self._backend.answer

    async def events(self) -> AsyncGenerator[RunEvent]:
        """What the test pushes, up to an end."""
        while True:
            event = await self._prompt.events.get()
            yield event
            if isinstance(event, RunEnd):
                return

    async def interrupt(self, *, unless_begun: bool = False) -> None:
        """Stop it, unless the script says otherwise."""
        self._prompt.interrupts += 1
        await _play(self._backend.on_interrupt)
        self._prompt.push(RunInterrupted())

    async def fetch(self, output: Output) -> AsyncGenerator[bytes]:
        """The picture in two pieces."""
        self._prompt.fetched += 1
        self._prompt.fetching.set()
        data = output.locator["data"]
        yield data[:100]
        await _play(self._backend.on_fetch)
        yield data[100:]


def info(backend_id: str = "gpu-1", *, slots: int = 1, enabled: bool = True) -> BackendInfo:
    """A configured backend."""
    return BackendInfo(
        id=backend_id,
        name=backend_id.upper(),
        kind="comfyui",
        url="http://127.0.0.1:1",
        enabled=enabled,
        max_concurrent_jobs=slots,
    )


def output(index: int = 0, *, suffix: str = ".png", data: bytes | None = None) -> Output:
    """A finished file of a run."""
    content = data if data is not None else png(seed=index)
    return Output(
        node_id="9", index=index, filename=f"out_{index}{suffix}", locator={"data": content}
    )


async def _play(script: deque[Step]) -> None:
    step = script.popleft() if script else None
    if isinstance(step, BaseException):
        raise step
    if step is not None:
        await step.wait()
