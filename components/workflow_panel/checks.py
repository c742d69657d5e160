"""Everything there is to find out about a drawn workflow, off the event loop."""

import asyncio
from collections.abc import Sequence

from app.drawing.checks.checking import check
from app.drawing.checks.readiness import runs_on
from app.drawing.convert import to_api
from app.drawing.diagram import Diagram
from app.drawing.form.parameters import check_parameters, lost, options_of, rebind
from app.drawing.form.suggesting import suggest
from app.drawing.schema import Schemas
from app.models import BackendInfo, BackendStatus
from app.services import Services
from components.workflow_panel.views import Checked

_Machine = tuple[BackendInfo, BackendStatus, Schemas]


async def look_over(
    services: Services, diagram: Diagram, machines: Sequence[BackendInfo]
) -> Checked:
    """What is wrong with it, where it runs, and the form it makes.

    Its diagram is another one where fields of the form were found again at other nodes.
    """
    known = services.known_nodes
    there: list[_Machine] = [
        (info, services.fleet.status(info.id), known.of(info.id)) for info in machines
    ]
    return await asyncio.to_thread(_look_over, diagram, known.schemas, there)


def _look_over(diagram: Diagram, schemas: Schemas, machines: Sequence[_Machine]) -> Checked:
    diagram, rebound = rebind(diagram, schemas=schemas)
    taken = {(each.node, each.input) for each in diagram.parameters}
    graph = to_api(diagram, schemas=schemas).graph
    return Checked(
        diagram=diagram,
        findings=(
            *check(diagram, schemas=schemas),
            *check_parameters(diagram, schemas=schemas),
            *rebound,
        ),
        readiness=runs_on(graph, backends=machines),
        graph=graph,
        options=options_of(diagram, schemas=schemas),
        suggested=tuple(
            each
            for each in suggest(diagram, schemas=schemas)
            if (each.node, each.input) not in taken
        ),
        lost=lost(diagram, schemas=schemas),
    )
