"""Generate, and everything one can do with a job and the queue."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response

from app.api.deps import Cursor, Here, Limit
from app.api.groups import ClientName, Key, asker_of
from app.api.problems import responses
from app.models import JobState
from app.ports import JobFilter
from app.submission import Move, Submission, Wire
from app.submitting import Offer
from app.views import JobView, QueueView

router = APIRouter(prefix="/api", tags=["jobs"])


class Generated(Wire):
    """The jobs of a submission; follow them at `/api/jobs/{id}` or `/api/events`."""

    success: bool = True
    job_id: UUID
    job_ids: list[UUID]


class DryRun(Wire):
    """What a paid submission would send and cost. Nothing was sent, and no job was made."""

    success: bool = True
    dry_run: bool = True
    model: str
    payload: dict[str, Any]
    estimated_cost_usd: float
    priced_on: date
    """The date of the price list."""
    allowed: bool
    """Whether paid backends may be used at all (`allow_generation`); `confirmed` does the rest."""


class JobList(Wire):
    """A page of jobs, newest first."""

    jobs: list[JobView]
    next_cursor: str | None


class Removed(Wire):
    """How many jobs were taken off the list."""

    removed: int


class Cancelled(Wire):
    """How many jobs were cancelled."""

    cancelled: int


@router.post(
    "/generate",
    status_code=202,
    responses={200: {"model": DryRun, "description": "A dry run"}, **responses(400, 409, 429, 503)},
)
async def generate(
    here: Here,
    request: Request,
    response: Response,
    submission: Submission,
    idempotency_key: Key = None,
    x_client_name: ClientName = None,
) -> Generated | DryRun:
    """Make a picture, or `count` of them.

    With an `Idempotency-Key` it is safe to repeat: the same key within 24 hours answers with the
    first result, and makes nothing. On a paid backend, unless `allow_generation` is set and
    `confirmed` is true, the answer is 200 with what it would cost.
    """
    offer = here.submitting.offer(submission)
    if offer is not None and not (offer.is_allowed and submission.confirmed):
        response.status_code = 200
        return dry_run(offer)
    asker = asker_of(request, key=idempotency_key, name=x_client_name)
    ids = await here.submitting.submit(submission, asker=asker)
    return Generated(job_id=ids[0], job_ids=ids)


def dry_run(offer: Offer) -> DryRun:
    """An offer for the wire."""
    return DryRun(
        model=offer.quote.model,
        payload=dict(offer.quote.payload),
        estimated_cost_usd=offer.usd,
        priced_on=offer.quote.priced_on,
        allowed=offer.is_allowed,
    )


@router.get("/jobs", responses=responses())
async def list_jobs(
    here: Here,
    status: Annotated[list[JobState] | None, Query()] = None,
    backend: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[str | None, Query(max_length=500, description="Words in the prompt")] = None,
    group_id: Annotated[UUID | None, Query(alias="groupId")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobList:
    """Jobs newest first."""
    job_filter = JobFilter(
        states=frozenset(status or ()), backend=backend, group_id=group_id, text=q
    )
    page = await here.jobs.page(job_filter, limit=limit, cursor=cursor)
    return JobList(
        jobs=await here.jobs.views(page.items),
        next_cursor=None if page.next_cursor is None else str(page.next_cursor),
    )


@router.post("/jobs/clear-finished", responses=responses())
async def clear_finished(here: Here) -> Removed:
    """Take all finished jobs off the list; their images stay."""
    return Removed(removed=len(await here.jobs.clear_finished()))


@router.get("/jobs/{job_id}", responses=responses(404))
async def get_job(here: Here, job_id: UUID) -> JobView:
    """One job, with its live progress and its log."""
    return await here.jobs.detail(job_id)


@router.delete("/jobs/{job_id}", status_code=204, responses=responses(404, 409))
async def remove_job(here: Here, job_id: UUID) -> None:
    """Take a finished job off the list; its images stay."""
    await here.jobs.remove(job_id)


@router.post("/jobs/{job_id}/restore", responses=responses(404))
async def restore_job(here: Here, job_id: UUID) -> JobView:
    """Put a removed job back on the list; for 7 days, unless set otherwise."""
    await here.jobs.restore([job_id])
    return await here.jobs.detail(job_id)


@router.get(
    "/jobs/{job_id}/preview",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}, "image/png": {}}},
        204: {"description": "The preview with that `rev` is no longer kept"},
        **responses(404),
    },
)
async def preview(
    here: Here, job_id: UUID, rev: Annotated[int | None, Query(ge=1, le=2**53)] = None
) -> Response:
    """The newest preview of a running job, or an earlier one that is still kept."""
    found = here.jobs.preview(job_id, rev)
    if found is None and rev is not None:
        return Response(status_code=204)  # it was there, and a page that is late asks for it
    if found is None:
        raise HTTPException(404, f"Job {job_id} has no preview.")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(found.data, media_type=found.mime, headers=headers)


@router.post("/jobs/{job_id}/run", responses=responses(404, 409))
async def run(here: Here, job_id: UUID) -> JobView:
    """Let a held job go."""
    return here.jobs.view(await here.jobs.run(job_id))


@router.post("/jobs/{job_id}/cancel", responses=responses(404, 409))
async def cancel(here: Here, job_id: UUID) -> JobView:
    """Stop a job, waiting or running."""
    return here.jobs.view(await here.jobs.cancel(job_id))


@router.post("/jobs/{job_id}/retry", responses=responses(404, 409))
async def retry(
    here: Here,
    job_id: UUID,
    confirmed: Annotated[bool, Query(description="The price is known and agreed to")] = False,
) -> JobView:
    """Queue a failed or cancelled job again.

    One that would be paid for anew is refused (409, with the price) unless `confirmed` is true.
    """
    return here.jobs.view(await here.jobs.retry(job_id, confirmed=confirmed))


@router.post("/jobs/{job_id}/run-elsewhere", responses=responses(404, 409))
async def run_elsewhere(here: Here, job_id: UUID) -> JobView:
    """Let a waiting job go to any backend that can take it."""
    return here.jobs.view(await here.jobs.run_elsewhere(job_id))


@router.post("/jobs/{job_id}/move", responses=responses(400, 404, 409))
async def move(here: Here, job_id: UUID, to: Move) -> JobView:
    """Reorder the queue: give one of `before`, `after` and `priority`."""
    job = await here.jobs.move(job_id, before=to.before, after=to.after, priority=to.priority)
    return here.jobs.view(job)


@router.get("/queue", tags=["queue"], responses=responses())
async def get_queue(here: Here) -> QueueView:
    """The queue in three figures."""
    return here.jobs.queue()


@router.post("/queue/pause", tags=["queue"], responses=responses(503))
async def pause(here: Here) -> QueueView:
    """Take no more jobs; running ones finish."""
    return await here.jobs.pause()


@router.post("/queue/resume", tags=["queue"], responses=responses(503))
async def resume(here: Here) -> QueueView:
    """Go on taking jobs."""
    return await here.jobs.resume()


@router.post("/queue/cancel-waiting", tags=["queue"], responses=responses(503))
async def cancel_waiting(here: Here) -> Cancelled:
    """Cancel every queued job."""
    return Cancelled(cancelled=await here.jobs.cancel_waiting())
