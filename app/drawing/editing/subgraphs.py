"""Subgraphs made of nodes, taken apart, renamed."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from app.drawing.diagram import (
    ANY_TYPE,
    ENTRY,
    EXIT,
    DiagramNode,
    Group,
    Level,
    Link,
    Mode,
    Parameter,
    Socket,
    Subgraph,
)
from app.drawing.editing import operations as ops
from app.drawing.editing.ends import free_name, instance_input
from app.drawing.editing.fitting import is_upstream, output_type
from app.drawing.editing.sheet import Sheet
from app.errors import InvalidRequestError
from app.said import Said

_END_WIDTH = 120.0
_END_GAP = 80.0


def make(sheet: Sheet, op: ops.SubgraphMake) -> None:
    """Put nodes into a new subgraph and one node for them in their place."""
    chosen = {node_id: sheet.nodes[node_id] for node_id in op.ids if node_id in sheet.nodes}
    if not chosen:
        raise InvalidRequestError("ids", Said("Select the nodes first."))
    _refuse_detour(sheet, chosen)
    maker = _Maker(sheet, chosen, name=op.name.strip() or "Subgraph")
    instance = maker.made()
    sheet.parameters = repathed(
        sheet, lambda rest: [instance.id, *rest] if rest[0] in chosen else None
    )


def _refuse_detour(sheet: Sheet, chosen: dict[str, DiagramNode]) -> None:
    """Refuse nodes with another between them: what stands for them would feed itself."""
    level = sheet.level
    outside = {link.target for link in sheet.links.values() if link.source in chosen} - set(chosen)
    for node_id in outside - {EXIT}:
        if any(is_upstream(level, node_id, of=each) for each in chosen):
            raise InvalidRequestError(
                "ids",
                Said("This subgraph would feed itself."),
                fix=Said("Select the nodes between as well."),
            )


class _Maker:
    """Draws the inside and the node for it."""

    def __init__(self, sheet: Sheet, chosen: dict[str, DiagramNode], *, name: str) -> None:
        self._sheet = sheet
        self._chosen = chosen
        self._name = name
        self._inputs: list[Socket] = []
        self._outputs: list[Socket] = []
        self._inner: dict[int, Link] = {}
        self._outer: list[Link] = []
        self._instance_id = sheet.new_node_id()
        self._kinds = {
            link.id: output_type(sheet, link.source, link.output)
            if link.type == ANY_TYPE
            else link.type
            for link in sheet.links.values()
        }

    def made(self) -> DiagramNode:
        """Change the sheet; the node that stands for the others now."""
        sheet = self._sheet
        for link in [*sheet.links.values()]:
            inside, outside = link.target in self._chosen, link.source in self._chosen
            if inside and outside:
                self._inner[link.id] = link
            elif inside:
                self._let_in(link)
            elif outside:
                self._let_out(link)
            else:
                continue
            del sheet.links[link.id]
        subgraph = self._subgraph()
        for node_id in self._chosen:
            del sheet.nodes[node_id]
        sheet.subgraphs[subgraph.id] = subgraph
        schema = sheet.classes.get(subgraph.id)
        left, top, *_ = sheet.bounds(self._chosen.values())
        node = DiagramNode(
            id=self._instance_id,
            class_type=subgraph.id,
            pos=(left, top),
            inputs=tuple(instance_input(each, schema) for each in subgraph.inputs),
            outputs=tuple(Socket(name=each.name, type=each.type) for each in subgraph.outputs),
        )
        sheet.put(node)
        for link in self._outer:
            sheet.links[link.id] = link
        return node

    def _let_in(self, link: Link) -> None:
        same = [
            each
            for each in self._outer
            if each.target == self._instance_id
            and (each.source, each.output) == (link.source, link.output)
        ]
        if same:
            index = same[0].input
        else:
            index = len(self._inputs)
            sockets = self._chosen[link.target].inputs
            name = sockets[link.input].name if link.input < len(sockets) else ""
            kind = self._kinds[link.id]
            if kind == ANY_TYPE and link.input < len(sockets):
                kind = sockets[link.input].type
            fresh = free_name(self._inputs, name or kind.lower())
            self._inputs.append(Socket(name=fresh, type=kind))
            self._outer.append(replace(link, target=self._instance_id, input=index))
        inner = self._sheet.new_link_id()
        self._inner[inner] = Link(
            id=inner,
            source=ENTRY,
            output=index,
            target=link.target,
            input=link.input,
            type=link.type,
        )

    def _let_out(self, link: Link) -> None:
        known = [
            each.input
            for each in self._inner.values()
            if each.target == EXIT and (each.source, each.output) == (link.source, link.output)
        ]
        if not known:
            sockets = self._chosen[link.source].outputs
            name = sockets[link.output].name if link.output < len(sockets) else ""
            kind = self._kinds[link.id]
            known = [len(self._outputs)]
            self._outputs.append(Socket(name=free_name(self._outputs, name or kind), type=kind))
            inner = self._sheet.new_link_id()
            self._inner[inner] = replace(link, id=inner, target=EXIT, input=known[0], extra={})
        self._outer.append(replace(link, source=self._instance_id, output=known[0]))

    def _subgraph(self) -> Subgraph:
        left, top, right, _ = self._sheet.bounds(self._chosen.values())
        ends = {
            "inputNode": (left - _END_WIDTH - _END_GAP, len(self._inputs)),
            "outputNode": (right + _END_GAP, len(self._outputs)),
        }
        return Subgraph(
            id=str(uuid4()),
            name=self._name,
            inputs=tuple(self._inputs),
            outputs=tuple(self._outputs),
            level=Level(nodes=self._chosen, links=self._inner),
            extra={
                end: {
                    "id": int(ENTRY if end == "inputNode" else EXIT),
                    "bounding": [x, top, _END_WIDTH, 40.0 + 20.0 * sockets],
                }
                for end, (x, sockets) in ends.items()
            },
        )


def unpack(sheet: Sheet, op: ops.SubgraphUnpack) -> None:
    """Put copies of the inside of a subgraph where the node for it was."""
    instance = sheet.node(op.id)
    subgraph = sheet.subgraphs.get(instance.class_type)
    if subgraph is None:
        raise InvalidRequestError("id", Said("This node is no subgraph."))
    ids = {node_id: sheet.new_node_id() for node_id in subgraph.level.nodes}
    fed = {
        instance.inputs[link.input].name: link
        for link in sheet.feeding(instance.id)
        if link.input < len(instance.inputs)
    }
    leaving = sheet.leaving(instance.id)
    sheet.parameters = _unpacked_form(sheet, instance, subgraph, ids)
    del sheet.nodes[instance.id]
    for link in [*sheet.feeding(instance.id), *leaving]:
        del sheet.links[link.id]
    _put_inside(sheet, instance, subgraph, ids, fed=set(fed))
    for link in subgraph.level.links.values():
        source: tuple[str, int] | None = (ids.get(link.source, ""), link.output)
        if link.source == ENTRY and link.output < len(subgraph.inputs):
            outer = fed.get(subgraph.inputs[link.output].name)
            source = (outer.source, outer.output) if outer is not None else None
        if source is None or not source[0]:
            continue
        if link.target in ids:
            sheet.link(*source, ids[link.target], link.input, type_=link.type)
        elif link.target == EXIT:
            for each in leaving:
                if each.output == link.input:
                    sheet.link(*source, each.target, each.input, type_=each.type)
    sheet.forget_unused([subgraph.id])


def _put_inside(
    sheet: Sheet,
    instance: DiagramNode,
    subgraph: Subgraph,
    ids: dict[str, str],
    *,
    fed: set[str],
) -> None:
    """Copies of the nodes and groups, with the values that the node had for them."""
    level = subgraph.level
    left, top, *_ = sheet.bounds(level.nodes.values())
    shift = (instance.pos[0] - left, instance.pos[1] - top)
    for node_id, node in level.nodes.items():
        mode = node.mode if node.mode is not Mode.ACTIVE else instance.mode
        pos = (node.pos[0] + shift[0], node.pos[1] + shift[1])
        sheet.put(replace(node, id=ids[node_id], pos=pos, mode=mode))
    for link in level.links.values():
        if link.source != ENTRY or link.output >= len(subgraph.inputs) or link.target not in ids:
            continue
        name = subgraph.inputs[link.output].name
        node = sheet.nodes[ids[link.target]]
        if name in instance.values and name not in fed and link.input < len(node.inputs):
            values = {**node.values, node.inputs[link.input].name: instance.values[name]}
            sheet.put(replace(node, values=values))
    number = max((each.id for each in sheet.groups), default=0)
    moved = [_moved(each, id_=number + 1 + at, by=shift) for at, each in enumerate(level.groups)]
    sheet.set_groups((*sheet.groups, *moved))


def _moved(group: Group, *, id_: int, by: tuple[float, float]) -> Group:
    x, y, width, height = group.box
    return replace(group, id=id_, box=(x + by[0], y + by[1], width, height))


def _unpacked_form(
    sheet: Sheet, instance: DiagramNode, subgraph: Subgraph, ids: dict[str, str]
) -> tuple[Parameter, ...]:
    """The form with the fields of the subgraph bound to the copies."""
    targets: dict[str, tuple[str, str]] = {}
    for link in subgraph.level.links.values():
        node = subgraph.level.nodes.get(link.target)
        if link.source == ENTRY and node is not None and link.input < len(node.inputs):
            name = subgraph.inputs[link.output].name if link.output < len(subgraph.inputs) else ""
            targets.setdefault(name, (ids[node.id], node.inputs[link.input].name))
    form: list[Parameter] = []
    for parameter in sheet.parameters:
        head, at, rest = sheet.split(parameter.node)
        if at == instance.id and not rest and parameter.input in targets:
            node_id, widget = targets[parameter.input]
            parameter = replace(parameter, node=":".join([*head, node_id]), input=widget)
        elif at == instance.id and rest and rest[0] in ids:
            parameter = replace(parameter, node=":".join([*head, ids[rest[0]], *rest[1:]]))
        form.append(parameter)
    return tuple(form)


def repathed(sheet: Sheet, to: Callable[[list[str]], list[str] | None]) -> tuple[Parameter, ...]:
    """The form with the nodes of this level elsewhere: `to` gets a path from this level on."""
    form: list[Parameter] = []
    for parameter in sheet.parameters:
        head, at, rest = sheet.split(parameter.node)
        new = to([at, *rest]) if at is not None else None
        form.append(
            replace(parameter, node=":".join([*head, *new])) if new is not None else parameter
        )
    return tuple(form)


def rename(sheet: Sheet, op: ops.SubgraphRename) -> None:
    """Call a subgraph something else."""
    node = sheet.node(op.id)
    subgraph = sheet.subgraphs.get(node.class_type)
    if subgraph is None:
        raise InvalidRequestError("id", Said("This node is no subgraph."))
    sheet.subgraphs[subgraph.id] = replace(subgraph, name=op.name)


def drop(sheet: Sheet, op: ops.SubgraphDrop) -> None:
    """Take an input or output off the subgraph that is open, with its links."""
    subgraph = sheet.subgraph()
    sockets = subgraph.inputs if op.side == "input" else subgraph.outputs
    index = next((at for at, each in enumerate(sockets) if each.name == op.name), None)
    if index is None:
        raise InvalidRequestError(
            "name", Said("The subgraph has no {name} any more.", name=op.name)
        )
    left = (*sockets[:index], *sockets[index + 1 :])
    for link in [*sheet.links.values()]:
        at_end = link.source == ENTRY if op.side == "input" else link.target == EXIT
        place = link.output if op.side == "input" else link.input
        if not at_end or place < index:
            continue
        if place == index:
            del sheet.links[link.id]
        elif op.side == "input":
            sheet.links[link.id] = replace(link, output=place - 1)
        else:
            sheet.links[link.id] = replace(link, input=place - 1)
    changed = (
        replace(subgraph, inputs=left) if op.side == "input" else replace(subgraph, outputs=left)
    )
    sheet.subgraphs[subgraph.id] = changed
