"""How everything is: status, metrics, log, incidents, quarantines, self-test."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api.deps import Here, Limit
from app.api.problems import responses
from app.metrics import CONTENT_TYPE
from app.selftest import SelfTestView
from app.status import IncidentView, LogView, QuarantineView, StatusView
from app.submission import Wire

router = APIRouter(prefix="/api", tags=["diagnostics"])

Level = Literal["debug", "info", "warning", "error", "critical"]


class LogList(Wire):
    """Records of the log, oldest first."""

    records: list[LogView]


class IncidentList(Wire):
    """Incidents; `nextCursor` is the id to go on from."""

    incidents: list[IncidentView]
    next_cursor: UUID | None


class QuarantineList(Wire):
    """What gets no more work on a backend."""

    quarantines: list[QuarantineView]


@router.get("/status", responses=responses(503))
async def status(here: Here) -> StatusView:
    """Everything the diagnostics page shows."""
    return await here.diagnostics.status.all(say=str)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **responses(503)},
)
async def metrics(here: Here) -> Response:
    """Figures for Prometheus."""
    counts = await here.diagnostics.status.counts()
    text = here.diagnostics.metrics.text(jobs=counts, backends=here.fleet.views())
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/logs", responses=responses())
async def logs(
    here: Here,
    level: Annotated[Level | None, Query(description="The lowest one")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Words it must contain")] = None,
    job_id: Annotated[UUID | None, Query(alias="jobId")] = None,
    limit: Limit = 50,
) -> LogList:
    """The newest records that match, oldest first. Secrets never appear."""
    found = here.diagnostics.log_book.recent(
        level=level, text=q, job_id=str(job_id) if job_id else None, limit=limit
    )
    return LogList(records=[LogView.of(each) for each in found])


@router.get("/incidents", responses=responses(503))
async def list_incidents(
    here: Here,
    state: Annotated[Literal["open", "all"], Query()] = "open",
    limit: Limit = 50,
    cursor: UUID | None = None,
) -> IncidentList:
    """Those that are not over, the worst first; with `state=all` the history, newest first."""
    incidents = here.diagnostics.incidents
    if state == "open":
        found = incidents.now_open()[:limit]
    else:
        found = await incidents.history(limit=limit, before=cursor)
    more = state == "all" and len(found) == limit
    return IncidentList(
        incidents=[IncidentView.of(each, say=str) for each in found],
        next_cursor=found[-1].id if more else None,
    )


@router.post("/incidents/{incident_id}/resolve", responses=responses(404, 409, 503))
async def resolve_incident(here: Here, incident_id: UUID) -> IncidentView:
    """Say that it is over; it opens anew when it happens again."""
    return IncidentView.of(await here.diagnostics.incidents.resolve(incident_id), say=str)


@router.get("/quarantines", responses=responses())
async def list_quarantines(here: Here) -> QuarantineList:
    """The models and workflows in quarantine, with what led to it."""
    return QuarantineList(quarantines=here.diagnostics.status.quarantines(say=str))


@router.post("/quarantines/{quarantine_id}/lift", responses=responses(404, 409, 503))
async def lift_quarantine(here: Here, quarantine_id: UUID) -> QuarantineView:
    """Give it work there again."""
    return QuarantineView.of(await here.diagnostics.health.lift(quarantine_id), say=str)


@router.post("/self-test", responses=responses(409, 503))
async def run_self_test(here: Here) -> SelfTestView:
    """Make one small demo picture from end to end and say how long each leg took."""
    await here.diagnostics.self_test.run()
    view = here.diagnostics.self_test.view(say=str)
    assert view is not None
    return view
