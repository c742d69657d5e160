"""What may be asked for, with its limits: the same for the form, the API and every test."""

import json
from typing import Annotated, Any, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake

from app.models import AUTO, Fallback, SeedStrategy

MAX_SEED = 2**64 - 1
MAX_RANDOM_SEED = 2**53 - 1  # exact in JavaScript
MAX_PROMPT = 20_000  # characters
MAX_COUNT = 64

_BESIDE = frozenset(
    {
        "aspect_ratio",
        "raw",
        "prompt_upsampling",
        "safety_tolerance",
        "output_format",
        "image_prompt",
        "image_prompt_strength",
    }
)

_HALF = "The text holds half a character (a lone surrogate)."
_MAX_METADATA_BYTES = 64 * 1024  # each job of a submission keeps them


def _whole(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what could be neither stored nor sent: Python's JSON reader lets it pass."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise ValueError(_HALF) from exc
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value)) > _MAX_METADATA_BYTES:
        raise ValueError(f"The metadata take more than {_MAX_METADATA_BYTES} bytes.")
    return value


Side = Annotated[int, Field(ge=16, le=16_384, multiple_of=8)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Priority = Annotated[int, Field(ge=-100, le=100)]
Json = Annotated[dict[str, JsonValue], AfterValidator(_whole)]
Metadata = Annotated[Json, Field(max_length=100), AfterValidator(_small)]
Options = Annotated[dict[Name, str | int | float | bool], AfterValidator(_whole)]


class Wire(BaseModel):
    """A JSON object of the API: camelCase outside, snake_case inside, no unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        str_strip_whitespace=False,
    )


class LoraUse(Wire):
    """A LoRA on top of the checkpoint."""

    name: Name
    weight: float = Field(default=1.0, ge=-10, le=10, allow_inf_nan=False)
    clip_weight: float | None = Field(default=None, ge=-10, le=10, allow_inf_nan=False)


class Params(Wire):
    """How the picture is made; what is left out has the preset's value.

    The options that older clients send beside the others are understood, too.
    """

    width: Side | None = None
    height: Side | None = None
    steps: int | None = Field(default=None, ge=1, le=10_000)
    cfg: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    sampler: Name | None = None
    scheduler: Name | None = None
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    """None draws one for each picture; a given one starts the `seedStrategy`."""
    checkpoint: Name | None = None
    """Of the cloud: its model. None: the best fitting one."""
    vae: Name | None = None
    loras: tuple[LoraUse, ...] = Field(default=(), max_length=20)
    denoise: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    image: Name | None = None
    """The input picture: the `name` that `POST /api/inputs` answered with."""
    mask: Name | None = None
    """White is painted anew: a `name`, too."""
    options: Options = Field(default={}, max_length=200)
    """What only this preset knows, such as `frames`, `aspectRatio` or `raw`."""

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        beside = {name: given[name] for name in given if to_snake(name) in _BESIDE}
        if not beside:
            return given
        rest = {name: each for name, each in given.items() if name not in beside}
        picture = beside.pop("imagePrompt", beside.pop("image_prompt", None))
        if picture is not None:
            rest.setdefault("image", picture)
        options = rest.get("options", {})
        if isinstance(options, dict):
            rest["options"] = {**beside, **cast("dict[str, Any]", options)}
        return rest


class Submission(Wire):
    """One press of Generate."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prompt": "misty mountains at dawn, pines in the foreground",
                    "backend": "demo",
                    "params": {"width": 768, "height": 512, "steps": 20, "seed": 42},
                    "count": 2,
                }
            ]
        }
    )

    prompt: str = Field(default="", max_length=MAX_PROMPT)
    """May stay empty only where the preset takes none."""
    backend: Name
    """A preset (`demo`, `sdxl`, `flux`, …), the id of a backend, or `auto`."""
    workflow_id: Name | None = None
    """The preset, where `backend` names a backend; any checkpoint's unless given."""
    params: Params = Params()
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT)
    priority: Priority = 0
    count: int = Field(default=1, ge=1, le=MAX_COUNT)
    hold: bool = False
    """True makes jobs that wait for Run."""
    seed_strategy: SeedStrategy = SeedStrategy.SEQUENTIAL
    """Of the pictures after the first, where there is a seed; without one they are drawn."""
    fallback: Fallback | None = None
    """What happens while the backend is away; None takes the setting."""
    tags: tuple[Name, ...] = Field(default=(), max_length=20)
    """The backend must have all of them among its tags and capabilities."""
    webhook_url: AnyHttpUrl | None = None
    """Told, signed, when a job has ended."""
    metadata: Metadata = {}
    """Kept with the jobs, and given back with them."""
    confirmed: bool = False
    """Of a paid backend: its price is known and agreed to. Otherwise the answer is a dry run."""

    @field_validator("prompt", "negative_prompt")
    @classmethod
    def _storable(cls, value: str) -> str:
        if "\x00" in value:
            raise ValueError("The text holds a NUL character. Remove it.")
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise ValueError(_HALF) from exc
        return value


class Move(Wire):
    """Where a waiting job goes: right before or after another, or to another priority."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"before": "01a1fc41-4ebd-73fb-b62c-d77b5f31805d"}]}
    )

    before: UUID | None = None
    after: UUID | None = None
    priority: Priority | None = None


class Snake(BaseModel):
    """A JSON object of the routes whose clients speak snake_case."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ManifestJob(Snake):
    """One job of a workflow, with its parameters by the names the workflow gives them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workflow_id": "sdxl",
                    "parameters": {"prompt": "a red fox", "steps": 20, "seed": 42},
                    "metadata": {"shot": "010"},
                }
            ]
        }
    )

    workflow_id: Name
    parameters: Json = Field(default={}, max_length=200)
    """`prompt`, `negative_prompt`, `width`, `seed`, …, and the options of the workflow."""
    backend_id: Name = AUTO
    priority: Priority = 0
    metadata: Metadata = {}
    webhook_url: AnyHttpUrl | None = None
    """Told, signed, when the job has ended."""
    confirmed: bool = False
    """Of a paid workflow: its price is known and agreed to."""


class ManifestGroup(Snake):
    """The same on several backends: one job on each, each with its own seed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workflow_id": "text-to-image",
                    "parameters": {"prompt": "a red fox", "steps": 20},
                    "backend_ids": ["demo", "demo"],
                    "seed_strategy": "fibonacci",
                    "base_seed": 42,
                }
            ]
        }
    )

    workflow_id: Name | None = None
    workflow_json: Json | None = Field(default=None, max_length=2000)
    """A graph in API format; a parameter of it is named "node.input", or by a unique input."""
    parameters: Json = Field(default={}, max_length=200)
    backend_ids: tuple[Name, ...] = Field(min_length=1, max_length=MAX_COUNT)
    seed_strategy: SeedStrategy = SeedStrategy.RANDOM
    base_seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    priority: Priority = 0
    metadata: Metadata = {}
    timeout_seconds: float = Field(default=300, ge=30, le=3600)
    """Each job is stopped when it has run so long."""
    required_capabilities: tuple[Name, ...] = Field(default=(), max_length=20)
    """A backend must have all of them among its tags and capabilities."""
    webhook_url: AnyHttpUrl | None = None
    """Told, signed, when a job of it has ended, and when all have."""
    confirmed: bool = False

    @model_validator(mode="after")
    def _one_workflow(self) -> "ManifestGroup":
        if (self.workflow_id is None) == (self.workflow_json is None):
            raise ValueError("Give exactly one of workflow_id and workflow_json.")
        return self
