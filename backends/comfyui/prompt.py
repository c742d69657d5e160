"""One prompt as it is on its server: sent there, looked for, stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.models import Attempt
from app.presets import SavedAs
from backends.comfyui.answers import MARK, Brief, HistoryEntry
from backends.comfyui.client import ComfyClient
from backends.comfyui.discovery import CANCEL, JOBS, PROMPT_ID
from backends.comfyui.files import ComfyFiles
from backends.comfyui.messages import OutputFile

_HANDLE = "promptId"
_UNDER_WAY = {"pending": False, "in_progress": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class InQueue:
    """It waits there, or runs."""

    running: bool
    brief: Brief


Found = InQueue | HistoryEntry | tuple[OutputFile, ...] | None
"""Where it is, or how it ended, or the files it left; None if there is nothing."""


class Names(Protocol):
    """What a prompt needs of its backend."""

    @property
    def client_id(self) -> str:
        """Whose messages the socket gets."""
        ...

    @property
    def features(self) -> frozenset[str]:
        """What the server can, see `discovery`."""
        ...

    def learn(self, feature: str, *, has: bool) -> None:
        """Remember whether the server can that."""
        ...


class ServerPrompt:
    """The prompt of an attempt.

    We choose its id; a server that invents its own has it marked with ours, so that it is found
    again although the answer with the invented one never arrived.
    """

    def __init__(
        self,
        attempt: Attempt,
        *,
        client: ComfyClient,
        files: ComfyFiles,
        names: Names,
        on_rename: Callable[[str], None],
    ) -> None:
        self._mark = str(attempt.id)
        known = (attempt.handle or {}).get(_HANDLE)
        self._id = known if isinstance(known, str) else self._mark
        self._sure = isinstance(known, str)  # that the server calls it so
        self._client = client
        self._files = files
        self._names = names
        self._on_rename = on_rename
        self.stop_wanted = False
        self._back_wanted = False  # only as long as it waits
        self.removed = False  # from the waiting prompts, by us

    async def send(self, graph: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Send it; what to find it by, if that is not the id of the attempt.

        Raises:
            NotSentError, BackendUnreachableError, PromptRejectedError, MissingCapabilityError:
                as `ComfyClient.submit`.
        """
        given = await self._client.submit(
            graph,
            prompt_id=self._mark,
            client_id=self._names.client_id,
            # Servers send no previews unless asked to by the prompt or their command line.
            extra_data={"preview_method": "auto", MARK: self._mark},
        )
        self._names.learn(PROMPT_ID, has=given == self._mark)
        self._goes_by(given)
        return None if given == self._mark else {_HANDLE: given}

    async def stop(self) -> None:
        """Have it neither wait nor run there; nobody else's is touched.

        Raises:
            BackendUnreachableError: the server did not answer; `look` tries again.
        """
        self.stop_wanted = True  # first: if this fails half-way, it is still wanted
        if not self._sure and PROMPT_ID not in self._names.features:
            await self._find_in_queue()
        await self._cancel()

    async def take_back(self) -> None:
        """Have it wait there no longer; if it runs already, it goes on.

        Raises:
            BackendUnreachableError: the server did not answer; `look` tries again.
        """
        self._back_wanted = True
        await self._look_at_queue()

    async def look(
        self, *, closing: bool, brief: Brief, saves: Callable[[], Sequence[SavedAs]]
    ) -> Found:
        """Where it is now.

        `closing`: it is said to have ended; `brief`: its graph, if known; `saves`: how its files
        are named.

        Raises:
            BackendUnreachableError: nothing is known.
        """
        wanted_away = self.stop_wanted or self._back_wanted
        if not closing and brief and not wanted_away and JOBS in self._names.features:
            # One small answer, where the queue comes with the graphs of everybody's prompts.
            status = await self._client.job_status(self._id)
            if status in _UNDER_WAY:
                return InQueue(running=_UNDER_WAY[status], brief=brief)
        # After a closing word the history is the likely place; before, the queue is. Queue before
        # history: a prompt moves from the one to the other, never back. And the queue once more,
        # for a prompt that arrived between the two.
        if closing and (entry := await self._client.history(self._id)):
            return entry
        if (found := await self._look_at_queue()) is not None:
            return found
        if entry := await self._find_in_history():
            return entry
        if (found := await self._look_at_queue()) is not None:
            return found
        return await self._look_for_files(saves()) or None

    async def _look_at_queue(self) -> InQueue | None:
        found = await self._find_in_queue()
        if found is None:
            return None
        if self.stop_wanted:
            await self._cancel()
        elif self._back_wanted:
            self._back_wanted = not found.running
            if not found.running:
                self.removed = await self._client.remove_waiting(self._id) or self.removed
        return found

    async def _find_in_queue(self) -> InQueue | None:
        queue = await self._client.queue()
        if self._mark in queue.marks:
            self._goes_by(queue.marks[self._mark])
        brief = queue.find(self._id)
        return None if brief is None else InQueue(running=self._id in queue.running, brief=brief)

    async def _find_in_history(self) -> HistoryEntry | None:
        entry = await self._client.history(self._id)
        if entry is not None or self._sure or PROMPT_ID in self._names.features:
            return entry
        given = await self._client.find_ended(self._mark)
        if given is None:
            return None
        self._goes_by(given)
        return await self._client.history(given)

    async def _look_for_files(self, saves: Sequence[SavedAs]) -> tuple[OutputFile, ...]:
        """History and queue live in the server's memory, but files survive its restart."""
        found: list[OutputFile] = []
        for save in saves:
            found += await self._files.find_saved(
                node_id=save.node_id, prefix=save.prefix, suffixes=save.suffixes
            )
        return tuple(found)

    async def _cancel(self) -> None:
        by_job = CANCEL in self._names.features
        self.removed = await self._client.cancel(self._id, by_job=by_job) or self.removed

    def _goes_by(self, prompt_id: str) -> None:
        self._sure = True
        if prompt_id != self._id:
            self._id = prompt_id
            self._on_rename(prompt_id)
