"""The file that ComfyUI itself keeps of a workflow, versions 0.4 and 1.0, read and written.

It is also how drafts and versions are kept here: what a diagram holds beyond ComfyUI's own terms
lies under `extra.orchestrator`. Nothing that parses is refused, only what no computer could open.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, cast, get_args

from app.drawing.diagram import Diagram, Link, Parameter, ParameterType, Subgraph
from app.drawing.files.repairs import Repair, Repairs
from app.drawing.files.settling import settle, settled
from app.drawing.files.ui_reading import Ids, read_level, read_subgraph
from app.drawing.files.ui_writing import Writer, groups, link_list
from app.drawing.findings import Finding
from app.drawing.layout import arrange
from app.drawing.nesting import MAX_NODES, refuse_endless, too_many_nodes
from app.drawing.schema import Schemas
from app.drawing.untrusted import as_dict, as_int, as_list, as_number, tidied

__all__ = ["read_ui", "settle", "write_ui"]

_VERSION = 0.4
_OURS = "orchestrator"
_ROOT_KEYS = frozenset(
    ("nodes", "links", "groups", "definitions", "extra", "version", "state", "last_node_id")
)
_LAST_LINK = "last_link_id"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PATH = re.compile(r"\d{1,16}(:\d{1,16}){0,20}")
_TEXTS = ("label", "help", "section", "class_type", "title")


def read_ui(data: Mapping[str, Any], *, schemas: Schemas) -> tuple[Diagram, tuple[Finding, ...]]:
    """The diagram in a file, and what had to be mended.

    Raises:
        InvalidRequestError: nested too deeply, or of more nodes than anybody can look at.
    """
    repairs = Repairs()
    raw = cast("dict[str, Any]", tidied(data))
    definitions = _definitions(raw, repairs=repairs)
    levels: list[Mapping[str, Any]] = [raw, *definitions.values()]
    if sum(len(as_list(each.get("nodes"))) for each in levels) > MAX_NODES:
        raise too_many_nodes("file")
    ids = Ids(iter(levels))
    told = as_dict(raw.get("extra"))
    bends = told.get("linkExtensions")
    root = read_level(raw, ids=ids, repairs=repairs, extensions=bends)
    subgraphs = {
        key: read_subgraph(each, ids=ids, repairs=repairs) for key, each in definitions.items()
    }
    subgraphs = _without_loops(subgraphs, repairs=repairs)
    parameters = _parameters(as_dict(told.get(_OURS)).get("parameters"), repairs=repairs)
    diagram = Diagram(root=root, subgraphs=subgraphs, parameters=parameters, extra=_extra(raw))
    refuse_endless(diagram, field="file")
    done = settled(diagram, schemas=schemas)
    if done.lost:
        repairs.add(Repair.BAD_LINK, done.lost)
    diagram = done.diagram
    if not any("pos" in as_dict(each) for each in as_list(raw.get("nodes"))):
        diagram = replace(diagram, root=arrange(diagram.root, schemas=schemas))
    return diagram, repairs.findings()


def write_ui(diagram: Diagram, *, schemas: Schemas) -> dict[str, Any]:
    """The file of a diagram; `read_ui` gives the same diagram back."""
    writer = Writer(diagram.subgraphs, schemas=schemas)
    kept = dict(diagram.extra)
    extra = dict(as_dict(kept.pop("extra", None)))
    definitions = dict(as_dict(kept.pop("definitions", None)))
    links = diagram.root.links
    bends = [{"id": key, "parentId": p} for key, p in _bends(links).items()]
    if bends:
        extra["linkExtensions"] = bends
    if diagram.parameters:
        ours = as_dict(extra.get(_OURS))
        extra[_OURS] = {**ours, "parameters": [_as_json(each) for each in diagram.parameters]}
    if diagram.subgraphs:
        definitions["subgraphs"] = [writer.subgraph(each) for each in diagram.subgraphs.values()]
    written: dict[str, Any] = {
        **kept,
        "last_node_id": max((int(key) for key in diagram.root.nodes), default=0),
        _LAST_LINK: max(links, default=0),
        "nodes": writer.nodes(diagram.root),
        "links": [link_list(link) for link in links.values()],
        "groups": groups(diagram.root.groups),
        "config": kept.get("config", {}),
        "extra": extra,
        "version": _VERSION,
    }
    if definitions:
        written["definitions"] = definitions
    return written


def _extra(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says beyond what a diagram holds."""
    extra = {key: value for key, value in raw.items() if key not in _ROOT_KEYS}
    extra.pop(_LAST_LINK, None)
    if not extra.get("config"):
        extra.pop("config", None)
    told = {key: value for key, value in as_dict(raw.get("extra")).items() if key != _OURS}
    told.pop("linkExtensions", None)
    # Version 1.0 has them beside the links; 0.4, which is written, among the extras.
    if (bends := extra.pop("reroutes", None)) is not None:
        told.setdefault("reroutes", bends)
    ours = as_dict(as_dict(raw.get("extra")).get(_OURS))
    if rest := {key: value for key, value in ours.items() if key != "parameters"}:
        told[_OURS] = rest
    if told:
        extra["extra"] = told
    definitions = as_dict(raw.get("definitions"))
    if rest := {key: value for key, value in definitions.items() if key != "subgraphs"}:
        extra["definitions"] = rest
    return extra


