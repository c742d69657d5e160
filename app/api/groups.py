"""Manifest jobs and job groups, for clients that speak snake_case; and the socket of a group."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from app.api.access import client_of
from app.api.deps import Here, Limit
from app.api.problems import responses
from app.errors import NotFoundError
from app.events import SessionEnded
from app.groups import ChildView, GroupCancelled, GroupStatus, GroupView, Message
from app.services import Services
from app.submission import ManifestGroup, ManifestJob, Snake
from app.submitting import API, Asker

router = APIRouter(tags=["groups"])

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
ClientName = Annotated[
    str | None,
    Header(alias="X-Client-Name", max_length=200, description="Who asks: clients take turns"),
]
UNKNOWN_GROUP = 4404
"""The socket is closed with this code when there is no such group."""
_UNKNOWN = "There is no such job group."
_Send = Callable[[Message], Awaitable[None]]


class ManifestAccepted(Snake):
    """A job that waits now; follow it at `/api/jobs/{job_id}`."""

    job_id: UUID
    status: str = "queued"
    message: str
    submitted_at: datetime


class GroupAccepted(Snake):
    """A group whose jobs wait now; follow it at `/ws/job-groups/{job_group_id}`."""

    job_group_id: UUID
    child_jobs: list[ChildView]
    status: GroupStatus
    created_at: datetime


class GroupList(Snake):
    """A page of groups, newest first."""

    job_groups: list[GroupView]
    next_cursor: UUID | None


def asker_of(request: Request, *, key: str | None, name: str | None) -> Asker:
    """Who submits over the API."""
    source = (name or "").strip() or API
    return Asker(client=client_of(request), source=source, key=key)


@router.post("/api/job", status_code=202, responses=responses(400, 404, 409, 429, 503))
async def submit_job(
    here: Here,
    request: Request,
    manifest: ManifestJob,
    idempotency_key: Key = None,
    x_client_name: ClientName = None,
) -> ManifestAccepted:
    """Make one job of a workflow."""
    asker = asker_of(request, key=idempotency_key, name=x_client_name)
    job_id = await here.submitting.submit_job(manifest, asker=asker)
    job = await here.jobs.get(job_id)
    return ManifestAccepted(
        job_id=job_id, message=f"Job {job_id} waits for its turn.", submitted_at=job.created_at
    )


@router.post("/api/job-group", status_code=201, responses=responses(400, 404, 409, 429, 503))
@router.post(
    "/api/job-groups",
    status_code=201,
    responses=responses(400, 404, 409, 429, 503),
    operation_id="submit_group_alias",
)
async def submit_group(
    here: Here,
    request: Request,
    manifest: ManifestGroup,
    idempotency_key: Key = None,
    x_client_name: ClientName = None,
) -> GroupAccepted:
    """Make the same on several backends: one job on each, each with its own seed."""
    asker = asker_of(request, key=idempotency_key, name=x_client_name)
    ids = await here.submitting.submit_group(manifest, asker=asker)
    group_id = (await here.jobs.get(ids[0])).group_id
    assert group_id is not None
    group = await here.groups.get(group_id)
    return GroupAccepted(
        job_group_id=group_id,
        child_jobs=group.child_jobs,
        status=group.status,
        created_at=group.created_at,
    )


@router.get("/api/job-groups", responses=responses())
async def list_groups(
    here: Here,
    limit: Limit = 50,
    cursor: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
) -> GroupList:
    """Groups newest first."""
    groups = await here.groups.page(limit=limit + 1, before=cursor)
    more = len(groups) > limit
    shown = groups[:limit]
    return GroupList(job_groups=shown, next_cursor=shown[-1].job_group_id if more else None)


@router.get("/api/job-groups/{group_id}", responses=responses(404))
async def get_group(here: Here, group_id: UUID) -> GroupView:
    """One group, and how it does."""
    return await here.groups.get(group_id)


@router.delete("/api/job-groups/{group_id}", responses=responses(404, 503))
async def cancel_group(here: Here, group_id: UUID) -> GroupCancelled:
    """Stop all jobs of a group that still wait or run; what is done stays."""
    return await here.groups.cancel(group_id)


class Ping(Snake):
    """What a client sends to hear whether we are there."""

    type: Literal["ping"]


class _OverError(Exception):
    """We have nothing more to say."""


class _GoneError(Exception):
    """Whoever listened has gone."""


@router.websocket("/ws/job-groups/{group_id}")
async def follow_group(socket: WebSocket, group_id: str) -> None:
    """How a group does: its state first, then what changes; answers `ping` with `pong`."""
    here: Services = socket.app.state.services
    await socket.accept()
    known = _uuid(group_id)
    if known is None:
        await socket.close(UNKNOWN_GROUP, _UNKNOWN)
        return
    sending = asyncio.Lock()

    async def send(message: Message) -> None:
        async with sending, asyncio.timeout(here.settings.timeouts.request_s):
            await socket.send_text(json.dumps(message, ensure_ascii=False))

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_tell(here.groups.follow(known), send), name="group socket, out")
            tasks.create_task(_listen(socket, send, known), name="group socket, in")
            tasks.create_task(_until_logged_out(socket, here), name="group socket, session")
    except* NotFoundError:
        await socket.close(UNKNOWN_GROUP, _UNKNOWN)
    except* _OverError:
        await socket.close(1001)
    except* (_GoneError, WebSocketDisconnect, TimeoutError):
        pass  # gone, or not taking what is sent


async def _tell(messages: AsyncGenerator[Message], send: _Send) -> None:
    async with aclosing(messages):
        async for message in messages:
            await send(message)
    raise _OverError


async def _listen(socket: WebSocket, send: _Send, group_id: UUID) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise _GoneError
        if _is_ping(message.get("text") or ""):
            await send({"type": "pong", "job_group_id": str(group_id)})


async def _until_logged_out(socket: WebSocket, here: Services) -> None:
    session_id = getattr(socket.state, "session_id", None)
    with here.bus.subscribe(SessionEnded) as inbox:
        async for event in inbox:
            if isinstance(event, SessionEnded) and event.session_id == session_id:
                raise _OverError


def _is_ping(text: str) -> bool:
    if text == "ping":
        return True
    try:
        return bool(Ping.model_validate_json(text))
    except ValidationError:
        return False


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
