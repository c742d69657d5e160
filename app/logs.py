"""What this app says of itself: on the screen, in files of JSON lines, and in memory for the pages.

Every record passes one place first, where the values of secrets are struck out and the job and
backend it is about are noted.
"""

import copy
import json
import logging
import logging.handlers
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import AnyHttpUrl, BaseModel, SecretStr
from pythonjsonlogger.json import JsonFormatter

from app.config import Settings

FILE_BYTES = 10 * 2**20
FILES = 5
KEPT = 2000  # records in memory
_HIDDEN = "•••"
_SHORTEST_SECRET = 6  # shorter ones would strike out words
_TRACES = logging.Formatter()
_NOISY = ("uvicorn", "httpx", "httpcore", "websockets", "PIL", "alembic", "multipart")

_job: ContextVar[str | None] = ContextVar("job", default=None)
_backend: ContextVar[str | None] = ContextVar("backend", default=None)


@contextmanager
def about(*, job_id: object = None, backend_id: str | None = None) -> Generator[None]:
    """Note this job and backend with everything that is logged inside, also by tasks made there."""
    job = _job.set(None if job_id is None else str(job_id))
    backend = _backend.set(backend_id)
    try:
        yield
    finally:
        _job.reset(job)
        _backend.reset(backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the log."""

    number: int  # grows by one
    at: datetime
    level: str  # DEBUG, INFO, WARNING, ERROR, CRITICAL
    logger: str
    message: str
    job_id: str | None = None
    backend_id: str | None = None
    trace: str | None = None  # of an exception


class Secrets:
    """Strikes out the values that must never be seen."""

    def __init__(self, settings: Settings) -> None:
        self._values: list[str] = []
        for value in secret_values(settings):
            self.add(value)

    def add(self, value: str) -> None:
        """Hide this value, too, from now on: one that was made while the app runs."""
        spellings = {value, json.dumps(value)[1:-1]}
        self._values += [each for each in spellings if len(each) >= _SHORTEST_SECRET]
        self._values.sort(key=len, reverse=True)  # one may be part of another

    def add_kept_in(self, home: Path) -> None:
        """Hide what the key files of this home hold; reads them."""
        for file in home.glob("*.key"):
            self.add(file.read_text(encoding="utf-8").strip())

    def hide(self, text: str) -> str:
        """The text without them."""
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        return text


def secret_values(settings: BaseModel) -> Iterator[str]:
    """The values of every secret setting."""
    for name in type(settings).model_fields:
        value: object = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, AnyHttpUrl) and value.password:
            yield value.password
        elif isinstance(value, BaseModel):
            yield from secret_values(value)
        elif isinstance(value, tuple):
            models = cast("tuple[object, ...]", value)
            for each in models:
                if isinstance(each, BaseModel):
                    yield from secret_values(each)


class LogBook:
    """The newest records, and who listens for more."""

    def __init__(self, *, secrets: Secrets, size: int = KEPT) -> None:
        self.secrets = secrets
        self._records: deque[Record] = deque(maxlen=size)
        self._number = 0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Record], None]] = []

    def keep(self, record: logging.LogRecord) -> logging.LogRecord:
        """Take in a record, from any thread; a clean copy of it, for others to write."""
        record = self._cleaned(record)
        with self._lock:
            self._number += 1
            kept = Record(
                number=self._number,
                at=datetime.fromtimestamp(record.created, UTC),
                level=record.levelname,
                logger=record.name,
                message=record.getMessage(),
                job_id=getattr(record, "job_id", None),
                backend_id=getattr(record, "backend_id", None),
                trace=record.exc_text,
            )
            self._records.append(kept)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(kept)
        return record

    def recent(
        self,
        *,
        level: str | None = None,
        text: str | None = None,
        job_id: str | None = None,
        after: int = 0,
        limit: int = 200,
    ) -> list[Record]:
        """The newest that match, oldest first; `level` is the lowest one."""
        with self._lock:
            records = list(self._records)
        lowest = logging.getLevelNamesMapping().get((level or "").upper(), 0)
        found: list[Record] = []
        for record in reversed(records):
            if record.number <= after or len(found) == limit:
                break
            if _matches(record, lowest=lowest, text=text, job_id=job_id):
                found.append(record)
        return found[::-1]

    def _cleaned(self, record: logging.LogRecord) -> logging.LogRecord:
        clean = copy.copy(record)
        clean.msg, clean.args = self.secrets.hide(record.getMessage()), None
        if record.exc_info:
            clean.exc_text = _TRACES.formatException(record.exc_info)
        if clean.exc_text:
            clean.exc_text = self.secrets.hide(clean.exc_text)
        clean.exc_info = None
        fields = clean.__dict__
        fields["job_id"] = fields.get("job_id") or _job.get()
        fields["backend_id"] = fields.get("backend_id") or _backend.get()
        return clean

    @contextmanager
    def listen(self, listener: Callable[[Record], None]) -> Generator[None]:
        """Call it with each new record, in the thread that logs, while inside."""
        with self._lock:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)


def _matches(record: Record, *, lowest: int, text: str | None, job_id: str | None) -> bool:
    if logging.getLevelNamesMapping()[record.level] < lowest:
        return False
    if job_id and job_id != record.job_id and job_id not in record.message:
        return False
    words = f"{record.logger} {record.backend_id} {record.job_id} {record.message}".lower()
    return all(word in words for word in (text or "").lower().split())


class _Gate(logging.Handler):
    """Cleans a record once, then hands the copy to everybody who wants it."""

    def __init__(self, book: LogBook, *, handlers: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._book = book
        self._handlers = handlers

    def emit(self, record: logging.LogRecord) -> None:
        """Write it everywhere."""
        try:
            clean = self._book.keep(record)
        except Exception:  # noqa: BLE001 - the log must never break what it tells of; this logs it
            self.handleError(record)
            return
        for handler in self._handlers:
            handler.handle(clean)

    def close(self) -> None:
        """Close the files."""
        for handler in self._handlers:
            handler.close()
        super().close()


class _Lines(JsonFormatter):
    """One JSON object a line."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """What a line holds."""
        super().add_fields(log_data, record, message_dict)
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["at"] = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
        for name in ("job_id", "backend_id"):
            if log_data.get(name) is None:
                log_data.pop(name, None)


def configure_logging(settings: Settings) -> LogBook:
    """Log to the screen and to files from here on; what is in memory is in the book returned."""
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    to_file = logging.handlers.RotatingFileHandler(
        settings.logs_dir / "orchestrator.log",
        maxBytes=FILE_BYTES,
        backupCount=FILES - 1,  # the one being written is the fifth
        encoding="utf-8",
    )
    to_file.setFormatter(
        _Lines(
            ["at", "levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
    )
    to_screen = logging.StreamHandler()
    to_screen.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s"))
    book = LogBook(secrets=Secrets(settings))
    gate = _Gate(book, handlers=(to_file, to_screen))
    logging.basicConfig(level=settings.log_level, handlers=[gate], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return book
