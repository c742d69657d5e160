"""Pictures: loaded, made plain, scaled, put together."""

import asyncio
from collections.abc import Callable

from PIL import Image, ImageOps

from backends.demo.nodes.base import RESAMPLING, Images, Masks, NodeContext, NodeResult
from backends.demo.painting.retouch import enlarge
from backends.demo.wire import JsonDict

SMALL_MASK = (64, 64)  # what a picture without alpha gives


async def empty_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    color: int = inputs["color"]
    rgb = (color >> 16 & 255, color >> 8 & 255, color & 255)
    image = Image.new("RGB", (inputs["width"], inputs["height"]), rgb)
    return NodeResult(outputs=([image] * inputs["batch_size"],))


async def load_image(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """The picture without its alpha, and the inverted alpha as mask."""

    def read() -> tuple[Image.Image, Image.Image]:
        with Image.open(context.files.input_file(inputs["image"])) as opened:
            upright = ImageOps.exif_transpose(opened)
            if "A" in upright.getbands():
                return upright.convert("RGB"), ImageOps.invert(upright.getchannel("A"))
            return upright.convert("RGB"), Image.new("L", SMALL_MASK, 0)

    image, mask = await asyncio.to_thread(read)
    return NodeResult(outputs=([image], [mask]))


async def load_image_mask(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """One channel of the picture; alpha is inverted, and nothing is masked where it is missing."""
    channel: str = inputs["channel"]

    def read() -> Image.Image:
        with Image.open(context.files.input_file(inputs["image"])) as opened:
            upright = ImageOps.exif_transpose(opened)
            if channel != "alpha":
                return upright.convert("RGB").getchannel(channel[0].upper())
            if "A" in upright.getbands():
                return ImageOps.invert(upright.getchannel("A"))
            return Image.new("L", SMALL_MASK, 0)

    return NodeResult(outputs=([await asyncio.to_thread(read)],))


async def scale_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """A width or height of 0 keeps the proportions."""
    images: Images = inputs["image"]
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

    return await _each(images, scale)


async def scale_image_by(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    images: Images = inputs["image"]
    resample = RESAMPLING[inputs["upscale_method"]]
    factor: float = inputs["scale_by"]
    size = tuple(max(1, round(side * factor)) for side in images[0].size)
    return await _each(images, lambda image: image.resize((size[0], size[1]), resample))


async def upscale_with_model(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Every picture of the batch counts as one step."""
    images: Images = inputs["image"]
    factor: int = inputs["upscale_model"]
    larger: Images = []
    for number, image in enumerate(images, start=1):
        await context.pause(context.step_delay_s)
        larger.append(await asyncio.to_thread(enlarge, image, factor=factor))
        await context.report(number, total=len(images), picture=None)
    return NodeResult(outputs=(larger,))


async def invert_image(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _each(inputs["image"], ImageOps.invert)


async def batch_images(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Both batches in one; the second takes on the size of the first."""
    first: Images = inputs["image1"]
    second: Images = inputs["image2"]
    size = first[0].size
    fitted = await _each(
        second, lambda image: ImageOps.fit(image, size, method=Image.Resampling.BILINEAR)
    )
    return NodeResult(outputs=([*first, *fitted.outputs[0]],))


async def composite(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """The source on the destination, where the mask lets it."""
    sources: Images = inputs["source"]
    masks: Masks | None = inputs.get("mask")
    place: tuple[int, int] = inputs["x"], inputs["y"]

    def put(index: int, destination: Image.Image) -> Image.Image:
        source = sources[index % len(sources)]
        if inputs["resize_source"]:
            source = source.resize(destination.size, Image.Resampling.BILINEAR)
        mask = None
        if masks is not None:
            mask = masks[index % len(masks)].resize(source.size, Image.Resampling.BILINEAR)
        mixed = destination.copy()
        mixed.paste(source, place, mask)
        return mixed

    destinations: Images = inputs["destination"]
    mixed = await asyncio.to_thread(
        lambda: [put(index, each) for index, each in enumerate(destinations)]
    )
    return NodeResult(outputs=(mixed,))


async def _each(images: Images, change: Callable[[Image.Image], Image.Image]) -> NodeResult:
    changed = await asyncio.to_thread(lambda: [change(image) for image in images])
    return NodeResult(outputs=(changed,))
