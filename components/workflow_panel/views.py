"""What the panel shows, as JSON: made of a drawn workflow and of what the backends have."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.drawing.checks.readiness import Readiness, summary
from app.drawing.diagram import VIRTUAL, Diagram, DiagramNode, Parameter, level_at, node_at
from app.drawing.diffs.diffing import Comparison
from app.drawing.findings import Finding, Severity
from app.drawing.schema import NodeSchema, Schemas
from app.graphs.nodes import FOLDERS, Graph, nodes_of
from app.graphs.preset import Option, Preset
from app.known_nodes import KnownNodes
from app.models import BackendInfo, WorkflowVersion
from app.trial import prompt_among
from app.workflows import YOU
from components.generation_form.labels import field_label
from components.i18n import say, tr

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found out about a workflow at one moment."""

    diagram: Diagram
    findings: tuple[Finding, ...] = ()
    readiness: tuple[Readiness, ...] = ()
    graph: Mapping[str, Any]
    options: tuple[Option, ...] = ()
    suggested: tuple[Parameter, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def first(self) -> Finding | None:
        """The worst of the findings, unless it is only worth knowing."""
        told = [each for each in self.findings if each.severity is not Severity.INFO]
        return min(told, key=lambda each: _ORDER.index(each.severity), default=None)

    def count(self, severity: Severity) -> int:
        """How many findings are so bad."""
        return sum(each.severity is severity for each in self.findings)

    def preset(self, name: str) -> Preset:
        """The form alone, for a preview of it."""
        return Preset(id="", name=name, description="", fields=(), options=self.options, version=0)


def finding_view(finding: Finding) -> dict[str, Any]:
    """One finding, in the language of the page."""
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "message": say(finding.message),
        "fix": say(finding.fix),
        "node": finding.node_id,
        "input": finding.input,
        "choices": list(finding.choices),
    }


def located_view(finding: Finding, diagram: Diagram, schemas: Schemas) -> dict[str, Any]:
    """One finding as it is told away from its node: `where` is what the node is called."""
    where = "" if finding.node_id is None else title_at(finding.node_id, diagram, schemas)
    return {**finding_view(finding), "where": where}


def findings_by_node(findings: Sequence[Finding]) -> dict[str, list[dict[str, Any]]]:
    """Those that are about a node, for the graph."""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        if finding.node_id is not None:
            found.setdefault(finding.node_id, []).append(finding_view(finding))
    return found


def name_of(node: DiagramNode, diagram: Diagram, schemas: Schemas) -> str:
    """What a node is called unless somebody gave it a title."""
    inside = diagram.subgraphs.get(node.class_type)
    schema = schemas.get(node.class_type)
    return inside.name if inside else schema.name if schema else node.class_type


def title_at(path: str, diagram: Diagram, schemas: Schemas) -> str:
    """What people call the node with that path."""
    try:
        node = node_at(diagram, path)
    except KeyError:
        return f"#{path}"
    return node.title or name_of(node, diagram, schemas)


def node_view(
    diagram: Diagram, path: str, *, known: KnownNodes, backends: Sequence[BackendInfo]
) -> dict[str, Any] | None:
    """The node with that path; None if it is not there any more."""
    try:
        node = node_at(diagram, path)
    except KeyError:
        return None
    schema: NodeSchema | None = known.schemas.get(node.class_type)
    inside = diagram.subgraphs.get(node.class_type)
    is_ours = inside is not None or node.class_type in VIRTUAL  # no backend has to have it
    return {
        "path": path,
        "level": path.rpartition(":")[0],
        "id": node.id,
        "title": node.title or "",
        "name": name_of(node, diagram, known.schemas),
        "class": tr("Subgraph") if inside else node.class_type,
        "category": schema.category if schema else "",
        "module": schema.module if schema else "",
        "help": schema.help if schema else "",
        "color": node.color,
        "mode": node.mode.value,
        "backends": None if is_ours else _has(node.class_type, known, backends),
    }


def _has(
    class_type: str, known: KnownNodes, backends: Sequence[BackendInfo]
) -> list[dict[str, Any]]:
    return [{"name": each.name, "has": known.has(each.id, class_type)} for each in backends]


def form_view(parameters: Sequence[Parameter], lost: Collection[str]) -> list[dict[str, Any]]:
    """The fields of the form, to set."""
    return [
        {
            "name": each.name,
            "label": field_label(each.label, is_ours=False),
            "help": each.help,
            "type": each.type,
            "min": each.min,
            "max": each.max,
            "step": each.step,
            "choices": list(each.choices),
            "section": each.section,
            "node": each.node,
            "input": each.input,
            "lost": each.name in lost,
        }
        for each in parameters
    ]


