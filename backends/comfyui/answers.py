"""What a ComfyUI server answers over HTTP, as typed values.

Like `messages` it is tolerant: what it does not know is ignored, what is missing is None or empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backends.comfyui.messages import (
    Made,
    NodeError,
    as_dict,
    as_list,
    made_by,
    node_error,
    text_or_none,
)

MARK = "orchestrator"
"""The key of `extra_data` that holds our own id of a prompt, whatever the server calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBrief:
    """What progress and errors need to know of a node of a graph."""

    class_type: str
    title: str
    steps: int | None = None  # of a sampler
    model: str | None = None  # the file a loader loads


Brief = Mapping[str, NodeBrief]
"""A graph in brief: the nodes by id, in order of the graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The prompts a server has, with their graphs in brief."""

    running: Mapping[str, Brief]
    pending: Mapping[str, Brief]
    marks: Mapping[str, str] = field(default_factory=dict[str, str])  # our id → the server's

    def find(self, prompt_id: str) -> Brief | None:
        """The graph of the prompt, None if it is not in the queue."""
        found = self.running.get(prompt_id)
        return self.pending.get(prompt_id) if found is None else found


class Outcome(StrEnum):
    """How a prompt ended, by the history."""

    SUCCESS = "success"
    ERROR = "error"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """What a server remembers of a prompt that ended."""

    outcome: Outcome
    made: tuple[Made, ...]
    error: NodeError | None
    brief: Brief


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStats:
    """The machine behind a server."""

    version: str | None
    gpu_name: str | None
    vram_total_bytes: int | None
    vram_free_bytes: int | None
    ram_total_bytes: int | None
    ram_free_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeComplaint:
    """What is wrong with one node of a graph."""

    node_id: str
    class_type: str
    kind: str
    message: str
    details: str
    input_name: str | None
    received: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptAnswer:
    """What became of a prompt that was sent: accepted if there is an id and no complaint."""

    prompt_id: str | None
    kind: str = ""  # the type of the error
    message: str = ""
    details: str = ""
    missing_class: str | None = None
    complaints: tuple[NodeComplaint, ...] = field(default=())


def parse_queue(body: Any) -> Queue:
    """The answer to `GET /queue`."""
    data = as_dict(body)
    running, pending = _queue_items(data, "queue_running"), _queue_items(data, "queue_pending")
    return Queue(
        running={str(item[1]): brief_graph(item[2]) for item in running},
        pending={str(item[1]): brief_graph(item[2]) for item in pending},
        marks={mark: str(item[1]) for item in (*running, *pending) if (mark := _mark(item))},
    )


def _queue_items(data: Mapping[str, Any], key: str) -> list[list[Any]]:
    items = [as_list(item) for item in as_list(data.get(key))]
    return [item for item in items if len(item) >= 3]


def _mark(item: list[Any]) -> str | None:
    return text_or_none(as_dict(item[3]), MARK) if len(item) > 3 else None


def find_marked(body: Any, *, mark: str) -> str | None:
    """What the server calls the prompt of that mark, from the answer to `GET /history`."""
    for prompt_id, entry in as_dict(body).items():
        if _mark(as_list(as_dict(entry).get("prompt"))) == mark:
            return prompt_id
    return None


def parse_history(body: Any, *, prompt_id: str) -> HistoryEntry | None:
    """The entry of that prompt in the answer to `GET /history/{id}`; None if it has none."""
    entry = as_dict(as_dict(body).get(prompt_id))
    if not entry:
        return None
    status = as_dict(entry.get("status"))
    messages: dict[str, Any] = {}
    for message in as_list(status.get("messages")):
        pair = as_list(message)
        if len(pair) >= 2:
            messages[str(pair[0])] = as_dict(pair[1])
    prompt = as_list(entry.get("prompt"))
    outcome = _outcome(status, messages=messages)
    error = messages.get("execution_error") if outcome is Outcome.ERROR else None
    return HistoryEntry(
        outcome=outcome,
        made=tuple(
            made
            for node_id, output in as_dict(entry.get("outputs")).items()
            for made in made_by(node_id, output=as_dict(output))
        ),
        error=node_error(error) if error is not None else None,
        brief=brief_graph(prompt[2]) if len(prompt) >= 3 else {},
    )


