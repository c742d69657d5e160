"""How a run ended, from what the server remembers of it."""

from collections.abc import Sequence
from dataclasses import replace

from app.errors import BadOutputError
from app.runs import Output, RunEnd, RunFailed, RunInterrupted, RunSucceeded
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.answers import HistoryEntry, Outcome
from backends.comfyui.evidence import Evidence
from backends.comfyui.messages import Made, OutputFile, OutputText


def by_history(entry: HistoryEntry, *, evidence: Evidence) -> RunEnd:
    """The end the history tells of."""
    match entry.outcome:
        case Outcome.SUCCESS:
            return with_outputs(entry.made, evidence=evidence)
        case Outcome.INTERRUPTED:
            return RunInterrupted()
        case Outcome.ERROR:
            return RunFailed(error=failures.failure(entry.error, evidence=evidence))


def with_outputs(made: Sequence[Made], *, evidence: Evidence) -> RunEnd:
    """Success with what was made, or failure if there is nothing."""
    files = [_file_output(file) for file in _worth_keeping(made, evidence=evidence)]
    sent = evidence.pictures.outputs(first_index=0)
    texts = [_text_output(text) for text in made if isinstance(text, OutputText)]
    outputs = [replace(output, index=index) for index, output in enumerate([*files, *sent, *texts])]
    missing = _missing(outputs, evidence=evidence)
    lost = evidence.senders & missing
    if lost and not (evidence.blocked.keys() & lost):
        return RunFailed(error=lost_on_the_way(evidence))
    if not outputs:
        return RunFailed(error=_nothing(evidence))
    notices = [_notice(node_id, evidence=evidence) for node_id in sorted(missing)]
    return RunSucceeded(outputs=tuple(outputs), notices=tuple(notices))


def _worth_keeping(made: Sequence[Made], *, evidence: Evidence) -> list[OutputFile]:
    """Saved files; previews (`temp`) only where nothing was saved. Each once, in graph order."""
    files = list(dict.fromkeys(file for file in made if isinstance(file, OutputFile)))
    saved = [file for file in files if file.type == "output"]
    if not saved and not evidence.pictures.nodes():
        saved = [file for file in files if file.type == "temp"]
    place = {node_id: number for number, node_id in enumerate(evidence.brief)}
    # The same order however they are found again; nodes made on the way come last.
    return sorted(saved, key=lambda file: place.get(_shown(file.node_id), len(place)))


def _shown(node_id: str) -> str:
    """The node of the graph that one made on the way stands for."""
    return node_id.partition(".")[0]


def _missing(outputs: Sequence[Output], *, evidence: Evidence) -> frozenset[str]:
    done = {_shown(output.node_id) for output in outputs}
    return (frozenset(evidence.saving) | evidence.senders) - done


def _notice(node_id: str, *, evidence: Evidence) -> str:
    node = evidence.brief.get(node_id)
    title = node.title if node else node_id
    reason = evidence.blocked.get(node_id)
    if reason:
        return Said("{node} made nothing: {reason}", node=title, reason=reason)
    return Said("{node} made nothing: its branch was not run.", node=title)


def lost_on_the_way(evidence: Evidence) -> BadOutputError:
    """The error for pictures that were sent while nobody could hear."""
    return BadOutputError(
        Said(
            "{backend} sends these pictures over its connection alone, and it broke meanwhile.",
            backend=failures.label(evidence.info),
        ),
        fix=Said("Use Save Image instead, so that a file remains there."),
    )


def _nothing(evidence: Evidence) -> BadOutputError:
    for reason in evidence.blocked.values():
        message = Said(
            "{backend} made nothing: {reason}",
            backend=failures.label(evidence.info),
            reason=reason,
        )
        return BadOutputError(message, fix=Said("Check what blocks that branch of the workflow."))
    message = Said(
        "{backend} finished the run without a picture.", backend=failures.label(evidence.info)
    )
    return BadOutputError(message, fix=Said("Look at its console."))


def _file_output(file: OutputFile) -> Output:
    locator = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
    return Output(node_id=file.node_id, index=0, filename=file.filename, locator=locator)


def _text_output(text: OutputText) -> Output:
    return Output(node_id=text.node_id, index=0, filename="text.txt", locator={"text": text.text})
