"""The prompts that wait and the one that runs, in memory only."""

import asyncio
import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from backends.demo.wire import Graph, JsonDict


class DuplicatePromptError(Exception):
    """A prompt with the same number and id already waits; the new one was queued all the same."""


@dataclass(slots=True, eq=False, kw_only=True)
class QueuedPrompt:
    """A validated prompt. Lower numbers run first."""

    number: float
    prompt_id: str
    graph: Graph
    extra_data: JsonDict
    outputs: list[str]
    sequence: int = field(default=0)

    def __lt__(self, other: "QueuedPrompt") -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[float, str, int]:
        return (self.number, self.prompt_id, self.sequence)

    @property
    def client_id(self) -> str | None:
        """The socket that hears about this prompt; nothing but text can name one."""
        client_id: object = self.extra_data.get("client_id")
        return client_id if isinstance(client_id, str) else None

    def as_item(self) -> list[object]:
        """The five values that `/queue` and `/history` show."""
        return [self.number, self.prompt_id, self.graph, self.extra_data, self.outputs]


class PromptQueue:
    """Takes prompts in, gives them to the one executor; calls `changed` on every change."""

    def __init__(self, *, changed: Callable[[], None]) -> None:
        self.pending: list[QueuedPrompt] = []  # a heap, shown as it is
        self.running: QueuedPrompt | None = None
        self._changed = changed
        self._sequence = 0
        self._filled = asyncio.Event()

    @property
    def remaining(self) -> int:
        return len(self.pending) + (self.running is not None)

    def put(self, item: QueuedPrompt) -> None:
        """Queues a prompt. Raises DuplicatePromptError, like a real server, after queueing it."""
        twin = any(
            other.number == item.number and other.prompt_id == item.prompt_id
            for other in self.pending
        )
        self._sequence += 1
        item.sequence = self._sequence
        heapq.heappush(self.pending, item)
        self._filled.set()
        if twin:
            raise DuplicatePromptError(item.prompt_id)
        self._changed()

    async def get(self) -> QueuedPrompt:
        """Waits for the next prompt and marks it as running."""
        while not self.pending:
            self._filled.clear()
            await self._filled.wait()
        self.running = heapq.heappop(self.pending)
        self._changed()
        return self.running

    def finish(self) -> None:
        """Tells that the running prompt has ended."""
        self.running = None
        self._changed()

    def delete(self, prompt_id: str) -> bool:
        """Removes one waiting prompt without a trace; False when it does not wait."""
        for index, item in enumerate(self.pending):
            if item.prompt_id == prompt_id:
                del self.pending[index]
                heapq.heapify(self.pending)
                self._changed()
                return True
        return False

    def clear(self) -> None:
        """Removes everything that waits; what runs goes on."""
        self.pending.clear()
        self._changed()

    def is_running(self, prompt_ids: Collection[str]) -> bool:
        return self.running is not None and self.running.prompt_id in prompt_ids
