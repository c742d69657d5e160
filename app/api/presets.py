"""The presets and what runs where, and prompts with alternatives, over HTTP."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field, field_validator

from app.api.deps import Here
from app.api.problems import responses
from app.graphs.preset import Option, OptionType, OptionValue, Preset
from app.models import AUTO, BackendInfo, GenerationRequest
from app.prompting import preview, wildcard_names
from app.services import Services
from app.submission import MAX_COUNT, MAX_PROMPT, Wire

router = APIRouter(prefix="/api", tags=["presets"])


class OptionView(Wire):
    """A setting that only this preset has; it goes into `params.options` by its name."""

    name: str
    label: str
    type: OptionType
    default: OptionValue
    min: float | None
    max: float | None
    step: float | None
    choices: list[str]
    help: str
    section: str


class PresetOnBackend(Wire):
    """Whether a backend runs a preset, with its own values."""

    id: str
    name: str
    online: bool
    runs: bool | None = Field(description="null: what it can do is not known yet")
    missing: list[str] = Field(description="Files and node classes it lacks")
    notices: list[str] = Field(description="What would be replaced")


class PresetView(Wire):
    """A way to make something."""

    id: str
    name: str
    description: str
    kind: str
    family: str
    media: str
    fields: list[str] = Field(description="What it takes, in the order of the form")
    options: list[OptionView]
    defaults: dict[str, Any]
    needs_image: bool
    needs_mask: bool
    paid: bool
    version: int | None = Field(description="Of a saved workflow; its form is its options")
    backends: list[PresetOnBackend]


class PresetList(Wire):
    """Every preset."""

    presets: list[PresetView]


class PromptPreview(Wire):
    """A prompt with alternatives."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "a {red|blue} fox", "count": 4}]}
    )

    prompt: str = Field(max_length=MAX_PROMPT)
    count: int = Field(default=8, ge=1, le=MAX_COUNT)

    @field_validator("prompt")
    @classmethod
    def _whole(cls, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise ValueError("The text holds half a character (a lone surrogate).") from exc
        return value


class PromptsPreviewed(Wire):
    """Prompts that may come out, and the wildcards there are."""

    prompts: list[str]
    wildcards: list[str]


@router.get("/presets", responses=responses())
async def list_presets(here: Here) -> PresetList:
    """Every preset, its form fields, and which backends run it."""
    return PresetList(presets=[_view(preset, here) for preset in here.presets.all()])


@router.post("/prompts/preview", responses=responses(400))
async def preview_prompts(here: Here, asked: PromptPreview) -> PromptsPreviewed:
    """What alternatives and wildcards in a prompt may turn into."""
    folder = here.settings.wildcards_dir
    prompts = await asyncio.to_thread(preview, asked.prompt, limit=asked.count, wildcards=folder)
    names = await asyncio.to_thread(wildcard_names, folder)
    return PromptsPreviewed(prompts=prompts, wildcards=names)


def _view(preset: Preset, here: Services) -> PresetView:
    infos = [info for info in here.fleet.infos() if _of_its_kind(preset, info)]
    return PresetView(
        id=preset.id,
        name=preset.name,
        description=preset.description,
        kind=preset.kind,
        family=preset.family,
        media=preset.media,
        fields=list(preset.fields),
        options=[option_view(option) for option in preset.options],
        defaults=dict(preset.defaults),
        needs_image=preset.needs_image,
        needs_mask=preset.needs_mask,
        paid=preset.paid,
        version=preset.version,
        backends=[_on_backend(preset, info, here) for info in infos],
    )


def _of_its_kind(preset: Preset, info: BackendInfo) -> bool:
    return info.enabled and (info.kind == "bfl") == (preset.kind == "bfl")


def _on_backend(preset: Preset, info: BackendInfo, here: Services) -> PresetOnBackend:
    status = here.fleet.status(info.id)
    fit = here.presets.fit(_usual(preset), status.catalog) if status.catalog else None
    return PresetOnBackend(
        id=info.id,
        name=info.name,
        online=status.online,
        runs=fit.ok if fit else None,
        missing=[str(each) for each in fit.missing] if fit else [],
        notices=[str(each) for each in fit.notices] if fit else [],
    )


def _usual(preset: Preset) -> GenerationRequest:
    """The request of a preset with nothing but its own values."""
    values: Mapping[str, Any] = {
        "prompt": "",
        **{name: each for name, each in preset.defaults.items() if name != "negative_prompt"},
    }
    return GenerationRequest(target=AUTO, preset=preset.id, **values)


def option_view(option: Option) -> OptionView:
    """A setting for the wire."""
    return OptionView(
        name=option.name,
        label=option.label,
        type=option.type,
        default=option.default,
        min=option.min,
        max=option.max,
        step=option.step,
        choices=list(option.choices),
        help=option.help,
        section=option.section,
    )
