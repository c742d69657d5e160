"""Where each node of a run is, from messages that may be doubled, out of order or missing. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlencode

from app.models import NodeProgress, ShownFile
from backends.comfyui.answers import Brief
from backends.comfyui.messages import (
    Made,
    NodeExecuted,
    NodesCached,
    NodesProgressed,
    NodeStarted,
    OutputFile,
    RunFailedMessage,
    RunMessage,
    RunSucceededMessage,
)

_OVER = frozenset({"done", "cached", "failed"})
_KINDS: Mapping[str, Literal["image", "video"]] = {
    ".gif": "image",
    ".jpeg": "image",
    ".jpg": "image",
    ".png": "image",
    ".webp": "image",
    ".mp4": "video",
    ".webm": "video",
}
"""What browsers show, by the ending of its name."""
_MOST_SHOWN = 16  # of one node


class NodeStates:
    """The nodes of one run; one that is over stays so."""

    def __init__(self) -> None:
        self._brief: Brief = {}
        self._states: dict[str, NodeProgress] = {}
        self._running: str | None = None

    def know(self, brief: Brief) -> None:
        """Tell it the graph that runs."""
        self._brief = self._brief or brief

    def hear(self, message: RunMessage) -> Mapping[str, NodeProgress]:
        """Take in a message; the nodes that it moved on."""
        before = dict(self._states)
        match message:
            case NodesCached(node_ids=node_ids):
                for node_id in node_ids:
                    self._set(self._shown(node_id), NodeProgress(state="cached"))
            case NodeStarted(node_id=node_id):
                self._start(self._shown(node_id))
            case NodesProgressed(nodes=nodes):
                for node in nodes:
                    self._advance(node.node_id, node.value, node.maximum, finished=node.finished)
            case NodeExecuted(node_id=node_id, made=made):
                shown = self._shown(node_id)
                self._set(shown, NodeProgress(state="done"))
                self._show(shown, made)
            case RunFailedMessage(error=error):
                self._set(self._shown(error.node_id), NodeProgress(state="failed"))
            case RunSucceededMessage():
                self._finish_all()
            case _:
                return {}
        return {
            node_id: state
            for node_id, state in self._states.items()
            if before.get(node_id) is not state
        }

    def _start(self, node_id: str) -> None:
        # A node without a result says nothing when it is done: that the next one starts tells it.
        if self._running is not None and self._running != node_id:
            self._set(self._running, NodeProgress(state="done"))
        self._running = node_id
        if node_id not in self._states:
            self._set(node_id, NodeProgress(state="running"))

    def _advance(self, node_id: str, value: float, maximum: float, *, finished: bool) -> None:
        shown = self._shown(node_id)
        if finished and shown == node_id:
            self._set(shown, NodeProgress(state="done"))
        else:
            counts = maximum if maximum > 1 else 0.0
            self._set(shown, NodeProgress(state="running", value=value, max=counts))

    def _set(self, node_id: str, state: NodeProgress) -> None:
        known = self._states.get(node_id)
        if known == state or (known is not None and known.state in _OVER):
            return
        self._states[node_id] = state

    def _show(self, node_id: str, made: Sequence[Made]) -> None:
        # Also of one that is over: a cached node reports what it made the last time.
        known = self._states[node_id]
        files = tuple(dict.fromkeys((*known.shown, *_shown_files(made))))[:_MOST_SHOWN]
        if files != known.shown:
            self._states[node_id] = replace(known, shown=files)

    def _finish_all(self) -> None:
        for node_id, state in self._states.items():
            if state.state == "running":
                self._states[node_id] = NodeProgress(state="done")

    def _shown(self, node_id: str) -> str:
        # Nodes that another one expanded into are named "<that one>.…".
        outer = node_id.partition(".")[0]
        return outer if outer in self._brief else node_id


def _shown_files(made: Sequence[Made]) -> Iterator[ShownFile]:
    """The files that are there to be looked at only: whatever is saved comes home by itself."""
    for file in made:
        if not isinstance(file, OutputFile) or file.type != "temp":
            continue
        kind = _KINDS.get(PurePosixPath(file.filename).suffix.lower())
        if kind is not None:
            query = {"filename": file.filename, "type": file.type, "subfolder": file.subfolder}
            yield ShownFile(address=f"view?{urlencode(query)}", kind=kind)
