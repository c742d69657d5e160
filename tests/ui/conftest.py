"""Pages of tests keep what a user chose in the test's own folder."""

from pathlib import Path

import pytest
from nicegui.storage import Storage


@pytest.fixture(autouse=True)
def _own_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Storage, "path", tmp_path / "sessions")
