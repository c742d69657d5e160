"""Widgets of nodes inside a subgraph that the node for it shows, as files before 2026 say it.

They are one for all nodes of the subgraph: their value lies inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from app.drawing.classes import Classes
from app.drawing.diagram import ENTRY, Diagram, DiagramNode, Subgraph
from app.drawing.schema import InputSpec
from app.drawing.untrusted import as_dict, as_list
from app.drawing.widgets import control_of, value_of, visible_widgets

_DEEPEST = 20
_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """One of them."""

    path: str  # of the node it belongs to, from inside the subgraph on
    spec: InputSpec
    value: Any

    @property
    def name(self) -> str:
        """What it is called at the node that shows it."""
        return f"{self.path}:{self.spec.name}"


def proxied(diagram: Diagram, node: DiagramNode, *, classes: Classes) -> list[Proxied]:
    """The widgets from inside that a node shows; none of what is no subgraph."""
    subgraph = diagram.subgraphs.get(node.class_type)
    told = as_dict(node.extra.get("properties")).get("proxyWidgets")
    if subgraph is None or not isinstance(told, list):
        return []
    promoted = _promoted(subgraph)
    found: dict[str, Proxied] = {}
    for each in cast("list[Any]", told)[:_MOST]:
        pair = as_list(each)[:2]
        if len(pair) < 2 or not all(isinstance(part, str | int) for part in pair):
            continue
        inner, name = str(pair[0]), str(pair[1])
        if (inner, name) in promoted or ":" in name:
            continue
        one = _resolved(diagram, subgraph, inner, name, classes=classes)
        if one is not None:
            found.setdefault(one.name, one)
    return list(found.values())


def _promoted(subgraph: Subgraph) -> set[tuple[str, str]]:
    """What is an input of the subgraph already."""
    level = subgraph.level
    return {
        (link.target, level.nodes[link.target].inputs[link.input].name)
        for link in level.links.values()
        if link.source == ENTRY
        and link.target in level.nodes
        and 0 <= link.input < len(level.nodes[link.target].inputs)
    }


def _resolved(
    diagram: Diagram, subgraph: Subgraph, inner: str, name: str, *, classes: Classes
) -> Proxied | None:
    """The widget, through further subgraphs that only show it too."""
    path: list[str] = []
    for _ in range(_DEEPEST):
        node = subgraph.level.nodes.get(inner)
        if node is None:
            return None
        path.append(inner)
        schema = classes.of(node, subgraph.level)
        if schema is None:
            return None
        widgets = visible_widgets(node, schema)
        controls = (control_of(spec, widgets) for spec in widgets)
        for spec in (*widgets, *controls):
            if spec is not None and spec.name == name:
                return Proxied(path=":".join(path), spec=spec, value=value_of(node, spec))
        if node.class_type not in diagram.subgraphs:
            return None
        subgraph = diagram.subgraphs[node.class_type]
        inner = _shown_by(node.extra, name)
    return None


def _shown_by(extra: Mapping[str, Any], name: str) -> str:
    for each in as_list(as_dict(extra.get("properties")).get("proxyWidgets")):
        pair = as_list(each)
        if len(pair) >= 2 and pair[1] == name:
            return str(pair[0])
    return ""
