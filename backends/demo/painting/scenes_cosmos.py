"""Pictures of space: nebula, spiral galaxy, ringed planet, and a night sky in brush strokes."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from backends.demo.painting import noise
from backends.demo.painting.canvas import Canvas, Light, develop, glow, over, stars
from backends.demo.painting.noise import Plane, plane, smooth, warp
from backends.demo.painting.palette import decode, encode

_NEBULAE = (
    ("#04040c", "#1a1038", "#6a2358", "#d8577a", "#ffc9a3"),
    ("#020609", "#06222e", "#0f5a66", "#46b5a6", "#f5e6b8"),
    ("#050410", "#14184a", "#2f4fa8", "#7fa8f0", "#ffe6d0"),
    ("#080406", "#3a1420", "#a04a24", "#eda45a", "#fff0cc"),
    ("#05030e", "#2a1258", "#7a3ab0", "#d68ae0", "#ffe0ea"),
)
_STAR_TINTS = ("#ffd9b0", "#ffffff", "#b9d4ff")


def _starlight(c: Canvas, light: Light, strength: Plane, *, share: float, big: int) -> None:
    """Add tinted stars, dimmed by `strength`; `share` is the part of the pixels with a star."""
    # Counted at a fixed size, so that a larger picture shows the same sky in more detail.
    count = int(share * 512 * 512 * c.width * c.height / max(c.width, c.height) ** 2) + 30
    tint = plane(np.clip(0.5 + 0.35 * c.noise("tint", beta=1.0), 0, 1))
    colours = c.look.ramp(_STAR_TINTS, tint)
    light += (stars(c, count=count, big=big) * strength)[..., None] * colours


def nebula(c: Canvas) -> Plane:
    """Glowing gas with dark dust and many stars."""
    rng = c.rng("nebula")
    codes = _NEBULAE[int(rng.integers(len(_NEBULAE)))]
    u, v = rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65)
    a, b = c.noise("a", beta=2.2), c.noise("b", beta=2.2)
    px = np.float32(c.unit / 640)
    cloud = warp(c.noise("cloud", beta=1.65), dx=a * 34 * px, dy=b * 34 * px)
    grain = warp(c.noise("grain", beta=1.6), dx=b * 44 * px, dy=-a * 44 * px)
    dark = warp(c.noise("dust", beta=1.35), dx=a * 20 * px, dy=b * 20 * px)
    tilt = rng.uniform(-1.2, 1.2)
    x, y = c.x_from(u), c.y_from(v)
    along, across = x * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - x * np.sin(tilt)
    r = np.sqrt((along * 0.8) ** 2 + (across * 1.35) ** 2)
    dense = np.exp(-((r * 2.0) ** 2)) * 1.05 + 0.13
    t = plane(np.clip(dense * (0.5 + 0.28 * cloud + 0.42 * np.exp(-np.abs(cloud) * 2.2)), 0, 1))
    light = c.look.ramp(codes, t)
    core = np.exp(-((r * 4.4) ** 2)) * 0.32 * (1 + 0.25 * grain)
    light += c.look.ramp(codes[-2:], plane(0.5 + 0.3 * grain)) * core[..., None]
    veil = smooth(0.25, 1.7, plane(dark + 0.45 * grain)) * smooth(0.02, 0.5, plane(dense))
    light *= (1 - 0.8 * veil)[..., None]
    _starlight(c, light, plane(1 - 0.6 * veil), share=0.0024, big=9)
    return develop(light, bloom=0.35, vignette=0.35, seed=11)


_SPIRALS = (
    ("#0a0f24", "#2d3f86", "#86a6e8", "#fbe3c0"),
    ("#120a20", "#5a2a78", "#d07fb0", "#ffe6c4"),
    ("#041418", "#145a6a", "#6fc8c0", "#fdf0cc"),
)


def galaxy(c: Canvas) -> Plane:
    """A spiral galaxy seen aslant."""
    rng = c.rng("galaxy")
    codes = _SPIRALS[int(rng.integers(len(_SPIRALS)))]
    tilt, squeeze = rng.uniform(0, np.pi), rng.uniform(0.42, 0.75)
    x, y = c.x_from(rng.uniform(0.44, 0.56)), c.y_from(rng.uniform(0.44, 0.56))
    along = x * np.cos(tilt) + y * np.sin(tilt)
    across = (y * np.cos(tilt) - x * np.sin(tilt)) / squeeze
    wobble = c.noise("wobble", beta=2.0)
    r = np.sqrt(along**2 + across**2) * (1 + 0.05 * wobble) + 1e-4
    angle = np.arctan2(across, along)
    turn = rng.choice([-1.0, 1.0])
    phase = 2 * (angle * turn - 2.7 * np.log(r * 6 + 0.28)) + 0.35 * wobble
    fine = c.noise("fine", beta=1.15)
    arms = np.clip(0.5 + 0.5 * np.cos(phase), 0, 1) ** 1.6
    disc = np.exp(-r * 4.6) * smooth(0.62, 0.25, plane(r))
    gas = disc * (0.22 + 1.9 * arms * (0.7 + 0.35 * fine))
    lanes = np.clip(np.cos(phase + 0.9), 0, 1) ** 5 * smooth(0.02, 0.12, plane(r))
    gas = gas * (1 - 0.62 * lanes * np.clip(0.8 + 0.4 * fine, 0, 1.2))
    core = np.exp(-((r * 14) ** 1.2)) * 1.0 + np.exp(-r * 11) * 0.32
    light = c.look.ramp(("#03040a", "#05060f"), plane(np.broadcast_to(c.v, r.shape)))
    light += c.look.ramp(codes[1:], plane(gas * 1.2)) * np.clip(gas * 1.5, 0, 2)[..., None]
    glow(light, c.look.colour(codes[-1]), plane(core))
    knots = smooth(1.5, 3.0, c.noise("knots", beta=0.7)) * arms * disc * 5
    glow(light, c.look.colour("#ff8fa8"), plane(knots))
    _starlight(c, light, plane(np.ones_like(r)), share=0.002, big=6)
    return develop(light, bloom=0.4, vignette=0.25, seed=12)


_PLANETS = (
    ("#6f4a36", "#d9a066", "#f3dcb0", "#c9825a", "#f0c896"),
    ("#1d3a5a", "#4f86b0", "#bfe0e8", "#6fa6c8", "#d8f0f4"),
    ("#4a1f36", "#b0566a", "#f0b89a", "#d07a6a", "#f8d8c0"),
    ("#1f4a40", "#5aa08a", "#d8ecc8", "#8fc4a0", "#f0f8dc"),
)


def planet(c: Canvas) -> Plane:
    """A banded planet with rings and its small moon."""
    rng = c.rng("planet")
    codes = _PLANETS[int(rng.integers(len(_PLANETS)))]
    light = c.look.ramp(("#2d2a4d", "#141a33", "#06070f"), plane((c.u + c.v) * 0.62)) * 0.5
    clouds = warp(c.noise("gas", beta=1.7), dx=c.noise("gx", beta=1.9) * c.unit / 22,
                  dy=c.noise("gy", beta=1.9) * c.unit / 22)  # fmt: skip
    glow(light, c.look.colour("#3d3a78"), smooth(0.1, 2.6, clouds) * np.float32(0.35))
    _starlight(c, light, plane(np.ones_like(clouds)), share=0.0018, big=5)
    side = rng.choice([-1.0, 1.0])
    radius = rng.uniform(0.24, 0.32)
    u, v = 0.5 + 0.05 * side, rng.uniform(0.46, 0.54)
    x, y = plane(c.x_from(u) / radius), plane(c.y_from(v) / radius)
    lean = rng.uniform(0.2, 0.5) * side
    _globe(c, light, codes, x=x, y=y, lean=lean, side=side)
    if rng.random() < 0.8:
        _rings(c, light, codes, x=x, y=y, lean=lean, side=side, open_=rng.uniform(0.16, 0.3))
    moon = rng.uniform(0.03, 0.06)
    place = (
        plane(c.x_from(0.5 - side * 0.33) / moon),
        plane(c.y_from(rng.uniform(0.16, 0.26)) / moon),
    )
    _globe(c, light, ("#8a8a96", "#c8c4c0", "#a09aa0"), x=place[0], y=place[1], lean=1.0, side=side)
    return develop(light, bloom=0.3, vignette=0.3, seed=13)


def _globe(
    c: Canvas, light: Light, codes: tuple[str, ...], *, x: Plane, y: Plane, lean: float, side: float
) -> None:
    """A lit ball of radius 1 around the origin of `x`, `y`, banded across its axis."""
    d = plane(np.sqrt(x * x + y * y))
    z = np.sqrt(np.clip(1 - d * d, 0, 1))
    lamp = np.array([-0.72 * side, -0.52, 0.46])
    lit = np.clip(x * lamp[0] + y * lamp[1] + z * lamp[2], 0, 1)
    latitude = x * np.sin(-lean) + y * np.cos(lean)
    swirl = c.noise("swirl", beta=1.9, sx=1.8)
    band = np.sin(latitude * 17 + swirl * 0.6 + np.sin(latitude * 5) * 2) * 0.5 + 0.5
    storm = warp(c.noise("storm", beta=1.4, sx=2.5), dx=swirl * c.unit / 20, dy=swirl * 0)
    t = 0.5 + 0.42 * latitude + 0.14 * (band - 0.5) + 0.05 * storm
    surface = c.look.ramp(codes, plane(t)) * (0.8 + 0.35 * band)[..., None]
    body = surface * (lit**0.9 * 1.5 + 0.002)[..., None]
    soft = max(0.004, 1.2 * float(abs(y[1, 0] - y[0, 0])) if y.shape[0] > 1 else 0.01)
    over(light, plane(body), smooth(1 + soft, 1 - soft, d))
    air = np.exp(-np.clip(d - 1, 0, 9) * 16) * np.clip(0.25 + x * lamp[0] + y * lamp[1], 0, 1)
    glow(light, c.look.colour(codes[-1]), plane(air * (d > 1) * 0.6))


def _rings(
    c: Canvas, light: Light, codes: tuple[str, ...], *, x: Plane, y: Plane, lean: float,
    side: float, open_: float,
) -> None:  # fmt: skip
    """Rings around the globe of radius 1, behind it above and in front below."""
    across = (x * np.sin(-lean) + y * np.cos(lean)) / open_
    along = x * np.cos(lean) + y * np.sin(lean)
    d = plane(np.sqrt(along**2 + across**2))
    place = plane((d - 1.35) / 0.95)
    grooves = 0.35 + 0.65 * (np.sin(d * 46) * 0.5 + 0.5) * (np.sin(d * 19 + 1) * 0.4 + 0.6)
    gap = 1 - 0.92 * np.exp(-(((place - 0.56) / 0.03) ** 2))
    shape = smooth(0, 0.04, place) * smooth(1, 0.95, place) * grooves * gap
    globe = plane(np.sqrt(x * x + y * y))
    visible = np.where(across > 0, 1, smooth(0.99, 1.01, globe))
    away, beside = x * 0.72 * side + y * 0.52, np.abs(x * 0.52 - y * 0.72 * side)
    shadow = 1 - 0.88 * smooth(1.0, 0.93, plane(beside)) * (away > 0) * (globe > 0.9)
    tone = c.look.ramp((codes[0], codes[1], "#f7ead0", codes[3]), place)
    over(light, tone, plane(shape * visible * shadow * 0.8))


_PAINTS = (
    ("#142a5c", "#2c5aa0", "#6fa8d0", "#f2d27a", "#e8923f"),
    ("#1a2440", "#3a4f8a", "#8a8fd0", "#f0c0b0", "#f08a6a"),
    ("#12303a", "#2a6a74", "#78b8a8", "#f3e2a0", "#e2a050"),
    ("#3f2a3f", "#a8553a", "#e0a04a", "#f3d98a", "#7fa08a"),
)


def starry(c: Canvas) -> Plane:
    """A swirling night sky in thick strokes of paint."""
    rng = c.rng("starry")
    codes = _PAINTS[int(rng.integers(len(_PAINTS)))]
    fine = 2 if max(c.width, c.height) <= 512 else 1
    width, height = c.width * fine, c.height * fine
    step = max(1, round(min(width, height) / 160))
    cells_x, cells_y = max(8, width // step), max(8, height // step)
    field = noise.spectral(width=cells_x, height=cells_y, beta=2.9, key=f"{c.key}/flow")
    fy, fx = np.gradient(field)
    length = np.hypot(fx, fy) + 1e-9
    fx, fy = plane(fy / length), plane(-fx / length)
    tones = encode(c.look.ramp(codes, plane(0.48 + 0.26 * field)))
    # A darker ground shows between the strokes, never bare canvas.
    ground = Image.fromarray((np.clip(tones, 0, 1) * np.float32(150)).astype(np.uint8))
    image = ground.resize((width, height), Image.Resampling.BICUBIC)
    _strokes(image, tones, fx, fy, rng=rng)
    pixels = np.asarray(image.resize((c.width, c.height), Image.Resampling.LANCZOS))
    return develop(decode(plane(pixels / np.float32(255))), bloom=0.1, seed=14)


def _strokes(
    image: Image.Image, tones: Plane, fx: Plane, fy: Plane, *, rng: np.random.Generator
) -> None:
    """Lay strokes that follow the flow, in the tone of the place each of them starts at."""
    cells_y, cells_x = fx.shape
    span = min(image.size)
    count = int(4200 * max(0.12, min(1.0, span / 700)) * image.width * image.height / span**2)
    count = min(count, 9000)
    x, y = rng.random(count) * cells_x, rng.random(count) * cells_y
    path = np.empty((count, 12, 2))
    for k in range(12):
        path[:, k] = np.stack([x, y], -1)
        column, row = x.astype(int) % cells_x, y.astype(int) % cells_y
        x, y = x + fx[row, column] * 1.9, y + fy[row, column] * 1.9
    path *= [image.width / cells_x, image.height / cells_y]
    start_x, start_y = (path[:, 0] * [cells_x / image.width, cells_y / image.height]).T
    colours = tones[start_y.astype(int) % cells_y, start_x.astype(int) % cells_x]
    colours = np.clip(colours * rng.uniform(0.72, 1.14, (count, 1)) * 255, 0, 255).astype(int)
    weight = rng.uniform(0.005, 0.014, count) * span * max(1.0, min(2.2, 400 / span))
    ends = rng.integers(6, 13, count)
    draw = ImageDraw.Draw(image)
    for k in range(count):
        points = path[k, : ends[k]].ravel().tolist()
        draw.line(points, fill=tuple(colours[k].tolist()), width=max(1, int(weight[k])))


SCENES: dict[str, Callable[[Canvas], Plane]] = {
    "nebula": nebula,
    "galaxy": galaxy,
    "planet": planet,
    "starry": starry,
}
