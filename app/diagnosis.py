"""Every known failure as cause and fix: pure, from tables.

`error_of` reads what a node raised (the table is `app.node_failures`); `explain` says what a code
of `app.errors`, or of an incident, means in general; `diagnosis_of` is what a job shows.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from app.errors import BackendError, CorruptModelError, NodeFailedError
from app.models import JobFailure
from app.node_failures import GPU_MEMORY, RULES, Rule
from app.said import Said

_READ = 10_000  # characters of what a node says: some put whole arrays into it
_MESSAGE_LENGTH = 300
_GIB = 2**30
_SMALL_PX = 640
"""Below that another size hardly helps: the model itself is too large."""
_ENDINGS = r"\.(?:safetensors|sft|ckpt|pth?|bin|gguf|onnx)\b"
_MODEL_FILE = re.compile(
    rf"(?<=[/\\])[^/\\\n]+?{_ENDINGS}|[\w\-.]+{_ENDINGS}",  # spaces only after a folder
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What a backend told of a node that raised, and what is known of the job."""

    backend: str  # its name
    exception_type: str = ""
    message: str = ""
    node_id: str = ""
    node_class: str = ""
    node_title: str = ""
    model: str | None = None  # the model file that the node loads, as the catalog names it
    width: int | None = None
    height: int | None = None
    vram_total_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a failure means: a few words, why, and what to do."""

    title: str
    cause: str
    fix: str


def error_of(report: NodeReport) -> BackendError:
    """The error that a node's exception is, with what happened and what to do."""
    told = f"{report.exception_type}: {report.message}"[:_READ]
    rule = next((rule for rule in RULES if rule.pattern.search(told)), None)
    if rule is None:
        return _unknown(report)
    known = _known(report)
    if rule is GPU_MEMORY:
        return _out_of_gpu_memory(rule, report, known)
    message, fix = _fill(rule.message, known), _fill(rule.fix, known)
    if issubclass(rule.error, CorruptModelError):
        return rule.error(message, fix=fix, model=_model(report))
    return rule.error(message, fix=fix)


def _unknown(report: NodeReport) -> BackendError:
    message = Said(
        "{backend}: node {id} {where} failed: {message}",
        backend=report.backend,
        id=report.node_id,
        where=_where(report),
        message=_first_line(report),
    )
    return NodeFailedError(
        message, fix=Said("Check the inputs of that node; its console says more.")
    )


def _out_of_gpu_memory(rule: Rule, report: NodeReport, known: Mapping[str, Any]) -> BackendError:
    if not (report.width and report.height and report.vram_total_bytes):
        return rule.error(_fill(rule.message, known), fix=rule.fix)
    longest = max(report.width, report.height)
    message = Said(
        "Out of GPU memory at {node}: {width} × {height} is too much for {backend}, "
        "which has {gb} GB.",
        node=known["node"],
        width=report.width,
        height=report.height,
        backend=report.backend,
        gb=f"{report.vram_total_bytes / _GIB:.3g}",
    )
    if longest <= _SMALL_PX:
        fix = Said(
            "Choose a smaller model, start that ComfyUI with --lowvram, "
            "or use a backend with more memory."
        )
    else:
        fix = Said(
            "Choose a smaller size, {px} px or less, or a backend with more memory.",
            px=longest * 3 // 4 // 64 * 64,
        )
    return rule.error(message, fix=fix)


def _known(report: NodeReport) -> dict[str, Any]:
    return {
        "backend": report.backend,
        "node": report.node_title or report.node_class or Said("a node"),
        "model": _model(report) or Said("the model chosen"),
        "message": _first_line(report),
    }


def _fill(template: Said, known: Mapping[str, Any]) -> Said:
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    return Said(template, **{name: known[name] for name in names})


def _model(report: NodeReport) -> str | None:
    """The file that is named in the message, else the one the node loads."""
    found = _MODEL_FILE.search(report.message)
    named = found[0] if found else None
    if named and report.model and PureWindowsPath(report.model).name == named:
        return report.model  # with its folder
    return report.model or named


