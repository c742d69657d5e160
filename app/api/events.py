"""Everything that happens, as Server-Sent Events.

Durable events carry an `id` and are replayed after `Last-Event-ID`; progress is live only.
"""

import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.api.deps import Here
from app.api.problems import responses
from app.events import (
    BackendChanged,
    ChargeChanged,
    DraftChanged,
    Event,
    JobNodesProgressed,
    JobProgressed,
    JobReasonsChanged,
    LoggedEvent,
    SessionEnded,
)
from app.services import Services
from app.views import ProgressView, to_json

router = APIRouter(prefix="/api", tags=["events"])

_REPLAY_PAGE = 500
_KEEP_ALIVE_S = 15
_LONGEST_ID = 20  # digits; SQLite's numbers have 19
_Topics = frozenset[str]


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **responses()},
)
async def events(
    here: Here,
    request: Request,
    topics: Annotated[
        str | None, Query(max_length=200, description="e.g. `job,image`; all unless given")
    ] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """A stream of events. A `reset` event means: some are gone, read the state again."""
    wanted = frozenset(topics.split(",")) if topics else frozenset[str]()
    given = last_event_id or ""
    after = int(given) if given.isdecimal() and len(given) < _LONGEST_ID else None
    session_id = getattr(request.state, "session_id", None)
    return EventSourceResponse(_stream(here, wanted, after, session_id), ping=_KEEP_ALIVE_S)


async def _stream(
    here: Services, wanted: _Topics, after: int | None, session_id: UUID | None
) -> AsyncGenerator[ServerSentEvent]:
    with here.bus.subscribe() as inbox:  # before the replay, so that nothing falls between
        seen = 0
        if after is not None:
            async for logged in _replay(here, after):
                seen = logged.seq
                if logged.type == "reset" or _is_wanted(logged.type, wanted):
                    yield _durable(logged)
        yield ServerSentEvent(comment="live")
        while await inbox.wait():
            if inbox.lagged:
                inbox.caught_up()
                yield ServerSentEvent(event="reset", data="{}")
            for event in inbox.drain():
                if isinstance(event, SessionEnded) and event.session_id == session_id:
                    return
                message = _message(event, wanted, seen)
                if message is not None:
                    yield message


async def _replay(here: Services, after: int) -> AsyncGenerator[LoggedEvent]:
    span = await here.event_log.events_span()
    if span is None:
        if after > 0:
            yield LoggedEvent(seq=0, at=here.started_at, type="reset", subject="")
        return
    oldest, newest = span
    if after < oldest - 1 or after > newest:
        # Part of it is gone, or it is another database's number.
        yield LoggedEvent(seq=newest, at=here.started_at, type="reset", subject="")
        return
    while True:
        page = await here.event_log.events_after(after, limit=_REPLAY_PAGE)
        for logged in page:
            yield logged
        if len(page) < _REPLAY_PAGE:
            return
        after = page[-1].seq


def _message(event: Event, wanted: _Topics, seen: int) -> ServerSentEvent | None:
    match event:
        case JobProgressed(job_id=job_id, progress=progress, preview_rev=rev):
            data = {"jobId": str(job_id), "previewRev": rev}
            return _live("job.progress", {**data, **to_json(ProgressView.of(progress))}, wanted)
        case JobReasonsChanged(reasons=reasons):
            data = {str(job_id): reason for job_id, reason in reasons.items()}
            return _live("job.reasons", {"reasons": data}, wanted)
        case BackendChanged(info=info, status=status, logged=None):
            data = {"backendId": info.id, "online": status.online, "lastError": status.last_error}
            return _live("backend.changed", data, wanted)
        case ChargeChanged(charge_id=charge_id):
            return _live("charge.changed", {"chargeId": str(charge_id)}, wanted)
        case JobNodesProgressed() | DraftChanged():
            return None  # only pages that show them follow these
        case _ if event.logged is not None and event.logged.seq > seen:
            return _durable(event.logged) if _is_wanted(event.logged.type, wanted) else None
        case _:
            return None


def _live(type_: str, data: dict[str, Any], wanted: _Topics) -> ServerSentEvent | None:
    if not _is_wanted(type_, wanted):
        return None
    return ServerSentEvent(event=type_, data=json.dumps(data, ensure_ascii=False))


def _durable(logged: LoggedEvent) -> ServerSentEvent:
    data = {**logged.data, "at": f"{logged.at:%Y-%m-%dT%H:%M:%S.%fZ}", "note": logged.note}
    return ServerSentEvent(
        id=str(logged.seq), event=logged.type, data=json.dumps(data, ensure_ascii=False)
    )


def _is_wanted(type_: str, wanted: _Topics) -> bool:
    return not wanted or type_ in wanted or type_.split(".", 1)[0] in wanted
