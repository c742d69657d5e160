"""Pages of tests keep what a user chose in the test's own folder."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from nicegui.storage import Storage


@pytest.fixture(autouse=True)
def _own_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Storage, "path", tmp_path / "sessions")


@pytest.fixture(autouse=True, scope="module")
def _collect_only_what_is_new() -> Iterator[None]:
    """NiceGUI collects garbage twice a page: seconds, where other tests left much in memory."""
    gc.freeze()
    yield
    gc.unfreeze()
