"""Settings: where they come from, which is stronger, and that every mistake is named."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from app.config import (
    MIN_TOKEN,
    BackendSettings,
    ConfigError,
    FluxSettings,
    HealthSettings,
    RetrySettings,
    SchedulingSettings,
    Settings,
    Timeouts,
    load_settings,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no setting from outside."""
    for name in list(os.environ):
        if name.upper().startswith("ORCHESTRATOR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


Write = Callable[[str], object]


@pytest.fixture
def config_yaml(folder: Path) -> Write:
    """Writes `config.yaml`."""
    return lambda text: (folder / "config.yaml").write_text(text, "utf-8")


@pytest.fixture
def dotenv(folder: Path) -> Write:
    """Writes `.env`."""
    return lambda text: (folder / ".env").write_text(text, "utf-8")


def mistakes() -> str:
    """What the start is refused with."""
    with pytest.raises(ConfigError) as caught:
        load_settings()
    return str(caught.value)


def test_without_any_configuration_the_defaults_hold(folder: Path) -> None:
    settings = load_settings()

    assert (settings.host, settings.port, settings.demo_engine) == ("127.0.0.1", 3000, True)
    assert settings.home == folder / "var"
    assert settings.outputs_dir == folder / "var" / "outputs"
    assert settings.backends == ()


def test_environment_beats_dotenv_beats_yaml_beats_default(
    config_yaml: Write, dotenv: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_yaml("port: 1001\nevents_keep_days: 11\nlog_level: ERROR\n")
    dotenv("ORCHESTRATOR_PORT=1002\nORCHESTRATOR_EVENTS_KEEP_DAYS=12\n")
    monkeypatch.setenv("ORCHESTRATOR_PORT", "1003")

    settings = load_settings()

    assert (settings.port, settings.events_keep_days) == (1003, 12)
    assert (settings.log_level, settings.demo_step_delay_s) == ("ERROR", 0.1)


def test_one_timeout_from_each_source_leaves_the_others(
    config_yaml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_yaml("timeouts:\n  request_s: 30\n")
    monkeypatch.setenv("ORCHESTRATOR_TIMEOUTS__CONNECT_S", "9")

    timeouts = load_settings().timeouts

    assert (timeouts.connect_s, timeouts.request_s, timeouts.ping_s) == (9, 30, 20)


def test_backends_come_from_yaml_or_as_json_from_the_environment(
    config_yaml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_yaml("backends:\n  - {id: gpu-1, url: 'http://10.0.0.1:8188/', tags: [fast]}\n")
    info = load_settings().backends[0].to_info()
    monkeypatch.setenv("ORCHESTRATOR_BACKENDS", json.dumps([{"id": "b", "url": "http://b:1"}]))

    assert (info.id, info.name, info.url) == ("gpu-1", "gpu-1", "http://10.0.0.1:8188")
    assert info.tags == ("fast",)
    assert [backend.id for backend in load_settings().backends] == ["b"]


@pytest.mark.parametrize(
    ("where", "text", "named"),
    [
        ("env", "ORCHESTRATOR_PROT=1", "ORCHESTRATOR_PROT"),
        ("env", "ORCHESTRATOR_TIMEOUTS__CONECT_S=1", "timeouts.conect_s"),
        ("dotenv", "ORCHESTRATOR_PROT=1", "orchestrator_prot"),
        ("yaml", "prot: 1", "prot"),
        ("yaml", "timeouts: {conect_s: 1}", "timeouts.conect_s"),
        ("yaml", "retry: {tries: 1}", "retry.tries"),
        ("yaml", "backends: [{id: a, url: 'http://a', nmae: b}]", "backends.0.nmae"),
    ],
)
def test_unknown_key_stops_the_start_and_is_named(
    where: str,
    text: str,
    named: str,
    config_yaml: Write,
    dotenv: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def environment(line: str) -> None:
        monkeypatch.setenv(*line.split("="))

    {"env": environment, "dotenv": dotenv, "yaml": config_yaml}[where](text)

    assert f"{named}: no such setting; see config.example.yaml" in mistakes()


def test_all_mistakes_are_listed_at_once(
    config_yaml: Write, dotenv: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_yaml("port: 99999\nbackends:\n  - {id: Bad Id, url: gpu}\ncolour: red\n")
    dotenv("ORCHESTRATOR_LOG_LEVEL=LOUD\n")
    monkeypatch.setenv("ORCHESTRATOR_PROT", "1")

    lines = mistakes().splitlines()

    keys = {line.removeprefix("  - ").partition(":")[0] for line in lines}
    expected = {"ORCHESTRATOR_PROT", "port", "log_level", "colour"}
    assert keys == expected | {"backends.0.id", "backends.0.url"}


def test_mistakes_that_concern_several_settings_are_in_the_same_list(config_yaml: Write) -> None:
    backends = "backends:\n  - {id: a, url: 'http://a'}\n  - {id: a, url: 'http://b'}\n"
    config_yaml("port: 99999\nhost: 192.168.1.5\n" + backends)

    text = mistakes()

    assert "port: " in text
    assert "host: '192.168.1.5' can be reached from other machines" in text
    assert "backends: the id a is used more than once" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])  # noqa: S104
def test_host_that_others_can_reach_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(ValueError, match="can be reached from other machines"):
        Settings(host=host)


def test_host_that_others_can_reach_is_taken_with_a_token() -> None:
    settings = Settings(host="192.168.1.5", auth_token=SecretStr("x" * MIN_TOKEN))

    assert settings.host == "192.168.1.5"


def test_short_token_is_refused_and_never_repeated(
    dotenv: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv("ORCHESTRATOR_AUTH_TOKEN=hunter2\n")
    monkeypatch.setenv("ORCHESTRATOR_PORT", "x")

    text = mistakes()

    assert "auth_token: the token is shorter than 16 characters" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_host_of_this_machine_is_taken(host: str) -> None:
    assert Settings(host=host).host == host


def test_backend_id_used_twice_is_named(config_yaml: Write) -> None:
    config_yaml("backends:\n  - {id: a, url: 'http://a'}\n  - {id: a, url: 'http://b'}\n")

    assert "the id a is used more than once" in mistakes()


@pytest.mark.parametrize("backend_id", ["auto", "demo"])
def test_backend_id_of_a_preset_is_refused(backend_id: str) -> None:
    with pytest.raises(ValueError, match="name of a preset"):
        BackendSettings.model_validate({"id": backend_id, "url": "http://a"})


@pytest.mark.parametrize("url", ["gpu-1:8188", "ftp://gpu-1", "http://", "", "8188"])
def test_bad_url_of_a_backend_is_named(url: str, config_yaml: Write) -> None:
    config_yaml(f"backends:\n  - {{id: a, url: '{url}'}}\n")

    assert mistakes().startswith("  - backends.0.url: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("demo_step_delay_s", -0.1),
        ("events_keep_days", 0),
        ("log_level", "loud"),
        ("timeouts", {"connect_s": 0}),
        ("timeouts", {"request_s": "soon"}),
        ("retry", {"max_attempts": 11}),
    ],
)
def test_value_out_of_range_is_named(key: str, value: object, config_yaml: Write) -> None:
    config_yaml(yaml.safe_dump({key: value}))

    assert f"- {key}" in mistakes()


@pytest.mark.parametrize("text", ["port: [1", "\tport: 1", "- port", "port", "a: b: c"])
def test_file_that_is_no_settings_is_a_mistake_not_a_crash(text: str, config_yaml: Write) -> None:
    config_yaml(text)

    assert "config.yaml" in mistakes()


def test_empty_file_changes_nothing(config_yaml: Write) -> None:
    config_yaml("# port: 1\n")

    assert load_settings().port == 3000


def test_broken_json_in_the_environment_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BACKENDS", "[{")

    assert "backends" in mistakes()


def test_browser_of_the_tests_is_no_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEST_BROWSER", "/usr/bin/chromium")

    assert load_settings().port == 3000


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # pyright: ignore[reportAttributeAccessIssue]


def uncommented() -> dict[str, Any]:
    """The example with its settings in force: `# key: …` and what is below, not the prose."""
    lines = EXAMPLE.read_text("utf-8").splitlines()
    stripped = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    setting = re.compile(r"( *- | +)?[a-z_]+:( |$)")
    return yaml.safe_load("\n".join(line for line in stripped if setting.match(line)))


def test_example_changes_nothing_until_it_is_uncommented() -> None:
    assert yaml.safe_load(EXAMPLE.read_text("utf-8")) is None


PARTS: dict[str, type[BaseModel]] = {
    "scheduling": SchedulingSettings,
    "health": HealthSettings,
    "flux": FluxSettings,
}


@pytest.mark.parametrize("part", PARTS)
def test_example_shows_every_key_of_a_part_with_its_default(part: str) -> None:
    shown = uncommented()[part]
    model = PARTS[part]

    assert set(shown) == set(model.model_fields)
    shown.pop("prices_usd", None)  # one of many, to show how
    assert model.model_validate(shown) == model()


def test_the_ids_of_presets_are_no_ids_of_backends() -> None:
    for taken in ("auto", "demo", "flux"):
        with pytest.raises(ValueError, match="choose another id"):
            BackendSettings.model_validate({"id": taken, "url": "http://127.0.0.1:8188"})


@pytest.mark.parametrize(
    ("model", "path"),
    [(Settings, ()), (Timeouts, ("timeouts",)), (RetrySettings, ("retry",))],
)
def test_example_shows_every_key_with_its_default(
    model: type[BaseModel], path: tuple[str, ...]
) -> None:
    shown: Any = uncommented()
    for key in path:
        shown = shown[key]

    assert set(shown) == set(model.model_fields)
    defaults = {name: field.default for name, field in model.model_fields.items()}
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in defaults.items()}
    as_yaml = {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}
    nested = {"backends", "timeouts", "retry", *PARTS}
    assert {k: v for k, v in shown.items() if k not in nested} == {
        k: v for k, v in as_yaml.items() if k not in nested
    }


def test_example_shows_every_key_of_a_backend() -> None:
    (backend,) = uncommented()["backends"]

    assert set(backend) == set(BackendSettings.model_fields)
    shown = BackendSettings.model_validate(backend)
    assert shown == BackendSettings.model_validate({"id": backend["id"], "url": backend["url"]})


def test_uncommented_example_is_a_valid_configuration(config_yaml: Write) -> None:
    config_yaml(yaml.safe_dump(uncommented()))

    assert [backend.id for backend in load_settings().backends] == ["gpu-1"]
