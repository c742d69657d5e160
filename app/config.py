"""What the user may set, from the environment, `.env` and `config.yaml`, checked once at start.

Order of force: environment (`ORCHESTRATOR_…`), `.env`, `config.yaml` (both in the working
directory), defaults. `config.example.yaml` shows every key.
"""

import ipaddress
import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from app.models import AUTO, DEMO, FLUX, BackendInfo, Fallback

PREFIX = "ORCHESTRATOR_"
MIN_TOKEN = 16  # characters
_NOT_SETTINGS = frozenset({"ORCHESTRATOR_TEST_BROWSER", "ORCHESTRATOR_TEST_COMFY_URL"})

FLUX_PRICES_DATE = date(2026, 8, 1)
FLUX_PRICES_USD = {
    "flux-pro-1.1": 0.04,
    "flux-pro-1.1-ultra": 0.06,
    "flux-dev": 0.025,
    "flux-kontext-pro": 0.04,
    "flux-kontext-max": 0.08,
    "flux-2-pro": 0.03,
    "flux-2-flex": 0.06,
    "flux-2-max": 0.07,
    "flux-2-klein-4b": 0.014,
    "flux-2-klein-9b": 0.015,
}

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ConfigError(Exception):
    """The configuration has mistakes; the message lists all of them."""


class BackendSettings(BaseModel):
    """One ComfyUI server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str = Field(default="", max_length=80)
    kind: Literal["comfyui"] = "comfyui"
    url: AnyHttpUrl
    enabled: bool = True
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_concurrent_jobs: int = Field(default=1, ge=1, le=64)

    @field_validator("id")
    @classmethod
    def _short_and_free(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", value):
            raise ValueError(f"'{value}' is no id; use up to 40 small letters, digits and hyphens")
        if value in (AUTO, DEMO, FLUX):
            raise ValueError(f"'{value}' is the name of a preset; choose another id")
        return value

    def to_info(self) -> BackendInfo:
        """The same as a value of the core."""
        return BackendInfo(
            id=self.id,
            name=self.name or self.id,
            kind=self.kind,
            url=str(self.url).rstrip("/"),
            enabled=self.enabled,
            capabilities=self.capabilities,
            tags=self.tags,
            max_concurrent_jobs=self.max_concurrent_jobs,
        )


class Timeouts(BaseModel):
    """How long we wait for anybody outside, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect_s: Seconds = 5
    """Until a backend takes a connection."""
    request_s: Seconds = 15
    """Until a backend answers a request."""
    download_s: Seconds = 120
    """Until a finished file has arrived."""
    check_s: Seconds = 3
    """Between two looks at the queue and history of a backend while it runs a job for us."""
    reconnect_max_s: Seconds = 10
    """The longest pause between two attempts to reach a backend that is away."""
    ping_s: Seconds = 20
    """Between two pings that tell a dead socket from a quiet one."""
    lost_confirm_s: Seconds = 1
    """Between the two looks that must both find nothing before a job is sent again."""
    shutdown_s: Seconds = 5
    """For open connections to end when the app stops."""
    startup_s: Seconds = 30
    """For the built-in demo engine to answer at start."""
    proxy_s: Seconds = 30
    """For a backend to answer a request that is passed on to it."""
    webhook_s: Seconds = 10
    """For the receiver of a webhook to take it."""
    cloud_s: Seconds = 60
    """For the cloud to answer a request."""
    self_test_s: Seconds = 60
    """For the self-test of the diagnostics page to make its picture."""


class RetrySettings(BaseModel):
    """What happens after an error that may pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: int = Field(default=3, ge=1, le=10)
    backoff_s: Seconds = 2
    """Pause before the second attempt; doubles for each further one, with up to half as jitter."""
    backoff_max_s: Seconds = 60
    max_losses: int = Field(default=2, ge=1, le=10)
    """A job under which backends died this often is held, with what is known."""


class SchedulingSettings(BaseModel):
    """How waiting jobs are spread over the backends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefetch: bool = True
    """Whether a busy backend gets its next prompt before it is done, so that it never idles."""
    affinity_patience_s: float = Field(default=60, ge=0, le=86_400)
    """How long a job may be overtaken by others whose model is already loaded."""
    fallback: Fallback = Fallback.NONE
    """What happens to a job whose backend is away, unless the job says otherwise."""


class HealthSettings(BaseModel):
    """When a backend, or a workflow or model on one, is given no more work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    circuit_faults: int = Field(default=3, ge=1, le=100)
    """So many faults of a backend in a row rest it."""
    circuit_pause_s: Seconds = 30
    """How long it rests before one job tries it again; doubles each time that fails."""
    circuit_pause_max_s: Seconds = 600
    quarantine_faults: int = Field(default=3, ge=1, le=100)
    """So many faults of one workflow on one backend in a row put it in quarantine there."""


class FluxSettings(BaseModel):
    """The FLUX cloud of Black Forest Labs; paid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr | None = None
    url: AnyHttpUrl = AnyHttpUrl("https://api.bfl.ai")
    """Regional ones: https://api.eu.bfl.ai, https://api.us.bfl.ai."""
    max_in_flight: int = Field(default=24, ge=1, le=1000)
    """How many tasks the account may have at a time."""
    budget_day_usd: float = Field(default=5.0, ge=0, le=1_000_000)
    """Spent and set aside in one day (UTC), never more."""
    budget_total_usd: float = Field(default=50.0, ge=0, le=10_000_000)
    prices_usd: dict[str, float] = FLUX_PRICES_USD
    """The price of a picture by model, for the estimate; what is charged counts in the ledger."""
    prices_date: date = FLUX_PRICES_DATE
    poll_s: Seconds = 1
    """Between two looks at a task."""
    webhook_url: AnyHttpUrl | None = None
    """Where the cloud reaches this app, ending in /api/flux/webhook; then it is polled rarely."""


