"""What the cloud answers, as typed values: the only place that sees its raw JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PENDING = "Pending"
READY = "Ready"
NOT_FOUND = "Task not found"
MODERATED = frozenset({"Request Moderated", "Content Moderated"})
BROKEN = frozenset({"Error", "Failed"})
_LONGEST_WAIT_S = 3600.0
_KNOWN = frozenset({PENDING, READY, NOT_FOUND, *MODERATED, *BROKEN})


class Ordered(BaseModel):
    """The answer to an order."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(min_length=1, max_length=200)
    polling_url: str | None = Field(default=None, max_length=2000)
    cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)  # in credits


class Result(BaseModel):
    """The picture, where it can be fetched for ten minutes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sample: str | None = None


class Task(BaseModel):
    """How a task is."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str | None = None
    status: str
    result: Result | None = None
    progress: float | None = None
    details: dict[str, Any] | None = None

    @property
    def sample(self) -> str | None:
        """Where the picture is, of a task that is ready."""
        return self.result.sample if self.result is not None else None

    @property
    def reasons(self) -> str:
        """Why it was moderated, as far as the cloud says."""
        given: Any = (self.details or {}).get("Moderation Reasons") or []
        listed = cast("list[Any]", given) if isinstance(given, list) else [given]
        return ", ".join(str(each) for each in listed)

    @property
    def fraction(self) -> float | None:
        """How far it is, 0 … 1."""
        return None if self.progress is None else min(1.0, max(0.0, self.progress))


class _Complaint(BaseModel):
    loc: tuple[str | int, ...] = ()
    msg: str = ""


_COMPLAINTS = TypeAdapter(list[_Complaint])


class UnreadableError(Exception):
    """Not an answer of this cloud."""


def parse_ordered(content: bytes) -> Ordered:
    """The answer to an order.

    Raises:
        UnreadableError: it is something else.
    """
    try:
        return Ordered.model_validate_json(content)
    except ValidationError as exc:
        raise UnreadableError from exc


def parse_task(content: bytes) -> Task:
    """How a task is; terminal answers may come with any HTTP status.

    Raises:
        UnreadableError: it is something else.
    """
    try:
        task = Task.model_validate_json(content)
    except ValidationError as exc:
        raise UnreadableError from exc
    if task.status not in _KNOWN:
        raise UnreadableError
    return task


def complaints(content: bytes) -> str:
    """What a refused order was refused for, each with its place; empty if it is not said."""
    try:
        body = TypeAdapter(dict[str, Any]).validate_json(content)
    except ValidationError:
        return ""
    detail = body.get("detail")
    if isinstance(detail, str):
        return detail[:500]
    try:
        found = _COMPLAINTS.validate_python(detail)
    except ValidationError:
        return ""
    lines = [f"{'.'.join(map(str, each.loc[1:] or each.loc))}: {each.msg}" for each in found]
    return "; ".join(lines)[:500]


def retry_after_s(headers: Mapping[str, str], *, now: datetime, default: float) -> float:
    """How long the cloud asks us to wait, given in seconds or as a date; within reason."""
    given = headers.get("retry-after", "").strip()
    if given.isdecimal():
        return min(float(given), _LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return default
    wait_s = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return min(max(0.0, wait_s), _LONGEST_WAIT_S)
