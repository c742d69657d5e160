"""Workflows, and what is to say about them, as JSON."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.api.presets import OptionView, option_view
from app.drawing.checks.readiness import Lack, Readiness
from app.drawing.diffs.diffing import Change, Comparison
from app.drawing.findings import Finding, Severity
from app.drawing.schema import Schemas
from app.graphs.preset import Option, Preset
from app.models import Workflow, WorkflowVersion
from app.submission import Wire
from app.workflow_checks import Checked
from app.workflow_files import Taken


class WorkflowView(Wire):
    """A workflow that somebody keeps."""

    id: UUID
    name: str
    description: str
    tags: list[str]
    version: int
    """The number of the newest one; 0: none is saved yet."""
    thumbnail: UUID | None
    """The image of the last result."""
    has_draft: bool
    """There is something newer than the newest version."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class WorkflowFull(WorkflowView):
    """A workflow, with what one of its versions holds."""

    document: dict[str, Any] | None
    """As ComfyUI keeps it."""
    api_json: dict[str, Any] | None
    """What runs; null where nothing does."""
    parameters: list[OptionView]
    """What `POST /api/job` takes."""


class FindingView(Wire):
    """Something to say about a workflow."""

    severity: Severity
    """`error`: a server with every class and model would still refuse it."""
    code: str
    node_id: str | None
    """Its path: "12", or inside subgraphs "12:34"."""
    input: str | None
    message: str
    fix: str
    choices: list[str | int | float]
    """Near matches, best first: putting one there would mend it."""


class TakenView(Wire):
    """A workflow that came in."""

    id: UUID
    name: str
    api_json: dict[str, Any] | None
    report: list[FindingView]


class LackView(Wire):
    """Something that keeps a workflow from a backend."""

    kind: str
    name: str
    message: str
    node_id: str
    input: str | None
    choices: list[str] = Field(description="What the backend has instead, best first")


class ReadinessView(Wire):
    """How a workflow stands with one backend."""

    id: str
    name: str
    standing: str = Field(description="ok, offline, lacks, unknown or disabled")
    lacks: list[LackView]
    advice: str


class CheckedView(Wire):
    """A workflow, looked at."""

    ok: bool
    """No server would refuse it for what it is."""
    summary: str
    findings: list[FindingView]
    backends: list[ReadinessView]


class ChangeView(Wire):
    """One difference."""

    kind: str
    about: str
    node_id: str | None
    message: str


class ComparisonView(Wire):
    """What is different between two versions."""

    changes: list[ChangeView]
    layout: list[ChangeView]
    """What changes nothing in a run."""
    added: list[str]
    removed: list[str]
    changed: list[str]


def workflow_view(workflow: Workflow) -> WorkflowView:
    """A workflow for the wire."""
    return WorkflowView(**_plain(workflow))


def full_view(
    workflow: Workflow,
    version: WorkflowVersion | None,
    preset: Preset | None,
    *,
    schemas: Schemas,
) -> WorkflowFull:
    """A workflow with one of its versions, if it has any."""
    options = (
        [] if preset is None else [_offering(each, version, schemas) for each in preset.options]
    )
    return WorkflowFull(
        **_plain(workflow),
        document=None if version is None else dict(version.document),
        api_json=None if version is None or version.graph is None else dict(version.graph),
        parameters=[option_view(each) for each in options],
    )


def _offering(option: Option, version: WorkflowVersion | None, schemas: Schemas) -> Option:
    """A choice without choices of its own, with what the backends offer there."""
    if option.type != "choice" or option.choices or version is None or version.graph is None:
        return option
    node = version.graph.get(option.node)
    schema = schemas.get(node["class_type"]) if node is not None else None
    spec = schema.input(option.input) if schema is not None else None
    return option if spec is None else replace(option, choices=tuple(map(str, spec.choices)))


def taken_view(taken: Taken) -> TakenView:
    """A workflow that came in, for the wire."""
    return TakenView(
        id=taken.workflow.id,
        name=taken.workflow.name,
        api_json=None if taken.graph is None else dict(taken.graph),
        report=[finding_view(each) for each in taken.findings],
    )


def checked_view(checked: Checked) -> CheckedView:
    """What is to say about a workflow, for the wire."""
    return CheckedView(
        ok=checked.ok,
        summary=str(checked.summary),
        findings=[finding_view(each) for each in checked.findings],
        backends=[_readiness_view(each) for each in checked.readiness],
    )


def comparison_view(comparison: Comparison) -> ComparisonView:
    """What is different, for the wire."""
    return ComparisonView(
        changes=[_change_view(each) for each in comparison.changes],
        layout=[_change_view(each) for each in comparison.layout],
        added=list(comparison.added),
        removed=list(comparison.removed),
        changed=list(comparison.changed),
    )


def finding_view(finding: Finding) -> FindingView:
    """A finding for the wire, in English."""
    return FindingView(
        severity=finding.severity,
        code=finding.code,
        node_id=finding.node_id,
        input=finding.input,
        message=str(finding.message),
        fix=str(finding.fix),
        choices=list(finding.choices),
    )


def _readiness_view(readiness: Readiness) -> ReadinessView:
    return ReadinessView(
        id=readiness.backend_id,
        name=readiness.backend_name,
        standing=readiness.standing,
        lacks=[_lack_view(each) for each in readiness.lacks],
        advice=str(readiness.advice),
    )


def _lack_view(lack: Lack) -> LackView:
    return LackView(
        kind=lack.kind,
        name=lack.name,
        message=str(lack.message),
        node_id=lack.node_id,
        input=lack.input,
        choices=list(lack.choices),
    )


def _change_view(change: Change) -> ChangeView:
    return ChangeView(
        kind=change.kind,
        about=change.about,
        node_id=change.node_id,
        message=str(change.message),
    )


def _plain(workflow: Workflow) -> dict[str, Any]:
    return {
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.description,
        "tags": list(workflow.tags),
        "version": workflow.version,
        "thumbnail": workflow.thumbnail,
        "has_draft": workflow.has_draft,
        "created_at": workflow.created_at,
        "updated_at": workflow.updated_at,
        "deleted_at": workflow.deleted_at,
    }
