"""The log: JSON lines in files, the newest in memory, and never a secret."""

import json
import logging
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from app.logs import FILES, LogBook, Record, Secrets, about, configure_logging
from tests.support.running import settings_for

TOKEN = 'a-very-"secret"-token'
KEY = "bfl-key-123456"
log = logging.getLogger("tests.logs")


@pytest.fixture
def book(home: Path) -> Generator[LogBook]:
    """Logging as the app sets it up; what was set up before comes back."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    kept = {logger: logger.level for logger in map(logging.getLogger, ("uvicorn", "httpx"))}
    for handler in before:
        root.removeHandler(handler)
    yield configure_logging(
        settings_for(home, auth_token=TOKEN, flux={"api_key": KEY}, log_level="DEBUG")
    )
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    for logger, old in kept.items():
        logger.setLevel(old)


def lines(home: Path) -> list[dict[str, Any]]:
    """What the file holds."""
    text = (home / "logs" / "orchestrator.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_record_is_one_json_line_with_its_job_and_backend(book: LogBook, home: Path) -> None:
    with about(job_id="job-1", backend_id="gpu-1"):
        log.warning("It took %d s", 3)
    log.info("Another", extra={"job_id": "job-2"})

    first, second = lines(home)

    assert first["at"].endswith("Z")
    del first["at"]
    assert first == {
        "level": "WARNING",
        "logger": "tests.logs",
        "message": "It took 3 s",
        "job_id": "job-1",
        "backend_id": "gpu-1",
    }
    assert (second["job_id"], "backend_id" in second) == ("job-2", False)


def test_secrets_are_struck_out_of_messages_arguments_and_traces(
    book: LogBook, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book.secrets.add("made-while-running")
    try:
        int(f"{KEY} is no number")
    except ValueError:
        log.exception("Sent %s, %s and %s", TOKEN, json.dumps({"t": TOKEN}), "made-while-running")

    record = book.recent()[-1]
    in_file = (home / "logs" / "orchestrator.log").read_text(encoding="utf-8")

    assert record.trace is not None
    assert "ValueError" in record.trace
    for place in (record.message, record.trace, in_file, capsys.readouterr().err):
        for secret in (TOKEN, json.dumps(TOKEN)[1:-1], KEY, "made-while-running"):
            assert secret not in place
    assert record.message.startswith("Sent •••, ")


def test_the_newest_records_are_found_by_level_words_and_job(book: LogBook) -> None:
    log.debug("quiet")
    log.info("Job 7c1e started")
    with about(job_id="7c1e", backend_id="gpu-1"):
        log.error("It failed")

    assert [each.message for each in book.recent(level="warning")] == ["It failed"]
    assert len(book.recent(job_id="7c1e")) == 2
    assert [each.message for each in book.recent(text="GPU-1 failed")] == ["It failed"]
    assert [each.message for each in book.recent(limit=1)] == ["It failed"]
    assert book.recent(after=book.recent()[-1].number) == []


def test_memory_keeps_a_bounded_number_of_records(book: LogBook) -> None:
    small = LogBook(secrets=book.secrets, size=3)
    for number in range(5):
        small.keep(logging.LogRecord("x", logging.INFO, "x.py", 1, str(number), None, None))

    assert [each.message for each in small.recent()] == ["2", "3", "4"]


def test_listeners_hear_records_of_other_threads_until_they_leave(book: LogBook) -> None:
    heard: list[Record] = []
    with book.listen(heard.append):
        thread = threading.Thread(target=log.warning, args=("from a thread",))
        thread.start()
        thread.join()
    log.warning("too late")

    assert [each.message for each in heard] == ["from a thread"]


def test_files_are_ten_megabytes_five_at_most(book: LogBook, home: Path) -> None:
    gate = logging.getLogger().handlers[0]
    files = [each for each in vars(gate)["_handlers"] if hasattr(each, "maxBytes")]

    assert [(each.maxBytes, each.backupCount + 1) for each in files] == [(10 * 2**20, FILES)]
    assert FILES == 5


def test_values_too_short_to_be_secrets_are_left_alone(home: Path) -> None:
    secrets = Secrets(settings_for(home))
    secrets.add("short")
    secrets.add("long-enough")

    assert secrets.hide("a short and long-enough text") == "a short and ••• text"
