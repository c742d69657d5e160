"""One attempt on one ComfyUI server: what the socket says raced against looks at the server.

The socket is fast but may lie by silence (dropped, zombie, a message lost), so it never ends a
run: it only says when to look. What `/history`, `/queue` and the files say, decides.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from pathlib import Path
from typing import Protocol

from app.config import Timeouts
from app.errors import (
    BackendUnreachableError,
    MissingCapabilityError,
    NotSentError,
    PromptRejectedError,
)
from app.models import Attempt, BackendStatus, Catalog, GenerationRequest
from app.presets import Presets, SavedAs
from app.runs import (
    Accepted,
    Output,
    RunEnd,
    RunEvent,
    RunFailed,
    RunInterrupted,
    RunLost,
    RunNodesProgressed,
    RunPreviewed,
    RunProgressed,
    RunSilent,
    RunStarted,
)
from backends.comfyui import endings, failures
from backends.comfyui.answers import Brief, HistoryEntry, Outcome, brief_graph
from backends.comfyui.client import ComfyClient
from backends.comfyui.evidence import Evidence
from backends.comfyui.files import ComfyFiles
from backends.comfyui.inbox import Inbox
from backends.comfyui.messages import (
    Made,
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
from backends.comfyui.node_states import NodeStates
from backends.comfyui.pictures import SocketPictures
from backends.comfyui.progress import ProgressTracker
from backends.comfyui.prompt import Found, InQueue, Names, ServerPrompt
from backends.comfyui.workflow import Workflow

_SOON_S = 0.05  # the history is this late at first after a run has ended
_STRAGGLERS = 10  # looks that wait for pictures of the socket after the run has ended
_LAST_WORDS = (RunSucceededMessage, RunFailedMessage, RunInterruptedMessage, RunClosed)


class Link(Names, Protocol):
    """What a run needs of its backend."""

    @property
    def connection(self) -> int | None:
        """The number of the socket that is open now, None while there is none."""
        ...

    @property
    def status(self) -> BackendStatus:
        """What is known about the backend."""
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

    def sending(self) -> AbstractContextManager[None]:
        """While it lasts, keep what is said of prompts whose id we may not know yet."""
        ...

    def hear_also(self, prompt_id: str, inbox: Inbox) -> None:
        """Put what is said of that prompt into the inbox, too."""
        ...


class ComfyRun:
    """The port `Run`: see there for what the methods promise."""

    def __init__(
        self,
        attempt: Attempt,
        request: GenerationRequest,
        *,
        client: ComfyClient,
        timeouts: Timeouts,
        inbox: Inbox,
        link: Link,
        presets: Presets,
        inputs: Callable[[str], Path] | None,
    ) -> None:
        self._files = ComfyFiles(client)
        self._timeouts = timeouts
        self._inbox = inbox
        self._link = link
        self._workflow = Workflow(
            request,
            attempt_id=str(attempt.id),
            info=client.info,
            presets=presets,
            inputs=inputs,
        )
        self._prompt = ServerPrompt(
            attempt,
            client=client,
            files=self._files,
            names=link,
            on_rename=lambda prompt_id: link.hear_also(prompt_id, inbox),
        )
        self._tracker = ProgressTracker()
        self._nodes = NodeStates()
        self._evidence = Evidence(info=client.info, request=request)
        self._connection: int | None = None  # the one open when it was submitted
        self._accepted = False
        self._doubtful = False  # submitted without an answer
        self._started = False
        self._silent = False
        self._pause_s = timeouts.check_s
        self._missing_since: float | None = None
        self._stragglers = 0
        self._heard = False
        self._heard_lately = False  # since the last look
        self._closing = False  # the socket said that it ended, in one way or another
        self._said: Outcome | None = None
        self._said_error: NodeError | None = None
        self._said_made: dict[str, tuple[Made, ...]] = {}

    async def submit(self) -> Accepted:
        try:
            catalog = await self._link.catalog()
        except BackendUnreachableError as exc:
            raise NotSentError(exc.message, fix=exc.fix) from exc
        try:
            built = self._workflow.build(catalog)
            await self._workflow.upload(built.inputs, files=self._files)
            self._know(brief_graph(built.graph))
            self._connection = self._link.connection
            with self._link.sending():
                handle = await self._prompt.send(built.graph)
        except NotSentError:
            raise
        except BackendUnreachableError:
            self._doubtful = True
            raise
        except (PromptRejectedError, MissingCapabilityError):
            self._link.doubt_catalog()
            raise
        self._accepted = True
        return Accepted(handle=handle, notices=built.notices)

    async def events(self) -> AsyncGenerator[RunEvent]:
        loop = asyncio.get_running_loop()
        # Just accepted: the socket will tell. Otherwise nothing is known, so look at once.
        due = loop.time() + (self._timeouts.check_s if self._accepted else 0)
        while True:
            await self._inbox.wait(until=due)
            was_closing = self._closing
            for event in self._hear_all():
                yield event
            if self._inbox.nudged() or (self._closing and not was_closing):
                due = loop.time()
            if loop.time() < due:
                continue
            for event in await self._check():
                yield event
                if isinstance(event, RunEnd):
                    return
            due = loop.time() + self._pause_s

    async def interrupt(self, *, unless_begun: bool = False) -> None:
        # If this fails half-way, `events` tries again as soon as the server answers.
        if unless_begun:
            await self._prompt.take_back()
        else:
            await self._prompt.stop()
        self._inbox.nudge()

    async def fetch(self, output: Output) -> AsyncGenerator[bytes]:
        locator = output.locator
        if SocketPictures.are_meant(locator):
            picture = self._evidence.pictures.find(locator)
            if picture is None:
                raise endings.lost_on_the_way(self._evidence)
            yield picture
            return
        if "text" in locator:
            yield str(locator["text"]).encode()
            return
        file = OutputFile(
            node_id=output.node_id,
            filename=str(locator.get("filename", output.filename)),
            subfolder=str(locator.get("subfolder", "")),
            type=str(locator.get("type", "output")),
        )
        async with aclosing(self._files.view(file)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _know(self, brief: Brief) -> None:
        if brief and not self._evidence.brief:
            self._evidence.brief = brief
            self._tracker.know(brief)
            self._nodes.know(brief)

    def _hear_all(self) -> list[RunEvent]:
        at = asyncio.get_running_loop().time()
        events: list[RunEvent] = []
        for message in self._inbox.drain():
            events += self._hear(message, at=at)
        return events

    def _hear(self, message: RunMessage, *, at: float) -> list[RunEvent]:
        self._heard = self._heard_lately = True
        events = [] if isinstance(message, _LAST_WORDS) else self._begun()
        match message:
            case PreviewReceived():
                self._keep_if_sent(message)
                return [*events, self._preview(message)]
            case NodeExecuted():
                self._said_made[message.node_id] = message.made
            case RunSucceededMessage():
                self._said, self._closing = Outcome.SUCCESS, True
            case RunInterruptedMessage():
                self._said, self._closing = Outcome.INTERRUPTED, True
            case RunFailedMessage():
                # Not closing: after the error of a blocked node the run goes on.
                if not self._evidence.note_error(message.error):
                    self._said, self._said_error = self._said or Outcome.ERROR, message.error
            case RunClosed():
                self._closing = True
            case _:
                pass
        nodes = self._nodes.hear(message)
        if nodes:
            events.append(RunNodesProgressed(nodes=nodes))
        progress = self._tracker.hear(message, at=at)
        return [*events, RunProgressed(progress=progress)] if progress else events

    def _preview(self, message: PreviewReceived) -> RunPreviewed:
        return RunPreviewed(
            step=self._tracker.step_of(message.node_id),
            mime=message.mime,
            data=message.data,
            node_id=message.node_id or self._tracker.node_id,
        )

    def _begun(self) -> list[RunEvent]:
        """That it started, the first time there is a sign of it."""
        if self._started:
            return []
        self._started = True
        return [RunStarted()]

    def _keep_if_sent(self, message: PreviewReceived) -> None:
        node_id = message.node_id or self._tracker.node_id
        if node_id in self._evidence.senders:
            self._evidence.pictures.keep(node_id, mime=message.mime, data=message.data)

    async def _check(self) -> list[RunEvent]:
        """Look at the server; what came of it, at most one end and that as the last."""
        try:
            found = await self._prompt.look(
                closing=self._closing, brief=self._evidence.brief, saves=self._named_files
            )
        except BackendUnreachableError as exc:
            self._pause_s = min(self._pause_s * 2, self._timeouts.reconnect_max_s)
            was_silent, self._silent = self._silent, True
            return [] if was_silent else [RunSilent(reason=exc.message)]
        events: list[RunEvent] = [RunSilent(reason=None)] if self._silent else []
        self._silent = False
        events += self._hear_all()  # what came meanwhile belongs before the end
        if isinstance(found, InQueue):
            events += self._still_there(found)
            return events
        end = self._end(found)
        if end is not None:
            events.append(end)
            if found is not None:  # what never executed is silent on a good socket, too
                self._judge_socket()
        return events

    def _still_there(self, found: InQueue) -> list[RunEvent]:
        self._know(found.brief)
        self._missing_since = None
        self._plan_next()
        return self._begun() if found.running else []

    def _end(self, found: Found) -> RunEnd | None:
        self._evidence.vram_total_bytes = self._link.status.vram_total_bytes
        match found:
            case HistoryEntry():
                self._know(found.brief)
                self._named_files()
                if self._awaits_pictures(found):
                    return None
                return endings.by_history(found, evidence=self._evidence)
            case tuple():
                return endings.with_outputs(found, evidence=self._evidence)
            case _:
                return self._end_of_missing()

    def _awaits_pictures(self, entry: HistoryEntry) -> bool:
        """The history was faster than the socket, on which pictures are still to come."""
        if (
            entry.outcome is not Outcome.SUCCESS
            or self._closing
            or self._link.connection is None
            or not self._heard
            or self._evidence.senders <= self._evidence.pictures.nodes()
        ):
            return False
        self._stragglers += 1
        self._pause_s = _SOON_S
        return self._stragglers <= _STRAGGLERS

    def _named_files(self) -> Sequence[SavedAs]:
        saves = self._workflow.saves(self._link.status.catalog)
        self._evidence.saving = self._workflow.saving
        return saves

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
        if self._prompt.removed:
            return RunInterrupted()  # a prompt deleted while it waits leaves no trace
        now = asyncio.get_running_loop().time()
        if self._missing_since is None:
            self._missing_since = now
        left = self._missing_since + self._confirm_s - now
        if left > 0:
            self._pause_s = min(_SOON_S * 4, left) if self._closing else left
            return None
        made = tuple(item for items in self._said_made.values() for item in items)
        if self._prompt.stop_wanted or self._said is Outcome.INTERRUPTED:
            return RunInterrupted()
        if self._said is Outcome.SUCCESS and (made or self._evidence.pictures.nodes()):
            return endings.with_outputs(made, evidence=self._evidence)
        if self._said is Outcome.ERROR:
            return RunFailed(error=failures.failure(self._said_error, evidence=self._evidence))
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
