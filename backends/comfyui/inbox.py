"""Where the socket leaves what it hears about one prompt, until the run takes it out."""

import asyncio
from collections import deque

from backends.comfyui.messages import RunMessage

_SIZE = 256


class Inbox:
    """Bounded: the oldest go first, since every message is only a hint."""

    def __init__(self) -> None:
        self._messages: deque[RunMessage] = deque(maxlen=_SIZE)
        self._wake = asyncio.Event()
        self._nudged = False

    def put(self, message: RunMessage) -> None:
        """Leave a message; never blocks."""
        self._messages.append(message)
        self._wake.set()

    def nudge(self) -> None:
        """Ask the reader to look at the backend now: what the socket says is not enough."""
        self._nudged = True
        self._wake.set()

    async def wait(self, *, until: float) -> None:
        """Return when there is something, or at that time of the loop's clock."""
        try:
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        except TimeoutError:
            pass

    def drain(self) -> list[RunMessage]:
        """Take out what is there."""
        messages = list(self._messages)
        self._messages.clear()
        if not self._nudged:
            self._wake.clear()
        return messages

    def nudged(self) -> bool:
        """Whether a look at the backend was asked for since the last time."""
        nudged, self._nudged = self._nudged, False
        if not self._messages:
            self._wake.clear()
        return nudged
