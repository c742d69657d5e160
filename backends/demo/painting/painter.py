"""The painter's public face: from words and a seed to a picture, and how it comes into sight."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backends.demo.painting import (
    scenes_abstract,
    scenes_arcade,
    scenes_built,
    scenes_cosmos,
    scenes_flora,
    scenes_land,
    scenes_mountains,
    scenes_water,
)
from backends.demo.painting.canvas import Canvas
from backends.demo.painting.noise import generator, plane, resize
from backends.demo.painting.palette import Tint
from backends.demo.painting.words import choose_look, choose_scene

_WORKING_SIDE = 1024  # px; larger pictures are painted at this size and enlarged
_SMALLEST_SIDE = 64  # px; smaller ones are painted at this size and reduced
_STRIP_ROWS = 256

SCENES: dict[str, Callable[[Canvas], NDArray[np.float32]]] = {
    **scenes_mountains.SCENES,
    **scenes_land.SCENES,
    **scenes_water.SCENES,
    **scenes_built.SCENES,
    **scenes_arcade.SCENES,
    **scenes_cosmos.SCENES,
    **scenes_flora.SCENES,
    **scenes_abstract.SCENES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting:
    """A finished picture: display values 0..1, float32 of shape (height, width, 3)."""

    pixels: NDArray[np.float32]
    scene: str


def paint(
    prompt: str,
    *,
    negative: str = "",
    seed: int,
    width: int,
    height: int,
    tints: tuple[Tint, ...] = (),
) -> Painting:
    """The picture for these words: the same arguments give the same bytes, always.

    The scene follows the prompt, the composition the seed, the colours both of them and the
    tints. Any text will do. Sizes in pixels.
    """
    scene = choose_scene(prompt, seed=seed)
    look = replace(choose_look(prompt, negative=negative, seed=seed), tints=tints)
    work_w, work_h = _working_size(width, height)
    canvas = Canvas(width=work_w, height=work_h, key=f"{scene}/{seed}", look=look)
    with np.errstate(all="ignore"):
        pixels = SCENES[scene](canvas)
    return Painting(pixels=_fit(pixels, width=width, height=height), scene=scene)


def sharpen(
    painting: Painting, *, step: int, steps: int, seed: int, max_side: int = 512
) -> Image.Image:
    """What is visible after `step` of `steps`: noise and large shapes first, the picture last.

    The preview keeps the picture's proportions, its long side at most `max_side` pixels.
    """
    height, width, _ = painting.pixels.shape
    scale = min(1.0, max_side / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    clean = _reduced(painting.pixels, size=size)
    done = min(max(step / max(steps, 1), 0.0), 1.0)
    if done >= 1:
        return clean
    # Detail appears octave by octave: from a sixteenth of the picture's detail to all of it.
    detail = 2.0 ** (-4.5 * (1 - done))
    coarse = max(1, round(size[0] * detail)), max(1, round(size[1] * detail))
    blurred = clean.resize(coarse, Image.Resampling.BOX).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(blurred, static(size=size, seed=seed), 0.86 * (1 - done) ** 1.15)


def finish(painting: Painting) -> Image.Image:
    """The picture as an RGB image of its full size."""
    height, width, _ = painting.pixels.shape
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP_ROWS):  # strips: no second copy of a huge picture
        out[top : top + _STRIP_ROWS] = _as_bytes(painting.pixels[top : top + _STRIP_ROWS])
    return Image.fromarray(out)


def _as_bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(pixels, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _working_size(width: int, height: int) -> tuple[int, int]:
    """The size to paint at: the same proportions, the long side 64 to 1024 pixels."""
    long = max(width, height)
    scale = min(max(long, _SMALLEST_SIDE), _WORKING_SIDE) / long
    return max(8, round(width * scale)), max(8, round(height * scale))


def _fit(pixels: NDArray[np.float32], *, width: int, height: int) -> NDArray[np.float32]:
    """`pixels` resampled to `width` x `height`, in strips so that only the result is large."""
    work_h, work_w, _ = pixels.shape
    if (work_w, work_h) == (width, height):
        return pixels
    out = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        image = Image.fromarray(np.ascontiguousarray(pixels[..., channel]))
        for top in range(0, height, _STRIP_ROWS * 4):
            rows = min(_STRIP_ROWS * 4, height - top)
            box = (0.0, top * work_h / height, float(work_w), (top + rows) * work_h / height)
            strip = image.resize((width, rows), Image.Resampling.LANCZOS, box=box)
            np.clip(np.asarray(strip), 0, 1, out=out[top : top + rows, :, channel])
    return out


def _reduced(pixels: NDArray[np.float32], *, size: tuple[int, int]) -> Image.Image:
    """The picture at `size`; where it was enlarged, every n-th pixel is enough."""
    stride = max(1, max(pixels.shape[:2]) // _WORKING_SIDE)
    image = Image.fromarray(_as_bytes(pixels[::stride, ::stride]))
    return image if image.size == size else image.resize(size, Image.Resampling.BOX)


def static(*, size: tuple[int, int], seed: int) -> Image.Image:
    """Soft coloured noise, the same at every step of one seed."""
    long = max(size)
    cells = [max(2, round(64 * side / long)) for side in size]
    draws = generator("static", seed).standard_normal((cells[1], cells[0], 3), dtype=np.float32)
    tint = np.array([0.23, 0.20, 0.25], np.float32)
    channels = [
        resize(plane(0.44 + tint[k] * draws[..., k]), width=size[0], height=size[1])
        for k in range(3)
    ]
    return Image.fromarray(_as_bytes(plane(np.stack(channels, -1))))
