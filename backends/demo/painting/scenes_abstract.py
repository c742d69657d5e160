"""Abstract pictures: glowing silk, flowing ribbons, a cut agate, a geometric pattern."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from backends.demo.painting import noise
from backends.demo.painting.canvas import Canvas, develop, over
from backends.demo.painting.noise import Plane, plane, smooth, warp
from backends.demo.painting.palette import decode, encode

# Parameters of an attractor that are known to draw a pleasing veil.
_VEILS = (
    (-1.4, 1.6, 1.0, 0.7),
    (1.7, 1.7, 0.6, 1.2),
    (1.6, -0.6, -1.2, 1.6),
    (-1.7, 1.3, -0.1, -1.2),
    (-1.8, -2.0, -0.5, -0.9),
    (1.5, -1.8, 1.6, 0.9),
    (-1.7, 1.8, -1.9, -0.4),
    (1.1, -1.32, -1.03, 1.54),
)
_GLOWS = (
    ("#0b0908", "#3a1a12", "#a8431f", "#f0a24a", "#fff3d6"),
    ("#05070f", "#0f2350", "#2f6fc0", "#9fd8ff", "#ffffff"),
    ("#0a0610", "#3a1258", "#a03ab0", "#f08ad0", "#fff0f6"),
    ("#040c0b", "#0c3a38", "#1f9a8a", "#8ae8c8", "#f6fff0"),
    ("#0c0608", "#4a1024", "#c02a4a", "#ff8a7a", "#fff0e0"),
)


def silk(c: Canvas) -> Plane:
    """A veil of light on black: the path of a strange attractor."""
    rng = c.rng("silk")
    a, b, p, q = np.array(_VEILS[int(rng.integers(len(_VEILS)))]) + rng.uniform(-0.035, 0.035, 4)
    codes = _GLOWS[int(rng.integers(len(_GLOWS)))]
    points = int(min(40_000, max(2_000, c.width * c.height / 20)))
    rounds = 150 if c.width * c.height > 200_000 else 90
    x, y = plane(rng.uniform(-1, 1, points)), plane(rng.uniform(-1, 1, points))
    xs, ys = np.empty((rounds, points), np.float32), np.empty((rounds, points), np.float32)
    for k in range(rounds + 12):
        x, y = (
            np.sin(np.float32(a) * y) + np.float32(p) * np.cos(np.float32(a) * x),
            np.sin(np.float32(b) * x) + np.float32(q) * np.cos(np.float32(b) * y),
        )
        xs[k - 12], ys[k - 12] = x, y  # the first twelve rounds are overwritten by the last
    density = _density(c, xs.ravel(), ys.ravel(), turn=rng.uniform(-0.5, 0.5))
    dense = np.log1p(density * (14 / (density.mean() + 1e-6)))
    t = plane(dense / (np.percentile(dense, 99.8) + 1e-6))
    soft = noise.blur(t, c.unit / 60)
    light = c.look.ramp(codes, plane(np.clip(t, 0, 1) ** 1.15 + 0.10 * soft))
    return develop(light, bloom=0.4, vignette=0.2, seed=51)


def _density(c: Canvas, x: Plane, y: Plane, *, turn: float) -> Plane:
    """How many of the points fall on each pixel once they are turned and fitted to the canvas."""
    if c.width > c.height * 1.2:
        turn += np.pi / 2
    x, y = (
        plane(x * np.float32(np.cos(turn)) - y * np.float32(np.sin(turn))),
        plane(x * np.float32(np.sin(turn)) + y * np.float32(np.cos(turn))),
    )
    few = slice(None, None, max(1, x.size // 20_000))
    (x0, x1), (y0, y1) = np.percentile(x[few], (0.2, 99.8)), np.percentile(y[few], (0.2, 99.8))
    scale = 0.84 * min(c.width / (x1 - x0 + 1e-6), c.height / (y1 - y0 + 1e-6))
    scale = max(scale, 0.5 * min(c.width, c.height * 2) / (x1 - x0 + 1e-6))
    column = ((x - np.float32((x0 + x1) / 2)) * np.float32(scale) + c.width / 2).astype(np.int32)
    row = ((y - np.float32((y0 + y1) / 2)) * np.float32(scale) + c.height / 2).astype(np.int32)
    inside = (column >= 0) & (column < c.width) & (row >= 0) & (row < c.height)
    flat = np.bincount(row[inside] * c.width + column[inside], minlength=c.width * c.height)
    return noise.blur(plane(flat.reshape(c.height, c.width)), 0.55)


def ribbons(c: Canvas) -> Plane:
    """Bands of translucent silk made of hundreds of fine threads."""
    rng = c.rng("ribbons")
    codes = _GLOWS[int(rng.integers(len(_GLOWS)))]
    other = _GLOWS[int(rng.integers(len(_GLOWS)))]
    diagonal = plane((c.u * rng.uniform(0.3, 1) + c.v) / 2)
    light = c.look.ramp((codes[1], codes[0], codes[0]), diagonal) * 0.55
    light = plane(light)
    for k in range(4):
        band = _band(c, k, v=0.5 + (k - 1.5) * 0.17 + rng.uniform(-0.06, 0.06))
        tones = (codes if k % 2 else other)[2:]
        t = plane(np.clip(0.3 + 0.3 * c.noise(f"tone{k}", beta=2.8), 0, 0.62))
        light += c.look.ramp(tones, t) * band[..., None]
    return develop(light, bloom=0.45, vignette=0.3, seed=52)


def _band(c: Canvas, index: int, *, v: float) -> Plane:
    """One band: threads between two wandering edges, as a plane of light."""
    rng = c.rng(f"band{index}")
    threads = 220
    k = np.linspace(0, 1, threads)[:, None]
    ease = k + 0.13 * np.sin(2 * np.pi * (k * 2 + rng.random()))
    first = c.line(f"first{index}", beta=2.9, low=0.32)[None] * 0.17
    second = c.line(f"second{index}", beta=2.9, low=0.32)[None] * 0.17
    third = c.line(f"third{index}", beta=2.9, low=0.5)[None] * 0.08
    y = v + (first * (1 - ease) + second * ease + third * np.sin(np.pi * ease) ** 2)
    row = y * c.height
    column = np.broadcast_to(np.arange(c.width), row.shape)
    below = np.floor(row).astype(np.int64)
    part = row - below
    out = np.zeros(c.width * c.height)
    strength = (0.35 + 0.65 * np.sin(np.pi * k)) * c.height / threads * 0.075
    for shift, weight in ((0, 1 - part), (1, part)):
        inside = (below + shift >= 0) & (below + shift < c.height)
        places = (below + shift) * c.width + column
        weights = (weight * strength)[inside]
        out += np.bincount(places[inside], weights=weights, minlength=out.size)
    sheet = plane(out.reshape(c.height, c.width))
    return plane(np.tanh(sheet * 1.6) * 0.8 + noise.blur(sheet, c.unit / 50) * 0.35)


_AGATES = (
    ("#f2efe8", "#5f8fa0", "#1d4a66", "#c9d8d0", "#3a5f7a", "#10222f"),
    ("#fbeee0", "#e0906a", "#a03a3a", "#f0c8a0", "#7a2a3a", "#240c14"),
    ("#f4f0f8", "#a088c8", "#5a3a88", "#d8c8e8", "#6a4a9a", "#180c28"),
    ("#f2f4e8", "#7fb08a", "#2a6a5a", "#d8e0c0", "#3a7a68", "#0c2420"),
)


def agate(c: Canvas) -> Plane:
    """A slice of banded stone with veins of gold."""
    rng = c.rng("agate")
    codes = _AGATES[int(rng.integers(len(_AGATES)))]
    drift = c.noise("drift", beta=2.6)
    detail = warp(c.noise("detail", beta=2.3), dx=drift * c.unit / 16, dy=drift * c.unit / 22)
    reach = 0.5 * min(c.width, c.height * 1.5) / c.unit
    x, y = c.x_from(rng.uniform(0.42, 0.58)), c.y_from(rng.uniform(0.42, 0.58))
    spread = np.sqrt((x / min(1.9, max(1, c.width / c.height))) ** 2 + y**2)
    t = plane(spread / reach * 0.98 + 0.12 * drift + 0.05 * detail)
    bands = np.sin(t * 42 + 2 * np.sin(t * 9)) * 0.5 + 0.5
    fine = np.sin(t * 150 + 1.5 * drift) * 0.5 + 0.5
    light = plane(c.look.ramp(codes, t) * (0.62 + 0.45 * bands + 0.2 * fine)[..., None])
    crystals = c.noise("crystals", beta=0.9)
    heart = c.look.ramp((codes[0], "#ffffff"), plane(0.35 + 0.3 * crystals))
    over(light, heart, smooth(0.2, 0.1, t))
    veins = sum(np.exp(-(((t - at) / 0.0065) ** 2)) for at in (0.62, 0.23, 0.92))
    gold = c.look.colour("#e9b65a") * (1 + 0.18 * crystals)[..., None]
    over(light, plane(gold), plane(np.clip(veins, 0, 1) * 0.9))
    over(light, c.look.colour("#16141a"), smooth(1.06, 1.1, t))
    return develop(light, bloom=0.2, seed=53)


_POSTERS = (
    ("#1f3a4d", "#e8dcc4", "#d9532f", "#e9b13f", "#3f7f86", "#20242c"),
    ("#2a2a4a", "#f0e4d0", "#e0607a", "#f0b860", "#5a7ac0", "#24203a"),
    ("#1f4038", "#f0ead4", "#c86a3a", "#e8c060", "#6fa088", "#1c2420"),
    ("#3a2438", "#f4e4dc", "#b83a4a", "#f09a6a", "#8a5f9a", "#241824"),
)


def bauhaus(c: Canvas) -> Plane:
    """A poster of circles, arcs and stripes on a grid."""
    rng = c.rng("bauhaus")
    codes = _POSTERS[int(rng.integers(len(_POSTERS)))]
    shown = (encode(plane(c.look.colours(codes))) * 255).astype(int)
    colours = [(int(r), int(g), int(b)) for r, g, b in shown]
    fine = 2
    cell = min(c.width, c.height) / int(rng.integers(3, 6)) * fine
    image = Image.new("RGB", (c.width * fine, c.height * fine), colours[1])
    draw = ImageDraw.Draw(image)
    columns, rows = int(np.ceil(image.width / cell)), int(np.ceil(image.height / cell))
    # Whole cells only: the grid is centred and the outer ones are cut evenly.
    left, top = (image.width - columns * cell) / 2, (image.height - rows * cell) / 2
    for j in range(rows):
        for i in range(columns):
            order = [colours[int(k)] for k in rng.permutation(len(colours))]
            _tile(draw, left + i * cell, top + j * cell, cell, order,
                  kind=int(rng.integers(7)), turn=int(rng.integers(4)))  # fmt: skip
    pixels = np.asarray(image.resize((c.width, c.height), Image.Resampling.LANCZOS))
    light = decode(plane(pixels / np.float32(255)))
    paper = c.noise("paper", beta=0.7) * 0.022 + c.noise("age", beta=1.8) * 0.035
    return develop(plane(light * (1 + paper)[..., None]), bloom=0, vignette=0.16, seed=54)


def _tile(
    draw: ImageDraw.ImageDraw, x: float, y: float, s: float, colours: Sequence[tuple[int, ...]], *,
    kind: int, turn: int,
) -> None:  # fmt: skip
    """One cell of side `s`; what is drawn beyond it is covered by the cells that follow."""
    ground, first, second, third = colours[:4]
    draw.rectangle((x, y, x + s, y + s), fill=ground)
    # Quarter circles sit in one of the corners, and start at that corner's angle.
    corner_x, corner_y = x + s * (turn in (1, 2)), y + s * (turn in (2, 3))
    start = (0, 90, 180, 270)[turn]

    def quarter(size: float, fill: tuple[int, ...]) -> None:
        r = s * size
        box = (corner_x - r, corner_y - r, corner_x + r, corner_y + r)
        draw.pieslice(box, start, start + 90, fill=fill)

    def disc(size: float, fill: tuple[int, ...]) -> None:
        r = s * size / 2
        draw.ellipse((x + s / 2 - r, y + s / 2 - r, x + s / 2 + r, y + s / 2 + r), fill=fill)

    if kind == 0:
        for size, fill in ((1, first), (0.75, second), (0.5, third), (0.25, first)):
            quarter(size, fill)
    elif kind == 1:
        disc(0.78, first)
        box = (x + s * 0.11, y + s * 0.11, x + s * 0.89, y + s * 0.89)
        draw.pieslice(box, 90 * turn, 90 * turn + 180, fill=second)
    elif kind == 2:
        corners = [(x, y), (x + s, y), (x + s, y + s), (x, y + s)]
        draw.polygon([corners[(turn + k) % 4] for k in range(3)], fill=first)
        disc(0.3, second)
    elif kind == 3:
        for k in range(4):
            a, b = s * (k + 0.25) / 4, s * (k + 0.75) / 4
            bar = (x, y + a, x + s, y + b) if turn % 2 else (x + a, y, x + b, y + s)
            draw.rectangle(bar, fill=first)
    elif kind == 4:
        quarter(1, first)
        quarter(0.5, second)
    elif kind == 5:
        for size, fill in ((0.86, first), (0.6, second), (0.34, third)):
            disc(size, fill)
    else:
        draw.pieslice((x, y - s / 2, x + s, y + s / 2), 0, 180, fill=first)
        draw.pieslice((x, y + s / 2, x + s, y + s * 1.5), 0 if turn % 2 else 180,
                      180 if turn % 2 else 360, fill=second)  # fmt: skip


SCENES: dict[str, Callable[[Canvas], Plane]] = {
    "silk": silk,
    "ribbons": ribbons,
    "agate": agate,
    "bauhaus": bauhaus,
}
