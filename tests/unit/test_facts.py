"""What the diagnostics page says about the set-up."""

from pathlib import Path

import pytest

from app.config import FluxSettings, Settings
from app.facts import check_paths, matrix_of, settings_in_force
from app.health import Quarantine
from app.ids import new_id
from app.logs import Secrets
from app.models import Catalog
from tests.support.fakes import START, info
from tests.support.running import settings_for

ONE = Catalog(
    node_classes=frozenset({"KSampler", "OnlyHere"}),
    models={"checkpoints": ("a.safetensors", "b.safetensors"), "loras": ("x/y.safetensors",)},
)
OTHER = Catalog(node_classes=frozenset({"KSampler"}), models={"checkpoints": ("b.safetensors",)})


def in_force(settings: Settings) -> dict[str, tuple[str, str]]:
    """Value and source by key."""
    views = settings_in_force(settings, secrets=Secrets(settings))
    return {each.key: (each.value, each.source) for each in views}


def test_every_setting_is_listed_and_secrets_only_as_set_or_not(home: Path) -> None:
    settings = settings_for(
        home,
        auth_token="a-token-of-the-tests",
        flux=FluxSettings.model_validate({"api_key": "sk-1234567"}),
        outbound_proxy="http://me:passw0rd@proxy.test:3128",
    )

    found = in_force(settings)

    assert found["auth_token"] == ("•••", "file")
    assert found["flux.api_key"] == ("•••", "file")
    assert found["webhook_secret"] == ("–", "default")
    assert found["session_days"] == ("14", "default")
    assert "passw0rd" not in str(found)
    assert set(Settings.model_fields) == {key.partition(".")[0] for key in found}


def test_a_setting_from_the_environment_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_RETRY__MAX_ATTEMPTS", "5")

    found = in_force(Settings(home=home))

    assert found["retry.max_attempts"] == ("5", "environment")
    assert found["retry.backoff_s"][1] == "default"


def test_paths_are_tried_for_real(home: Path) -> None:
    home.mkdir()
    blocked = home / "file"
    blocked.write_text("a file where a folder should be")

    found = {
        each.name: each
        for each in check_paths(settings_for(home, outputs=blocked / "out"), say=str)
    }

    assert (found["home"].exists, found["home"].is_writable, found["home"].fix) == (True, True, "")
    assert (found["inputs"].exists, found["inputs"].is_writable) == (False, True)
    assert not found["outputs"].is_writable
    assert found["outputs"].fix
    assert found["home"].free_bytes
    assert not any(home.glob("tmp*"))


def test_the_matrix_says_which_backend_has_what_also_while_it_is_offline() -> None:
    quarantine = Quarantine(
        id=new_id(), kind="model", subject="b.safetensors", backend_id="gpu-2",
        code="corrupt_model", reason="Bad.", created_at=START,
    )  # fmt: skip
    fleet = [(info("gpu-1"), ONE), (info("gpu-2"), OTHER), (info("gpu-3"), None)]

    matrix = matrix_of(fleet, quarantines=[quarantine])

    rows = {row.name: (row.kind, row.on, row.quarantined) for row in matrix.rows}
    assert matrix.backends == ["gpu-1", "gpu-2", "gpu-3"]
    assert matrix.node_counts == [2, 1, None]
    assert rows == {
        "a.safetensors": ("checkpoints", [0], []),
        "b.safetensors": ("checkpoints", [0, 1], [1]),
        "x/y.safetensors": ("loras", [0], []),
        "OnlyHere": ("nodes", [0], []),
    }
    assert [row.kind for row in matrix.rows][:2] == ["checkpoints", "checkpoints"]


def test_a_matrix_without_backends_is_empty() -> None:
    matrix = matrix_of([], quarantines=[])

    assert (matrix.backends, matrix.rows, matrix.is_complete) == ([], [], True)
