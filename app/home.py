"""The one folder that everything written at run time lives under: who uses it, and its secrets."""

import hashlib
import hmac
import logging
import os
import secrets
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from app.errors import StorageError

log = logging.getLogger(__name__)


class StartError(Exception):
    """The app cannot start; the message says why and what to do."""


def alone_in(home: Path) -> FileLock:
    """Held while this process uses the home: two would run every job twice.

    Raises:
        StartError: another process uses it, or it cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "in-use.lock")
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise StartError(
            f"Another Orchestrator already uses {home}. "
            "Stop it, or start this one with another ORCHESTRATOR_HOME."
        ) from exc
    except OSError as exc:
        raise StartError(
            f"The folder {home} cannot be used: {exc.strerror or exc}. "
            "Make it writable, or choose another with ORCHESTRATOR_HOME."
        ) from exc
    return lock


def warn_unless_writable(folder: Path) -> None:
    """Say at once when pictures cannot be kept; what is there can still be looked at."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        log.warning(
            "Pictures cannot be kept in %s: %s. Every job will fail until it is a writable folder, "
            "or another is set with ORCHESTRATOR_OUTPUTS.",
            folder,
            exc.strerror or exc,
        )


def secret_of(home: Path) -> str:
    """What only this home knows."""
    return kept_secret(home, "session.key", secrets.token_urlsafe(32))


def derived_secret(home: Path, purpose: str) -> str:
    """A secret of this home for one purpose; says nothing about those for others."""
    return hmac.new(secret_of(home).encode(), purpose.encode(), hashlib.sha256).hexdigest()


def kept_secret(home: Path, name: str, new: str) -> str:
    """A secret in a file of the home: made once, readable by its owner only.

    Raises:
        StorageError: the file cannot be read or written.
    """
    path = home / name
    try:
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(new)
        return path.read_text(encoding="ascii")
    except OSError as exc:
        raise StorageError(f"{path} cannot be read or written: {exc.strerror or exc}.") from exc
