"""One step of a job's life in SQL: the statements made once, the whole in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, insert, or_, select, update

from app.errors import StaleWriteError
from app.events import LoggedEvent
from app.models import Attempt, Image, Job
from app.ports import JobChange, Written
from data import rows
from data.deliveries import keep_what_to_tell
from data.tables import attempt, event, image, job


def _all_but(table: Table, *names: str) -> dict[str, Any]:
    return {each.name: bindparam(each.name) for each in table.c if each.name not in names}


# Making a statement costs more than running it.
_UPDATE_JOB = (
    update(job)
    .where(job.c.id == bindparam("this"), job.c.version == bindparam("before"))
    .values(**_all_but(job, "key", "removed_at"))
)
_UPDATE_ATTEMPT = (
    update(attempt).where(attempt.c.id == bindparam("this")).values(**_all_but(attempt, "id"))
)
_INSERT_ATTEMPT = insert(attempt)
_INSERT_EVENTS = insert(event).returning(event.c.seq, sort_by_parameter_order=True)
_INSERT_IMAGE = insert(image)
_SAME_IMAGE = select(image).where(
    or_(
        and_(
            image.c.attempt_id == bindparam("attempt_id"),
            image.c.node_id == bindparam("node_id"),
            image.c.index == bindparam("index"),
        ),
        image.c.file == bindparam("file"),
    )
)


def write_step(connection: Connection, change: JobChange, at: datetime) -> Written:
    """Write it, fenced by the version before it.

    Raises:
        StaleWriteError: the row has another version.
    """
    _update_fenced(connection, change.job)
    if change.attempt is not None:
        _put_attempt(connection, change.attempt)
    images = [_put_image(connection, each) for each in change.images]
    if change.job.state.is_terminal:
        keep_what_to_tell(connection, change.job, images, at=at)
    # The job last: that is the order in which they are told, and replayed.
    new_events = [
        *(image_event(each, "image.created", at=at) for each in images),
        job_event(change.job, at=at, note=change.note, type_=change.event),
    ]
    logged = _log(connection, new_events)
    return Written(logged=logged[-1], images=tuple(images), image_events=tuple(logged[:-1]))


def image_event(value: Image, type_: str, *, at: datetime) -> dict[str, Any]:
    """The event row of something that happened to an image."""
    data = {"imageId": str(value.id), "jobId": str(value.job_id) if value.job_id else None}
    return rows.event_row(type_, str(value.id), at=at, data=data)


def job_event(value: Job, *, at: datetime, note: str, type_: str | None = None) -> dict[str, Any]:
    """The event row of something that happened to a job."""
    data = {
        "jobId": str(value.id),
        "status": value.state.value,
        "backend": value.request.target,
        "backendId": value.backend_id,
        "version": value.version,
    }
    return rows.event_row(type_ or f"job.{value.state}", str(value.id), at=at, note=note, data=data)


def _update_fenced(connection: Connection, value: Job) -> None:
    row = {**rows.job_row(value), "this": value.id, "before": value.version - 1}
    if connection.execute(_UPDATE_JOB, row).rowcount != 1:
        raise StaleWriteError(f"Job {value.id} has changed meanwhile.", fix="Look again.")


def _put_attempt(connection: Connection, value: Attempt) -> None:
    row = rows.attempt_row(value)
    if connection.execute(_UPDATE_ATTEMPT, {**row, "this": value.id}).rowcount == 0:
        connection.execute(_INSERT_ATTEMPT, row)


def _put_image(connection: Connection, value: Image) -> Image:
    """Exactly once each: an output that has its row already keeps it."""
    row = rows.image_row(value)
    same = {key: row[key] for key in ("attempt_id", "node_id", "index", "file")}
    found = connection.execute(_SAME_IMAGE, same).mappings().first()
    if found is None:
        connection.execute(_INSERT_IMAGE, row)
        found = connection.execute(_SAME_IMAGE, same).mappings().one()
    return rows.image_value(found)


def _log(connection: Connection, new_events: Sequence[dict[str, Any]]) -> list[LoggedEvent]:
    numbers = connection.execute(_INSERT_EVENTS, list(new_events)).scalars().all()
    return [LoggedEvent(seq=number, **row) for row, number in zip(new_events, numbers, strict=True)]
