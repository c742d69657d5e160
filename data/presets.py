"""The bundled presets, read from `data/workflows`."""

import json
from importlib import resources
from typing import Any

from app.graphs.preset import ModelSlot, Option, Preset, Variant
from app.presets import Presets

_ORDER = (
    "text-to-image",
    "sd15",
    "sdxl",
    "sd35",
    "flux-dev",
    "flux-schnell",
    "sd15-image",
    "sdxl-image",
    "sd15-inpaint",
    "sdxl-inpaint",
    "upscale",
    "svd",
    "flux",
)


def load_presets() -> Presets:
    """Every preset, in the order of the form."""
    folder = resources.files("data") / "workflows"
    return Presets(
        preset_from(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
        for name in _ORDER
    )


def preset_from(record: dict[str, Any]) -> Preset:
    """The preset a file of `data/workflows` describes."""
    parts: dict[str, Any] = {
        **record,
        "fields": tuple(record["fields"]),
        "options": tuple(_option(each) for each in record.get("options", ())),
        "variants": tuple(_variant(each) for each in record.get("variants", ())),
    }
    return Preset(**parts)


def _option(record: dict[str, Any]) -> Option:
    parts: dict[str, Any] = {**record, "choices": tuple(record.get("choices", ()))}
    return Option(**parts)


def _variant(record: dict[str, Any]) -> Variant:
    loras = record.get("loras", {})
    return Variant(
        graph=record["graph"],
        bindings={name: tuple(places) for name, places in record.get("bindings", {}).items()},
        models=tuple(_slot(each) for each in record.get("models", ())),
        saves=tuple(record.get("saves", ())),
        lora_model=_link(loras.get("model")),
        lora_clip=_link(loras.get("clip")),
        vae=_link(record.get("vae")),
        notice=record.get("notice", ""),
    )


def _slot(record: dict[str, Any]) -> ModelSlot:
    lists = {name: tuple(record.get(name, ())) for name in ("families", "names")}
    parts: dict[str, Any] = {"field": None, **record, **lists}
    return ModelSlot(**parts)


def _link(value: list[Any] | None) -> tuple[str, int] | None:
    return None if value is None else (str(value[0]), int(value[1]))
