"""How a run ended, from what the server remembers of it."""

from pathlib import PurePosixPath

from app.errors import BadOutputError
from app.models import BackendInfo
from app.runs import Output, RunEnd, RunFailed, RunInterrupted, RunSucceeded
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.answers import Brief, HistoryEntry, Outcome
from backends.comfyui.messages import OutputFile

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif"})


def by_history(entry: HistoryEntry, *, info: BackendInfo, brief: Brief) -> RunEnd:
    """The end the history tells of; `brief` is the graph, should the entry lack it."""
    match entry.outcome:
        case Outcome.SUCCESS:
            return with_pictures(entry.files, info=info)
        case Outcome.INTERRUPTED:
            return RunInterrupted()
        case Outcome.ERROR:
            error = failures.failure(info, error=entry.error, brief=entry.brief or brief)
            return RunFailed(error=error)


def with_pictures(files: tuple[OutputFile, ...], *, info: BackendInfo) -> RunEnd:
    """Success with the pictures among the files, or failure if there is none.

    Saved ones count; previews (`temp`) only where nothing was saved. The suffix decides what is a
    picture: videos come under the key `images`, too.
    """
    pictures = [file for file in files if PurePosixPath(file.filename).suffix.lower() in _PICTURES]
    saved = [file for file in pictures if file.type == "output"]
    chosen = saved or [file for file in pictures if file.type == "temp"]
    if not chosen:
        message = Said(
            "{backend} finished the run without a picture.", backend=failures.label(info)
        )
        return RunFailed(error=BadOutputError(message, fix=Said("Look at its console.")))
    outputs = [_output(file, index=index) for index, file in enumerate(chosen)]
    return RunSucceeded(outputs=tuple(outputs))


def _output(file: OutputFile, *, index: int) -> Output:
    return Output(
        node_id=file.node_id,
        index=index,
        filename=file.filename,
        locator={"filename": file.filename, "subfolder": file.subfolder, "type": file.type},
    )