def _outcome(status: Mapping[str, Any], *, messages: Mapping[str, Any]) -> Outcome:
    # A blocked node reports an error although the run succeeds, so the status decides first.
    if status.get("status_str") == "success":
        return Outcome.SUCCESS
    if "execution_interrupted" in messages:
        return Outcome.INTERRUPTED
    if status.get("status_str") == "error" or "execution_error" in messages:
        return Outcome.ERROR
    return Outcome.SUCCESS  # old servers leave the status out of entries that ended well


def brief_graph(value: Any) -> Brief:
    """A graph in brief, from its API format."""
    brief: dict[str, NodeBrief] = {}
    for node_id, raw in as_dict(value).items():
        node = as_dict(raw)
        class_type = text_or_none(node, "class_type") or "?"
        title = text_or_none(as_dict(node.get("_meta")), "title") or class_type
        inputs = as_dict(node.get("inputs"))
        steps = inputs.get("steps")
        counts = isinstance(steps, int) and steps > 0 and "Sampler" in class_type
        brief[node_id] = NodeBrief(
            class_type=class_type,
            title=title,
            steps=steps if counts else None,
            model=_model(inputs) if "Load" in class_type else None,
        )
    return brief


def _model(inputs: Mapping[str, Any]) -> str | None:
    names = [value for name, value in inputs.items() if "_name" in name and isinstance(value, str)]
    return names[0] if names else None


def parse_system_stats(body: Any) -> SystemStats:
    """The answer to `GET /system_stats`; the first device is the one that counts."""
    system = as_dict(as_dict(body).get("system"))
    devices = as_list(as_dict(body).get("devices"))
    device = as_dict(devices[0]) if devices else {}
    return SystemStats(
        version=text_or_none(system, "comfyui_version"),
        gpu_name=text_or_none(device, "name"),
        vram_total_bytes=_int_or_none(device, "vram_total"),
        vram_free_bytes=_int_or_none(device, "vram_free"),
        ram_total_bytes=_int_or_none(system, "ram_total"),
        ram_free_bytes=_int_or_none(system, "ram_free"),
    )


def parse_prompt_answer(body: Any) -> PromptAnswer:
    """The answer to `POST /prompt`, good or bad."""
    data = as_dict(body)
    error = as_dict(data.get("error"))
    if isinstance(data.get("error"), str):
        error = {"message": data["error"]}
    extra = as_dict(error.get("extra_info"))
    missing = error.get("type") == "missing_node_type"
    return PromptAnswer(
        prompt_id=text_or_none(data, "prompt_id"),
        kind=text_or_none(error, "type") or "",
        message=text_or_none(error, "message") or "",
        details=text_or_none(error, "details") or "",
        missing_class=str(extra.get("class_type") or "?") if missing else None,
        complaints=tuple(
            complaint
            for node_id, node in as_dict(data.get("node_errors")).items()
            for complaint in _complaints(node_id, as_dict(node))
        ),
    )


def _complaints(node_id: str, node: Mapping[str, Any]) -> list[NodeComplaint]:
    errors = [as_dict(error) for error in as_list(node.get("errors"))]
    return [
        NodeComplaint(
            node_id=node_id,
            class_type=text_or_none(node, "class_type") or "?",
            kind=text_or_none(error, "type") or "",
            message=text_or_none(error, "message") or "",
            details=text_or_none(error, "details") or "",
            input_name=text_or_none(as_dict(error.get("extra_info")), "input_name"),
            received=as_dict(error.get("extra_info")).get("received_value"),
        )
        for error in errors
    ]


def _int_or_none(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
