"""Which backends can run a graph, and what the others lack."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from app.drawing.checks.judging import Verdict, judge
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.graphs import inline
from app.graphs.nodes import is_link, nodes_of
from app.models import BackendInfo, BackendStatus, Catalog
from app.said import Said, listed

_NAMED = 4  # things in a sentence

Standing = Literal["ok", "offline", "lacks", "unknown", "disabled"]
"""It runs there; it would, but the backend is away; something is missing; nothing is known of
the backend; it is switched off."""

LackKind = Literal["class", "model", "file", "value", "input"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """One thing that keeps a graph from a backend."""

    kind: LackKind
    name: str  # the class, the file or the input
    message: str  # for people
    node_id: str  # the first node it concerns
    input: str | None = None
    choices: tuple[str, ...] = ()  # what that backend has instead, best first


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How a graph stands with one backend."""

    backend_id: str
    backend_name: str
    standing: Standing
    lacks: tuple[Lack, ...] = ()  # what is known to be missing, also while it is away
    renamed: Mapping[str, str]
    """Files that are there in another folder: "node.input" → their name there."""
    advice: str  # for people: what to do; empty where it runs

    @property
    def ok(self) -> bool:
        """It runs there now."""
        return self.standing == "ok"

    @property
    def missing_classes(self) -> tuple[str, ...]:
        """The node classes it does not have."""
        return tuple(each.name for each in self.lacks if each.kind == "class")

    @property
    def missing_models(self) -> tuple[str, ...]:
        """The model files it does not have."""
        return tuple(each.name for each in self.lacks if each.kind == "model")


def runs_on(
    graph: Mapping[str, Any],
    *,
    backends: Sequence[tuple[BackendInfo, BackendStatus, Schemas]],
) -> tuple[Readiness, ...]:
    """How the graph stands with each backend that runs graphs, in their order."""
    return tuple(
        _readiness(graph, info=info, status=status, schemas=schemas)
        for info, status, schemas in backends
        if info.kind != "bfl"
    )


def summary(readiness: Sequence[Readiness]) -> str:
    """On how many of the backends it runs, and what the nearest of the others needs."""
    ready = sum(each.ok for each in readiness)
    count = Said("Runs on {ready} of {total}.", ready=ready, total=len(readiness))
    others = [each for each in readiness if each.standing == "lacks"]
    if not others:
        return count
    nearest = min(others, key=lambda each: len(each.lacks))
    return Said("{first} {second}", first=count, second=nearest.advice)


def _readiness(
    graph: Mapping[str, Any], *, info: BackendInfo, status: BackendStatus, schemas: Schemas
) -> Readiness:
    catalog = status.catalog
    renamed: dict[str, str] = {}
    lacks = (
        tuple(_lacks(graph, schemas=schemas, catalog=catalog, renamed=renamed))
        if catalog is not None
        else ()
    )
    standing: Standing = "ok"
    if not info.enabled:
        standing = "disabled"
    elif lacks:
        standing = "lacks"
    elif not status.online:
        standing = "offline"
    elif catalog is None:
        standing = "unknown"
    return Readiness(
        backend_id=info.id,
        backend_name=info.name,
        standing=standing,
        lacks=lacks,
        renamed=renamed,
        advice=_advice(info.name, standing, lacks),
    )


def _advice(name: str, standing: Standing, lacks: Sequence[Lack]) -> str:
    if standing == "offline":
        return Said("{backend} is offline.", backend=name)
    if standing == "disabled":
        return Said("{backend} is switched off.", backend=name)
    if standing == "unknown":
        return Said("What {backend} has is not known yet.", backend=name)
    if standing == "ok":
        return ""
    to_add = list(
        dict.fromkeys(each.name for each in lacks if each.kind in ("class", "model", "file"))
    )
    if not to_add:
        first = lacks[0].message
        return Said("On {backend}: {problem}", backend=name, problem=first)
    shown = listed(to_add[:_NAMED])
    if len(to_add) > _NAMED:
        more = len(to_add) - _NAMED
        return Said("On {backend} add {names} (+{more}).", backend=name, names=shown, more=more)
    return Said("On {backend} add {names}.", backend=name, names=shown)


def _lacks(
    graph: Mapping[str, Any], *, schemas: Schemas, catalog: Catalog, renamed: dict[str, str]
) -> Iterator[Lack]:
    told: set[tuple[str, str]] = set()
    for node_id, class_type, inputs in nodes_of(graph):
        schema = schemas.get(class_type)
        if schema is not None:
            found = _of_node(node_id, schema, inputs, renamed=renamed)
        elif class_type in catalog.node_classes:
            # It has the class but never said what that takes.
            found = _by_folders(node_id, graph[node_id], catalog)
        else:
            found = iter((_class(node_id, class_type),))
        for lack in found:
            # A file that several nodes use is to be added once; a value is wrong at each.
            key = (lack.kind, lack.name)
            if lack.kind in ("value", "input") or key not in told:
                told.add(key)
                yield lack


def _by_folders(node_id: str, node: Any, catalog: Catalog) -> Iterator[Lack]:
    for name in inline.lacks({node_id: node}, catalog=catalog):
        yield Lack(kind="model", name=name, message=name, node_id=node_id)


def _class(node_id: str, class_type: str) -> Lack:
    return Lack(
        kind="class",
        name=class_type,
        message=Said("node class {name}", name=class_type),
        node_id=node_id,
    )


def _of_node(
    node_id: str, schema: NodeSchema, inputs: Mapping[str, Any], *, renamed: dict[str, str]
) -> Iterator[Lack]:
    for name, value in inputs.items():
        spec = schema.input(name)
        if spec is None or is_link(value):
            continue
        verdict = judge(_plain(value), spec, class_type=schema.class_type)
        if verdict is None:
            continue
        if verdict.fault == "renamed_model":
            renamed[f"{node_id}.{name}"] = str(verdict.choices[0])
            continue
        yield _judged(node_id, spec, value, verdict)
    for spec in schema.inputs:
        if spec.required and not spec.grows and spec.name not in inputs:
            yield Lack(
                kind="input",
                name=spec.name,
                message=Said("{node} also needs {input}.", node=schema.name, input=spec.name),
                node_id=node_id,
                input=spec.name,
            )


def _plain(value: Any) -> Any:
    """A value without the wrapping that keeps a list from being taken for a link."""
    if not isinstance(value, dict):
        return value
    wrapping = cast("dict[str, Any]", value)
    return wrapping.get("__value__", wrapping)


def _judged(node_id: str, spec: InputSpec, value: Any, verdict: Verdict) -> Lack:
    kinds = {"missing_model": "model", "missing_file": "file"}
    kind = cast("LackKind", kinds.get(verdict.fault, "value"))
    name, message = spec.name, verdict.message
    choices = tuple(str(each) for each in verdict.choices)
    if kind != "value" and isinstance(value, str) and value:
        name = message = value
        if choices:
            message = Said("{name} (there is {near})", name=value, near=choices[0])
    return Lack(
        kind=kind,
        name=name,
        message=message,
        node_id=node_id,
        input=spec.name,
        choices=choices,
    )
