"""A workflow as people draw it: nodes with places, links, groups, notes, subgraphs.

Immutable, so that a version shares with the one before it whatever did not change: undo keeps
whole diagrams, and what differs between two is found by identity. `app.drawing.files.ui_format`
reads and writes it as the file that ComfyUI itself keeps; `app.drawing.convert` makes the graph
that runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

ENTRY = "-10"
"""The node inside a subgraph whose outputs are the inputs of the subgraph."""
EXIT = "-20"
"""The node inside a subgraph whose inputs are the outputs of the subgraph."""
NOTES = frozenset({"Note", "MarkdownNote"})
REROUTE = "Reroute"
PRIMITIVE = "PrimitiveNode"
VIRTUAL = NOTES | {REROUTE, PRIMITIVE}
"""Node classes that only exist while drawing; no server has them."""
NOTE_TEXT = "text"
"""The widget of a note."""
ANY_TYPE = "*"

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the canvas at 100 %."""


class Mode(StrEnum):
    """Whether a node takes part in a run."""

    ACTIVE = "active"
    MUTED = "muted"
    """It does not run, nor does what needs it."""
    BYPASSED = "bypassed"
    """It does not run; its inputs go straight to its outputs where their types fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """An input or output of a node that a link can end at."""

    name: str
    type: str  # "MODEL", several as "IMAGE,MASK", or ANY_TYPE
    label: str | None = None  # what people call it, if not the name
    widget: bool = False  # an input in place of the widget of that name
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagramNode:
    """A node where it was put."""

    id: str  # of a number, as in the file; unique in its level
    class_type: str  # or the id of a subgraph
    title: str | None = None  # None: the class's own
    pos: tuple[float, float] = (0.0, 0.0)
    size: tuple[float, float] | None = None
    mode: Mode = Mode.ACTIVE
    collapsed: bool = False
    color: str | None = None  # of the head, as "#rrggbb"
    inputs: tuple[Socket, ...] = ()
    outputs: tuple[Socket, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The widgets' values by name; of dynamic choices also `parent.child`."""
    loose: tuple[Any, ...] = ()
    """Values without names, because the class was unknown when the file was read."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the file said of it, written back on export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A line from an output to an input, each by its index at the node."""

    id: int
    source: str
    output: int
    target: str
    input: int
    type: str = ANY_TYPE
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A frame with a title around nodes."""

    id: int
    title: str
    box: Box
    color: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is seen at once: the whole workflow, or the inside of a subgraph."""

    nodes: Mapping[str, DiagramNode] = field(default_factory=dict[str, DiagramNode])
    links: Mapping[int, Link] = field(default_factory=dict[int, Link])
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """A definition that nodes of its id stand for; one may be used many times."""

    id: str
    name: str
    inputs: tuple[Socket, ...] = ()
    outputs: tuple[Socket, ...] = ()
    level: Level = Level()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


ParameterType = Literal[
    "int", "float", "text", "multiline", "bool", "choice", "seed", "image", "video", "audio"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A widget that is a field of the form; its value in the graph is the default."""

    name: str  # how requests call it: prompt, negative_prompt, seed, steps, upscale_by, …
    node: str  # the path of the node: "3", or inside subgraph nodes "12:34"
    input: str  # the widget
    type: ParameterType
    label: str
    help: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()  # of a choice; none: whatever the backends offer
    section: str = ""
    class_type: str = ""  # to find the node again when ids change
    title: str = ""  # of the node, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """A whole workflow as drawn, with the form it makes."""

    root: Level = Level()
    subgraphs: Mapping[str, Subgraph] = field(default_factory=dict[str, Subgraph])
    parameters: tuple[Parameter, ...] = ()
    """In the order of the form."""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the file said, written back on export."""


def level_at(diagram: Diagram, path: str) -> Level:
    """The level inside the subgraph node with that path; "" is the whole workflow.

    Raises:
        KeyError: there is no such node, or it is no subgraph.
    """
    level = diagram.root
    for node_id in path.split(":") if path else ():
        level = diagram.subgraphs[level.nodes[node_id].class_type].level
    return level


def node_at(diagram: Diagram, path: str) -> DiagramNode:
    """The node with that path.

    Raises:
        KeyError: there is none.
    """
    parent, _, node_id = path.rpartition(":")
    return level_at(diagram, parent).nodes[node_id]
