"""Errors of ours from what the network or a ComfyUI server reports, in sentences for people."""

import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import cast

import httpx

from app.diagnosis import NodeReport, error_of
from app.errors import (
    BackendError,
    BackendUnreachableError,
    MissingCapabilityError,
    NodeFailedError,
    PromptRejectedError,
)
from app.models import BackendInfo
from app.said import Said
from backends.comfyui.answers import NodeComplaint, PromptAnswer
from backends.comfyui.evidence import Evidence
from backends.comfyui.messages import NodeError

CLOSED = Said("it closed the connection")
LATE = Said("no answer in time")
NOT_COMFY = Said("does not answer like ComfyUI")
BROKE = Said("the connection broke")
_REASONS = {
    errno.ECONNREFUSED: Said("connection refused"),
    errno.ECONNRESET: CLOSED,
    errno.EPIPE: CLOSED,
    errno.EHOSTUNREACH: Said("no route to the host"),
    errno.ENETUNREACH: Said("the network is unreachable"),
    errno.ETIMEDOUT: LATE,
}


def label(info: BackendInfo) -> str:
    """The backend, as messages call it."""
    return Said("Backend '{id}' at {url}", id=info.id, url=info.url)


def unreachable(info: BackendInfo, *, reason: str) -> BackendUnreachableError:
    """The error for a backend that did not answer."""
    return BackendUnreachableError(
        Said(
            "{backend} does not answer: {reason}. Is ComfyUI running?",
            backend=label(info),
            reason=reason,
        ),
        fix=Said("Start ComfyUI on that machine, or check the address in the settings."),
    )


def strange(info: BackendInfo, *, what: str) -> BackendUnreachableError:
    """The error for something that answers, but not as ComfyUI does."""
    return BackendUnreachableError(
        Said("{backend} {what}.", backend=label(info), what=what),
        fix=Said("Check that the address is that of a ComfyUI server, and read its console."),
    )


def sentence(exc: BaseException) -> str:
    """What an error says, still translatable where it is ours."""
    return exc.message if isinstance(exc, BackendError) else str(exc)


def reason_of(exc: BaseException) -> str:
    """Why a connection failed, in a few words."""
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLError):
            return Said("its TLS certificate or handshake is not valid")
        if isinstance(cause, socket.gaierror):
            return Said("its host name is unknown")
        if isinstance(cause, OSError) and cause.errno in _REASONS:
            return _REASONS[cause.errno]
    if isinstance(exc, httpx.TimeoutException | TimeoutError):
        return LATE
    if isinstance(exc, httpx.RemoteProtocolError | EOFError):
        return CLOSED
    return str(exc).rstrip(".") or type(exc).__name__


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException] = [exc]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [cause for cause in (current.__cause__, current.__context__) if cause]
        waiting += members(current)


def members(exc: BaseException) -> Sequence[BaseException]:
    """What a group holds; nothing for an error that is none."""
    if not isinstance(exc, BaseExceptionGroup):
        return ()
    return cast("BaseExceptionGroup[BaseException]", exc).exceptions


def rejection(info: BackendInfo, *, answer: PromptAnswer) -> BackendError:
    """The error for a graph the server refuses."""
    error = _rejection(info, answer=answer)
    error.node_id = next((each.node_id for each in answer.complaints), None)
    return error


def _rejection(info: BackendInfo, *, answer: PromptAnswer) -> BackendError:
    if answer.missing_class is not None:
        return MissingCapabilityError(
            Said(
                "{backend} has no node class '{name}': {message}",
                backend=label(info),
                name=answer.missing_class,
                message=answer.message,
            ),
            fix=Said("Install the custom node there, update ComfyUI, or choose another backend."),
        )
    if not answer.complaints:
        said = " ".join(part for part in (answer.message, answer.details) if part)
        return PromptRejectedError(
            Said(
                "{backend} rejected the prompt: {message}",
                backend=label(info),
                message=said or Said("no reason given"),
            )
        )
    sentences = "; ".join(_complaint(complaint) for complaint in answer.complaints[:5])
    if all(_is_missing_name(complaint) for complaint in answer.complaints):
        return MissingCapabilityError(
            Said(
                "{backend} lacks what the prompt needs: {message}",
                backend=label(info),
                message=sentences,
            ),
            fix=Said("Install the missing file there, or choose another one or another backend."),
        )
    return PromptRejectedError(
        Said("{backend} rejected the prompt: {message}", backend=label(info), message=sentences),
        fix=Said("Correct the value named."),
    )


def _is_missing_name(complaint: NodeComplaint) -> bool:
    name = complaint.input_name or ""
    return complaint.kind == "value_not_in_list" and (name.endswith("_name") or name == "scheduler")


def _complaint(complaint: NodeComplaint) -> str:
    where = f"node {complaint.node_id} ({complaint.class_type})"
    if complaint.input_name is None:
        return f"{where}: {complaint.message} {complaint.details}".rstrip()
    value = "" if complaint.received is None else f" = {complaint.received!r}"
    message = complaint.message
    if complaint.kind in ("value_not_in_list", "custom_validation_failed"):
        message = f"{message}: {complaint.details}"  # the message alone names nothing
    return f"{where}, input '{complaint.input_name}'{value}: {message}"


def failure(error: NodeError | None, *, evidence: Evidence) -> BackendError:
    """The error for a run that ended with one."""
    backend = label(evidence.info)
    if error is None:
        return NodeFailedError(
            Said("{backend} reports that the run failed, but not why.", backend=backend),
            fix=Said("Read the console of that ComfyUI."),
        )
    # A node made on the way is known by the one that people see.
    node = evidence.brief.get(error.node_id) or evidence.brief.get(error.node_id.partition(".")[0])
    found = error_of(
        NodeReport(
            backend=evidence.info.name,
            exception_type=error.exception_type,
            message=error.message,
            node_id=error.node_id,
            node_class=error.node_type or (node.class_type if node else ""),
            node_title=node.title if node else "",
            model=node.model if node else None,
            width=evidence.request.width,
            height=evidence.request.height,
            vram_total_bytes=evidence.vram_total_bytes,
        )
    )
    found.node_id = error.node_id.partition(".")[0] or None
    return found
