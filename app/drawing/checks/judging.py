"""Whether a value fits the input it is in, and what would."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

from app.drawing.schema import FILES, InputSpec
from app.graphs.choosing import find
from app.graphs.families import words_of
from app.graphs.nodes import BUILT_IN, FOLDERS
from app.said import Said

Fault = Literal["bad_type", "bad_value", "missing_model", "missing_file", "renamed_model"]

_NEAR = 3
_CUTOFF = 0.6
_LONGEST = 80  # characters of a value in a sentence
_MODEL_FILE = re.compile(r"\.(safetensors|ckpt|pth?|bin|gguf|sft|onnx|torchscript)$", re.IGNORECASE)
# Pictures of app.inputs are sent along with the job, under this name or that of the upload.
_OF_OURS = re.compile(r"(orchestrator_)?[0-9a-f]{64}\.\w{1,5}")
_FOLDER_OF_SERVER = re.compile(r"\s*\[(input|output|temp)\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with a value."""

    fault: Fault
    message: str  # for people, a `Said`; the node is named elsewhere
    fix: str = ""
    choices: tuple[Any, ...] = ()  # what would fit, best first


def judge(value: Any, spec: InputSpec, *, class_type: str) -> Verdict | None:
    """What is wrong with the value of a widget; None: a server takes it."""
    if spec.widget in ("int", "float"):
        return _number(value, spec)
    if spec.widget in ("text", "multiline") and isinstance(value, dict | list):
        return _wrong_type(value, spec, Said("Write a text."))
    if spec.widget == "choice" or spec.widget in FILES:
        return _chosen(value, spec, class_type=class_type)
    return None


def is_file(spec: InputSpec, *, class_type: str) -> bool:
    """Whether the choices of an input are files of the server, so that they differ."""
    if (class_type, spec.name) in FOLDERS or spec.widget in FILES:
        return True
    return any(isinstance(each, str) and _MODEL_FILE.search(each) for each in spec.choices[:20])


def near(wanted: str, offered: tuple[Any, ...]) -> tuple[str, ...]:
    """Those of the choices that may have been meant, best first; few."""
    return _near(wanted, _Offer(offered))


def shown(value: Any) -> str:
    """A value in a sentence: never long, never more than one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def plain_number(value: float) -> str:
    """A number as people write it: 8, not 8.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e21 else f"{value:g}"


