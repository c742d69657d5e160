"""Errors of ours from what the network or a ComfyUI server reports, in sentences for people."""

import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import cast

import httpx

from app.errors import (
    BackendError,
    BackendUnreachableError,
    MissingCapabilityError,
    NodeFailedError,
    OutOfMemoryError,
    PromptRejectedError,
)
from app.models import BackendInfo
from backends.comfyui.answers import Brief, NodeComplaint, PromptAnswer
from backends.comfyui.messages import NodeError

_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "it closed the connection",
    errno.EPIPE: "it closed the connection",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "the network is unreachable",
    errno.ETIMEDOUT: "no answer in time",
}


def label(info: BackendInfo) -> str:
    """The backend, as messages call it."""
    return f"Backend '{info.id}' at {info.url}"


def unreachable(info: BackendInfo, *, reason: str) -> BackendUnreachableError:
    """The error for a backend that did not answer."""
    return BackendUnreachableError(
        f"{label(info)} does not answer: {reason}. Is ComfyUI running?",
        fix="Start ComfyUI on that machine, or check the address in the settings.",
    )


def strange(info: BackendInfo, *, what: str) -> BackendUnreachableError:
    """The error for something that answers, but not as ComfyUI does."""
    return BackendUnreachableError(
        f"{label(info)} {what}.",
        fix="Check that the address is that of a ComfyUI server, and read its console.",
    )


def reason_of(exc: BaseException) -> str:
    """Why a connection failed, in a few words."""
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLError):
            return "its TLS certificate or handshake is not valid"
        if isinstance(cause, socket.gaierror):
            return "its host name is unknown"
        if isinstance(cause, OSError) and cause.errno in _REASONS:
            return _REASONS[cause.errno]
    if isinstance(exc, httpx.TimeoutException | TimeoutError):
        return "no answer in time"
    if isinstance(exc, httpx.RemoteProtocolError | EOFError):
        return "it closed the connection"
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
    if answer.missing_class is not None:
        return MissingCapabilityError(
            f"{label(info)} has no node class '{answer.missing_class}': {answer.message}",
            fix="Install the custom node there, update ComfyUI, or choose another backend.",
        )
    if not answer.complaints:
        said = " ".join(part for part in (answer.message, answer.details) if part)
        return PromptRejectedError(
            f"{label(info)} rejected the prompt: {said or 'no reason given'}"
        )
    sentences = "; ".join(_complaint(complaint) for complaint in answer.complaints[:5])
    if all(_is_missing_name(complaint) for complaint in answer.complaints):
        return MissingCapabilityError(
            f"{label(info)} lacks what the prompt needs: {sentences}",
            fix="Install the missing file there, or choose another one or another backend.",
        )
    return PromptRejectedError(
        f"{label(info)} rejected the prompt: {sentences}", fix="Correct the value named."
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


def failure(info: BackendInfo, *, error: NodeError | None, brief: Brief) -> BackendError:
    """The error for a run that ended with one; `brief` gives the node its title."""
    if error is None:
        return NodeFailedError(
            f"{label(info)} reports that the run failed, but not why.",
            fix="Read the console of that ComfyUI.",
        )
    node = brief.get(error.node_id)
    kind = error.node_type or (node.class_type if node else "?")
    title = node.title if node else kind
    where = f"'{title}' ({kind})" if title != kind else f"'{title}'"
    lines = error.message.splitlines() or [error.exception_type or "no message"]
    text = f"{label(info)}: node {error.node_id} {where} failed: {lines[0]}"
    if _is_out_of_memory(error):
        return OutOfMemoryError(text, fix="Choose a smaller size, or a backend with more memory.")
    return NodeFailedError(text, fix="Check the inputs of that node; its console says more.")


def _is_out_of_memory(error: NodeError) -> bool:
    message = error.message.lower()
    return (
        "OutOfMemory" in error.exception_type
        or error.exception_type == "MemoryError"
        or "out of memory" in message
        or "allocation on device" in message
    )
