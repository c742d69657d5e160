"""Nodes whose result people get to see: pictures, texts, and sound."""

import asyncio
from pathlib import Path

from PIL import Image

from backends.demo.nodes.base import Audio, Images, Latent, Masks, NodeContext, NodeResult
from backends.demo.nodes.encoding import read_audio, write_audio, write_latent
from backends.demo.wire import JsonDict

PNG_ENDING = "_.png"


async def save_image(context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _save(context, inputs["images"], prefix=inputs["filename_prefix"], kind="output")


async def preview_image(context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _save(context, inputs["images"], prefix="ComfyUI", kind="temp")


async def _save(context: NodeContext, images: Images, *, prefix: str, kind: str) -> NodeResult:
    saved = await _keep_all(context, images, prefix=prefix, kind=kind)
    return NodeResult(outputs=(images,), ui={"images": saved})


async def save_image_advanced(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """PNG only. Raises ValueError for another format."""
    if inputs["format"] != "png":
        raise ValueError(f"Format {inputs['format']} is not offered by this engine")
    images: Images = inputs["images"]
    prefix: str = inputs["filename_prefix"]
    saved = await _keep_all(context, images, prefix=prefix, kind="output", ending=".png")
    return NodeResult(outputs=(images,), ui={"images": saved})


async def preview_mask(context: NodeContext, inputs: JsonDict) -> NodeResult:
    masks: Masks = inputs["mask"]
    images = [mask.convert("RGB") for mask in masks]
    saved = await _keep_all(context, images, prefix="ComfyUI", kind="temp")
    return NodeResult(outputs=(masks,), ui={"images": saved, "animated": [False]})


async def compare_images(context: NodeContext, inputs: JsonDict) -> NodeResult:
    shown: JsonDict = {"a_images": [], "b_images": []}
    for side in ("a", "b"):
        images: Images | None = inputs.get(f"image_{side}")
        if images:
            prefix = f"comfy.compare.{side}"
            shown[f"{side}_images"] = await _keep_all(context, images, prefix=prefix, kind="temp")
    return NodeResult(ui=shown)


async def send_over_socket(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Pictures go to the client as PNG previews and nowhere else."""
    images: Images = inputs["images"]
    for number, image in enumerate(images):
        await context.report(number, total=len(images), picture=image)
    return NodeResult()


async def _keep_all(
    context: NodeContext, images: Images, *, prefix: str, kind: str, ending: str = PNG_ENDING
) -> list[JsonDict]:
    level = 4 if kind == "output" else 1

    def write(image: Image.Image, path: Path) -> None:
        image.save(path, format="PNG", pnginfo=context.png_text.chunks(), compress_level=level)

    def keep() -> list[JsonDict]:
        place = context.files.place(prefix, kind=kind, size=images[0].size)
        return [
            place.keep(index, ending=ending, write=lambda path, image=image: write(image, path))
            for index, image in enumerate(images)
        ]

    return await asyncio.to_thread(keep)


async def save_latent(context: NodeContext, inputs: JsonDict) -> NodeResult:
    latent: Latent = inputs["samples"]
    texts = context.png_text.texts()

    def keep() -> JsonDict:
        place = context.files.place(inputs["filename_prefix"], kind="output", size=(0, 0))
        return place.keep(
            0,
            ending="_.latent",
            write=lambda path: write_latent(path, shape=latent.shape, texts=texts),
        )

    return NodeResult(outputs=(latent,), ui={"latents": [await asyncio.to_thread(keep)]})


async def give_text(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(inputs["value"],))


async def preview_any(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    source: object = inputs["source"]
    text = source if isinstance(source, str) else str(source)
    return NodeResult(outputs=(text,), ui={"text": [text]})


async def save_text(context: NodeContext, inputs: JsonDict) -> NodeResult:
    text: str = inputs["text"]

    def keep() -> JsonDict:
        place = context.files.place(inputs["filename_prefix"], kind="output", size=(0, 0))
        return place.keep(
            0,
            ending=f".{inputs['format']}",
            write=lambda path: path.write_text(text, encoding="utf-8"),
        )

    saved = await asyncio.to_thread(keep)
    return NodeResult(outputs=(text,), ui={"text": [text], "files": [saved]})


async def empty_audio(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    audio = Audio(
        duration_s=inputs["duration"],
        sample_rate=inputs["sample_rate"],
        channels=inputs["channels"],
    )
    return NodeResult(outputs=(audio,))


async def load_audio(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Silence as long as the sound that is loaded."""
    path = context.files.input_file(inputs["audio"])
    duration_s, rate, channels = await asyncio.to_thread(read_audio, path)
    audio = Audio(duration_s=duration_s, sample_rate=rate, channels=min(channels, 2))
    return NodeResult(outputs=(audio,))


async def save_audio(context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _sound(context, inputs, prefix=inputs["filename_prefix"], kind="output")


async def save_audio_mp3(context: NodeContext, inputs: JsonDict) -> NodeResult:
    prefix: str = inputs["filename_prefix"]
    return await _sound(context, inputs, prefix=prefix, kind="output", form="mp3")


async def preview_audio(context: NodeContext, inputs: JsonDict) -> NodeResult:
    return await _sound(context, inputs, prefix="ComfyUI", kind="temp")


async def _sound(
    context: NodeContext, inputs: JsonDict, *, prefix: str, kind: str, form: str = "flac"
) -> NodeResult:
    audio: Audio = inputs["audio"]

    def keep() -> JsonDict:
        place = context.files.place(prefix, kind=kind, size=(0, 0))
        return place.keep(
            0,
            ending=f".{form}",
            write=lambda path: write_audio(
                path,
                form=form,
                duration_s=audio.duration_s,
                sample_rate=audio.sample_rate,
                channels=audio.channels,
            ),
        )

    saved = await asyncio.to_thread(keep)
    return NodeResult(outputs=(audio,), ui={"audio": [saved]})
