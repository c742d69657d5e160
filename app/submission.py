"""What may be asked for, with its limits: the same for the form, the API and every test."""

from typing import Annotated
from uuid import UUID

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, JsonValue, field_validator
from pydantic.alias_generators import to_camel

from app.models import Fallback, SeedStrategy

MAX_SEED = 2**64 - 1
MAX_RANDOM_SEED = 2**53 - 1  # exact in JavaScript
MAX_PROMPT = 20_000  # characters
MAX_COUNT = 64

Side = Annotated[int, Field(ge=16, le=16_384, multiple_of=8)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Priority = Annotated[int, Field(ge=-100, le=100)]


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
    """How the picture is made; what is left out has the preset's value."""

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
    options: dict[Name, str | int | float | bool] = Field(default={}, max_length=50)
    """What only this preset knows, such as `frames`, `aspectRatio` or `raw`."""


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

    prompt: str = Field(max_length=MAX_PROMPT)
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
    metadata: dict[str, JsonValue] = Field(default={}, max_length=100)
    """Kept with the jobs, and given back with them."""
    confirmed: bool = False
    """Of a paid backend: its price is known and agreed to. Otherwise the answer is a dry run."""

    @field_validator("prompt")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("The prompt is empty. Describe the picture you want.")
        return value

    @field_validator("prompt", "negative_prompt")
    @classmethod
    def _storable(cls, value: str) -> str:
        if "\x00" in value:
            raise ValueError("The text holds a NUL character. Remove it.")
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise ValueError("The text holds half a character (a lone surrogate).") from exc
        return value


class Move(Wire):
    """Where a waiting job goes: right before or after another, or to another priority."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"before": "01a1fc41-4ebd-73fb-b62c-d77b5f31805d"}]}
    )

    before: UUID | None = None
    after: UUID | None = None
    priority: Priority | None = None
