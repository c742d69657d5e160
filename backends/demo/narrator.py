"""Tells the owner of a prompt how it goes, and keeps what history will say."""

from typing import cast

from backends.demo.faults import Fault, FaultBox
from backends.demo.prompt_queue import QueuedPrompt
from backends.demo.sockets import Preview, SocketHub
from backends.demo.wire import JsonDict, now_ms


class Narrator:
    """One per run. Without a client id only progress and previews are told, to everybody."""

    def __init__(self, item: QueuedPrompt, *, hub: SocketHub, faults: FaultBox) -> None:
        self._item = item
        self._hub = hub
        self._owner = item.client_id
        self._messages: list[list[object]] = []
        self._progress: dict[str, JsonDict] = {}
        self._outcome = "error"
        self._mute_end = bool(faults.take(Fault.LOSE_TERMINAL))
        self._twice = bool(faults.take(Fault.DUPLICATE_MESSAGES))
        self._swap = bool(faults.take(Fault.REORDER_MESSAGES))
        self._held: tuple[str, JsonDict, str | None] | None = None
        hub.client_id = self._owner
        hub.executing = None

    def started(self) -> None:
        self._record("execution_start", {})

    def cached(self, nodes: list[str]) -> None:
        self._record("execution_cached", {"nodes": nodes})

    def node_started(self, node_id: str) -> None:
        self._set_progress(node_id, value=0.0, maximum=1.0, state="running")
        if self._owner is not None:
            self._hub.executing = node_id
            self._tell("executing", {"node": node_id, "display_node": node_id} | self._id())

    def step(self, node_id: str, *, step: int, steps: int, image: Preview | None) -> None:
        """One step of a node. An owner that negotiated metadata gets the picture first."""
        self._set_progress(node_id, value=step, maximum=steps, state="running")
        early = self._hub.wants_metadata(self._owner)
        if image is not None and early:
            self._preview(node_id, image)
        progress = {"value": step, "max": steps} | self._id() | {"node": node_id}
        self._tell("progress", progress)
        if image is not None and not early:
            self._preview(node_id, image)

    def node_showed(self, node_id: str, output: JsonDict) -> None:
        if self._owner is not None:
            shown = {"node": node_id, "display_node": node_id, "output": output}
            self._tell("executed", shown | self._id())

    def node_finished(self, node_id: str) -> None:
        known = self._progress.get(node_id)
        maximum = known["max"] if known else 1
        self._set_progress(node_id, value=maximum, maximum=maximum, state="finished")

    def succeeded(self) -> None:
        self._outcome = "success"
        self._record("execution_success", {}, ends=True)

    def interrupted(self, node_id: str, *, executed: list[str]) -> None:
        node_type = self._item.graph[node_id]["class_type"]
        data = {"node_id": node_id, "node_type": node_type, "executed": executed}
        self._record("execution_interrupted", data, ends=True, to_all=True)

    def failed(
        self,
        node_id: str,
        *,
        executed: list[str],
        message: str,
        kind: str,
        frames: list[str],
        inputs: JsonDict,
    ) -> None:
        data: JsonDict = {
            "node_id": node_id,
            "node_type": self._item.graph[node_id]["class_type"],
            "executed": executed,
            "exception_message": message,
            "exception_type": kind,
            "traceback": frames,
            "current_inputs": inputs,
            "current_outputs": list(self._item.graph),
        }
        self._record("execution_error", data, ends=True)

    def end(self) -> None:
        """The marker that tells the owner that history has the result by now."""
        if self._owner is not None and not self._mute_end:
            self._tell("executing", {"node": None} | self._id())
        self.close()

    def close(self) -> None:
        """Lets go of a message that was held back."""
        if self._held is not None:
            held, self._held = self._held, None
            self._send(*held)

    def history_entry(self, *, ui: JsonDict) -> JsonDict:
        return {
            "prompt": self._item.as_item(),
            "outputs": dict(ui),
            "status": {
                "status_str": self._outcome,
                "completed": self._outcome == "success",
                "messages": self._messages,
            },
            "meta": {
                node_id: {
                    "node_id": node_id,
                    "display_node": node_id,
                    "parent_node": None,
                    "real_node_id": node_id,
                }
                for node_id in ui
            },
        }

    def _record(
        self, event: str, data: JsonDict, *, ends: bool = False, to_all: bool = False
    ) -> None:
        stamped = self._id() | data | {"timestamp": now_ms()}
        self._messages.append([event, stamped])
        if (self._owner is not None or to_all) and not (ends and self._mute_end):
            self._tell(event, stamped)

    def _set_progress(self, node_id: str, *, value: float, maximum: float, state: str) -> None:
        place = {"node_id": node_id} | self._id()
        self._progress[node_id] = (
            {"value": value, "max": maximum, "state": state} | place | _position(node_id)
        )
        self._tell("progress_state", self._id() | {"nodes": self._progress})

    def _preview(self, node_id: str, image: Preview) -> None:
        place = {"node_id": node_id} | self._id() | _position(node_id)
        self._hub.send_preview(image, metadata=place, sid=self._owner)

    def _id(self) -> JsonDict:
        return {"prompt_id": self._item.prompt_id}

    def _tell(self, event: str, data: JsonDict) -> None:
        if not self._swap:
            self._send(event, data, self._owner)
        elif self._held is None:
            # A copy: progress goes on while the message is held back.
            self._held = (event, _snapshot(data), self._owner)
        else:
            held, self._held = self._held, None
            self._send(event, data, self._owner)
            self._send(*held)

    def _send(self, event: str, data: JsonDict, sid: str | None) -> None:
        for _ in range(2 if self._twice else 1):
            self._hub.send(event, data, sid=sid)


def _position(node_id: str) -> JsonDict:
    return {"display_node_id": node_id, "parent_node_id": None, "real_node_id": node_id}


def _snapshot(data: JsonDict) -> JsonDict:
    return {
        key: dict(cast("JsonDict", value)) if isinstance(value, dict) else value
        for key, value in data.items()
    }
