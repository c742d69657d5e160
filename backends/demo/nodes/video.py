"""Moving pictures: put together and saved."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from backends.demo.nodes.base import Audio, Images, NodeContext, NodeResult, Video
from backends.demo.nodes.encoding import (
    VideoFormat,
    read_video,
    write_animated_png,
    write_animated_webp,
    write_video,
)
from backends.demo.wire import JsonDict

FORMATS = {  # container and codec by what was asked for; "auto" and h264 is the usual
    "auto": VideoFormat(container="mp4", codec="libx264", ending="mp4"),
    "mp4": VideoFormat(container="mp4", codec="libx264", ending="mp4"),
    "mkv": VideoFormat(container="matroska", codec="libx264", ending="mkv"),
    "webm": VideoFormat(container="webm", codec="libvpx-vp9", ending="webm"),
}

MOST_FRAMES = 120  # that are kept in memory of a loaded video


async def load_video(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Its first frames: enough to show what came of it."""
    path = context.files.input_file(inputs["file"])
    frames, fps = await asyncio.to_thread(read_video, path, most=MOST_FRAMES)
    return NodeResult(outputs=(Video(frames=frames, fps=fps),))


async def video_components(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    video: Video = inputs["video"]
    silence = Audio(duration_s=len(video.frames) / video.fps, sample_rate=44_100, channels=2)
    return NodeResult(outputs=(video.frames, silence, video.fps, 8, "sRGB"))


async def create_video(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(Video(frames=inputs["images"], fps=inputs["fps"]),))


async def save_video(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """H.264 except in WebM. Raises ValueError for a container this engine cannot write."""
    video: Video = inputs["video"]
    wanted: str = inputs["format"]
    if wanted not in FORMATS:
        raise ValueError(f"Format {wanted} is not offered by this engine")
    texts = context.png_text.texts()
    saved = await _keep(
        context,
        inputs,
        frames=video.frames,
        ending=FORMATS[wanted].ending,
        write=lambda path: write_video(
            video.frames, path, fps=video.fps, form=FORMATS[wanted], texts=texts
        ),
    )
    return NodeResult(outputs=(video,), ui=saved)


async def save_webm(context: NodeContext, inputs: JsonDict) -> NodeResult:
    images: Images = inputs["images"]
    codec = "libsvtav1" if inputs["codec"] == "av1" else "libvpx-vp9"
    form = VideoFormat(container="webm", codec=codec, ending="webm")
    texts = context.png_text.texts()
    saved = await _keep(
        context,
        inputs,
        frames=images,
        ending="webm",
        write=lambda path: write_video(images, path, fps=inputs["fps"], form=form, texts=texts),
    )
    return NodeResult(outputs=(images,), ui=saved)


async def save_animated_webp(context: NodeContext, inputs: JsonDict) -> NodeResult:
    images: Images = inputs["images"]
    texts = context.png_text.texts()
    saved = await _keep(
        context,
        inputs,
        frames=images,
        ending="webp",
        write=lambda path: write_animated_webp(
            images,
            path,
            fps=inputs["fps"],
            lossless=inputs["lossless"],
            quality=inputs["quality"],
            texts=texts,
        ),
    )
    return NodeResult(outputs=(images,), ui=saved)


async def save_animated_png(context: NodeContext, inputs: JsonDict) -> NodeResult:
    images: Images = inputs["images"]
    chunks = context.png_text.chunks()
    saved = await _keep(
        context,
        inputs,
        frames=images,
        ending="png",
        write=lambda path: write_animated_png(
            images, path, fps=inputs["fps"], level=inputs["compress_level"], info=chunks
        ),
    )
    return NodeResult(outputs=(images,), ui=saved)


async def _keep(
    context: NodeContext,
    inputs: JsonDict,
    *,
    frames: list[Image.Image],
    ending: str,
    write: Callable[[Path], None],
) -> JsonDict:
    """One file of many frames; history shows it among the images, as animated."""

    def keep() -> JsonDict:
        prefix: str = inputs["filename_prefix"]
        place = context.files.place(prefix, kind="output", size=frames[0].size)
        return place.keep(0, ending=f"_.{ending}", write=write)

    return {"images": [await asyncio.to_thread(keep)], "animated": [True]}
