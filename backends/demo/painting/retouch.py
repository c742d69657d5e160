"""Pictures made from pictures: painting over one, enlarging one, and how that comes into sight."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from backends.demo.painting.noise import generator, plane, resize, smooth, spectral
from backends.demo.painting.painter import static

_FIELD_SIDE = 128  # px; where the new picture breaks through first is decided at this size


def paint_over(
    original: Image.Image,
    painted: Image.Image,
    *,
    denoise: float,
    seed: int,
    mask: Image.Image | None = None,
) -> Image.Image:
    """A picture between two of one size: at `denoise` 0 the original, at 1 the painted one.

    Between them the original takes on the other's colours, and the other breaks through in
    patches that the seed places. Where `mask` is black, the original stays as it is.
    """
    if denoise <= 0:
        return original
    width, height = original.size
    old, new = _values(original), _values(painted)
    if denoise < 1:
        weight = _patches(width=width, height=height, denoise=denoise, seed=seed)[..., None]
        tinted = old + (_recoloured(old, like=new) - old) * np.float32(min(1.0, denoise * 0.9))
        new = tinted + (new - tinted) * weight
    mixed = Image.fromarray((np.clip(new, 0, 1) * 255 + 0.5).astype(np.uint8))
    return mixed if mask is None else Image.composite(mixed, original, mask)


def come_clear(
    original: Image.Image,
    final: Image.Image,
    *,
    done: float,
    denoise: float,
    seed: int,
    max_side: int,
    mask: Image.Image | None = None,
) -> Image.Image:
    """What is visible when `done` (0..1) of painting over is done; noise as strong as `denoise`.

    Keeps the proportions, the long side at most `max_side` pixels.
    """
    scale = min(1.0, max_side / max(final.size))
    size = max(1, round(final.width * scale)), max(1, round(final.height * scale))
    before, after = (each.resize(size, Image.Resampling.BOX) for each in (original, final))
    if done >= 1:
        return after
    left = (1 - done) * min(max(denoise, 0.0), 1.0)
    shown = Image.blend(before, after, done)
    blurred = shown.filter(ImageFilter.GaussianBlur(left * max(size) / 24))
    noisy = Image.blend(blurred, static(size=size, seed=seed), 0.86 * left**1.15)
    if mask is None:
        return noisy
    return Image.composite(noisy, before, mask.resize(size, Image.Resampling.BILINEAR))


def enlarge(image: Image.Image, *, factor: int) -> Image.Image:
    """The picture `factor` times as large, with its edges sharpened."""
    size = image.width * factor, image.height * factor
    larger = image.resize(size, Image.Resampling.LANCZOS)
    return larger.filter(ImageFilter.UnsharpMask(radius=factor * 0.8, percent=70, threshold=2))


def _values(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) / np.float32(255)


def _recoloured(values: NDArray[np.float32], *, like: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture with the other's mean colour, and half of the way to its contrast."""
    mean, wanted = values.mean((0, 1)), like.mean((0, 1))
    stretch = (like.std((0, 1)) + 0.02) / (values.std((0, 1)) + 0.02)
    return plane((values - mean) * np.sqrt(np.clip(stretch, 0.4, 2.5)) + wanted)


def _patches(*, width: int, height: int, denoise: float, seed: int) -> NDArray[np.float32]:
    """How much of the new picture is seen at each place, 0..1; grows everywhere with denoise."""
    scale = _FIELD_SIDE / max(width, height)
    cells = max(4, round(width * scale)), max(4, round(height * scale))
    key = f"over/{generator('over', seed).integers(2**31)}"
    rough = spectral(width=cells[0], height=cells[1], beta=1.7, key=key)
    ranks = rough.ravel().argsort().argsort().reshape(rough.shape)
    even = plane(ranks / max(1, rough.size - 1))  # every level equally often
    near = smooth(0.0, 1.0, plane((denoise * 1.35 - even) / 0.35))
    field = np.clip(resize(near, width=width, height=height), 0, 1)
    return plane(field * 0.7 + 0.3 * denoise)