def _bends(links: Mapping[int, Link]) -> dict[int, Any]:
    return {key: each.extra["parentId"] for key, each in links.items() if "parentId" in each.extra}


def _definitions(raw: Mapping[str, Any], *, repairs: Repairs) -> dict[str, Mapping[str, Any]]:
    """The subgraphs of the file by their ids, those inside others too."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting = [raw]
    while waiting:
        for each in as_list(as_dict(waiting.pop().get("definitions")).get("subgraphs")):
            given = as_dict(each)
            key = given.get("id")
            if not isinstance(key, str | int) or not str(key):
                repairs.add(Repair.BAD_SUBGRAPH)
                continue
            waiting.append(given)
            if str(key) not in found:
                found[str(key)] = {**given, "id": str(key)}
    return found


def _without_loops(subgraphs: Mapping[str, Subgraph], *, repairs: Repairs) -> dict[str, Subgraph]:
    """The same where none contains itself: a node that would close a loop leads nowhere."""
    clear = dict(subgraphs)
    done: set[str] = set()
    for start in subgraphs:
        way: list[tuple[str, list[str]]] = (
            [(start, _inside(clear, start))] if start not in done else []
        )
        while way:
            current, left = way[-1]
            if not left:
                done.add(current)
                way.pop()
                continue
            inner = left.pop()
            if inner in {each for each, _ in way}:
                clear[current] = _broken(clear[current], inner, repairs=repairs)
            elif inner not in done:
                way.append((inner, _inside(clear, inner)))
    return clear


def _inside(subgraphs: Mapping[str, Subgraph], key: str) -> list[str]:
    nodes = subgraphs[key].level.nodes.values()
    return list(dict.fromkeys(each.class_type for each in nodes if each.class_type in subgraphs))


def _broken(subgraph: Subgraph, inner: str, *, repairs: Repairs) -> Subgraph:
    nodes = dict(subgraph.level.nodes)
    for key, node in nodes.items():
        if node.class_type == inner:
            repairs.add(Repair.CYCLIC_SUBGRAPH)
            nodes[key] = replace(node, class_type=f"{inner} (inside itself)")
    return replace(subgraph, level=replace(subgraph.level, nodes=nodes))


def _parameters(raw: Any, *, repairs: Repairs) -> tuple[Parameter, ...]:
    found: dict[str, Parameter] = {}
    for each in as_list(raw):
        parameter = _parameter(as_dict(each))
        if parameter is None or parameter.name in found:
            repairs.add(Repair.BAD_PARAMETER)
        else:
            found[parameter.name] = parameter
    return tuple(found.values())


def _parameter(raw: Mapping[str, Any]) -> Parameter | None:
    name, node, widget, kind = (raw.get(key) for key in ("name", "node", "input", "type"))
    texts = [each for each in (name, node, widget) if isinstance(each, str)]
    if len(texts) != 3 or kind not in get_args(ParameterType):
        return None
    if not _NAME.fullmatch(texts[0]) or not _PATH.fullmatch(texts[1]):
        return None
    told = {key: raw[key] for key in _TEXTS if isinstance(raw.get(key), str)}
    return Parameter(
        name=texts[0],
        node=texts[1],
        input=texts[2],
        type=cast("ParameterType", kind),
        **{"label": texts[0], **told},
        min=_limit(raw.get("min")),
        max=_limit(raw.get("max")),
        step=_limit(raw.get("step")),
        choices=tuple(each for each in as_list(raw.get("choices")) if isinstance(each, str)),
    )


def _limit(value: Any) -> float | None:
    """Whole numbers stay whole: limits of seeds are beyond what a float can say."""
    return (
        value
        if as_int(value) is not None or isinstance(value, int)
        else as_number(value, most=1e300)
    )


def _as_json(parameter: Parameter) -> dict[str, Any]:
    told = {field.name: getattr(parameter, field.name) for field in fields(parameter)}
    told["choices"] = list(parameter.choices)
    return {key: value for key, value in told.items() if value not in (None, "", [])}
