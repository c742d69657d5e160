"""What is in a home after the storm, held against what the engine says it ran."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from PIL import Image

_TERMINAL = {"done", "failed", "cancelled"}


@dataclass(frozen=True, kw_only=True)
class JobFound:
    """A job with what was done for it."""

    id: UUID
    state: str
    failure: str
    attempts: tuple[str, ...]
    open_attempts: int
    files: tuple[str, ...]
    executed: int


def audit(
    home: Path, executed: Counter[str], *, outputs: Path | None = None
) -> tuple[JobFound, ...]:
    """The jobs of a home, oldest first, after a check of everything that must always be true.

    Every job has ended, every done one has exactly one picture that is whole, every other one
    none; no attempt was drawn twice; there is no file without a row and nothing half-written.
    """
    outputs = outputs or home / "outputs"
    with closing(sqlite3.connect(f"file:{home / 'orchestrator.db'}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        jobs = _jobs(database, executed)
        rows = database.execute("SELECT file, sha256 FROM image").fetchall()
    for job in jobs:
        assert job.state in _TERMINAL, f"{job} never ended"
        assert job.open_attempts == 0, f"{job} has ended, but one of its attempts has not"
        assert len(job.files) == (job.state == "done"), f"{job} has the wrong number of pictures"
        assert all(executed[each] <= 1 for each in job.attempts), f"{job}: drawn twice"
    for file, sha256 in rows:
        path = outputs / file
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        with Image.open(path) as picture:
            picture.load()
    assert _files_below(outputs) == {file for file, _ in rows}, "files and rows do not agree"
    assert _half_written(home, outputs) == []
    return jobs


def _jobs(database: sqlite3.Connection, executed: Counter[str]) -> tuple[JobFound, ...]:
    found: list[JobFound] = []
    for job_id, state, failure in database.execute(
        "SELECT id, state, failure FROM job ORDER BY key"
    ):
        attempts = database.execute("SELECT id, state FROM attempt WHERE job_id = ?", (job_id,))
        states = {str(UUID(key)): of for key, of in attempts.fetchall()}
        files = database.execute("SELECT file FROM image WHERE job_id = ?", (job_id,)).fetchall()
        found.append(
            JobFound(
                id=UUID(job_id),
                state=state,
                failure=failure or "",
                attempts=tuple(states),
                open_attempts=list(states.values()).count("open"),
                files=tuple(file for (file,) in files),
                executed=sum(executed[each] for each in states),
            )
        )
    return tuple(found)


def _files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in _walk([folder])}


def _half_written(home: Path, outputs: Path) -> list[Path]:
    return [path for path in _walk([outputs, home / "thumbnails"]) if path.suffix == ".part"]


def _walk(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]
