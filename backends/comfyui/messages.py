"""What a ComfyUI server says on its WebSocket, as typed values.

Only this module and `answers` see raw messages. Message types and fields we do not know are
ignored: custom nodes and newer servers send their own.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

_PREVIEW = 1
_TEXT = 3
_PREVIEW_WITH_METADATA = 4
_MIMES = {1: "image/jpeg", 2: "image/png"}
_TEXT_SUFFIXES = (".txt", ".md", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounted:
    """How many prompts the server has, waiting and running, of anybody."""

    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStartedMessage:
    """The server took the prompt from its queue."""

    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesCached:
    """These nodes need not be executed."""

    prompt_id: str
    node_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted:
    """A node executes; `prompt_id` is None right after a reconnect."""

    prompt_id: str | None
    node_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgress:
    """How far a node is."""

    node_id: str
    value: float
    maximum: float
    finished: bool
    activity: str | None = None  # what it does, in a word or two


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesProgressed:
    """How far nodes are: one (`progress`) or all started so far (`progress_state`)."""

    prompt_id: str | None
    nodes: tuple[NodeProgress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file a node made, as the server names it."""

    node_id: str
    filename: str
    subfolder: str
    type: str  # "output", "temp" or "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputText:
    """A text a node made, which is in no file there."""

    node_id: str
    text: str = field(repr=False)


