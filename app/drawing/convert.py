"""The graph that runs, made of a drawn workflow.

What is only there for drawing goes: subgraphs are laid open (ids become paths, "12:34"), reroutes
and bypassed nodes are followed through, notes and muted nodes left out, primitives put in as
values. It is the same that ComfyUI's own editor does before it queues.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    pass

from app.drawing.classes import Classes
from app.drawing.diagram import PRIMITIVE, Diagram, DiagramNode
from app.drawing.findings import Finding, Severity
from app.drawing.schema import DISPLAY, InputSpec, NodeSchema, Schemas
from app.drawing.tracing import Origin, Place, Tracing
from app.drawing.widgets import CONTROL, default_of, visible_inputs
from app.graphs.nodes import Graph, Node, is_link
from app.said import Said

_OWN_MODULES = ("nodes", "comfy_extras", "comfy_api_nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A graph in API format, and what was not certain on the way to it."""

    graph: Graph
    findings: tuple[Finding, ...] = ()


def to_api(
    diagram: Diagram, *, schemas: Schemas, outputs: Collection[str] | None = None
) -> Conversion:
    """The graph of a drawn workflow; with `outputs` only what the nodes of those paths need."""
    converting = _Converting(diagram, schemas=schemas)
    graph = converting.graph()
    if outputs is not None:
        needed = _upstream(graph, [path for path in outputs if path in graph])
        graph = {path: node for path, node in graph.items() if path in needed}
    return Conversion(graph=graph, findings=tuple(converting.findings(graph)))


class _Converting:
    def __init__(self, diagram: Diagram, *, schemas: Schemas) -> None:
        self._schemas = schemas
        self._classes = Classes(diagram, schemas=schemas)
        self._tracing = Tracing(diagram)
        self._found: list[tuple[str, Finding]] = []  # with the node that runs

    def graph(self) -> Graph:
        graph: Graph = {}
        for place in self._tracing.running():
            schema = self._schemas.get(place.node.class_type)
            inputs = self._known(place, schema) if schema else self._unknown(place)
            graph[place.path] = Node(
                class_type=place.node.class_type,
                inputs=inputs,
                _meta={"title": self._title(place.path)},
            )
        return graph

    def findings(self, graph: Graph) -> Iterator[Finding]:
        """What there is to say; of nodes that nothing in the graph needs no errors."""
        if not self._tracing.complete:
            yield Finding(
                severity=Severity.ERROR,
                code="too_large",
                message=Said("The workflow has more nodes than can be looked at."),
                fix=Said("Use fewer subgraphs within subgraphs."),
            )
        for path in self._tracing.loops:
            yield _circle(path, Said("This subgraph contains itself."))
        needed = _upstream(graph, [path for path in graph if self._ends_at(graph[path])])
        for path, finding in [*self._found, *_circles(graph)]:
            if path not in graph:
                continue
            idle = finding.severity is Severity.ERROR and path not in needed
            yield replace(finding, severity=Severity.WARNING) if idle else finding

    def _ends_at(self, node: Node) -> bool:
        schema = self._schemas.get(node["class_type"])
        return schema is None or schema.is_output

    def _known(self, place: Place, schema: NodeSchema) -> dict[str, Any]:
        """The inputs of a node whose class is known, in the order of the class."""
        origins = self._origins(place)
        node = self._with_outer_values(place, origins)
        inputs: dict[str, Any] = {}
        for spec in visible_inputs(node, schema):
            linked = sum(self._put(each, origins, node, inputs) for each in spec.grows)
            if spec.grows:
                missing = spec.required and linked < spec.grows_min
            else:
                missing = not self._put(spec, origins, node, inputs) and spec.required
            if missing:
                self._say_missing(place, spec, origins.get(spec.name))
        for spec in schema.inputs:
            # What is only displayed has no value in files, yet servers ask for it.
            if spec.required and spec.type == DISPLAY:
                inputs[spec.name] = {}
        self._put_others(place, node, origins=origins, schema=schema, inputs=inputs)
        return inputs

    def _put(
        self,
        spec: InputSpec,
        origins: Mapping[str, Origin],
        node: DiagramNode,
        inputs: dict[str, Any],
    ) -> bool:
        """Set one input; whether there is something to set it to."""
        origin = origins.get(spec.name)
        if origin is not None and origin.ending == "output":
            inputs[spec.name] = [origin.path, origin.slot]
            return True
        # A link that leads nowhere empties an input for links; a widget has its own value again.
        dead = origin is not None and origin.ending not in ("entry", "primitive")
        if spec.widget is None and (dead or spec.name not in node.values):
            return False
        value = node.values.get(spec.name)
        if value is None and spec.default is None and not spec.required:
            return False
        inputs[spec.name] = _literal(default_of(spec) if value is None else value, spec)
        return True

    def _put_others(
        self,
        place: Place,
        node: DiagramNode,
        *,
        origins: Mapping[str, Origin],
        schema: NodeSchema,
        inputs: dict[str, Any],
    ) -> None:
        """What the node has beyond its class: some custom nodes take what they never told of."""
        # ComfyUI's own classes changed since, then: it would stumble over what they had.
        free = schema.module.partition(".")[0] not in _OWN_MODULES
        for name, origin in origins.items():
            if schema.input(name) is not None or origin.ending != "output":
                continue
            if free:
                inputs[name] = [origin.path, origin.slot]
            else:
                self._say(
                    place.path,
                    "unknown_input",
                    Said("This node has no input {input} any more.", input=name),
                    fix=Said("What is linked to it is left out: take the link away."),
                    name=name,
                )
        for name, value in node.values.items():
            skipped = name in inputs or name.endswith(CONTROL)
            if free and not skipped and schema.input(name) is None:
                inputs[name] = _literal(value)

    def _unknown(self, place: Place) -> dict[str, Any]:
        """The inputs of a node that no known backend has, as well as they can be told."""
        origins = self._origins(place)
        node = self._with_outer_values(place, origins)
        inputs = {
            name: _literal(value)
            for name, value in node.values.items()
            if not name.endswith(CONTROL)
        }
        for name, origin in origins.items():
            if origin.ending == "output":
                inputs[name] = [origin.path, origin.slot]
        if place.node.loose:
            self._say(
                place.path,
                "unnamed_values",
                Said(
                    "The file does not name the values of this node, and no known backend has "
                    "the node class {name}: it runs without them.",
                    name=place.node.class_type,
                ),
                fix=Said("Connect a backend that has the class."),
            )
        return inputs

    def _origins(self, place: Place) -> dict[str, Origin]:
        found: dict[str, Origin] = {}
        for slot, socket in enumerate(place.node.inputs):
            origin = self._tracing.origin(place, slot)
            if origin is not None:
                found[socket.name] = origin
        return found

    def _with_outer_values(self, place: Place, origins: Mapping[str, Origin]) -> DiagramNode:
        """The node with those values that primitives and subgraph nodes around it set."""
        outer: dict[str, Any] = {}
        for name, origin in origins.items():
            if origin.ending == "primitive":
                source = self._tracing.places[origin.path].node
                outer[name] = _of_primitive(source)
            elif origin.ending == "entry":
                # The outermost counts: it is the one that people see.
                path, shown_as = origin.via[-1]
                instance = self._tracing.places[path].node
                shown = self._classes.get(instance.class_type)
                spec = shown.input(shown_as) if shown else None
                value = instance.values.get(shown_as, spec.default if spec else None)
                if value is not None:
                    outer[name] = value
        if not outer:
            return place.node
        return replace(place.node, values={**place.node.values, **outer})

    def _say_missing(self, place: Place, spec: InputSpec, origin: Origin | None) -> None:
        path, name = place.path, spec.name
        code, message = "unconnected", Said("{input} is not connected.", input=name)
        fix = Said("Connect it, or mute the node.")
        if origin is not None and origin.ending in ("muted", "bypassed"):
            title = self._title(origin.path)
            fix = Said("Switch {node} on, or switch this one off, too.", node=title)
            code, message = _cut_off(origin, name, title)
        elif origin is not None and origin.via:
            path, name = origin.via[-1]
            message = Said("{input} is not connected.", input=name)
        finding = Finding(
            severity=Severity.ERROR, code=code, message=message, fix=fix, node_id=path, input=name
        )
        self._found.append((place.path, finding))

    def _title(self, path: str) -> str:
        node = self._tracing.places[path].node
        schema = self._classes.get(node.class_type)
        return node.title or (schema.name if schema else node.class_type)

    def _say(
        self, path: str, code: str, message: str, *, fix: str, name: str | None = None
    ) -> None:
        finding = Finding(
            severity=Severity.WARNING, code=code, message=message, fix=fix, node_id=path, input=name
        )
        self._found.append((path, finding))


