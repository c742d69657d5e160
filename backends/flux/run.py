"""One attempt on the FLUX cloud: ordered, then asked after until it ends, then fetched."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.config import Settings
from app.errors import (
    BackendError,
    BackendUnreachableError,
    BadOutputError,
    BusyError,
    CloudKeyError,
    ModeratedError,
    NodeFailedError,
    UncertainChargeError,
)
from app.models import Attempt, GenerationRequest, Progress
from app.paid import Budget
from app.runs import (
    Accepted,
    Output,
    RunEnd,
    RunEvent,
    RunFailed,
    RunInterrupted,
    RunProgressed,
    RunSilent,
    RunStarted,
    RunSucceeded,
)
from app.said import Said
from backends.flux.answers import BROKEN, MODERATED, NOT_FOUND, READY, Task
from backends.flux.client import ExpiredError, FluxClient
from backends.flux.link import Link
from backends.flux.order import LOOK_AND_SETTLE, FluxOrder, InputPath

log = logging.getLogger(__name__)

_SLOWER = 1.2
_SLOWEST_S = 5.0
_WEBHOOK_POLL_S = 30.0  # the net under a webhook that never comes
_NODE = "flux"


class FluxRun:
    """The port `Run`: see there for what the methods promise."""

    def __init__(
        self,
        attempt: Attempt,
        request: GenerationRequest,
        *,
        settings: Settings,
        client: FluxClient,
        budget: Budget,
        input_path: InputPath,
        link: Link,
    ) -> None:
        self._attempt_id = attempt.id
        self._settings = settings
        self._client = client
        self._link = link
        self._order = FluxOrder(
            attempt, request, client=client, budget=budget, input_path=input_path, link=link
        )
        self._posted: Task | None = None  # what a webhook brought
        self._wake = asyncio.Event()
        self._give_up_at: float | None = None
        self._told = False  # that it cannot be stopped
        self._missing_since: float | None = None
        self._looks = 0
        self._silent = False
        self._started = False
        self._pause_s = self._first_pause_s

    async def submit(self) -> Accepted:
        return await self._order.place()

    async def events(self) -> AsyncGenerator[RunEvent]:
        loop = asyncio.get_running_loop()
        if (end := await self._order.find()) is not None:
            yield end
            return
        with self._link.listening(self._order.task_id, self.deliver):
            if self._started:  # asked again because the picture did not arrive
                await self._sleep(self._pause_s)
            while True:
                for event in await self._look():
                    yield event
                    if isinstance(event, RunEnd):
                        return
                if self._give_up_at is not None and loop.time() >= self._give_up_at:
                    yield RunInterrupted()
                    return
                await self._sleep(self._pause_s)
                if self._give_up_at is not None and not self._told:
                    self._told = True
                    yield RunSilent(reason=_CANNOT_STOP)

    async def interrupt(self, *, unless_begun: bool = False) -> None:
        """The cloud cannot stop a task that is paid for.

        So it goes on for `cloud_s`: a picture that comes within is kept, like one that was ready
        a moment before the cancel.
        """
        if self._give_up_at is None and not unless_begun:  # nothing waits there
            now = asyncio.get_running_loop().time()
            self._give_up_at = now + self._settings.timeouts.cloud_s
            self._wake.set()

    async def fetch(self, output: Output) -> AsyncGenerator[bytes]:
        url = str(output.locator["url"])
        try:
            async with aclosing(self._client.download(url)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ExpiredError:
            log.info("The picture of attempt %s expired; asking anew", self._attempt_id)
        else:
            return
        try:
            async with aclosing(self._client.download(await self._fresh_url())) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ExpiredError as exc:
            await self._order.note_gone(_gone().message)
            raise _gone() from exc

    def deliver(self, task: Task) -> None:
        """What a webhook brought, verified; it counts like an answer."""
        self._posted = task
        self._wake.set()

    async def _look(self) -> list[RunEvent]:
        """Ask once; what came of it, at most one end and that as the last."""
        try:
            task = await self._ask()
        except (BackendUnreachableError, CloudKeyError) as exc:
            self._link.heard(exc)
            self._pause_s = self._pause_after(exc)
            was_silent, self._silent = self._silent, True
            return [] if was_silent else [RunSilent(reason=exc.message)]
        events: list[RunEvent] = [RunSilent(reason=None)] if self._silent else []
        self._silent = False
        end = await self._end_of(task)
        if task.status == NOT_FOUND:
            return [*events, end] if end else events
        if not self._started:
            self._started = True
            events.append(RunStarted())
        self._pause_s = min(self._pause_s * _SLOWER, max(_SLOWEST_S, self._first_pause_s))
        if end is not None:
            return [*events, end]
        if task.fraction is not None:
            events.append(RunProgressed(progress=Progress(fraction=task.fraction)))
        return events

    async def _ask(self) -> Task:
        posted, self._posted = self._posted, None
        if posted is not None:
            return posted
        return await self._order.look()

    async def _end_of(self, task: Task) -> RunEnd | None:
        if task.status == NOT_FOUND:
            return await self._end_of_missing()
        self._missing_since = None
        if task.status == READY:
            if task.sample is None:
                return RunFailed(error=_gone())
            return RunSucceeded(outputs=(self._output(task.sample),))
        if task.status in MODERATED:
            refused = _moderated(task)
            await self._order.note_gone(refused.message)
            return RunFailed(error=refused)
        if task.status in BROKEN:
            return await self._end_of_broken()
        return None

    async def _end_of_missing(self) -> RunEnd | None:
        """A fresh task may not be known everywhere at once; an end only if it stays so."""
        now = asyncio.get_running_loop().time()
        if self._missing_since is None:
            self._missing_since, self._looks = now, 0
        self._looks += 1
        confirm_s = self._settings.timeouts.lost_confirm_s
        if self._looks < 3 or now - self._missing_since < confirm_s:
            self._pause_s = max(confirm_s / 2, 0.01)
            return None
        error = UncertainChargeError(
            Said("The FLUX cloud took this order, and now knows nothing of it."),
            fix=LOOK_AND_SETTLE,
        )
        await self._order.doubt(error.message)
        return RunFailed(error=error)

    async def _end_of_broken(self) -> RunEnd:
        message = Said("The FLUX cloud could not make this picture.")
        if self._order.is_free:
            await self._order.release(message)
            return RunFailed(error=NodeFailedError(message))
        await self._order.note_gone(message)
        fix = Said("Retry orders, and pays, once more.")
        return RunFailed(error=BackendError(message, fix=fix))

    def _output(self, sample: str) -> Output:
        name = f"{self._order.task_id}{self._order.handle.get('suffix', '.png')}"
        return Output(node_id=_NODE, index=0, filename=name, locator={"url": sample})

    async def _fresh_url(self) -> str:
        try:
            task = await self._order.look()
        except CloudKeyError as exc:
            raise BackendUnreachableError(exc.message, fix=exc.fix) from exc
        if task.status != READY or task.sample is None:
            await self._order.note_gone(_gone().message)
            raise _gone()
        return task.sample

    async def _sleep(self, seconds: float) -> None:
        """Pause, unless something came or is wanted."""
        if self._give_up_at is not None:
            left = self._give_up_at - asyncio.get_running_loop().time()
            seconds = max(0.0, min(seconds, left))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _pause_after(self, exc: BackendError) -> float:
        longest = self._settings.timeouts.reconnect_max_s
        if isinstance(exc, BusyError):
            return min(exc.wait_s, max(longest, self._settings.timeouts.cloud_s))
        return max(self._first_pause_s, min(self._pause_s * 2, longest))

    @property
    def _first_pause_s(self) -> float:
        poll_s = self._settings.flux.poll_s
        return max(poll_s, _WEBHOOK_POLL_S) if self._settings.flux.webhook_url else poll_s


_CANNOT_STOP = Said(
    "It is paid for, and the FLUX cloud cannot stop it: it is kept if it comes soon."
)


def _moderated(task: Task) -> ModeratedError:
    fix = Said("Change the prompt or the picture. The cloud may charge for this, too.")
    if task.reasons:
        message = Said("The FLUX cloud refuses this: {reasons}.", reasons=task.reasons)
        return ModeratedError(message, fix=fix)
    return ModeratedError(Said("The FLUX cloud refuses this for what it shows."), fix=fix)


def _gone() -> BadOutputError:
    return BadOutputError(
        Said("The FLUX cloud made the picture, but no longer has it."),
        fix=Said("Retry orders, and pays, once more."),
    )
