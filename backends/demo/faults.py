"""Faults on demand: how tests make this engine misbehave in a chosen, countable way."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from backends.demo.wire import JsonDict


class Fault(StrEnum):
    """What can be asked for; the comment names the value."""

    DROP_SOCKET_AT_STEP = "drop_socket_at_step"  # step: all sockets die without a close frame
    ZOMBIE_SOCKET = "zombie_socket"  # true: open sockets go silent now; n: at step n
    LOSE_TERMINAL = "lose_terminal"  # true: one run ends without telling
    DUPLICATE_MESSAGES = "duplicate_messages"  # true: one run says everything twice
    REORDER_MESSAGES = "reorder_messages"  # true: one run swaps neighbouring messages
    HISTORY_LATE_S = "history_late_s"  # seconds between the end of a run and its history
    LOSE_HISTORY = "lose_history"  # true: one run ends and never gets into history
    STATUS_500 = "status_500"  # {path: how often}
    OUT_OF_MEMORY = "out_of_memory"  # true: the sampler runs out of memory; n: at step n
    CORRUPT_CHECKPOINT = "corrupt_checkpoint"  # name: that model file cannot be read
    DISK_FULL = "disk_full"  # true: a node that saves finds no space
    READ_ONLY_OUTPUT = "read_only_output"  # true: a node that saves may not write
    FAIL_NODE = "fail_node"  # {class_type, message}
    HANG_AT_STEP = "hang_at_step"  # step: sampling stops until any other fault call or interrupt
    DIE_AT_STEP = "die_at_step"  # step: the process is gone
    DIE_AT_NODE = "die_at_node"  # class_type: the process is gone when such a node starts
    DIE_AT_END = "die_at_end"  # true: gone when all is saved, before anybody is told
    DIE_BEFORE_ACCEPT = "die_before_accept"  # true: gone in POST /prompt, nothing queued
    DIE_AFTER_ACCEPT = "die_after_accept"  # true: gone in POST /prompt, queued but unanswered
    SLOW_ANSWERS_S = "slow_answers_s"  # seconds before an HTTP answer
    FORGET = "forget"  # true: queue and history are lost now, as after a restart


class UnknownFaultError(Exception):
    """The name is no fault."""


@dataclass(slots=True)
class _Armed:
    value: Any
    times: int | None  # None: until cleared


class FaultBox:
    """Holds the armed faults. Each part of the engine asks it at the point of the fault.

    `changed` is called on every arm and clear: it is what releases a hang.
    """

    def __init__(self, *, changed: Callable[[], None]) -> None:
        self._armed: dict[Fault, _Armed] = {}
        self._changed = changed

    def arm(self, wanted: JsonDict) -> None:
        """Arms `{name: value}` or `{name: {"value": …, "times": n | null}}`; times is 1 if absent.

        A value that is an object itself may carry `times` among its own keys. `false` and `null`
        disarm. Raises UnknownFaultError before anything is armed.
        """
        try:
            parsed = {Fault(name): _parse(value) for name, value in wanted.items()}
        except ValueError as exc:
            raise UnknownFaultError(str(exc)) from exc
        for fault, armed in parsed.items():
            if armed.value is None or armed.value is False:
                self._armed.pop(fault, None)
            else:
                self._armed[fault] = armed
        self._changed()

    def clear(self) -> None:
        self._armed.clear()
        self._changed()

    def shown(self) -> JsonDict:
        return {
            fault.value: {"value": armed.value, "times": armed.times}
            for fault, armed in self._armed.items()
        }

    def take(self, fault: Fault) -> Any:
        """The value of an armed fault, counted as used once; None when it is not armed."""
        armed = self._armed.get(fault)
        if armed is None:
            return None
        if armed.times is not None:
            armed.times -= 1
            if armed.times <= 0:
                del self._armed[fault]
        return armed.value

    def take_if(self, fault: Fault, value: Any) -> bool:
        """Whether the fault is armed with this very value; if so it is used once."""
        armed = self._armed.get(fault)
        if armed is None or type(armed.value) is not type(value) or armed.value != value:
            return False
        self.take(fault)
        return True

    def is_lasting(self, fault: Fault) -> bool:
        """Whether the fault is armed until cleared."""
        armed = self._armed.get(fault)
        return armed is not None and armed.times is None

    def take_failure(self, class_type: str) -> str | None:
        """The message a node of this class is to fail with."""
        armed = self._armed.get(Fault.FAIL_NODE)
        if armed is None or armed.value.get("class_type") != class_type:
            return None
        self.take(Fault.FAIL_NODE)
        return str(armed.value.get("message", "Failed on demand"))

    def take_500(self, path: str) -> bool:
        """Whether this request is to be answered with 500."""
        armed = self._armed.get(Fault.STATUS_500)
        if armed is None:
            return False
        bare = path.removeprefix("/api")
        for wanted, left in armed.value.items():
            stem = wanted.removeprefix("/api")
            if left and (bare == stem or bare.startswith(stem.rstrip("/") + "/")):
                armed.value[wanted] = left - 1
                return True
        return False


def _parse(value: object) -> _Armed:
    if not isinstance(value, dict):
        return _Armed(value, 1)
    keys = dict(cast("JsonDict", value))
    times: int | None = keys.pop("times", 1)
    return _Armed(keys.get("value", keys), times)
