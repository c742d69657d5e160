"""What is to say about a workflow, and where it runs."""

import asyncio
from dataclasses import dataclass

from app.drawing.checks.checking import check
from app.drawing.checks.readiness import Readiness, runs_on, summary
from app.drawing.convert import to_api
from app.drawing.diagram import Diagram
from app.drawing.findings import Finding, Severity
from app.drawing.schema import Schemas
from app.errors import NotFoundError
from app.fleet import Fleet
from app.graphs.nodes import Graph
from app.known_nodes import KnownNodes
from app.models import BackendInfo, BackendStatus
from app.said import Said

Backend = tuple[BackendInfo, BackendStatus, Schemas]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A workflow, looked at."""

    findings: tuple[Finding, ...]
    readiness: tuple[Readiness, ...]
    summary: str  # "Runs on 3 of 5 …", for people
    graph: Graph

    @property
    def ok(self) -> bool:
        """No server would refuse it for what it is."""
        return all(each.severity is not Severity.ERROR for each in self.findings)


class WorkflowChecks:
    """Looks at workflows against the backends at hand."""

    def __init__(self, *, fleet: Fleet, known: KnownNodes) -> None:
        self._fleet = fleet
        self._known = known

    async def look(self, diagram: Diagram, *, backend_id: str | None = None) -> Checked:
        """What is wrong with a workflow, and on which backends (or on the one named) it runs.

        Raises:
            NotFoundError: there is no such backend.
        """
        infos = [info for info in self._fleet.infos() if info.kind != "bfl"]
        schemas = self._known.schemas
        if backend_id is not None:
            infos = [info for info in infos if info.id == backend_id]
            schemas = self._known.of(backend_id)
            if not infos:
                raise NotFoundError(Said("There is no backend '{id}'.", id=backend_id))
        backends = [(info, self._fleet.status(info.id), self._known.of(info.id)) for info in infos]
        return await asyncio.to_thread(_look, diagram, schemas, backends)


def _look(diagram: Diagram, schemas: Schemas, backends: list[Backend]) -> Checked:
    made = to_api(diagram, schemas=schemas)
    readiness = runs_on(made.graph, backends=backends)
    found = (*check(diagram, schemas=schemas), *made.findings)
    seen = {(each.node_id, each.input, each.code): each for each in reversed(found)}
    return Checked(
        findings=tuple(reversed(seen.values())),
        readiness=readiness,
        summary=summary(readiness),
        graph=made.graph,
    )
