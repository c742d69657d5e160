"""Noise, blur and resampling on single planes: the raw material every scene is made of.

Noise is built from a spectrum whose low frequencies are drawn first, so that the same seed gives
the same composition at every size.
"""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]
Field = NDArray[np.float32] | NDArray[np.float64]

_LEVELS = (512, 128, 32, 8)
_LINE_SAMPLES = 8192
_LINE_SPAN = 16.0  # units covered before a line repeats


def stable_seed(*parts: object) -> int:
    """A 64-bit number that depends only on the text of `parts`, on every run and machine."""
    text = "\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def generator(*parts: object) -> np.random.Generator:
    """A random generator of its own for `parts`; nothing global is touched."""
    return np.random.Generator(np.random.PCG64(stable_seed(*parts)))


def plane(values: object) -> Plane:
    """`values` as a float32 array, without a copy where it already is one."""
    return np.asarray(values, dtype=np.float32)


def smooth(low: float, high: float, values: Plane) -> Plane:
    """Smoothstep from 0 at `low` to 1 at `high`; `low` may be the larger one."""
    t = np.clip((values - np.float32(low)) * np.float32(1.0 / (high - low)), 0, 1)
    return plane(t * t * (3 - 2 * t))


def resize(values: Plane, *, width: int, height: int, smooth_edges: bool = True) -> Plane:
    """`values` resampled to `width` x `height`."""
    if values.shape == (height, width):
        return values
    method = Image.Resampling.BICUBIC if smooth_edges else Image.Resampling.BOX
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return plane(image.resize((width, height), method))


def spectral(
    *, width: int, height: int, beta: float, key: str, stretch_x: float = 1, stretch_y: float = 1
) -> Plane:
    """Fractal noise with mean 0 and deviation 1; a larger `beta` is smoother.

    A stretch above 1 makes longer features along that axis, below 1 shorter ones.
    """
    half = width // 2 + 1
    reach = max(height // 2, width // 2, 1)
    # Very smooth noise has nothing to show above a low frequency: drawing less is faster.
    ceiling = 128 if beta >= 2.4 else 512
    out = np.zeros((height, half), np.complex64)
    for level in _LEVELS:
        if level > ceiling or (level > 8 and level >= 4 * reach):
            continue
        _fill(out, level=level, key=key)
    short = min(width, height)
    fy = np.fft.fftfreq(height)[:, None] * short * 2.0 * stretch_y
    fx = np.fft.rfftfreq(width)[None] * short * 2.0 * stretch_x
    frequency = plane(np.maximum(np.hypot(fx, fy), 1.0))
    out *= np.power(frequency, np.float32(-beta))
    out[0, 0] = 0
    noise = plane(np.fft.irfft2(out, (height, width)))
    return plane(noise / (noise.std() + np.float32(1e-9)))


def _fill(out: NDArray[np.complex64], *, level: int, key: str) -> None:
    """Write the coefficients below `level` into the corners of the half spectrum `out`."""
    height, half = out.shape
    rng = generator(key, level)
    draws = rng.standard_normal((2 * level, level + 1, 2), dtype=np.float32)
    block = draws.view(np.complex64)[..., 0]
    top, bottom, right = (
        min(level, (height + 1) // 2),
        min(level, height // 2),
        min(level + 1, half),
    )
    out[:top, :right] = block[:top, :right]
    if bottom:
        out[height - bottom :, :right] = block[2 * level - bottom :, :right]


@lru_cache(maxsize=64)
def _line_period(key: str, beta: float, low: float) -> Plane:
    rng = generator(key, "line")
    count = _LINE_SAMPLES // 2 + 1
    cycles = np.arange(count) / _LINE_SPAN  # per unit
    coefficients = rng.standard_normal(count) + 1j * rng.standard_normal(count)
    coefficients *= np.maximum(cycles, low) ** -beta
    coefficients[0] = 0
    coefficients[cycles > 170] = 0
    values = np.fft.irfft(coefficients, _LINE_SAMPLES)
    return plane(values / values.std())


def line(x: Plane, *, key: str, beta: float = 1.4, low: float = 0.6) -> Plane:
    """One-dimensional fractal noise (mean 0, deviation 1) at the places `x`, measured in units."""
    period = _line_period(key, beta, low)
    places = np.mod(x, _LINE_SPAN) * (_LINE_SAMPLES / _LINE_SPAN)
    return plane(np.interp(places, np.arange(_LINE_SAMPLES + 1), np.append(period, period[:1])))


def blur(values: Plane, sigma: float) -> Plane:
    """Gaussian blur of `sigma` pixels that keeps the edges (nothing wraps around)."""
    if sigma < 0.2:
        return values
    height, width = values.shape
    factor = max(1, min(int(sigma / 1.6), height, width))
    small_w, small_h = -(-width // factor), -(-height // factor)
    small = resize(values, width=small_w, height=small_h, smooth_edges=False)
    small = _convolve(_convolve(small, sigma / factor).T, sigma / factor).T
    return resize(plane(small), width=width, height=height)


def _convolve(values: Plane, sigma: float) -> Plane:
    reach = max(1, int(np.ceil(sigma * 2.6)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = plane(weights / weights.sum())
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    out = np.zeros_like(values)
    for index, weight in enumerate(weights):
        out += padded[index : index + values.shape[0]] * weight
    return out


def blur_line(values: Plane, sigma: float) -> Plane:
    """Gaussian blur of a one-dimensional plane."""
    return _convolve(values[:, None], max(sigma, 0.3))[:, 0]


def sample(values: Plane, *, x: Plane, y: Plane, wrap: bool = True) -> Plane:
    """`values` read between its pixels at the positions `x`, `y` (in pixels)."""
    height, width = values.shape
    if not wrap:
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = plane(x - x0), plane(y - y0)
    left, top = x0.astype(np.int32) % width, y0.astype(np.int32) % height
    right = (left + 1) % width if wrap else np.minimum(left + 1, width - 1)
    bottom = (top + 1) % height if wrap else np.minimum(top + 1, height - 1)
    flat, rows, below = values.ravel(), top * width, bottom * width
    upper = flat[rows + left] * (1 - fx) + flat[rows + right] * fx
    lower = flat[below + left] * (1 - fx) + flat[below + right] * fx
    return plane(upper * (1 - fy) + lower * fy)


def warp(values: Plane, *, dx: Field, dy: Field) -> Plane:
    """`values` shifted by `dx`, `dy` pixels at every place, wrapping around."""
    height, width = values.shape
    x = np.arange(width, dtype=np.float32)[None] + dx
    y = np.arange(height, dtype=np.float32)[:, None] + dy
    return sample(values, x=plane(x), y=plane(y))
