"""The easel: a picture under way in linear light, with its grids, its dice and its brushes."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from backends.demo.painting import noise
from backends.demo.painting.noise import Plane, plane, smooth
from backends.demo.painting.palette import Look, encode

Light = Plane  # (height, width, 3), linear


class Canvas:
    """Size, look and dice of one picture. Places are fractions of width and height (`u`, `v`)."""

    __slots__ = ("height", "key", "look", "u", "unit", "v", "width")

    def __init__(self, *, width: int, height: int, key: str, look: Look) -> None:
        self.width, self.height, self.key, self.look = width, height, key, look
        self.u: Plane = plane((np.arange(width)[None] + 0.5) / width)
        self.v: Plane = plane((np.arange(height)[:, None] + 0.5) / height)
        # Sizes of things follow the height, except in tall narrow pictures.
        self.unit: float = float(min(height, width * 1.5))

    def rng(self, name: str) -> np.random.Generator:
        """The dice called `name`; the same ones every time it is asked."""
        return noise.generator(self.key, name)

    def noise(self, name: str, *, beta: float, sx: float = 1, sy: float = 1) -> Plane:
        """Fractal noise over the whole canvas, see `noise.spectral`."""
        return noise.spectral(
            width=self.width, height=self.height, beta=beta, key=f"{self.key}/{name}",
            stretch_x=sx, stretch_y=sy,
        )  # fmt: skip

    def line(self, name: str, *, beta: float = 1.4, low: float = 0.6) -> Plane:
        """Fractal noise along the width, one value for each column."""
        x = self.u[0] * (self.width / self.unit)
        return noise.line(plane(x), key=f"{self.key}/{name}", beta=beta, low=low)

    def x_from(self, u: float) -> Plane:
        """Distance of each column from `u`, in units, signed."""
        return plane((self.u - np.float32(u)) * np.float32(self.width / self.unit))

    def y_from(self, v: float) -> Plane:
        """Distance of each row from `v`, in units, signed."""
        return plane((self.v - np.float32(v)) * np.float32(self.height / self.unit))

    def distance(self, u: float, v: float) -> Plane:
        """Distance of each place from (`u`, `v`), in units."""
        return plane(np.sqrt(self.x_from(u) ** 2 + self.y_from(v) ** 2))

    def below(self, top: Plane, *, soft: float = 0.8) -> Plane:
        """A mask that is 1 below the line `top` (a fraction of the height for each column)."""
        rows = np.arange(self.height, dtype=np.float32)[:, None] + np.float32(0.5)
        return smooth(-soft, soft, plane(rows - top[None] * self.height))

    def draw(self, brush: Callable[[ImageDraw.ImageDraw, float, float], None]) -> Plane:
        """A mask 0..1 drawn by `brush(draw, width, height)` at a finer size, white on black."""
        fine = 3 if max(self.width, self.height) <= 400 else 2
        image = Image.new("L", (self.width * fine, self.height * fine), 0)
        brush(ImageDraw.Draw(image), image.width, image.height)
        return plane(np.asarray(image.reduce(fine), dtype=np.float32) / 255)


def over(light: Light, colour: Plane, mask: Plane, *, first_row: int = 0) -> None:
    """Lay `colour` over `light` where `mask` says so, in place, from `first_row` on down."""
    part = light[first_row : first_row + mask.shape[0]]
    part += (colour - part) * mask[..., None]


def glow(light: Light, colour: Plane, strength: Plane) -> None:
    """Add `colour` times `strength` to `light`, in place."""
    for channel in range(3):
        light[..., channel] += strength * colour[channel]


def stars(c: Canvas, *, count: int, big: int = 0, name: str = "stars") -> Plane:
    """A plane of starlight: many small points and `big` glowing ones."""
    rng = c.rng(name)
    sky = np.zeros((c.height, c.width), np.float32)
    us, vs = rng.random(count), rng.random(count)
    power = rng.pareto(2.2, count) * 0.25
    # A point smaller than a pixel of a large picture would vanish when it is made small.
    scale = min(1.0, max(c.width, c.height) / 512)
    np.add.at(sky, ((vs * c.height).astype(int), (us * c.width).astype(int)), power * scale)
    sky = plane(noise.blur(sky, 0.7) * 2.2)
    for _ in range(big):
        _flare(sky, rng, c)
    return plane(np.clip(sky, 0, 3))


def _flare(sky: Plane, rng: np.random.Generator, c: Canvas) -> None:
    """Add one bright star with a soft halo at a random place of `sky`."""
    size = c.unit * rng.uniform(0.006, 0.014)
    x, y, reach = int(rng.random() * c.width), int(rng.random() * c.height), int(size * 5) + 2
    left, right = max(0, x - reach), min(c.width, x + reach)
    top, bottom = max(0, y - reach), min(c.height, y + reach)
    dx = np.arange(left, right)[None] - x
    dy = np.arange(top, bottom)[:, None] - y
    near = np.hypot(dx, dy) / max(size, 0.5)
    edge = np.clip(1 - near / 5, 0, 1)
    halo = 1.6 * np.exp(-((near * 3.2) ** 2)) + 0.35 * np.exp(-near * 1.3) * edge
    sky[top:bottom, left:right] += halo.astype(np.float32)


def develop(
    light: Light, *, bloom: float = 0.3, vignette: float = 0.22, grain: float = 0.006, seed: int
) -> Plane:
    """Display values 0..1 of `light`: glow, darker corners, soft highlights, fine grain."""
    height, width, _ = light.shape
    light = plane(np.clip(light, 0, 4))
    if bloom:
        sigma = max(width, height) / 40
        for channel in range(3):
            bright = plane(np.clip(light[..., channel] - 0.55, 0, 2))
            light[..., channel] += noise.blur(bright, sigma) * np.float32(bloom * 2)
    if vignette:
        v = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height - 0.5
        u = (np.arange(width, dtype=np.float32)[None] + 0.5) / width - 0.5
        light *= (1 - vignette * smooth(0.12, 0.55, plane(u * u + v * v)))[..., None]
    light /= 1 + np.clip(light - 0.8, 0, 9) * np.float32(0.6)
    shown = encode(light)
    rng = noise.generator(seed, "grain")
    shown += rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(grain)
    return plane(np.clip(shown, 0, 1))