Made = OutputFile | OutputText


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExecuted:
    """A node with a result is done."""

    prompt_id: str
    node_id: str
    made: tuple[Made, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeError:
    """A node raised."""

    node_id: str
    node_type: str
    exception_type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSucceededMessage:
    """The server executed everything; its history may not know yet."""

    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailedMessage:
    """A node failed; a run that only blocked a node goes on after this."""

    prompt_id: str
    error: NodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInterruptedMessage:
    """Somebody stopped it."""

    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClosed:
    """The last word about a prompt: from now on the history has it."""

    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewReceived:
    """A picture on its way; without metadata the server does not say whose."""

    prompt_id: str | None
    node_id: str | None
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived:
    """What a node says about its progress in words; the server does not say for which prompt."""

    prompt_id: None = None
    node_id: str
    text: str


RunMessage = (
    RunStartedMessage
    | NodesCached
    | NodeStarted
    | NodesProgressed
    | NodeExecuted
    | RunSucceededMessage
    | RunFailedMessage
    | RunInterruptedMessage
    | RunClosed
    | PreviewReceived
    | TextReceived
)
Message = QueueCounted | RunMessage


def parse(raw: str | bytes) -> Message | None:
    """The message, or None if it is not for us or makes no sense."""
    if isinstance(raw, bytes):
        return _parse_binary(raw)
    try:
        message = as_dict(json.loads(raw))
    except ValueError:
        return None
    data = as_dict(message.get("data"))
    match message.get("type"):
        case "status":
            return _queue_counted(data)
        case "executing":
            return _executing(data)
        case "progress":
            node = _node_progress(data, node_id=data.get("node"))
            nodes = (node,) if node else ()
            return NodesProgressed(prompt_id=text_or_none(data, "prompt_id"), nodes=nodes)
        case str(kind):
            prompt_id = text_or_none(data, "prompt_id")
            return _about_run(kind, prompt_id=prompt_id, data=data) if prompt_id else None
        case _:
            return None


def _about_run(kind: str, *, prompt_id: str, data: dict[str, Any]) -> Message | None:
    match kind:
        case "execution_start":
            return RunStartedMessage(prompt_id=prompt_id)
        case "execution_cached":
            node_ids = tuple(str(node_id) for node_id in as_list(data.get("nodes")))
            return NodesCached(prompt_id=prompt_id, node_ids=node_ids)
        case "progress_state":
            states = as_dict(data.get("nodes"))
            parsed = [_node_state(node_id, as_dict(state)) for node_id, state in states.items()]
            return NodesProgressed(
                prompt_id=prompt_id, nodes=tuple(node for node in parsed if node)
            )
        case "executed":
            node_id = str(data.get("display_node") or data.get("node") or "")
            made = made_by(node_id, output=as_dict(data.get("output")))
            return NodeExecuted(prompt_id=prompt_id, node_id=node_id, made=made)
        case "execution_success":
            return RunSucceededMessage(prompt_id=prompt_id)
        case "execution_error":
            return RunFailedMessage(prompt_id=prompt_id, error=node_error(data))
        case "execution_interrupted":
            return RunInterruptedMessage(prompt_id=prompt_id)
        case _:
            return None


def made_by(node_id: str, *, output: Mapping[str, Any]) -> tuple[Made, ...]:
    """The files in what a node reports, and its texts unless they are in a file, too.

    Keys are open-ended (`images`, `gifs`, `audio`, …) and values may be lists of anything.
    """
    items = [as_dict(item) for value in output.values() for item in as_list(value)]
    files = [
        OutputFile(
            node_id=node_id,
            filename=item["filename"],
            subfolder=text_or_none(item, "subfolder") or "",
            type=text_or_none(item, "type") or "output",
        )
        for item in items
        if isinstance(item.get("filename"), str)
    ]
    if any(file.filename.endswith(_TEXT_SUFFIXES) for file in files):
        return tuple(files)
    texts = [text for text in as_list(output.get("text")) if isinstance(text, str) and text]
    return (*files, *(OutputText(node_id=node_id, text=text) for text in texts))


def node_error(data: Mapping[str, Any]) -> NodeError:
    """Who raised what, from the data of an `execution_error`."""
    return NodeError(
        node_id=str(data.get("node_id") or ""),
        node_type=str(data.get("node_type") or ""),
        exception_type=str(data.get("exception_type") or ""),
        message=str(data.get("exception_message") or "").strip(),
    )


def _queue_counted(data: dict[str, Any]) -> QueueCounted | None:
    remaining = as_dict(as_dict(data.get("status")).get("exec_info")).get("queue_remaining")
    return QueueCounted(remaining=remaining) if isinstance(remaining, int) else None


def _executing(data: dict[str, Any]) -> Message | None:
    prompt_id = text_or_none(data, "prompt_id")
    node_id = data.get("display_node") or data.get("node")
    if node_id is not None:
        return NodeStarted(prompt_id=prompt_id, node_id=str(node_id))
    return RunClosed(prompt_id=prompt_id) if prompt_id else None


def _node_state(node_id: str, state: dict[str, Any]) -> NodeProgress | None:
    shown = state.get("display_node_id") or node_id
    progress = _node_progress(state, node_id=shown)
    if progress is not None and shown != node_id:
        return replace(progress, finished=False)  # a part of an expanded node, not all of it
    return progress


def _node_progress(data: dict[str, Any], *, node_id: object) -> NodeProgress | None:
    value, maximum = _number(data, "value"), _number(data, "max")
    if node_id is None or value is None or maximum is None or maximum <= 0:
        return None
    return NodeProgress(
        node_id=str(node_id),
        value=value,
        maximum=maximum,
        finished=data.get("state") == "finished",
        activity=text_or_none(data, "activity"),
    )


def _number(data: dict[str, Any], key: str) -> float | None:
    value = data.get(key)
    return float(value) if isinstance(value, int | float) else None


def _parse_binary(raw: bytes) -> Message | None:
    try:
        (event,) = struct.unpack_from(">I", raw)
        if event == _PREVIEW:
            (kind,) = struct.unpack_from(">I", raw, 4)
            mime = _MIMES.get(kind, "image/jpeg")
            return PreviewReceived(prompt_id=None, node_id=None, mime=mime, data=raw[8:])
        if event not in (_TEXT, _PREVIEW_WITH_METADATA):
            return None
        (length,) = struct.unpack_from(">I", raw, 4)
        head, rest = raw[8 : 8 + length], raw[8 + length :]
        if len(head) < length:
            return None
        if event == _TEXT:
            return TextReceived(node_id=head.decode(), text=rest.decode())
        metadata = as_dict(json.loads(head))
    except (struct.error, ValueError):  # cut short, or not the text it claims to be
        return None
    return PreviewReceived(
        prompt_id=text_or_none(metadata, "prompt_id"),
        node_id=text_or_none(metadata, "display_node_id") or text_or_none(metadata, "node_id"),
        mime=text_or_none(metadata, "image_type") or "image/jpeg",
        data=rest,
    )


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def text_or_none(data: Mapping[str, Any], key: str) -> str | None:
    """The text under that key, None if there is something else or nothing."""
    value = data.get(key)
    return value if isinstance(value, str) else None