def _cut_off(origin: Origin, name: str, title: str) -> tuple[str, Said]:
    """What to say of an input whose source does not run."""
    if origin.ending == "muted":
        message = Said("{input} comes from {node}, which is muted.", input=name, node=title)
        return "muted_source", message
    message = Said(
        "{input} comes from {node}, which is bypassed and has nothing to give on.",
        input=name,
        node=title,
    )
    return "bypassed_source", message


def _circles(graph: Graph) -> Iterator[tuple[str, Finding]]:
    """Nodes that need their own result."""
    import networkx as nx  # here, because it takes a tenth of the start of the app

    needs: nx.DiGraph[str] = nx.DiGraph()
    for path, node in graph.items():
        needs.add_edges_from(
            (value[0], path) for value in node["inputs"].values() if is_link(value)
        )
    for part in nx.strongly_connected_components(needs):
        first = min(part)
        if len(part) > 1 or needs.has_edge(first, first):
            for path in sorted(part):
                yield path, _circle(path, Said("The node depends on its own result."))


def _circle(path: str, message: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="cycle",
        message=message,
        fix=Said("Take away one of the links of the circle."),
        node_id=path,
    )


def _of_primitive(node: DiagramNode) -> Any:
    """The value that a primitive gives to what it is linked to."""
    assert node.class_type == PRIMITIVE
    return node.values["value"] if "value" in node.values else next(iter(node.loose), None)


def _literal(value: Any, spec: InputSpec | None = None) -> Any:
    """A value as a graph has it: a bare list there would be a link."""
    if isinstance(value, list | tuple):
        return {"__value__": list(cast("list[Any]", value))}
    if spec is not None and spec.widget == "int" and isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value


def _upstream(graph: Graph, paths: Collection[str]) -> set[str]:
    """Those nodes, and all that they need."""
    needed: set[str] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path in needed or path not in graph:
            continue
        needed.add(path)
        waiting += [value[0] for value in graph[path]["inputs"].values() if is_link(value)]
    return needed
