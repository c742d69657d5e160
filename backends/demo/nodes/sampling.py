"""Samplers: painting in place of denoising, step by step as seen from outside."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image

from backends.demo.models import Family, Model
from backends.demo.nodes.base import Conditioning, Latent, NodeContext, NodeResult
from backends.demo.nodes.latents import check_channels
from backends.demo.painting.motion import film, frame
from backends.demo.painting.painter import Painting, finish, paint, sharpen
from backends.demo.painting.retouch import come_clear, paint_over
from backends.demo.wire import JsonDict

Preview = Callable[[int, int], Image.Image]  # after this step of so many


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What one sampler is to make."""

    model: Model
    positive: Conditioning
    negative: Conditioning
    latent: Latent
    seed: int
    denoise: float

    def seed_of(self, index: int) -> int:
        return (self.seed + index) % 2**64

    def paint(self, index: int) -> Painting:
        """The picture that the words alone ask for."""
        return paint(
            self.positive.text,
            negative=self.negative.text,
            seed=self.seed_of(index),
            width=self.latent.width,
            height=self.latent.height,
            tints=self.model.tints(),
        )


async def sample(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Makes each picture of the batch at once, then lets the first one come out of the noise."""
    return await _sample(context, _order(inputs), steps=inputs["steps"])


def _order(inputs: JsonDict) -> _Order:
    model: Model = inputs["model"]
    latent: Latent = inputs["latent_image"]
    if latent.pictures:
        check_channels(latent, wanted=model.channels, width=320)
    return _Order(
        model=model,
        positive=inputs["positive"],
        negative=inputs["negative"],
        latent=replace(latent, channels=model.channels),  # an empty latent fits every model
        seed=inputs["seed"],
        denoise=inputs["denoise"],
    )


async def _sample(context: NodeContext, order: _Order, *, steps: int) -> NodeResult:
    await context.load_checkpoint(order.model.name)
    if order.denoise <= 0:  # nothing to do: not even a step is told
        return NodeResult(outputs=(order.latent,))
    if order.model.family is Family.SVD and order.positive.init_image is not None:
        pictures, preview = await _film(context, order)
    elif order.denoise >= 1 and order.latent.noise_mask is None:
        pictures, preview = await _paint(context, order)
    else:
        pictures, preview = await _paint_over(context, order)
    for step in range(1, steps + 1):
        await context.pause(context.step_delay_s)
        await context.advance(step, steps=steps, preview=lambda step=step: preview(step, steps))
    return NodeResult(outputs=(replace(order.latent, pictures=tuple(pictures)),))


async def _paint(context: NodeContext, order: _Order) -> tuple[list[Image.Image], Preview]:
    """From words alone."""
    first = await asyncio.to_thread(order.paint, 0)
    pictures = [await asyncio.to_thread(finish, first)]
    for index in range(1, order.latent.batch_size):
        await context.pause(0)
        pictures.append(finish(await asyncio.to_thread(order.paint, index)))
    await context.pause(0)
    side = context.preview_side_px
    return pictures, lambda step, steps: sharpen(
        first, step=step, steps=steps, seed=order.seed, max_side=side
    )


async def _paint_over(context: NodeContext, order: _Order) -> tuple[list[Image.Image], Preview]:
    """From a picture and words, inside the mask if there is one."""
    latent, pictures = order.latent, list[Image.Image]()

    def one(index: int) -> Image.Image:
        return paint_over(
            latent.seen(index),
            finish(order.paint(index)),
            denoise=order.denoise,
            seed=order.seed_of(index),
            mask=latent.noise_mask,
        )

    for index in range(latent.batch_size):
        pictures.append(await asyncio.to_thread(one, index))
        await context.pause(0)
    original, final, side = latent.seen(0), pictures[0], context.preview_side_px
    return pictures, lambda step, steps: come_clear(
        original,
        final,
        done=step / steps,
        denoise=order.denoise,
        seed=order.seed,
        max_side=side,
        mask=latent.noise_mask,
    )


async def _film(context: NodeContext, order: _Order) -> tuple[list[Image.Image], Preview]:
    """From a first frame."""
    start, count = order.positive.init_image, order.latent.batch_size
    assert start is not None
    shot = await asyncio.to_thread(film, start, seed=order.seed, motion=order.positive.motion)
    frames: list[Image.Image] = []
    for index in range(count):
        frames.append(await asyncio.to_thread(frame, shot, index=index, count=count))
        await context.pause(0)
    first, side = frames[0], context.preview_side_px
    return frames, lambda step, steps: come_clear(
        first, first, done=step / steps, denoise=1.0, seed=order.seed, max_side=side
    )