def _where(report: NodeReport) -> str:
    kind = report.node_class or "?"
    title = report.node_title or kind
    return f"'{title}' ({kind})" if title != kind else f"'{title}'"


def _first_line(report: NodeReport) -> str:
    line = report.message.strip().split("\n", 1)[0] or report.exception_type or "no message"
    return line[:_MESSAGE_LENGTH]


def diagnosis_of(failure: JobFailure) -> Diagnosis:
    """Why a job failed and what to do: its own words, and the general ones where it has none."""
    general = explain(failure.code)
    return Diagnosis(
        title=general.title,
        cause=failure.message or general.cause,
        fix=failure.fix or general.fix,
    )


def explain(code: str) -> Diagnosis:
    """What a code means in general; an unknown one is explained as a mistake of ours."""
    return _EXPLAINED.get(code, _EXPLAINED["error"])


def explained_codes() -> frozenset[str]:
    """Every code that `explain` knows."""
    return frozenset(_EXPLAINED)


def _explained(title: Said, cause: Said, fix: Said) -> Diagnosis:
    return Diagnosis(title=title, cause=cause, fix=fix)


_OURS = {
    "error": _explained(
        Said("Mistake in this app"),
        Said("Something unforeseen went wrong here."),
        Said("The log has the details. Press Retry to try again."),
    ),
    "invalid": _explained(
        Said("Wrong input"),
        Said("A value is outside of what is allowed."),
        Said("Correct the value named."),
    ),
    "unknown_backend": _explained(
        Said("Unknown backend"),
        Said("There is neither a backend nor a preset of that name."),
        Said("Choose one of those in the list, or add the backend in Settings."),
    ),
    "not_found": _explained(
        Said("Not found"),
        Said("It was removed, or the id is wrong."),
        Said("Load the page again, and choose it from the list."),
    ),
    "conflict": _explained(
        Said("Not possible now"),
        Said("Its state does not allow this."),
        Said("Load the page again, and look at its state."),
    ),
    "stale": _explained(
        Said("Changed by somebody else"),
        Said("Somebody else changed it a moment ago."),
        Said("Load the page again, and repeat what you did."),
    ),
    "already_submitted": _explained(
        Said("Submitted already"),
        Said("A submission with this key is there already."),
        Said("Use another Idempotency-Key for another submission."),
    ),
    "unauthorized": _explained(
        Said("Not logged in"),
        Said("No token was given, or a wrong one."),
        Said("Log in again with the token from the configuration."),
    ),
    "too_many_requests": _explained(
        Said("Too many requests"),
        Said("More was asked for in a minute than is allowed."),
        Said("Wait a moment, or raise submissions_per_minute in the configuration."),
    ),
    "storage": _explained(
        Said("Own disk or database"),
        Said("A file or the database of this app could not be written or read."),
        Said("Check space and permissions under Paths in Diagnostics, then press Retry."),
    ),
}
_MACHINES = {
    "backend": _explained(
        Said("Backend failed"),
        Said("The backend reported an error."),
        Said("Read the console of that ComfyUI."),
    ),
    "unreachable": _explained(
        Said("No answer"),
        Said("The backend did not answer in time."),
        Said("Start ComfyUI on that machine, or check the address in the settings."),
    ),
    "not_sent": _explained(
        Said("Connection refused"),
        Said("Nothing listens at the address of the backend."),
        Said("Start ComfyUI on that machine, or check the address in the settings."),
    ),
    "rejected": _explained(
        Said("Workflow refused"),
        Said("The backend says that a value or link of the workflow is wrong."),
        Said("Correct the value named."),
    ),
    "missing_capability": _explained(
        Said("Something is missing there"),
        Said("The backend lacks a node, a model or a package that the job needs."),
        Said("Install the missing file there, or choose another one or another backend."),
    ),
    "out_of_memory": _explained(
        Said("Out of memory"),
        Said("The picture needs more memory than the backend has."),
        Said("Choose a smaller size, or a backend with more memory."),
    ),
    "node_failed": _explained(
        Said("Node failed"),
        Said("A node of the workflow raised an error."),
        Said("Check the inputs of that node; its console says more."),
    ),
    "bad_output": _explained(
        Said("Unreadable result"),
        Said("The run ended well, but its result could not be fetched or read."),
        Said("Press Retry; if it happens again, look at the output folder of that ComfyUI."),
    ),
    "corrupt_model": _explained(
        Said("Damaged model file"),
        Said("A model file on the backend cannot be read."),
        Said("Download the file there again and compare its size, or choose another model."),
    ),
    "backend_disk_full": _explained(
        Said("Disk of the backend full"),
        Said("The backend has no space left to write to."),
        Said("Free space on that machine, then press Retry."),
    ),
    "backend_died": _explained(
        Said("Backend crashed"),
        Said("The backend went away in the middle of a job and came back without it."),
        Said("Look at its console. Too little memory is the usual reason."),
    ),
    "timeout": _explained(
        Said("Ran too long"),
        Said("The run took longer than the job allows, and was stopped."),
        Said("Allow it more time, choose fewer steps or a smaller size, or a faster backend."),
    ),
    "poison": _explained(
        Said("Held: backends die of it"),
        Said("More than one backend went away while it ran this job."),
        Said("Does it crash on this picture? Look at its log, or try it elsewhere."),
    ),
}
_CLOUD = {
    "budget": _explained(
        Said("Budget reached"),
        Said("The call would cost more than the budget allows; nothing was sent."),
        Said("Wait until tomorrow, or raise the budget in the configuration."),
    ),
    "moderated": _explained(
        Said("Refused by moderation"),
        Said("The cloud refuses the prompt or the picture for what it shows."),
        Said("Change the prompt or the input picture; the same again is refused again."),
    ),
    "bad_key": _explained(
        Said("API key refused"),
        Said("The cloud does not accept the API key."),
        Said("Set a valid key in the configuration (flux.api_key), and restart."),
    ),
    "no_credit": _explained(
        Said("No credits left"),
        Said("The cloud account has no credits left."),
        Said("Buy credits at the provider, then press Retry."),
    ),
    "uncertain_charge": _explained(
        Said("Perhaps paid for"),
        Said("The order may have reached the cloud, but its answer never came back."),
        Said("Look at the account there before you press Retry: it may cost twice."),
    ),
}
_WATCHED = {
    "backend_offline": _explained(
        Said("Backend offline"),
        Said("The backend does not answer."),
        Said("Start ComfyUI on that machine, or check the address in the settings."),
    ),
    "circuit_open": _explained(
        Said("Backend rests"),
        Said("Several jobs in a row failed by the fault of this backend."),
        Said("It is tried again by itself. Look at its console, or press Check."),
    ),
    "quarantine": _explained(
        Said("In quarantine"),
        Said("A workflow or model fails on this backend each time."),
        Said("Mend it there, then lift the quarantine in Diagnostics."),
    ),
    "disk_low": _explained(
        Said("Disk nearly full"),
        Said("There is little space left where pictures are kept."),
        Said("Empty the trash, or move the outputs to a larger disk (ORCHESTRATOR_OUTPUTS)."),
    ),
    "webhook_failed": _explained(
        Said("Webhook not delivered"),
        Said("The receiver did not take the message, however often it was tried."),
        Said("Check that its address answers with 2xx in time."),
    ),
    "loop_lag": _explained(
        Said("This app is slow"),
        Said("The event loop of this app was held up, so everything answers late."),
        Said("Is this machine overloaded? Look at its CPU and memory in Diagnostics."),
    ),
}
_EXPLAINED: Mapping[str, Diagnosis] = {**_OURS, **_MACHINES, **_CLOUD, **_WATCHED}
