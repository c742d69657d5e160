"""What is wrong with a drawn workflow, node by node, as it is being drawn.

Told by the classes that any known backend has. An `error` is what a server with every class and
model would still refuse; what no known backend has is a `warning`. Which backends can run what
is drawn is another question, see `app.drawing.checks.readiness`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

from app.drawing.checks.judging import Verdict, judge
from app.drawing.checks.readiness import Lack, Readiness, runs_on
from app.drawing.classes import Classes
from app.drawing.diagram import ANY_TYPE, Diagram, DiagramNode
from app.drawing.findings import Finding, Severity
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.drawing.tracing import Origin, Place, Tracing, effective, types_fit
from app.drawing.widgets import default_of, visible_inputs
from app.said import Said

__all__ = ["Lack", "Readiness", "check", "runs_on"]

_MOST = 2000  # findings; nobody reads more
_EXACT = 2**53
_SEVERITIES = {
    "bad_type": Severity.ERROR,
    "bad_value": Severity.ERROR,
    "missing_model": Severity.WARNING,
    "missing_file": Severity.WARNING,
    "renamed_model": Severity.INFO,
}


def check(diagram: Diagram, *, schemas: Schemas) -> tuple[Finding, ...]:
    """What is to say about a workflow; nothing stands for a workflow that should run."""
    return tuple(_Checking(diagram, schemas=schemas).findings())


class _Checking:
    def __init__(self, diagram: Diagram, *, schemas: Schemas) -> None:
        self.tracing = Tracing(diagram)
        self.classes = Classes(diagram, schemas=schemas)
        self.schemas = schemas
        self.running = tuple(self.tracing.running())
        self.origins = {place.path: self._origins(place) for place in self.running}
        self.needed = self._needed()

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        for each in self._all():
            found.append(each)
            if len(found) >= _MOST:
                break
        return found

    def _all(self) -> Iterator[Finding]:
        yield from self._whole()
        yield from self._cycles()
        for place in self.running:
            schema = self.schemas.get(place.node.class_type)
            if schema is None:
                yield _unknown(place)
                continue
            for finding in self._of_node(place, schema):
                # A server only looks at what its output nodes need.
                idle = place.path not in self.needed and finding.severity is Severity.ERROR
                yield replace(finding, severity=Severity.WARNING) if idle else finding

    def _origins(self, place: Place) -> dict[str, Origin]:
        found = {
            socket.name: self.tracing.origin(place, slot)
            for slot, socket in enumerate(place.node.inputs)
        }
        return {name: origin for name, origin in found.items() if origin is not None}

    def _needed(self) -> frozenset[str]:
        """The nodes that something which saves or shows depends on."""
        waiting = [place.path for place in self.running if self._ends_here(place)]
        needed: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path not in needed:
                needed.add(path)
                origins = self.origins.get(path, {}).values()
                waiting += [origin.path for origin in origins if origin.ending == "output"]
        return frozenset(needed)

    def _ends_here(self, place: Place) -> bool:
        schema = self.schemas.get(place.node.class_type)
        return schema is None or schema.is_output

    def _whole(self) -> Iterator[Finding]:
        if not self.tracing.complete:
            yield Finding(
                severity=Severity.ERROR,
                code="too_large",
                message=Said("The workflow has more nodes than can be looked at."),
                fix=Said("Use fewer subgraphs within subgraphs."),
            )
        known = [self.schemas.get(place.node.class_type) for place in self.running]
        if not any(schema is not None and schema.is_output for schema in known):
            certain = None not in known
            yield Finding(
                severity=Severity.ERROR if certain else Severity.WARNING,
                code="no_output",
                message=Said("No node saves or shows a result."),
                fix=Said("Add one, such as Save Image, and connect it."),
            )

    def _cycles(self) -> Iterator[Finding]:
        import networkx as nx  # here, because it takes a tenth of the start of the app

        for path in self.tracing.loops:
            yield _cycle(path, Said("This subgraph contains itself."))
        graph: nx.DiGraph[str] = nx.DiGraph()
        for path, origins in self.origins.items():
            for origin in origins.values():
                if origin.ending == "output":
                    graph.add_edge(origin.path, path)
                elif origin.ending == "cycle":
                    yield _cycle(path, Said("What feeds this node leads back to itself."))
        for part in nx.strongly_connected_components(graph):
            first = min(part)
            if len(part) > 1 or graph.has_edge(first, first):
                for path in sorted(part):
                    yield _cycle(path, Said("The node depends on its own result."))

    def _of_node(self, place: Place, schema: NodeSchema) -> Iterator[Finding]:
        if schema.deprecated:
            yield Finding(
                severity=Severity.INFO,
                code="deprecated",
                message=Said("The node class {name} is deprecated.", name=schema.name),
                node_id=place.path,
            )
        origins = self.origins[place.path]
        for spec in visible_inputs(self._as_run(place, schema), schema):
            if spec.grows:
                yield from self._growing(place, spec)
                continue
            origin = origins.get(spec.name)
            if origin is None or origin.ending == "entry" or origin.ending == "primitive":
                yield from self._own(place, spec, origin)
            else:
                yield from self._linked(place, spec, origin)

    def _as_run(self, place: Place, schema: NodeSchema) -> DiagramNode:
        """The node with the choices of a run: a subgraph node around it may make them."""
        chosen = {
            spec.name: effective(self.tracing, place, spec.name, default=spec.default)
            for spec in schema.inputs
            if spec.children and spec.name in self.origins[place.path]
        }
        node = place.node
        return replace(node, values={**node.values, **chosen}) if chosen else node

    def _growing(self, place: Place, spec: InputSpec) -> Iterator[Finding]:
        origins = self.origins[place.path]
        linked = 0
        for each in spec.grows:
            origin = origins.get(each.name)
            if origin is not None:
                linked += 1
                yield from self._linked(place, replace(each, required=False), origin)
        if spec.required and linked < spec.grows_min:
            yield _unconnected(place.path, spec.name)

    def _own(self, place: Place, spec: InputSpec, origin: Origin | None) -> Iterator[Finding]:
        """An input that has its value from a widget."""
        if spec.widget is None:
            held = spec.name in place.node.values or self._set_outside(origin)
            if spec.required and not held:
                yield self._empty(place, spec, origin)
            return
        value = effective(self.tracing, place, spec.name, default=default_of(spec))
        if value is None and not spec.required:
            return
        verdict = judge(value, spec, class_type=place.node.class_type)
        if verdict is None:
            return
        where, name = place.path, spec.name
        if origin is not None and origin.ending == "primitive":
            where, name = origin.path, "value"
        elif origin is not None and origin.via:
            where, name = origin.via[-1]
        yield _judged(where, name, verdict)

    def _set_outside(self, origin: Origin | None) -> bool:
        """Whether a subgraph node around it has a widget for it, or a primitive a value."""
        if origin is None or not origin.via:
            return origin is not None and origin.ending == "primitive"
        path, name = origin.via[-1]
        schema = self.classes.get(self.tracing.places[path].node.class_type)
        spec = schema.input(name) if schema is not None else None
        return spec is not None and spec.widget is not None

    def _empty(self, place: Place, spec: InputSpec, origin: Origin | None) -> Finding:
        if origin is not None and origin.via:
            return _unconnected(*origin.via[-1])
        return _unconnected(place.path, spec.name)

    def _linked(self, place: Place, spec: InputSpec, origin: Origin) -> Iterator[Finding]:
        if origin.ending == "output":
            yield from self._typed(place, spec, origin)
        elif spec.required and origin.ending != "cycle":
            # A widget whose link leads nowhere has its own value again.
            if spec.widget is not None:
                yield from self._own(place, spec, None)
            else:
                yield self._cut_off(place, spec, origin)

    def _cut_off(self, place: Place, spec: InputSpec, origin: Origin) -> Finding:
        if origin.ending not in ("muted", "bypassed"):
            return _unconnected(place.path, spec.name)
        muted = origin.ending == "muted"
        title = self._title(origin.path)
        message = (
            Said("{input} comes from {node}, which is muted.", input=spec.name, node=title)
            if muted
            else Said(
                "{input} comes from {node}, which is bypassed and has nothing to give on.",
                input=spec.name,
                node=title,
            )
        )
        return Finding(
            severity=Severity.ERROR,
            code="muted_source" if muted else "bypassed_source",
            message=message,
            fix=Said("Switch {node} on, or switch this one off, too.", node=title),
            node_id=place.path,
            input=spec.name,
        )

    def _typed(self, place: Place, spec: InputSpec, origin: Origin) -> Iterator[Finding]:
        source = self.tracing.places[origin.path]
        schema = self.schemas.get(source.node.class_type)
        given = ANY_TYPE
        if schema is not None:
            if origin.slot >= len(schema.outputs):
                yield Finding(
                    severity=Severity.ERROR,
                    code="bad_link",
                    message=Said(
                        "{input} comes from an output that {node} does not have.",
                        input=spec.name,
                        node=self._title(origin.path),
                    ),
                    fix=Said("Connect it anew."),
                    node_id=place.path,
                    input=spec.name,
                )
                return
            given = schema.outputs[origin.slot].type
        elif origin.slot < len(source.node.outputs):
            given = source.node.outputs[origin.slot].type
        if not _accepts(spec, given):
            yield Finding(
                severity=Severity.ERROR,
                code="bad_link",
                message=Said(
                    "{input} takes {wanted}, but {node} gives {given}.",
                    input=spec.name,
                    wanted=spec.type,
                    node=self._title(origin.path),
                    given=given,
                ),
                fix=Said("Connect an output of the type {wanted}.", wanted=spec.type),
                node_id=place.path,
                input=spec.name,
            )

    def _title(self, path: str) -> str:
        place = self.tracing.places.get(path)
        if place is None:
            return path
        schema = self.classes.get(place.node.class_type)
        return place.node.title or (schema.name if schema else place.node.class_type)


def _accepts(spec: InputSpec, given: str) -> bool:
    if types_fit(given, spec.type):
        return True
    # A choice that a text is linked to: servers check the text only when it is there.
    return spec.widget == "choice" and types_fit(given, "COMBO,STRING")


def _unknown(place: Place) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        code="missing_class",
        message=Said("No known backend has the node class {name}.", name=place.node.class_type),
        fix=Said("Install the nodes it belongs to on a backend, or use another node."),
        node_id=place.path,
    )


def _unconnected(path: str, name: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="unconnected",
        message=Said("{input} is not connected.", input=name),
        fix=Said("Connect it, or mute the node."),
        node_id=path,
        input=name,
    )


def _cycle(path: str, message: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="cycle",
        message=message,
        fix=Said("Take away one of the links of the circle."),
        node_id=path,
    )


def _judged(path: str, name: str, verdict: Verdict) -> Finding:
    return Finding(
        severity=_SEVERITIES[verdict.fault],
        code=verdict.fault,
        message=verdict.message,
        fix=verdict.fix,
        node_id=path,
        input=name,
        choices=tuple(_choice(each) for each in verdict.choices),
    )


def _choice(value: Any) -> str | int | float:
    exact = isinstance(value, float) or (isinstance(value, int) and abs(value) < _EXACT)
    return value if exact else str(value)
