"""Small real videos, animations and sounds."""

import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image

SIZE = (64, 48)
_FPS = 8
_RATE = 8000  # samples a second


def video(
    *, suffix: str = ".mp4", codec: str = "libx264", options: dict[str, str] | None = None
) -> bytes:
    """Two seconds of noise."""
    return _video(suffix, codec, tuple((options or {}).items()))


@cache
def _video(suffix: str, codec: str, options: tuple[tuple[str, str], ...]) -> bytes:
    noise = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"video{suffix}")  # moving the index to the start needs a real file
        _write(path, codec=codec, options=dict(options), noise=noise)
        return path.read_bytes()


def _write(path: Path, *, codec: str, options: dict[str, str], noise: np.random.Generator) -> None:
    with av.open(path, "w", options=options) as container:
        track = container.add_stream(codec, rate=_FPS)
        assert isinstance(track, VideoStream)
        track.width, track.height = SIZE
        track.pix_fmt = "yuv420p"
        for _ in range(2 * _FPS):
            pixels = noise.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(track.encode())


def sound(*, seconds: float) -> bytes:
    """A tone."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="flac") as container:
        track = container.add_stream("flac", rate=_RATE)
        assert isinstance(track, AudioStream)
        track.layout = "mono"
        times = np.arange(int(_RATE * seconds)) / _RATE
        wave = (np.sin(times * 2764) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = _RATE
        container.mux(track.encode(frame))
        container.mux(track.encode())
    return stream.getvalue()


def animation(*, suffix: str, frames: int, frame_ms: int) -> bytes:
    """An animated picture, each frame of another colour."""
    pictures = [Image.new("RGB", SIZE, (number * 40, 90, 120)) for number in range(frames)]
    stream = io.BytesIO()
    pictures[0].save(
        stream,
        suffix[1:],
        save_all=True,
        append_images=pictures[1:],
        duration=frame_ms,
        loop=0,
    )
    return stream.getvalue()
