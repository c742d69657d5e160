"""The node classes the engine can run, each a coroutine from inputs to outputs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL import Image, ImageOps

from backends.demo.files import PngText, Workspace
from backends.demo.painting.painter import Painting, finish, paint, sharpen
from backends.demo.wire import JsonDict

LATENT_SCALE = 8
MODEL_CHANNELS = 4
RESAMPLING = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """What a node hands on, and what it shows."""

    outputs: tuple[Any, ...] = ()
    ui: JsonDict | None = None


class NodeContext(Protocol):
    """What a running node may use."""

    files: Workspace
    png_text: PngText
    step_delay_s: float
    preview_side_px: int

    async def load_checkpoint(self, name: str) -> None: ...

    async def pause(self, seconds: float) -> None: ...

    async def advance(
        self, step: int, *, steps: int, preview: Callable[[], Image.Image] | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """A batch of pictures to be; `paintings` is empty until something was sampled."""

    width: int  # of the picture, not of the latent
    height: int
    batch_size: int
    channels: int = MODEL_CHANNELS
    paintings: tuple[Painting, ...] = field(default=(), repr=False)


NodeRunner = Callable[[NodeContext, JsonDict], Awaitable[NodeResult]]


async def load_checkpoint(context: NodeContext, inputs: JsonDict) -> NodeResult:
    name: str = inputs["ckpt_name"]
    await context.load_checkpoint(name)
    return NodeResult(outputs=(f"model of {name}", f"clip of {name}", f"vae of {name}"))


async def encode_text(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(inputs["text"],))


async def empty_latent(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(_latent(inputs, channels=MODEL_CHANNELS),))


async def empty_sd3_latent(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(_latent(inputs, channels=16),))


def _latent(inputs: JsonDict, *, channels: int) -> Latent:
    return Latent(
        width=inputs["width"] // LATENT_SCALE * LATENT_SCALE,
        height=inputs["height"] // LATENT_SCALE * LATENT_SCALE,
        batch_size=inputs["batch_size"],
        channels=channels,
    )


async def sample(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Paints each picture of the batch once, then lets the first one come out of the noise."""
    latent: Latent = inputs["latent_image"]
    seed: int = inputs["seed"]
    steps: int = inputs["steps"]
    paintings: list[Painting] = []
    for index in range(latent.batch_size):
        paintings.append(
            await asyncio.to_thread(
                paint,
                inputs["positive"],
                negative=inputs["negative"],
                seed=(seed + index) % 2**64,
                width=latent.width,
                height=latent.height,
            )
        )
        await context.pause(0)
    first, side = paintings[0], context.preview_side_px
    for step in range(1, steps + 1):
        await context.pause(context.step_delay_s)
        await context.advance(
            step,
            steps=steps,
            preview=lambda step=step: sharpen(
                first, step=step, steps=steps, seed=seed, max_side=side
            ),
        )
    sampled = Latent(
        width=latent.width,
        height=latent.height,
        batch_size=latent.batch_size,
        paintings=tuple(paintings),
    )
    return NodeResult(outputs=(sampled,))


async def decode(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    latent: Latent = inputs["samples"]
    if latent.channels != MODEL_CHANNELS:
        shape = [
            latent.batch_size,
            latent.channels,
            latent.height // LATENT_SCALE,
            latent.width // LATENT_SCALE,
        ]
        raise RuntimeError(
            f"Given groups=1, weight of size [64, {MODEL_CHANNELS}, 3, 3], expected input{shape} "
            f"to have {MODEL_CHANNELS} channels, but got {latent.channels} channels instead"
        )
    if not latent.paintings:
        grey = Image.new("RGB", (latent.width, latent.height), (127, 121, 115))
        return NodeResult(outputs=([grey] * latent.batch_size,))
    images = await asyncio.to_thread(lambda: [finish(painting) for painting in latent.paintings])
    return NodeResult(outputs=(images,))


async def empty_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    color: int = inputs["color"]
    rgb = (color >> 16 & 255, color >> 8 & 255, color & 255)
    image = Image.new("RGB", (inputs["width"], inputs["height"]), rgb)
    return NodeResult(outputs=([image] * inputs["batch_size"],))


async def scale_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """A width or height of 0 keeps the proportions."""
    images: list[Image.Image] = inputs["image"]
    resample = RESAMPLING[inputs["upscale_method"]]
    width, height = inputs["width"], inputs["height"]
    old_width, old_height = images[0].size
    if not width and not height:
        return NodeResult(outputs=(images,))
    width = width or max(1, round(old_width * height / old_height))
    height = height or max(1, round(old_height * width / old_width))

    def scale(image: Image.Image) -> Image.Image:
        if inputs["crop"] == "center":
            return ImageOps.fit(image, (width, height), method=resample)
        return image.resize((width, height), resample)

    scaled = await asyncio.to_thread(lambda: [scale(image) for image in images])
    return NodeResult(outputs=(scaled,))


async def invert_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    images: list[Image.Image] = inputs["image"]
    inverted = await asyncio.to_thread(lambda: [ImageOps.invert(image) for image in images])
    return NodeResult(outputs=(inverted,))


async def load_image(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """The picture without its alpha, and the inverted alpha as mask."""

    def read() -> tuple[Image.Image, Image.Image]:
        with Image.open(context.files.home / "input" / inputs["image"]) as opened:
            upright = ImageOps.exif_transpose(opened)
            if "A" in upright.getbands():
                return upright.convert("RGB"), ImageOps.invert(upright.getchannel("A"))
            return upright.convert("RGB"), Image.new("L", (64, 64), 0)

    image, mask = await asyncio.to_thread(read)
    return NodeResult(outputs=([image], [mask]))


async def save_image(context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _save(context, inputs, prefix=inputs["filename_prefix"], kind="output")


async def preview_image(context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _save(context, inputs, prefix="ComfyUI", kind="temp")


async def _save(context: NodeContext, inputs: JsonDict, *, prefix: str, kind: str) -> NodeResult:
    images: list[Image.Image] = inputs["images"]
    saved = await asyncio.to_thread(
        context.files.save_images, images, prefix=prefix, kind=kind, text=context.png_text
    )
    return NodeResult(outputs=(images,), ui={"images": saved})


RUNNERS: Mapping[str, NodeRunner] = {
    "CheckpointLoaderSimple": load_checkpoint,
    "CLIPTextEncode": encode_text,
    "EmptyLatentImage": empty_latent,
    "EmptySD3LatentImage": empty_sd3_latent,
    "KSampler": sample,
    "VAEDecode": decode,
    "EmptyImage": empty_image,
    "ImageScale": scale_image,
    "ImageInvert": invert_image,
    "LoadImage": load_image,
    "SaveImage": save_image,
    "PreviewImage": preview_image,
}
