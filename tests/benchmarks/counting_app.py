"""The app as it is, with every database statement it makes counted in a file (its size)."""

import os
import sys
from pathlib import Path

from sqlalchemy import Engine, event

import main

COUNT_FILE = "statements.count"


def _count_statements(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @event.listens_for(Engine, "before_cursor_execute")
    def on_statement(*_: object) -> None:
        os.write(descriptor, b".")


if __name__ == "__main__":
    _count_statements(Path(os.environ["ORCHESTRATOR_HOME"]) / COUNT_FILE)
    sys.exit(main.main())
