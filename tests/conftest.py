"""What every test stands on: no setting from outside, and no folder but its own."""

import os
from pathlib import Path

import pytest

_OWN = "ORCHESTRATOR_TEST_BROWSER"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("ORCHESTRATOR_") and name != _OWN:
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, in a working directory without `.env` and `config.yaml`."""
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path / "home"
