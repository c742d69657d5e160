"""Writing files with more than one picture, or with sound. Everything here blocks."""

# The package av leaves out parts of its own types:
# pyright: reportUnknownMemberType=false

import itertools
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from av.video.stream import VideoStream

EXIF_MODEL = 0x0110  # where ComfyUI keeps the prompt of a WebP
EXIF_MAKE = 0x010F  # and, counting down, everything else
DEFAULT_FPS = 24.0
AUDIO_CHUNK = 4096  # samples
CODEC_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "23"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"},
    "libsvtav1": {"preset": "12", "crf": "35"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """How a video is written."""

    container: str
    codec: str
    ending: str


def write_video(
    frames: list[Image.Image],
    path: Path,
    *,
    fps: float,
    form: VideoFormat,
    texts: Mapping[str, str],
) -> None:
    """A video whose every browser can show (yuv420p); an odd last row or column is cut off."""
    # Imported here: it loads all of FFmpeg, which an engine that makes stills never needs.
    import av

    width, height = (max(2, side // 2 * 2) for side in frames[0].size)
    options = {"movflags": "use_metadata_tags"} if form.container == "mp4" else {}
    with av.open(str(path), "w", format=form.container, options=options) as container:
        container.metadata.update(texts)
        stream = cast(
            "VideoStream",
            container.add_stream(form.codec, rate=Fraction(fps).limit_denominator(1000)),
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = dict(CODEC_OPTIONS[form.codec])
        for image in frames:
            pixels = np.asarray(image.convert("RGB"))[:height, :width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_video(path: Path, *, most: int) -> tuple[list[Image.Image], float]:
    """The first frames of a video, and how many there are in a second."""
    import av  # see above

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [
            Image.fromarray(frame.to_ndarray(format="rgb24"))
            for frame in itertools.islice(container.decode(stream), most)
        ]
        return frames, float(stream.average_rate or DEFAULT_FPS)


def read_audio(path: Path) -> tuple[float, int, int]:
    """How long a sound is, its samples in a second, and its channels."""
    import av  # see above

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        seconds = container.duration / av.time_base if container.duration else 0.0
        return seconds, stream.rate, stream.channels


def write_animated_webp(
    frames: list[Image.Image],
    path: Path,
    *,
    fps: float,
    lossless: bool,
    quality: int,
    texts: Mapping[str, str],
) -> None:
    exif = Image.Exif()
    rest = EXIF_MAKE
    for key, text in texts.items():
        tag = EXIF_MODEL if key == "prompt" else rest
        exif[tag] = f"{key}:{text}"
        rest -= tag != EXIF_MODEL
    frames[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=int(1000 / fps),
        lossless=lossless,
        quality=quality,
        method=0,
        exif=exif,
    )


def write_animated_png(
    frames: list[Image.Image], path: Path, *, fps: float, level: int, info: PngInfo
) -> None:
    frames[0].save(
        path,
        format="PNG",
        save_all=True,
        append_images=frames[1:],
        duration=int(1000 / fps),
        compress_level=level,
        pnginfo=info,
    )


def write_audio(
    path: Path, *, form: str, duration_s: float, sample_rate: int, channels: int
) -> None:
    """Silence as FLAC or MP3."""
    import av  # see above

    codec, sample_format = ("libmp3lame", "s16p") if form == "mp3" else ("flac", "s16")
    layout = "stereo" if channels == 2 else "mono"
    left = int(duration_s * sample_rate)
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=sample_rate, layout=layout)
        while left > 0:
            count = min(AUDIO_CHUNK, left)
            left -= count
            shape = (channels, count) if sample_format.endswith("p") else (1, channels * count)
            frame = av.AudioFrame.from_ndarray(
                np.zeros(shape, np.int16), format=sample_format, layout=layout
            )
            frame.sample_rate = sample_rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_latent(path: Path, *, shape: list[int], texts: Mapping[str, str]) -> None:
    """An empty tensor in the safetensors format: length, header, numbers."""
    values = np.zeros(shape, np.float32)
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, values.nbytes]}
    header = json.dumps({"latent_tensor": tensor, "__metadata__": dict(texts)}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + values.tobytes())
