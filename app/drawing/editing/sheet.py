"""The level of a drawn workflow that somebody is changing: a copy to write into."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count

from app.drawing.classes import Classes
from app.drawing.diagram import (
    ANY_TYPE,
    Diagram,
    DiagramNode,
    Group,
    Level,
    Link,
    Parameter,
    Socket,
    Subgraph,
    node_at,
)
from app.drawing.layout import size_of
from app.drawing.nesting import in_use, within
from app.drawing.schema import NodeSchema, Schemas
from app.errors import InvalidRequestError
from app.said import Said

MAX_NODES = 5_000
"""Of a level; what is pasted or added beyond that is refused."""


class Sheet:
    """One level with everything that a change of it may touch."""

    def __init__(
        self, diagram: Diagram, inside: str | None, *, schemas: Schemas, path: str = ""
    ) -> None:
        """The root, or the inside of the subgraph of that id."""
        level = diagram.root if inside is None else diagram.subgraphs[inside].level
        self.inside = inside
        self.path = path
        self.schemas = schemas
        self.nodes = dict(level.nodes)
        self.links = dict(level.links)
        self.groups = level.groups
        self.subgraphs = dict(diagram.subgraphs)
        self.parameters = diagram.parameters
        self._diagram = diagram
        self._node_ids: Iterator[int] | None = None
        self._link_ids = count(max(0, *self.links, 0) + 1)

    @classmethod
    def at(cls, diagram: Diagram, path: str, *, schemas: Schemas) -> "Sheet":
        """The level with that path.

        Raises:
            InvalidRequestError: there is none.
        """
        try:
            inside = node_at(diagram, path).class_type if path else None
            return cls(diagram, inside, schemas=schemas, path=path)
        except KeyError as exc:
            raise InvalidRequestError(
                "path",
                Said("This subgraph is not there any more."),
                fix=Said("Go back to the whole workflow."),
            ) from exc

    @property
    def classes(self) -> Classes:
        """The classes of the nodes as they are now."""
        return Classes(replace(self._diagram, subgraphs=self.subgraphs), schemas=self.schemas)

    @property
    def level(self) -> Level:
        """The level as it is now."""
        return Level(nodes=self.nodes, links=self.links, groups=self.groups)

    def schema(self, node: DiagramNode) -> NodeSchema | None:
        """The class of a node of this level."""
        return self.classes.of(node, self.level)

    def size(self, node: DiagramNode) -> tuple[float, float]:
        """How large a node is, about, if nobody chose its size."""
        return size_of(node, self.classes.get(node.class_type))

    def bounds(self, nodes: Iterable[DiagramNode]) -> tuple[float, float, float, float]:
        """The left, top, right and bottom end of the nodes together; all 0 for none."""
        listed = [(node.pos, self.size(node)) for node in nodes]
        if not listed:
            return (0.0, 0.0, 0.0, 0.0)
        return (
            min(pos[0] for pos, _ in listed),
            min(pos[1] for pos, _ in listed),
            max(pos[0] + size[0] for pos, size in listed),
            max(pos[1] + size[1] for pos, size in listed),
        )

    def node(self, node_id: str) -> DiagramNode:
        """The node with that id.

        Raises:
            InvalidRequestError: there is none.
        """
        node = self.nodes.get(node_id)
        if node is None:
            raise InvalidRequestError("id", Said("Node {id} is not there any more.", id=node_id))
        return node

    def put(self, node: DiagramNode) -> None:
        """Write a node, new or changed."""
        if node.id not in self.nodes and len(self.nodes) >= MAX_NODES:
            raise InvalidRequestError(
                "ops", Said("No more than {n} nodes fit into one workflow.", n=MAX_NODES)
            )
        self.nodes[node.id] = node

    def change(self, node_ids: Iterable[str], with_: Callable[[DiagramNode], DiagramNode]) -> None:
        """Change those of the nodes that are there."""
        for node_id in node_ids:
            if node_id in self.nodes:
                self.nodes[node_id] = with_(self.nodes[node_id])

    def full_path(self, node_id: str) -> str:
        """The path of a node of this level, from the whole workflow on."""
        return f"{self.path}:{node_id}" if self.path else node_id

    def split(self, path: str) -> tuple[list[str], str | None, list[str]]:
        """A path as what leads to this level, the node in it, and what follows inside of it.

        The node is None where the path does not lead through this level.
        """
        parts = path.split(":")
        current: str | None = None
        level = self._diagram.root
        for at, part in enumerate(parts):
            if current == self.inside:
                return parts[:at], part, parts[at + 1 :]
            node = level.nodes.get(part)
            if node is None or node.class_type not in self._diagram.subgraphs:
                break
            current = node.class_type
            level = self._diagram.subgraphs[current].level
        return parts, None, []

    def new_node_id(self) -> str:
        """One that no node of the whole workflow has, nor any field of the form."""
        if self._node_ids is None:
            levels = [self._diagram.root, *(each.level for each in self.subgraphs.values())]
            used = [int(key) for level in levels for key in level.nodes]
            used += [int(key) for key in self.nodes]
            named = [part for each in self.parameters for part in each.node.split(":")]
            used += [int(part) for part in named if part.isdecimal()]
            self._node_ids = count(max(0, *used, 0) + 1)
        return str(next(self._node_ids))

    def new_link_id(self) -> int:
        """One that no link of the level has, nor had when this change began."""
        return next(self._link_ids)

    def link(
        self, source: str, output: int, target: str, index: int, *, type_: str = ANY_TYPE
    ) -> Link:
        """Draw a link; the one that fed the input before goes."""
        for old in self.feeding(target, index):
            del self.links[old.id]
        link = Link(
            id=self.new_link_id(),
            source=source,
            output=output,
            target=target,
            input=index,
            type=type_,
        )
        self.links[link.id] = link
        return link

    def feeding(self, node_id: str, index: int | None = None) -> list[Link]:
        """The links into a node, or into one of its inputs."""
        return [
            each
            for each in self.links.values()
            if each.target == node_id and (index is None or each.input == index)
        ]

    def leaving(self, node_id: str, index: int | None = None) -> list[Link]:
        """The links out of a node, or out of one of its outputs."""
        return [
            each
            for each in self.links.values()
            if each.source == node_id and (index is None or each.output == index)
        ]

    def set_inputs(self, node_id: str, sockets: Iterable[tuple[Socket, int | None]]) -> None:
        """Give a node other inputs, each with the index it had; links move along or go."""
        listed = list(sockets)
        moved = {old: new for new, (_, old) in enumerate(listed) if old is not None}
        self.nodes[node_id] = replace(
            self.nodes[node_id], inputs=tuple(socket for socket, _ in listed)
        )
        for link in self.feeding(node_id):
            if link.input not in moved:
                del self.links[link.id]
            elif moved[link.input] != link.input:
                self.links[link.id] = replace(link, input=moved[link.input])

    def set_outputs(self, node_id: str, sockets: Iterable[tuple[Socket, int | None]]) -> None:
        """Give a node other outputs, each with the index it had; links move along or go."""
        listed = list(sockets)
        moved = {old: new for new, (_, old) in enumerate(listed) if old is not None}
        self.nodes[node_id] = replace(
            self.nodes[node_id], outputs=tuple(socket for socket, _ in listed)
        )
        for link in self.leaving(node_id):
            if link.output not in moved:
                del self.links[link.id]
            elif moved[link.output] != link.output:
                self.links[link.id] = replace(link, output=moved[link.output])

    def subgraph(self) -> Subgraph:
        """The subgraph whose inside this level is.

        Raises:
            InvalidRequestError: the level is the whole workflow.
        """
        if self.inside is None:
            raise InvalidRequestError("path", Said("This only works inside a subgraph."))
        return self.subgraphs[self.inside]

    def forget_unused(self, class_types: Iterable[str]) -> None:
        """Drop those of the subgraphs, and what is only in them, that nothing stands for now."""
        dropped = {each for name in class_types for each in within(self.subgraphs, name)}
        if not dropped:
            return
        diagram = self.done()
        used = in_use(diagram.root, diagram.subgraphs)
        if self.inside is not None:
            used.add(self.inside)
        for name in dropped - used:
            del self.subgraphs[name]

    def set_groups(self, groups: Iterable[Group]) -> None:
        """Draw other frames."""
        self.groups = tuple(groups)

    def set_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Make another form."""
        self.parameters = tuple(parameters)

    def done(self) -> Diagram:
        """The whole workflow with what was changed."""
        subgraphs = self.subgraphs
        root = self._diagram.root
        if self.inside is None:
            root = self.level
        else:
            subgraphs = {
                **subgraphs,
                self.inside: replace(subgraphs[self.inside], level=self.level),
            }
        return replace(self._diagram, root=root, subgraphs=subgraphs, parameters=self.parameters)
