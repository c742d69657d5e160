"""The few shapes that every part of the engine puts on the wire."""

import time
from typing import Any, TypeAlias

JsonDict: TypeAlias = dict[str, Any]
Graph: TypeAlias = dict[str, JsonDict]  # node id -> {"class_type": …, "inputs": {…}}

FEATURES: JsonDict = {
    "supports_preview_metadata": True,
    "supports_model_type_tags": True,
    "max_upload_size": 100 * 1024 * 1024,
    "extension": {"manager": {"supports_v4": True}},
    "node_replacements": True,
    "assets": False,
}
OLD_FEATURES: JsonDict = {
    key: FEATURES[key] for key in ("supports_preview_metadata", "max_upload_size")
}


class BrokenRequestError(Exception):
    """The request makes a real server fall over: the answer is its plain 500."""


def now_ms() -> int:
    """The wall clock in milliseconds, as ComfyUI stamps its messages."""
    return int(time.time() * 1000)


def full_type_name(error: BaseException) -> str:
    """`KeyError` for a built-in error, `package.module.Name` for any other."""
    kind = type(error)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def is_link(value: object) -> bool:
    """Whether an input value points at another node's output: `[node id, slot]`."""
    if not isinstance(value, list) or len(value) != 2:  # pyright: ignore[reportUnknownArgumentType]
        return False
    source, slot = value  # pyright: ignore[reportUnknownVariableType]
    return isinstance(source, str) and isinstance(slot, (int, float))
