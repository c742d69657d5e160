"""What is posted for a request: pure, one shape for each family of models."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.models import GenerationRequest
from app.paid import DEFAULT_MODEL
from app.said import Said

RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21")
_SEEDS = 2**32  # the cloud's seeds have 32 bits; ours are folded, so that the same one gives the
# same picture again
_SAFETY = 2  # 0 is the strictest, 6 the loosest


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Which widths and heights a model takes."""

    step: int
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The JSON of one order, and what had to be changed for it, for people."""

    payload: Mapping[str, Any] = field(repr=False)
    notices: tuple[str, ...] = ()


_PRO = Sizes(step=32, least=256, most=1440)
_FLUX_2 = Sizes(step=16, least=64, most=2048)


def model_of(request: GenerationRequest) -> str:
    """The model the request is for."""
    return request.checkpoint or DEFAULT_MODEL


def suffix_of(request: GenerationRequest) -> str:
    """How the name of its picture ends."""
    return ".png" if _format(request) == "png" else ".jpg"


def build_body(request: GenerationRequest, *, image: str | None = None) -> Body:
    """The order for a request; `image` is its input picture in base64."""
    model = model_of(request)
    payload: dict[str, Any] = {
        "prompt": request.prompt,
        "seed": request.seed % _SEEDS,
        "safety_tolerance": int(_option(request, "safety_tolerance", _SAFETY)),
        "output_format": _format(request),
    }
    if model.startswith("flux-2"):
        notices = _add_size(payload, request, _FLUX_2)
        _add(payload, "input_image", image)
        return Body(payload=payload, notices=notices)
    payload["prompt_upsampling"] = bool(_option(request, "prompt_upsampling", False))
    if model.startswith("flux-kontext"):
        notices = _add_ratio(payload, request)
        _add(payload, "input_image", image)
    elif model.endswith("-ultra"):
        notices = _add_ratio(payload, request)
        payload["raw"] = bool(_option(request, "raw", False))
        _add(payload, "image_prompt", image)
        if image is not None:
            payload["image_prompt_strength"] = float(_option(request, "image_prompt_strength", 0.1))
    else:
        notices = _add_size(payload, request, _PRO)
        _add(payload, "image_prompt", image)
    return Body(payload=payload, notices=notices)


def shown_body(request: GenerationRequest) -> Mapping[str, Any]:
    """The order as a dry run shows it: an input picture is named, not sent."""
    return build_body(request, image=request.image and f"base64 of {request.image}").payload


def nearest_ratio(width: int, height: int) -> str:
    """The aspect ratio that is closest to a size."""
    wanted = math.log(width / height)
    return min(RATIOS, key=lambda ratio: abs(math.log(_value(ratio)) - wanted))


def _add_ratio(payload: dict[str, Any], request: GenerationRequest) -> tuple[str, ...]:
    chosen = str(_option(request, "aspect_ratio", ""))
    if re.fullmatch(r"[1-9]\d?:[1-9]\d?", chosen) and 9 / 21 <= _value(chosen) <= 21 / 9:
        payload["aspect_ratio"] = chosen
        return ()
    ratio = payload["aspect_ratio"] = nearest_ratio(request.width, request.height)
    return (
        Said(
            "{model} takes an aspect ratio, not a size: {ratio} is used for {width} × {height}.",
            model=model_of(request),
            ratio=ratio,
            width=request.width,
            height=request.height,
        ),
    )


def _add_size(payload: dict[str, Any], request: GenerationRequest, sizes: Sizes) -> tuple[str, ...]:
    width, height = _fit(request.width, sizes), _fit(request.height, sizes)
    payload |= {"width": width, "height": height}
    if (width, height) == (request.width, request.height):
        return ()
    return (
        Said(
            "{model} takes sides from {least} to {most} in steps of {step}: {width} × {height} "
            "is used.",
            model=model_of(request),
            least=sizes.least,
            most=sizes.most,
            step=sizes.step,
            width=width,
            height=height,
        ),
    )


def _fit(side: int, sizes: Sizes) -> int:
    return min(sizes.most, max(sizes.least, round(side / sizes.step) * sizes.step))


def _add(payload: dict[str, Any], name: str, value: str | None) -> None:
    if value is not None:
        payload[name] = value


def _option(request: GenerationRequest, name: str, default: Any) -> Any:
    return request.options.get(name, default)


def _format(request: GenerationRequest) -> str:
    return "jpeg" if _option(request, "output_format", "png") in ("jpeg", "jpg") else "png"


def _value(ratio: str) -> float:
    wide, _, high = ratio.partition(":")
    return int(wide) / int(high)
