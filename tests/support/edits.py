"""Operations on a drawn workflow, as a browser sends them."""

import json
from typing import Any

import pytest

from app.drawing.diagram import Diagram, Parameter
from app.drawing.editing.applying import apply
from app.drawing.editing.operations import read_operations
from app.errors import InvalidRequestError
from tests.support.diagrams import schemas

SEED = Parameter(
    name="seed", node="3", input="seed", type="seed", label="Seed", class_type="KSampler"
)


def do(diagram: Diagram, *ops: dict[str, Any], path: str = "") -> Diagram:
    """The diagram after the operations, as a browser sends them."""
    for each in read_operations(json.loads(json.dumps(ops))):
        diagram = apply(diagram, path, each, schemas=schemas())
    return diagram


def refused(diagram: Diagram, *ops: dict[str, Any], path: str = "") -> str:
    """The sentence that the operations are refused with."""
    with pytest.raises(InvalidRequestError) as caught:
        do(diagram, *ops, path=path)
    return str(caught.value)


def add(class_type: str, *, x: float = 0, **more: Any) -> dict[str, Any]:
    """The operation which adds a node."""
    return {"op": "add", "class": class_type, "pos": [x, 0], **more}


def connect(source: str, output: int, target: str, name: str) -> dict[str, Any]:
    """The operation which links two nodes."""
    return {"op": "connect", "from": [source, output], "to": [target, name]}


def value(node_id: str, name: str, to: Any) -> dict[str, Any]:
    """The operation which sets a widget."""
    return {"op": "value", "id": node_id, "name": name, "value": to}


def drawn_links(diagram: Diagram) -> set[tuple[str, int, str, str]]:
    """The links of the top level, by the names of the inputs."""
    nodes = diagram.root.nodes
    return {
        (link.source, link.output, link.target, nodes[link.target].inputs[link.input].name)
        for link in diagram.root.links.values()
    }