def needs_view(checked: Checked, *, known: KnownNodes) -> dict[str, Any]:
    """What the workflow needs, and who has it."""
    readiness = checked.readiness
    graph = checked.graph
    counts = Counter(class_type for _, class_type, _ in nodes_of(graph))
    return {
        "summary": say(summary(readiness)) if readiness else tr("No backend is set up yet."),
        "backends": [_backend(each) for each in readiness],
        "classes": [
            {
                "class": name,
                "name": schema.name if (schema := known.schemas.get(name)) else name,
                "count": count,
                "where": [r.backend_name for r in readiness if known.has(r.backend_id, name)],
            }
            for name, count in sorted(counts.items())
        ],
        "models": [
            {
                "folder": folder,
                "name": file,
                "where": [
                    r.backend_name
                    for r in readiness
                    if r.standing != "unknown" and file not in r.missing_models
                ],
            }
            for folder, file in _files(graph)
        ],
    }


def _files(graph: Graph | Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted(
        {
            (FOLDERS[class_type, name][0], value)
            for _, class_type, inputs in nodes_of(graph)
            for name, value in inputs.items()
            if (class_type, name) in FOLDERS and isinstance(value, str)
        }
    )


def _backend(readiness: Readiness) -> dict[str, Any]:
    lacks = [
        {
            "severity": "error",
            "message": say(each.message),
            "fix": "",
            "node": each.node_id,
            "input": each.input,
            "choices": list(each.choices),
        }
        for each in readiness.lacks
    ]
    return {
        "id": readiness.backend_id,
        "name": readiness.backend_name,
        "ok": readiness.ok,
        "online": readiness.standing not in ("offline", "disabled", "unknown"),
        "text": tr("has everything") if readiness.ok else say(readiness.advice),
        "lacks": lacks,
    }


def version_view(version: WorkflowVersion) -> dict[str, Any]:
    """A version in the list of them."""
    return {
        "number": version.number,
        "author": tr("you") if version.author == YOU else version.author,
        "note": say(version.note),
        "at": version.created_at.isoformat(),
    }


def comparison_view(comparison: Comparison, *, old: int, new: int) -> dict[str, Any]:
    """What differs, in words."""
    changes = [*comparison.changes, *comparison.layout]
    return {
        "old": old,
        "new": new,
        "changes": [
            {"kind": each.kind, "text": say(each.message), "node": each.node_id} for each in changes
        ],
    }


def counts(diagram: Diagram, path: str) -> dict[str, int]:
    """How large a level is."""
    level = level_at(diagram, path)
    return {"nodes": len(level.nodes), "links": len(level.links)}


def status_view(checked: Checked, *, summary: str, schemas: Schemas) -> dict[str, Any]:
    """What the line under the graph says of it."""
    first = checked.first and located_view(checked.first, checked.diagram, schemas)
    return {
        "checked": True,
        "errors": checked.count(Severity.ERROR),
        "warnings": checked.count(Severity.WARNING),
        "first": first,
        "runs": summary if checked.readiness and checked.graph else "",
    }


def trial_offer(checked: Checked, *, schemas: Schemas) -> dict[str, Any]:
    """What a test run can be asked for: a prompt, and which of the outputs."""
    place = prompt_among((*checked.diagram.parameters, *checked.suggested))
    inputs = checked.graph.get(place.node, {}).get("inputs", {}) if place else {}
    prompt = inputs.get(place.input) if place else None
    ends = [
        {"path": path, "title": title_at(path, checked.diagram, schemas)}
        for path, class_type, _ in nodes_of(checked.graph)
        if (schema := schemas.get(class_type)) is not None and schema.is_output
    ]
    return {
        "hasPrompt": isinstance(prompt, str),
        "prompt": prompt if isinstance(prompt, str) else "",
        "outputs": ends,
    }


def with_parameters(diagram: Diagram, more: Sequence[Parameter]) -> Diagram:
    """The diagram with these fields behind those of its form; a name stays unique."""
    taken = {each.name for each in diagram.parameters}
    added: list[Parameter] = []
    for parameter in more:
        names = (parameter.name, *(f"{parameter.name}_{number}" for number in range(2, 1000)))
        name = next(each for each in names if each not in taken)
        taken.add(name)
        added.append(replace(parameter, name=name))
    return replace(diagram, parameters=(*diagram.parameters, *added)) if added else diagram
