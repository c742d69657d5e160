"""Pictures of plants: a dahlia seen from above, a succulent, ferns in the shade."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from backends.demo.painting.canvas import Canvas, develop
from backends.demo.painting.noise import Plane, plane
from backends.demo.painting.palette import decode, encode

_GOLDEN = np.pi * (3 - 5**0.5)

_DAHLIAS = (
    (("#3a1420", "#12060c"), ("#5a1026", "#c22a4a", "#f0708a", "#ffc6b8")),
    (("#2a1f10", "#0e0a06"), ("#6a2a08", "#d87018", "#f7b84a", "#fff0c0")),
    (("#1c1638", "#080614"), ("#2a1a5a", "#6a4ab8", "#b090e8", "#f0e0ff")),
    (("#24303a", "#0a1016"), ("#d8b070", "#f0d8c0", "#fbeee8", "#ffffff")),
    (("#30101e", "#10060c"), ("#f2c860", "#f08a6a", "#e0507a", "#7a1a4a")),
)
_SUCCULENTS = (
    (("#2a2a24", "#0e100e"), ("#d9f0c8", "#7fb89a", "#3f7a78", "#8a5f86")),
    (("#26282e", "#0c0e12"), ("#e8f0e0", "#a8c8b8", "#6f98a8", "#c87890")),
    (("#2c261e", "#100c08"), ("#f0e8b8", "#a8b870", "#5f8a5a", "#c8705a")),
)


def _bytes(colours: Plane) -> np.ndarray:
    return (encode(plane(colours)) * 255).astype(np.uint8)


def _ground(
    c: Canvas, codes: Sequence[str], *, fine: int, u: float = 0.5, v: float = 0.5
) -> Image.Image:
    """A finer image to draw on, shaded from `codes[0]` around (`u`, `v`) outward."""
    reach = float(np.hypot(c.width, c.height)) / c.unit
    image = Image.fromarray(_bytes(c.look.ramp(codes, plane(c.distance(u, v) * 1.5 / reach))))
    return image.resize((c.width * fine, c.height * fine), Image.Resampling.BICUBIC)


def _developed(c: Canvas, image: Image.Image, *, bloom: float, vignette: float, seed: int) -> Plane:
    small = image.resize((c.width, c.height), Image.Resampling.LANCZOS)
    light = decode(plane(np.asarray(small, dtype=np.float32) / 255))
    return develop(light, bloom=bloom, vignette=vignette, seed=seed)


def _rosette(
    c: Canvas, image: Image.Image, codes: Sequence[str], *, count: int, petal: float,
    centre: tuple[float, float], radius: float, broad: float,
) -> None:  # fmt: skip
    """Petals on a golden spiral, drawn from the rim inward: shadow, petal, highlight."""
    rng = c.rng("rosette")
    twist, lamp, wave = rng.uniform(0, 6.28), rng.uniform(0, 6.28), rng.integers(3, 7)
    index = np.arange(count, 0, -1)
    t = index / count
    angle = index * _GOLDEN + twist
    scale = radius / np.sqrt(count)
    away = scale * np.sqrt(index)
    length = scale * (1.1 + 3.4 * t**1.3) * petal
    k = np.linspace(0, np.pi, 13)
    along = -0.25 + (1 - np.cos(k)) * 0.62
    across = broad * np.sin(k) ** 0.8
    tone = c.look.ramp(codes, plane(t + 0.06 * np.sin(angle * wave)))
    tone *= plane(0.8 + 0.3 * (np.cos(angle - lamp) * 0.5 + 0.5))[:, None]
    draw = ImageDraw.Draw(image)
    shift = scale * 0.22
    parts = ((1.07, 1.0, 0.22, shift), (1.0, 1.0, 0.92, 0.0), (0.7, 0.55, 1.16, 0.0))
    outlines: list[np.ndarray] = []
    for size, width, _, offset in parts:
        px = np.concatenate([along, along[::-1]])[None] * length[:, None] * size
        py = np.concatenate([across, -across[::-1]])[None] * length[:, None] * size * width
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        x = centre[0] + away[:, None] * cos + px * cos - py * sin + offset
        y = centre[1] + away[:, None] * sin + px * sin + py * cos + offset
        outlines.append(np.stack([x, y], -1).reshape(count, -1))
    shades = [_bytes(np.clip(tone * part[2], 0, 1)) for part in parts]
    for i in range(count):
        for outline, shade in zip(outlines, shades, strict=True):
            draw.polygon(outline[i].tolist(), fill=tuple(shade[i].tolist()))


def _flower(c: Canvas, pair: tuple[Sequence[str], Sequence[str]], *, count: int, petal: float,
            broad: float, seed: int) -> Plane:  # fmt: skip
    rng = c.rng("flower")
    side = min(c.width, c.height)
    fine = 2
    image = _ground(c, pair[0], fine=fine)
    small = side < 200
    centre = (
        c.width * fine * (0.5 + rng.uniform(-0.06, 0.06)),
        c.height * fine * (0.5 + rng.uniform(-0.06, 0.06)),
    )
    radius = side * fine * rng.uniform(0.38, 0.5)
    if max(c.width, c.height) > 1.6 * side:  # a wide picture: come closer, let petals be cut off
        radius *= 1.35
    _rosette(c, image, pair[1], count=count // 4 if small else count,
             petal=petal, centre=centre, radius=radius, broad=broad)  # fmt: skip
    return _developed(c, image, bloom=0.15, vignette=0.3, seed=seed)


def dahlia(c: Canvas) -> Plane:
    """A flower of many petals, seen from above."""
    rng = c.rng("dahlia")
    pair = _DAHLIAS[int(rng.integers(len(_DAHLIAS)))]
    return _flower(c, pair, count=int(rng.integers(300, 640)), petal=rng.uniform(0.95, 1.25),
                   broad=rng.uniform(0.3, 0.44), seed=41)  # fmt: skip


def succulent(c: Canvas) -> Plane:
    """The thick leaves of a succulent, seen from above."""
    rng = c.rng("succulent")
    pair = _SUCCULENTS[int(rng.integers(len(_SUCCULENTS)))]
    return _flower(c, pair, count=int(rng.integers(110, 210)), petal=rng.uniform(1.3, 1.55),
                   broad=rng.uniform(0.4, 0.5), seed=42)  # fmt: skip


def fern(c: Canvas) -> Plane:
    """Fern fronds against the light, the far ones out of focus."""
    rng = c.rng("fern")
    sets = (
        (("#e8f0c0", "#6f9a5a", "#12301f"), ("#8fb86a", "#3f7f4a", "#123a26")),
        (("#d8f0e8", "#5f9a94", "#0f2f36"), ("#8fc0a8", "#3a7f78", "#0f3a3c")),
        (("#fbe8b8", "#b89a4a", "#3a2a14"), ("#d8b860", "#8a7f3a", "#3a3f18")),
    )
    ground, leaves = sets[int(rng.integers(3))]
    fine = 2 if max(c.width, c.height) < 900 else 1
    image = _ground(c, ground, fine=fine, u=rng.uniform(0.25, 0.75), v=rng.uniform(0.15, 0.4))
    unit = c.unit * fine
    span = max(1.0, c.width / c.unit)
    for layer in range(3):
        sheet = Image.new("RGBA", image.size, (0, 0, 0, 0))
        draw = ImageDraw.Draw(sheet)
        for _ in range(int(((5, 4, 3) if unit > 200 else (2, 2, 1))[layer] * span) + 1):
            tone = c.look.mix(leaves, layer / 2 * 0.75 + 0.2 * rng.random())
            _frond(draw, rng, tone, layer=layer, unit=unit, size=image.size)
        if layer < 2:
            sheet = sheet.filter(ImageFilter.GaussianBlur((0.012, 0.004)[layer] * unit))
        image.paste(sheet, (0, 0), sheet)
    return _developed(c, image, bloom=0.25, vignette=0.32, seed=43)


def _frond(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, tone: Plane, *, layer: int, unit: float,
    size: tuple[int, int],
) -> None:  # fmt: skip
    """One frond from the lower edge (or a lower corner) upward, curling at its tip."""
    x, y = rng.uniform(-0.05, 1.05) * size[0], size[1] * rng.uniform(1.0, 1.08)
    angle = -np.pi / 2 + (0.5 - x / size[0]) * 0.7 + rng.uniform(-0.35, 0.35)
    curl = rng.uniform(0.004, 0.022) * rng.choice([-1, 1])
    # A picture too small to show every leaflet gets fewer, larger ones.
    count = 30 if unit > 200 else 13
    step = (
        30
        / count
        * unit
        * (0.019 + 0.006 * layer)
        * rng.uniform(0.85, 1.25)
        * max(1.0, size[1] / unit * 0.8)
    )
    stem = tuple(_bytes(plane(tone * np.float32(0.45)))[:3].tolist())
    for i in range(count):
        t = i / count
        nx, ny = x + np.cos(angle) * step, y + np.sin(angle) * step
        width = max(1, int(unit * 0.006 * (1 - t) * (0.5 + 0.4 * layer)))
        draw.line((x, y, nx, ny), fill=stem, width=width)
        length = unit * (0.1 + 0.035 * layer) * np.sin((t * 0.9 + 0.1) * np.pi) ** 0.7 * 1.25
        breadth = 0.13 if count == 30 else 0.26
        for side in (-1, 1):
            lit = rng.uniform(0.85, 1.15) * (1.16 if side * np.cos(angle) < 0 else 0.9)
            leaf_angle = angle + side * (1.2 - 0.5 * t)
            _leaflet(draw, (nx, ny), leaf_angle, length=length, tone=tone * np.float32(lit),
                     breadth=breadth)  # fmt: skip
        angle += 30 / count * curl * (1 + 3.0 * t)
        x, y = nx, ny


def _leaflet(
    draw: ImageDraw.ImageDraw,
    root: tuple[float, float],
    angle: float,
    *,
    length: float,
    tone: Plane,
    breadth: float,
) -> None:
    """A pointed leaflet with a lighter and a darker half."""
    k = np.linspace(0, 1, 7)
    half = np.sin(k**0.8 * np.pi) * length * breadth
    droop = k**2 * length * 0.12
    for side, shade in ((1, 1.0), (-1, 0.72)):
        u = np.concatenate([k * length, k[::-1] * length])
        w = np.concatenate([droop, (droop + side * half)[::-1]])
        x = root[0] + np.cos(angle) * u - np.sin(angle) * w
        y = root[1] + np.sin(angle) * u + np.cos(angle) * w
        colour = tuple(_bytes(plane(np.clip(tone * np.float32(shade), 0, 1))).tolist())
        draw.polygon(np.stack([x, y], -1).ravel().tolist(), fill=colour)


SCENES: dict[str, Callable[[Canvas], Plane]] = {
    "dahlia": dahlia,
    "succulent": succulent,
    "fern": fern,
}
