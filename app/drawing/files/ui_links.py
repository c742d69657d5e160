"""The connections of a level, as ComfyUI's own file lists them.

The list of links and the sockets of the nodes both say what is connected, and often differ: files
of earlier versions number the inputs otherwise. As in ComfyUI, the input that names a link is
where it ends.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from app.drawing.diagram import ANY_TYPE, ENTRY, EXIT, Link
from app.drawing.files.repairs import Repair, Repairs
from app.drawing.untrusted import as_dict, as_int, as_list

_FIELDS = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
_ENDS = 4  # values of a link after its id

Place = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class Claims:
    """Which sockets name which links, by the ids of the file."""

    nodes: dict[str, str] = field(default_factory=dict[str, str])  # the file's id → ours
    inputs: defaultdict[int, list[Place]] = field(
        default_factory=lambda: defaultdict[int, list[Place]](list)
    )
    outputs: defaultdict[int, list[Place]] = field(
        default_factory=lambda: defaultdict[int, list[Place]](list)
    )
    silent: set[Place] = field(default_factory=set[Place])
    """Inputs that do not say whether something is linked to them."""
    twice: set[str] = field(default_factory=set[str])
    """Nodes whose id in the file others have too."""

    def take_node(self, node_id: str, raw: Mapping[str, Any]) -> None:
        """Note what the sockets of a node name."""
        for index, socket in enumerate(as_list(raw.get("inputs"))):
            given = as_dict(socket)
            link_id = as_int(given.get("link"))
            if link_id is not None:
                self.inputs[link_id].append((node_id, index))
            elif "link" not in given:
                self.silent.add((node_id, index))
        for index, socket in enumerate(as_list(raw.get("outputs"))):
            for each in as_list(as_dict(socket).get("links")):
                link_id = as_int(each)
                if link_id is not None:
                    self.outputs[link_id].append((node_id, index))

    def take_ends(self, node_id: str, sockets: Sequence[Any]) -> None:
        """Note what the inputs or outputs of the subgraph itself name."""
        claimed = self.outputs if node_id == ENTRY else self.inputs
        for index, socket in enumerate(sockets):
            for each in as_list(as_dict(socket).get("linkIds")):
                link_id = as_int(each)
                if link_id is not None:
                    claimed[link_id].append((node_id, index))

    def source(self, link_id: int, node_id: str, slot: int) -> Place | None:
        """Where the link begins."""
        claimed = self.outputs.get(link_id, [])
        if claimed and (node_id, slot) not in claimed and (not node_id or node_id in self.twice):
            return claimed[0]
        return (node_id, slot) if node_id else None

    def target(self, link_id: int, node_id: str, slot: int) -> Place | None:
        """Where the link ends."""
        claimed = self.inputs.get(link_id, [])
        if (node_id, slot) in claimed:
            return node_id, slot
        if claimed:
            return next((each for each in claimed if each[0] == node_id), claimed[0])
        silent = (node_id, slot) in self.silent or node_id == EXIT
        return (node_id, slot) if silent else None


def read_links(
    raw: Any, *, claims: Claims, repairs: Repairs, extensions: Any = None
) -> dict[int, Link]:
    """The links of a level by their ids; those that lead nowhere are left out.

    `extensions` names the bends that a link goes through, where the list cannot.
    """
    bends = {as_int(as_dict(each).get("id")): as_dict(each) for each in as_list(extensions)}
    found: dict[int, Link] = {}
    taken: set[Place] = set()
    later: list[tuple[Place, Place, str, dict[str, Any]]] = []
    for each in as_list(raw):
        parts = _parts(each)
        link_id = as_int(parts.get("id"))
        ends = _ends(link_id, parts, claims=claims) if link_id is not None else None
        if link_id is None or ends is None or ends[1] in taken:
            repairs.add(Repair.BAD_LINK)
            continue
        taken.add(ends[1])
        extra = {key: value for key, value in parts.items() if key not in _FIELDS}
        extra |= {k: v for k, v in bends.get(link_id, {}).items() if k == "parentId"}
        kind = type_of(parts.get("type"))
        if link_id in found or link_id < 0:
            later.append((*ends, kind, extra))
            continue
        found[link_id] = _link(link_id, *ends, kind, extra)
    free = max(found, default=0) + 1
    for number, (source, target, kind, extra) in enumerate(later, start=free):
        found[number] = _link(number, source, target, kind, extra)
    return found


def id_key(raw: Any) -> str:
    """The id of a node in a file, however it is written there."""
    number = as_int(raw)
    return str(raw if number is None else number)


def type_of(value: Any) -> str:
    """A socket's type as files say it: a name, a list of choices, or nothing in particular."""
    if isinstance(value, list):
        return "COMBO"
    return value if isinstance(value, str) and value else ANY_TYPE


def _link(link_id: int, source: Place, target: Place, kind: str, extra: Mapping[str, Any]) -> Link:
    return Link(
        id=link_id,
        source=source[0],
        output=source[1],
        target=target[0],
        input=target[1],
        type=kind,
        extra=extra,
    )


def _ends(link_id: int, parts: Mapping[str, Any], *, claims: Claims) -> tuple[Place, Place] | None:
    source_slot, target_slot = as_int(parts.get("origin_slot")), as_int(parts.get("target_slot"))
    source = claims.source(
        link_id,
        claims.nodes.get(id_key(parts.get("origin_id")), ""),
        source_slot if source_slot is not None else -1,
    )
    target = claims.target(
        link_id,
        claims.nodes.get(id_key(parts.get("target_id")), ""),
        target_slot if target_slot is not None else -1,
    )
    if source is None or target is None or source[1] < 0 or target[1] < 0:
        return None
    return source, target


def _parts(raw: Any) -> dict[str, Any]:
    if isinstance(raw, list):
        values = cast("list[Any]", raw)
        if len(values) > _ENDS:
            return dict(zip(_FIELDS, values, strict=False))
    return as_dict(raw)