class Settings(BaseSettings):
    """Everything the user may set. Frozen; unknown keys are mistakes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        yaml_file="config.yaml",
        yaml_file_encoding="utf-8",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Path = Path("var")
    """The one folder that everything written at run time lives under."""
    auth_token: SecretStr | None = None
    """Whoever has it may come in; needed to listen beyond loopback. At least 16 characters."""
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65_535)
    """0 takes any free port."""
    outputs: Path | None = None
    """Where finished pictures are kept; `<home>/outputs` unless set."""
    session_days: int = Field(default=14, ge=1, le=365)
    allowed_hosts: tuple[str, ...] = ()
    """Names, besides localhost and addresses, that this app is reached by."""
    submissions_per_minute: int = Field(default=600, ge=1, le=100_000)
    """Of one client; more are refused with 429."""
    demo_engine: bool = True
    demo_step_delay_s: float = Field(default=0.1, ge=0, le=10)
    """How long the demo engine takes for one sampling step."""
    backends: tuple[BackendSettings, ...] = ()
    timeouts: Timeouts = Timeouts()
    retry: RetrySettings = RetrySettings()
    scheduling: SchedulingSettings = SchedulingSettings()
    health: HealthSettings = HealthSettings()
    allow_generation: bool = False
    """Whether paid backends may be used at all; otherwise they only show what it would cost."""
    flux: FluxSettings = FluxSettings()
    outbound_proxy: AnyHttpUrl | None = None
    """For calls to the cloud; backends and this machine are always reached directly."""
    wildcards: Path | None = None
    """The folder of the `__name__` files of prompts; `<home>/wildcards` unless set."""
    webhook_secret: SecretStr | None = None
    """Signs what is sent to webhooks; one is made for this home unless set."""
    events_keep_days: int = Field(default=7, ge=1, le=365)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def outputs_dir(self) -> Path:
        """Where finished pictures are kept."""
        return self.outputs or self.home / "outputs"

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.home / "orchestrator.db"

    @property
    def thumbnails_dir(self) -> Path:
        """Small versions of the pictures, by content; may be deleted at any time."""
        return self.home / "thumbnails"

    @property
    def demo_dir(self) -> Path:
        """The demo engine's own folder: what it writes is not ours until we fetch it."""
        return self.home / "demo"

    @property
    def inputs_dir(self) -> Path:
        """Pictures that were given to start from, by content."""
        return self.home / "inputs"

    @property
    def wildcards_dir(self) -> Path:
        """The `__name__` files of prompts."""
        return self.wildcards or self.home / "wildcards"

    @property
    def logs_dir(self) -> Path:
        """The rotating log files."""
        return self.home / "logs"

    @field_validator("home", "outputs", "wildcards")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("auth_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_TOKEN:
            raise ValueError(f"the token is shorter than {MIN_TOKEN} characters")
        return value

    @field_validator("host")
    @classmethod
    def _token_beyond_loopback(cls, value: str, info: ValidationInfo) -> str:
        # `auth_token` is declared before `host`, so it is known here; missing when it is wrong.
        if info.data.get("auth_token", "") is None and not is_loopback(value):
            raise ValueError(
                f"'{value}' can be reached from other machines; set auth_token "
                "(ORCHESTRATOR_AUTH_TOKEN) first, or use 127.0.0.1"
            )
        return value

    @field_validator("backends")
    @classmethod
    def _unique_backends(cls, value: tuple[BackendSettings, ...]) -> tuple[BackendSettings, ...]:
        ids = [backend.id for backend in value]
        twice = sorted({backend_id for backend_id in ids if ids.count(backend_id) > 1})
        if twice:
            raise ValueError(f"the id {', '.join(twice)} is used more than once")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Code (tests) over environment over `.env` over `config.yaml`."""
        config = YamlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, config


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server listening on that host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings() -> Settings:
    """The settings in force.

    Raises:
        ConfigError: with every mistake, each naming the key and what to do.
    """
    mistakes = _unknown_environment()
    try:
        settings = Settings()
    except ValidationError as exc:
        mistakes += [_sentence(error["loc"], error["msg"]) for error in exc.errors()]
    except (ValueError, OSError, yaml.YAMLError) as exc:
        # a file that is no YAML, or cannot be read
        mistakes.append(f"config.yaml or environment: {exc}")
    else:
        if not mistakes:
            return settings
    raise ConfigError("\n".join(f"  - {mistake}" for mistake in mistakes))


def _unknown_environment() -> list[str]:
    fields = {name.upper() for name in Settings.model_fields}
    unknown = [
        name
        for name in os.environ
        if name.startswith(PREFIX)
        and name not in _NOT_SETTINGS
        and name.removeprefix(PREFIX).split("__")[0] not in fields
    ]
    return [f"{name}: no such setting; see config.example.yaml" for name in sorted(unknown)]


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in location)
    message = re.sub(r"^(Value error|Assertion failed), ", "", message)
    if message == "Extra inputs are not permitted":
        message = "no such setting; see config.example.yaml"
    return f"{key}: {message}" if key else message
