"""Latents: empty, from pictures, masked, and back to pictures."""

import asyncio
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from backends.demo.models import Vae
from backends.demo.nodes.base import (
    LATENT_SCALE,
    RESAMPLING,
    Images,
    Latent,
    Masks,
    NodeContext,
    NodeResult,
)
from backends.demo.wire import JsonDict

MASKED_OUT = (128, 128, 128)


async def empty_latent(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(_empty(inputs, channels=4),))


async def empty_sd3_latent(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(_empty(inputs, channels=16),))


def _empty(inputs: JsonDict, *, channels: int) -> Latent:
    return Latent(
        width=inputs["width"] // LATENT_SCALE * LATENT_SCALE,
        height=inputs["height"] // LATENT_SCALE * LATENT_SCALE,
        batch_size=inputs["batch_size"],
        channels=channels,
    )


async def decode(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Raises RuntimeError when the latent is of another kind than the VAE's."""
    latent: Latent = inputs["samples"]
    vae: Vae = inputs["vae"]
    check_channels(latent, wanted=vae.channels, width=64)
    return NodeResult(outputs=([latent.seen(index) for index in range(latent.batch_size)],))


def check_channels(latent: Latent, *, wanted: int, width: int) -> None:
    """Raises what the first layer of a network says, `width` channels wide, when it cannot."""
    if latent.channels != wanted:
        raise RuntimeError(
            f"Given groups=1, weight of size [{width}, {wanted}, 3, 3], expected "
            f"input{latent.shape} to have {wanted} channels, but got {latent.channels} channels "
            "instead"
        )


async def encode(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    vae: Vae = inputs["vae"]
    return NodeResult(outputs=(_encoded(inputs["pixels"], vae=vae),))


async def encode_for_inpaint(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """The picture with the masked part greyed out, to be sampled a little beyond its edge."""
    pixels: Images = inputs["pixels"]
    masks: Masks = inputs["mask"]
    vae: Vae = inputs["vae"]

    def mask_out() -> Latent:
        latent = _encoded(pixels, vae=vae)
        mask = _fitted(masks[0], latent=latent)
        hard = mask.point([0] * 128 + [255] * 128)
        grey = Image.new("RGB", hard.size, MASKED_OUT)
        greyed = tuple(Image.composite(grey, each, hard) for each in latent.pictures)
        grown = grow(mask, inputs["grow_mask_by"])
        return replace(latent, pictures=greyed, noise_mask=grown)

    return NodeResult(outputs=(await asyncio.to_thread(mask_out),))


async def set_noise_mask(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    latent: Latent = inputs["samples"]
    masks: Masks = inputs["mask"]
    return NodeResult(outputs=(replace(latent, noise_mask=_fitted(masks[0], latent=latent)),))


async def repeat_batch(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    latent: Latent = inputs["samples"]
    amount: int = inputs["amount"]
    repeated = replace(
        latent, batch_size=latent.batch_size * amount, pictures=latent.pictures * amount
    )
    return NodeResult(outputs=(repeated,))


async def scale_latent(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """A width or height of 0 keeps the proportions, both keep the latent."""
    latent: Latent = inputs["samples"]
    width: int = inputs["width"]
    height: int = inputs["height"]
    if not width and not height:
        return NodeResult(outputs=(latent,))
    width = width or max(64, round(latent.width * height / latent.height))
    height = height or max(64, round(latent.height * width / latent.width))
    fill = inputs["crop"] == "center"
    return await _scaled(latent, size=(width, height), method=inputs["upscale_method"], fill=fill)


async def scale_latent_by(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    latent: Latent = inputs["samples"]
    factor: float = inputs["scale_by"]
    size = round(latent.width * factor), round(latent.height * factor)
    return await _scaled(latent, size=size, method=inputs["upscale_method"], fill=False)


async def _scaled(latent: Latent, *, size: tuple[int, int], method: str, fill: bool) -> NodeResult:
    width, height = (max(1, side // LATENT_SCALE) * LATENT_SCALE for side in size)
    resample = RESAMPLING[method]

    def scale(image: Image.Image) -> Image.Image:
        if fill:
            return ImageOps.fit(image, (width, height), method=resample)
        return image.resize((width, height), resample)

    pictures = await asyncio.to_thread(lambda: tuple(scale(each) for each in latent.pictures))
    mask = None if latent.noise_mask is None else latent.noise_mask.resize((width, height))
    scaled = replace(latent, width=width, height=height, pictures=pictures, noise_mask=mask)
    return NodeResult(outputs=(scaled,))


def grow(mask: Image.Image, pixels: int) -> Image.Image:
    """The mask, larger by that many pixels on every side, smaller when negative."""
    field = np.asarray(mask)
    if pixels < 0:
        field = 255 - field
    for axis in (0, 1):
        reach, wanted = 0, min(abs(pixels), field.shape[axis])
        while reach < wanted:  # doubling, so even a large window takes few turns
            step = min(reach + 1, wanted - reach)
            field = _largest_near(field, step=step, axis=axis)
            reach += step
    return Image.fromarray(field if pixels >= 0 else 255 - field)


def _largest_near(field: NDArray[np.uint8], *, step: int, axis: int) -> NDArray[np.uint8]:
    """For each place the largest of itself and its two neighbours `step` away."""
    out = np.moveaxis(field.copy(), axis, 0)
    old = np.moveaxis(field, axis, 0)
    np.maximum(out[step:], old[:-step], out=out[step:])
    np.maximum(out[:-step], old[step:], out=out[:-step])
    return np.moveaxis(out, 0, axis)


def _encoded(pixels: Images, *, vae: Vae) -> Latent:
    """Cut in the middle to whole latent pixels, as a VAE does."""
    width, height = (side // LATENT_SCALE * LATENT_SCALE for side in pixels[0].size)
    left, top = (pixels[0].width - width) // 2, (pixels[0].height - height) // 2
    box = (left, top, left + width, top + height)
    pictures = tuple(each.crop(box).convert("RGB") for each in pixels)
    return Latent(
        width=width,
        height=height,
        batch_size=len(pictures),
        channels=vae.channels,
        pictures=pictures,
    )


def _fitted(mask: Image.Image, *, latent: Latent) -> Image.Image:
    return mask.resize((latent.width, latent.height), Image.Resampling.BILINEAR)
