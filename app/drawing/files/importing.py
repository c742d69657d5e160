"""Files of strangers made into drawn workflows: JSON of any shape, and pictures that carry one."""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any, Literal, cast

from app.drawing.diagram import Diagram
from app.drawing.files import a1111
from app.drawing.files.carried import carried_texts
from app.drawing.files.from_api import draw
from app.drawing.files.ui_format import read_ui
from app.drawing.findings import Finding
from app.drawing.schema import Schemas
from app.drawing.untrusted import too_deep
from app.errors import InvalidRequestError
from app.graphs.nodes import is_node
from app.models import MAX_WORKFLOW_NAME
from app.said import Said

MAX_BYTES = 50 * 2**20
_MAX_TEXT_MEMORY = 120_000_000  # a single wide character makes a text four times as large
_MAX_PARTS = 1_000_000
_MAX_JSON = 24_000_000  # characters of what is kept: it is in memory several times at once
_MAX_WRAPPING = 6
_MAX_TRIED = 200  # of a list or object that may hold a workflow somewhere
_WRAPPERS = (
    "workflow",
    "graph",
    "prompt",
    "output",
    "extra_data",
    "extra_pnginfo",
    "data",
    "content",
    "metadata",
)

Kind = Literal["ui", "api", "a1111"]
_Found = tuple[Literal["ui", "api"], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A workflow that was in a file."""

    diagram: Diagram
    name: str  # after the file; may be empty
    kind: Kind
    findings: tuple[Finding, ...] = ()
    """What was mended, is different, or could not be taken over."""


def read_file(data: bytes, *, name: str = "", schemas: Schemas) -> Imported:
    """The workflow in a file: JSON, PNG, WebP, JPEG, or the text that A1111 writes.

    It takes up to some seconds of computing for the largest files.

    Raises:
        InvalidRequestError: there is none in it, or nothing can read it.
    """
    if len(data) > MAX_BYTES:
        raise too_large()
    title = _title(name)
    texts = carried_texts(data)
    if texts is None:
        return _read_text(_decoded(data), name=title, schemas=schemas)
    for each in _in_order(texts):
        found = _found_in(each)
        if found is not None:
            return _imported(found, name=title, schemas=schemas)
    for each in texts.values():
        settings = a1111.parse(each)
        if settings is not None:
            return _from_settings(settings, name=title, schemas=schemas)
    raise _no_workflow()


def _read_text(text: str, *, name: str, schemas: Schemas) -> Imported:
    if not text.strip():
        raise _refusal(Said("The file is empty."))
    settings = a1111.parse(text) if not text.lstrip().startswith(("{", "[")) else None
    if settings is not None:
        return _from_settings(settings, name=name, schemas=schemas)
    try:
        value = _parsed(text)
    except ValueError as exc:
        raise _refusal(
            Said("This is no picture and no JSON: {problem}.", problem=_problem(exc)),
            fix=Said("Export the workflow from ComfyUI again."),
        ) from exc
    del text
    found = _search(value, depth=0)
    if found is None:
        raise _no_workflow()
    return _imported(found, name=name, schemas=schemas)


def _imported(found: _Found, *, name: str, schemas: Schemas) -> Imported:
    kind, value = found
    read: Callable[..., tuple[Diagram, tuple[Finding, ...]]] = read_ui if kind == "ui" else draw
    diagram, findings = read(value, schemas=schemas)
    return Imported(diagram=diagram, name=name, kind=kind, findings=findings)


def _from_settings(settings: a1111.Settings, *, name: str, schemas: Schemas) -> Imported:
    graph, findings = a1111.to_graph(settings, schemas=schemas)
    diagram, mended = draw(graph, schemas=schemas)
    return Imported(diagram=diagram, name=name, kind="a1111", findings=(*findings, *mended))


def _in_order(texts: Mapping[str, str]) -> Iterator[str]:
    """The drawn workflow first, then the graph that ran, then whatever else."""
    for key in ("workflow", "prompt"):
        if key in texts:
            yield texts[key]
    for key, text in texts.items():
        if key not in ("workflow", "prompt"):
            yield text


def _found_in(text: str) -> _Found | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return _search(_parsed(text), depth=0)
    except ValueError:
        return None


def _search(value: Any, *, depth: int) -> _Found | None:
    """The workflow in a value, however it is wrapped; a drawn one rather than a graph."""
    if depth > _MAX_WRAPPING:
        return None
    if isinstance(value, str):
        return _found_in(value) if value.lstrip()[:1] == "{" else None
    if isinstance(value, list):
        inner = cast("list[Any]", value)[:_MAX_TRIED]
    elif isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        if isinstance(parts.get("nodes"), list) or _are_nodes(parts.get("nodes")):
            return "ui", parts
        if any(is_node(each) for each in parts.values()):
            return "api", parts
        first = [parts[key] for key in _WRAPPERS if key in parts]
        inner = [*first, *list(parts.values())[:_MAX_TRIED]]
    else:
        return None
    graph: _Found | None = None
    for each in inner:
        found = _search(each, depth=depth + 1)
        if found is not None and found[0] == "ui":
            return found
        graph = graph or found
    return graph


def _are_nodes(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    nodes = cast("dict[str, Any]", value).values()
    return any(isinstance(each, dict) and "type" in each for each in nodes)


def _parsed(text: str) -> Any:
    """The JSON of a text.

    Raises:
        ValueError: it is none.
        InvalidRequestError: it would fill the memory.
    """
    if sum(text.count(each) for each in ("[", "{", ",")) > _MAX_PARTS:
        raise _refusal(Said("This file has more parts than any workflow."))
    if _length_in_json(text) > _MAX_JSON:
        raise _refusal(Said("This file has more text than any workflow."))
    try:
        return json.loads(text, strict=False)
    except RecursionError as exc:
        raise too_deep() from exc


def _length_in_json(text: str) -> int:
    """About how many characters it has once all but ASCII is escaped, as it is kept."""
    if text.isascii():
        return len(text)
    return len(text) + 5 * (len(text.encode(errors="replace")) - len(text))


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise _no_workflow() from exc
    if sys.getsizeof(text) > _MAX_TEXT_MEMORY:
        raise _refusal(Said("This file has more parts than any workflow."))
    return text


def too_large() -> InvalidRequestError:
    """A file of more bytes than are read."""
    return _refusal(Said("The file has more than {n} MB.", n=MAX_BYTES // 2**20))


def _title(name: str) -> str:
    """What to call the workflow of a file with that name."""
    stem = PureWindowsPath(name[-1000:]).name  # also splits at "/"
    for ending in (".json", ".png", ".webp", ".jpg", ".jpeg", ".txt", ".app"):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
    clean = "".join(each for each in stem if unicodedata.category(each)[0] != "C")
    return clean.strip()[:MAX_WORKFLOW_NAME]


def _problem(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno}"
    return "a number is too long"


def _refusal(message: str, *, fix: str = "") -> InvalidRequestError:
    return InvalidRequestError("file", message, fix=fix)


def _no_workflow() -> InvalidRequestError:
    return _refusal(
        Said("There is no workflow in this file."),
        fix=Said(
            "Take a JSON file, or a PNG or WebP picture as ComfyUI saved it: other programs and "
            "chats take the workflow out."
        ),
    )
