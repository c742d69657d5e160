"""Masks: pictures of one channel, white where something is masked."""

import asyncio

from PIL import Image, ImageOps

from backends.demo.nodes.base import Images, Masks, NodeContext, NodeResult
from backends.demo.nodes.latents import grow
from backends.demo.wire import JsonDict


async def solid_mask(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    size = inputs["width"], inputs["height"]
    return NodeResult(outputs=([Image.new("L", size, round(inputs["value"] * 255))],))


async def grow_mask(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    masks: Masks = inputs["mask"]
    expand: int = inputs["expand"]
    grown = await asyncio.to_thread(lambda: [grow(mask, expand) for mask in masks])
    return NodeResult(outputs=(grown,))


async def invert_mask(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    masks: Masks = inputs["mask"]
    return NodeResult(outputs=([ImageOps.invert(mask) for mask in masks],))


async def mask_to_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    masks: Masks = inputs["mask"]
    return NodeResult(outputs=([mask.convert("RGB") for mask in masks],))


async def image_to_mask(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """One channel of each picture. Raises IndexError for alpha, which pictures do not have."""
    images: Images = inputs["image"]
    channel: str = inputs["channel"]
    if channel == "alpha":
        raise IndexError("index 3 is out of bounds for dimension 3 with size 3")
    return NodeResult(outputs=([image.getchannel(channel[0].upper()) for image in images],))
