"""One attempt on one ComfyUI server: what the socket says raced against looks at the server.

The socket is fast but may lie by silence (dropped, zombie, a message lost), so it never ends a
run: it only says when to look. What `/history`, `/queue` and the files say, decides.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol
from uuid import UUID

from app.config import Timeouts
from app.errors import (
    BackendUnreachableError,
    MissingCapabilityError,
    NotSentError,
    PromptRejectedError,
)
from app.graphs.text_to_image import SAVE_NODE, build_text_to_image, required_classes
from app.models import BackendInfo, Catalog, GenerationRequest
from app.runs import (
    Accepted,
    Output,
    RunEnd,
    RunEvent,
    RunFailed,
    RunInterrupted,
    RunLost,
    RunPreviewed,
    RunProgressed,
    RunSilent,
)
from app.said import Said
from backends.comfyui import endings, failures
from backends.comfyui.answers import Brief, HistoryEntry, Outcome, brief_graph
from backends.comfyui.client import ComfyClient
from backends.comfyui.inbox import Inbox
from backends.comfyui.messages import (
    NodeError,
    NodeExecuted,
    OutputFile,
    PreviewReceived,
    RunClosed,
    RunFailedMessage,
    RunInterruptedMessage,
    RunMessage,
    RunSucceededMessage,
)
from backends.comfyui.progress import ProgressTracker

_SOON_S = 0.05  # the history is this late at first after a run has ended


class Link(Protocol):
    """What a run needs of its backend."""

    @property
    def client_id(self) -> str:
        """Whose messages the socket gets."""
        ...

    @property
    def connection(self) -> int | None:
        """The number of the socket that is open now, None while there is none."""
        ...

    async def catalog(self) -> Catalog:
        """What the server can do, asked for if it is not known yet."""
        ...

    def doubt_catalog(self) -> None:
        """Have the catalog read again soon."""
        ...

    def doubt_socket(self) -> None:
        """Have the socket replaced: it is open but says nothing."""
        ...


class ComfyRun:
    """The port `Run`: see there for what the methods promise."""

    def __init__(
        self,
        attempt_id: UUID,
        request: GenerationRequest,
        *,
        info: BackendInfo,
        client: ComfyClient,
        timeouts: Timeouts,
        inbox: Inbox,
        link: Link,
    ) -> None:
        self._id = str(attempt_id)
        self._request = request
        self._info = info
        self._client = client
        self._timeouts = timeouts
        self._inbox = inbox
        self._link = link
        self._tracker = ProgressTracker()
        self._brief: Brief = {}
        self._connection: int | None = None  # the one open when it was submitted
        self._accepted = False
        self._doubtful = False  # submitted without an answer
        self._stop_wanted = False
        self._removed = False  # from the waiting prompts, by us
        self._silent = False
        self._pause_s = timeouts.check_s
        self._missing_since: float | None = None
        self._heard = False
        self._heard_lately = False  # since the last look
        self._closing = False  # the socket said that it ended, in one way or another
        self._said: Outcome | None = None
        self._said_error: NodeError | None = None
        self._said_files: dict[str, tuple[OutputFile, ...]] = {}

    async def submit(self) -> Accepted:
        try:
            catalog = await self._link.catalog()
        except BackendUnreachableError as exc:
            raise NotSentError(exc.message, fix=exc.fix) from exc
        try:
            graph = build_text_to_image(self._request, prefix=self._id, catalog=catalog)
        except MissingCapabilityError as exc:
            self._link.doubt_catalog()
            backend = failures.label(self._info)
            message = Said("{backend} cannot run this: {cause}", backend=backend, cause=exc.message)
            raise MissingCapabilityError(message, fix=exc.fix) from exc
        missing = required_classes(graph) - catalog.node_classes
        if missing:
            raise MissingCapabilityError(
                Said(
                    "{backend} has no node class {name}.",
                    backend=failures.label(self._info),
                    name=", ".join(sorted(missing)),
                ),
                fix=Said("Update ComfyUI there, or choose another backend."),
            )
        self._know(brief_graph(graph))
        self._connection = self._link.connection
        try:
            await self._client.submit(
                graph,
                prompt_id=self._id,
                client_id=self._link.client_id,
                # Servers send no previews unless asked to by the prompt or their command line.
                extra_data={"preview_method": "auto"},
            )
        except NotSentError:
            raise
        except BackendUnreachableError:
            self._doubtful = True
            raise
        except (PromptRejectedError, MissingCapabilityError):
            self._link.doubt_catalog()
            raise
        self._accepted = True
        return Accepted()

    async def events(self) -> AsyncGenerator[RunEvent]:
        loop = asyncio.get_running_loop()
        # Just accepted: the socket will tell. Otherwise nothing is known, so look at once.
        due = loop.time() + (self._timeouts.check_s if self._accepted else 0)
        while True:
            await self._inbox.wait(until=due)
            messages, nudged = self._inbox.drain()
            was_closing = self._closing
            for message in messages:
                for event in self._hear(message, at=loop.time()):
                    yield event
            if nudged or (self._closing and not was_closing):
                due = loop.time()
            if loop.time() < due:
                continue
            for event in await self._check():
                yield event
                if isinstance(event, RunEnd):
                    return
            due = loop.time() + self._pause_s

    async def interrupt(self) -> None:
        # Set first: if this fails half-way, `events` tries again as soon as the server answers.
        self._stop_wanted = True
        self._removed = await self._client.cancel(self._id) or self._removed
        self._inbox.nudge()

    async def fetch(self, output: Output) -> AsyncGenerator[bytes]:
        locator = output.locator
        file = OutputFile(
            node_id=output.node_id,
            filename=str(locator.get("filename", output.filename)),
            subfolder=str(locator.get("subfolder", "")),
            type=str(locator.get("type", "output")),
        )
        async with aclosing(self._client.view(file)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _know(self, brief: Brief) -> None:
        if brief and not self._brief:
            self._brief = brief
            self._tracker.know(brief)

    def _hear(self, message: RunMessage, *, at: float) -> list[RunEvent]:
        self._heard = self._heard_lately = True
        match message:
            case PreviewReceived():
                step = self._tracker.step_of(message.node_id)
                return [RunPreviewed(step=step, mime=message.mime, data=message.data)]
            case NodeExecuted():
                self._said_files[message.node_id] = message.files
            case RunSucceededMessage():
                self._said, self._closing = Outcome.SUCCESS, True
            case RunInterruptedMessage():
                self._said, self._closing = Outcome.INTERRUPTED, True
            case RunFailedMessage():
                # Not closing: after the error of a blocked node the run goes on.
                self._said, self._said_error = self._said or Outcome.ERROR, message.error
            case RunClosed():
                self._closing = True
            case _:
                pass
        progress = self._tracker.hear(message, at=at)
        return [RunProgressed(progress=progress)] if progress else []

    async def _check(self) -> list[RunEvent]:
        """Look at the server; what came of it, at most one end and that as the last."""
        try:
            found = await self._look()
        except BackendUnreachableError as exc:
            self._pause_s = min(self._pause_s * 2, self._timeouts.reconnect_max_s)
            was_silent, self._silent = self._silent, True
            return [] if was_silent else [RunSilent(reason=exc.message)]
        events: list[RunEvent] = [RunSilent(reason=None)] if self._silent else []
        self._silent = False
        match found:
            case HistoryEntry():
                end: RunEnd | None = endings.by_history(found, info=self._info, brief=self._brief)
            case tuple():
                end = endings.with_pictures(found, info=self._info)
            case None:
                end = self._end_of_missing()
            case _:
                self._know(found)
                self._missing_since = None
                self._plan_next()
                end = None
        if end is not None:
            events.append(end)
            if found is not None:  # what never executed is silent on a good socket, too
                self._judge_socket()
        return events

    async def _look(self) -> Brief | HistoryEntry | tuple[OutputFile, ...] | None:
        """The prompt in the queue, or how it ended, or its files; None if there is nothing."""
        # After a closing word the history is the likely place; before, the queue is. Queue before
        # history: a prompt moves from the one to the other, never back. And the queue once more,
        # for a prompt that arrived between the two.
        if self._closing and (entry := await self._client.history(self._id)):
            return entry
        if (brief := await self._look_at_queue()) is not None:
            return brief
        if entry := await self._client.history(self._id):
            return entry
        if (brief := await self._look_at_queue()) is not None:
            return brief
        return await self._look_for_files() or None

    async def _look_at_queue(self) -> Brief | None:
        brief = (await self._client.queue()).find(self._id)
        if brief is not None and self._stop_wanted:
            self._removed = await self._client.cancel(self._id) or self._removed
        return brief

    async def _look_for_files(self) -> tuple[OutputFile, ...]:
        """History and queue live in the server's memory, but files survive its restart."""
        files: list[OutputFile] = []
        while True:
            name = f"{self._id}_{len(files) + 1:05}_.png"
            file = OutputFile(node_id=SAVE_NODE, filename=name, subfolder="", type="output")
            if not await self._client.has_complete_png(file):
                return tuple(files)
            files.append(file)

    def _plan_next(self) -> None:
        quiet, self._heard_lately = not self._heard_lately, False
        if self._closing:
            soon = self._pause_s if self._pause_s < self._timeouts.check_s else _SOON_S
            self._pause_s = min(soon * 2, self._timeouts.check_s)
        elif quiet:
            self._pause_s = self._timeouts.check_s
        else:  # the socket works, so looking is only the net
            longest = max(self._timeouts.check_s, self._timeouts.reconnect_max_s)
            self._pause_s = min(self._pause_s * 1.5, longest)

    def _end_of_missing(self) -> RunEnd | None:
        """In neither queue nor history nor files; an end only if that is so for a while."""
        if self._removed:
            return RunInterrupted()  # a prompt deleted while it waits leaves no trace
        now = asyncio.get_running_loop().time()
        if self._missing_since is None:
            self._missing_since = now
        left = self._missing_since + self._confirm_s - now
        if left > 0:
            self._pause_s = min(_SOON_S * 4, left) if self._closing else left
            return None
        files = tuple(file for files in self._said_files.values() for file in files)
        if self._stop_wanted or self._said is Outcome.INTERRUPTED:
            return RunInterrupted()
        if self._said is Outcome.SUCCESS and files:
            return endings.with_pictures(files, info=self._info)
        if self._said is Outcome.ERROR:
            error = failures.failure(self._info, error=self._said_error, brief=self._brief)
            return RunFailed(error=error)
        return RunLost()

    @property
    def _confirm_s(self) -> float:
        # A submission without an answer may still be on its way into the queue.
        confirm_s = self._timeouts.lost_confirm_s
        return max(confirm_s, self._timeouts.check_s) if self._doubtful else confirm_s

    def _judge_socket(self) -> None:
        # A whole run of ours without a word on a socket that was open all the time: a zombie.
        connection = self._connection
        if not self._heard and connection is not None and connection == self._link.connection:
            self._link.doubt_socket()
