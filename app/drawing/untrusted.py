"""JSON of strangers, made safe to keep: nothing deep, endless or unspeakable is left in it."""

import math
import re
from typing import Any, cast

from app.errors import InvalidRequestError
from app.said import Said

MAX_DEPTH = 60
"""So deep may lists and objects lie in each other; real workflows need about ten."""
_LARGEST = 2**64
_FIELD = "file"
_BROKEN = re.compile("[\0\ud800-\udfff]")


def tidied(value: Any, *, depth: int = 0) -> Any:
    """A copy without NUL characters, broken characters, NaN, infinities and endless numbers.

    Numbers that JSON cannot say become None; keys become strings.

    Raises:
        InvalidRequestError: it is nested too deeply.
    """
    if isinstance(value, str):
        return tidy_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_LARGEST < value < _LARGEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= MAX_DEPTH:
        raise too_deep()
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        return {tidy_text(str(key)): tidied(each, depth=depth + 1) for key, each in pairs}
    if isinstance(value, list | tuple):
        parts = cast("list[Any] | tuple[Any, ...]", value)
        return [tidied(each, depth=depth + 1) for each in parts]
    return tidy_text(str(value))


def tidy_text(text: str) -> str:
    """The text without NUL, and without halves of characters."""
    if text.isascii() and "\0" not in text:
        return text
    return _BROKEN.sub("", text) if _BROKEN.search(text) else text


def too_deep() -> InvalidRequestError:
    """The refusal of what is nested too deeply."""
    return InvalidRequestError(
        _FIELD,
        Said("This workflow is nested too deeply to be real."),
        fix=Said("Save it again in ComfyUI and take that file."),
    )


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, the parts of an object, else an empty list."""
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_number(value: Any, *, most: float = 1e7) -> float | None:
    """The value if it is a number of a size that a canvas has."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= most else None


def as_int(value: Any) -> int | None:
    """The value if it is a whole number, or text of one, that JavaScript can say too."""
    if type(value) is int:
        return value if abs(value) < 2**53 else None
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 16:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 2**53 else None