class _Offer:
    """Choices as a key of a cache: the very same ones, because hashing thousands takes long."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[Any, ...]) -> None:
        self.names = names

    def __hash__(self) -> int:
        return id(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Offer) and other.names is self.names


@lru_cache(maxsize=1024)
def _near(wanted: str, offer: _Offer) -> tuple[str, ...]:
    by_words = _by_words(offer)
    found = difflib.get_close_matches(words_of(wanted), list(by_words), n=_NEAR, cutoff=_CUTOFF)
    return tuple(by_words[each] for each in found)


@lru_cache(maxsize=64)
def _by_words(offer: _Offer) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in offer.names:
        if isinstance(each, str):
            found.setdefault(words_of(each) or each, each)
    return found


@lru_cache(maxsize=1024)
def _same_file(wanted: str, offer: _Offer) -> str | None:
    return find(wanted, offered=[each for each in offer.names if isinstance(each, str)])


def _number(value: Any, spec: InputSpec) -> Verdict | None:
    whole = spec.widget == "int"
    wanted = Said("Write a whole number.") if whole else Said("Write a number.")
    try:
        number = _as_number(value, whole=whole)
    except (ValueError, TypeError, OverflowError):
        return _wrong_type(value, spec, wanted)
    if spec.min is not None and number < spec.min:
        return _out_of_range(value, spec, _like(spec.min, whole=whole))
    if spec.max is not None and number > spec.max:
        return _out_of_range(value, spec, _like(spec.max, whole=whole))
    return None


def _as_number(value: Any, *, whole: bool) -> float:
    """What a server makes of it.

    Raises:
        ValueError, TypeError, OverflowError: nothing.
    """
    if isinstance(value, str):
        number: float = int(value) if whole and len(value) < 400 else float(value)
    elif isinstance(value, int | float):
        number = value
    else:
        raise TypeError(type(value).__name__)
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(number)
    return number


def _like(limit: float, *, whole: bool) -> float:
    return int(limit) if whole else limit


def _out_of_range(value: Any, spec: InputSpec, nearest: float) -> Verdict:
    if spec.min is not None and spec.max is not None:
        fix = Said("Use {low} … {high}.", low=plain_number(spec.min), high=plain_number(spec.max))
    elif spec.min is not None:
        fix = Said("Use {low} or more.", low=plain_number(spec.min))
    else:
        fix = Said("Use {high} or less.", high=plain_number(nearest))
    return Verdict(
        fault="bad_value",
        message=Said("{input} is {value}: out of range.", input=spec.name, value=shown(value)),
        fix=fix,
        choices=(nearest,),
    )


def _wrong_type(value: Any, spec: InputSpec, fix: str) -> Verdict:
    return Verdict(
        fault="bad_type",
        message=Said("{input} cannot be {value}.", input=spec.name, value=f"“{shown(value)}”"),
        fix=fix,
    )


def _chosen(value: Any, spec: InputSpec, *, class_type: str) -> Verdict | None:
    if spec.multiselect:
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        wrong = [each for each in values if each not in spec.choices]
        return _not_offered(wrong[0], spec) if wrong and spec.choices else None
    if value in spec.choices or "remote" in spec.options:
        return None
    if isinstance(value, bool | int | float):
        return _not_offered(value, spec) if spec.choices else None
    if value is not None and not isinstance(value, str):
        return _wrong_type(value, spec, Said("Choose one of those offered."))
    text = value or ""
    if spec.widget in FILES:
        return _file(text, spec)
    if is_file(spec, class_type=class_type) or (not spec.choices and _MODEL_FILE.search(text)):
        return _model(text, spec, class_type=class_type)
    # Classes whose choices depend on other widgets report none: nothing can be said then.
    return _not_offered(text, spec) if spec.choices else None


def _not_offered(value: Any, spec: InputSpec) -> Verdict:
    text = shown(value)
    offered: Sequence[Any] = near(text, spec.choices) or spec.choices[:_NEAR]
    return Verdict(
        fault="bad_value",
        message=Said("{input} has no choice {value}.", input=spec.name, value=f"“{text}”"),
        fix=Said("Choose one of those offered."),
        choices=tuple(offered),
    )


def _file(name: str, spec: InputSpec) -> Verdict | None:
    if not name:
        return Verdict(
            fault="missing_file",
            message=Said("{input} names no file.", input=spec.name),
            fix=Said("Choose or upload one."),
        )
    # A server takes any file of its input folder, also in folders that it does not list.
    bare = _FOLDER_OF_SERVER.sub("", name)
    if bare != name or _OF_OURS.fullmatch(name) or name in spec.choices:
        return None
    return Verdict(
        fault="missing_file",
        message=Said("No known backend has the file {name}.", name=shown(name)),
        fix=Said("Choose or upload one."),
        choices=near(name, spec.choices),
    )


def _model(name: str, spec: InputSpec, *, class_type: str) -> Verdict | None:
    folder = FOLDERS.get((class_type, spec.name), ("",))[0]
    if name in BUILT_IN.get(folder, frozenset()):
        return None
    same = _same_file(name, _Offer(spec.choices)) if name else None
    if same is not None:
        return Verdict(
            fault="renamed_model",
            message=Said("The file is called {name} here.", name=same),
            choices=(same,),
        )
    if not name:
        return Verdict(
            fault="missing_model",
            message=Said("{input} names no file.", input=spec.name),
            fix=Said("Choose one.") if spec.choices else Said("Put one on a backend first."),
            choices=spec.choices[:_NEAR],
        )
    return Verdict(
        fault="missing_model",
        message=Said("No known backend has {name}.", name=shown(name)),
        fix=Said("Choose another, or put the file on a backend."),
        choices=near(name, spec.choices),
    )
