"""Pictures of the sea: sailing boats at sundown, jellyfish in the deep."""

from collections.abc import Callable

import numpy as np
from PIL import ImageDraw

from backends.demo.painting import noise
from backends.demo.painting.canvas import Canvas, Light, develop, glow, over, stars
from backends.demo.painting.noise import Plane, plane, sample, smooth, warp
from backends.demo.painting.skies import Sky, add_sun, choose_sky, paint_sky


def sea(c: Canvas) -> Plane:
    """Open water with a path of light below the sun, and a few sails."""
    sky, rng = choose_sky(c, usual=("dusk", "dawn", "day", "dusk")), c.rng("sea")
    horizon, sun_u = rng.uniform(0.46, 0.56), rng.uniform(0.28, 0.72)
    light = paint_sky(c, sky, horizon=horizon, clouds=0.65)
    add_sun(c, light, sky, u=sun_u, v=horizon - rng.uniform(0.05, 0.2), size=0.042)
    for k in range(2):
        reach = smooth(
            0.05, 0.4, plane(np.abs(c.u[0] - rng.choice([0.0, 1.0]) + rng.uniform(-0.1, 0.1)))
        )
        coast = (
            (0.045 - 0.02 * k) * (1 + 0.35 * c.line(f"coast{k}", beta=1.6, low=1.0)) * (1 - reach)
        )
        top = horizon - np.maximum(coast, -0.01) * c.unit / c.height
        tone = c.look.mix((sky.haze, sky.far), 0.55 + 0.4 * k)
        over(light, tone, plane(c.below(plane(top)) * 0.95))
    _water(c, light, sky, horizon=horizon, sun_u=sun_u)
    boats = [(sun_u + rng.uniform(0.08, 0.2) * rng.choice([-1, 1]), horizon + 0.1, 0.15)]
    boats += [(rng.uniform(0.06, 0.94), horizon + rng.uniform(0.008, 0.04), rng.uniform(0.03, 0.06))
              for _ in range(int(rng.integers(1, 4)))]  # fmt: skip
    for u, v, size in sorted(boats, key=lambda boat: boat[1]):
        _boat(c, light, sky, u=u, v=v, size=size)
    return develop(light, bloom=0.4, seed=31)


def _water(c: Canvas, light: Light, sky: Sky, *, horizon: float, sun_u: float) -> None:
    """Waves in perspective below `horizon`, mirroring the sky, glittering below the sun."""
    first = int(horizon * c.height)
    rows = c.height - first
    depth = plane((np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows)
    distance = 1 / (depth + 0.035)
    side = 512 if c.unit > 200 else 128
    tile = noise.spectral(width=side, height=side, beta=1.45, key=f"{c.key}/waves", stretch_x=0.9)
    x = plane(c.x_from(0.5) * distance * 120)
    y = plane(np.broadcast_to(distance * 330, (rows, c.width)))
    waves = (
        sample(tile, x=x, y=y) * 0.7 + sample(tile, x=plane(x * 2.3 + 91), y=plane(y * 1.9)) * 0.5
    )
    waves = waves * smooth(0.0, 0.1, depth)
    tilt = 0.5 + 0.36 * waves
    sky_tone = c.look.ramp(sky.bands[::-1], plane(np.clip(0.08 + depth * 0.75 + tilt * 0.22, 0, 1)))
    deep = c.look.mix((sky.near, sky.bands[0]), 0.55)
    body = deep + (sky_tone - deep) * np.clip(0.34 + 0.42 * tilt - 0.12 * depth, 0, 0.95)[..., None]
    light[first:] = body
    width = 0.03 + 0.2 * depth
    path = np.exp(-((c.x_from(sun_u) / width) ** 2)) * smooth(
        0.35, 1.5, plane(waves + 0.35 * (1 - depth))
    )
    shine = plane(np.zeros((c.height, c.width)))
    shine[first:] = path * (1.15 if not sky.night else 0.6)
    glow(light, c.look.colour(sky.sun), shine)
    seam = np.exp(-np.abs(c.y_from(horizon)) * 55) * 0.3
    over(light, c.look.colour(sky.haze), plane(np.broadcast_to(seam, (c.height, c.width))))


def _boat(c: Canvas, light: Light, sky: Sky, *, u: float, v: float, size: float) -> None:
    """A small sailing boat of height `size` (in units) with its water line at (`u`, `v`)."""
    flip = 1.0 if c.rng(f"boat{u}").random() < 0.5 else -1.0

    def shape(points: list[tuple[float, float]], *, down: float) -> Callable[..., None]:
        def brush(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
            s = size * min(h, w * 1.5)
            draw.polygon(
                [(u * w + flip * x * s, v * h + down * y * s) for x, y in points], fill=255
            )

        return brush

    main = [(0.0, -1.0), (0.05, -0.5), (0.03, -0.16), (0.36, -0.14), (0.22, -0.5)]
    jib = [(-0.02, -0.9), (-0.03, -0.16), (-0.32, -0.14), (-0.16, -0.5)]
    hull = [(-0.4, -0.1), (0.42, -0.1), (0.3, 0.02), (-0.28, 0.02)]
    cloth = c.look.mix((sky.sun, sky.haze), 0.3) * np.float32(0.3 if sky.night else 0.85)
    wood = c.look.colour(sky.near) * np.float32(0.9)
    for points, tone in ((main, cloth), (jib, cloth * np.float32(0.78)), (hull, wood)):
        # The reflection is the same shape upside down, faint and squat.
        over(light, tone, plane(c.draw(shape(points, down=-0.55)) * 0.34))
        over(light, tone, c.draw(shape(points, down=1.0)))


def jellyfish(c: Canvas) -> Plane:
    """Glowing jellyfish in dark water."""
    rng = c.rng("jellyfish")
    sets = (
        ("#0b2c4a", "#07182f", "#040a18"),
        ("#1c1848", "#120c30", "#070414"),
        ("#0a3a40", "#062228", "#030e14"),
    )
    deep = sets[int(rng.integers(3))]
    light = c.look.ramp(deep, plane(np.broadcast_to(c.v, (c.height, c.width))))
    caustic = warp(c.noise("caustic", beta=1.8), dx=c.noise("cx", beta=2.0) * c.unit / 20,
                   dy=c.noise("cy", beta=2.0) * c.unit / 20)  # fmt: skip
    glow(
        light,
        c.look.colour("#8fe0ff"),
        plane(smooth(0.3, 2.4, caustic) * 0.06 * smooth(1, 0.1, c.v)),
    )
    beams = np.clip(c.line("beams", beta=1.2, low=1.0), 0, 2)[None] * np.exp(-c.v * 3.0) * 0.07
    glow(light, c.look.colour("#9fdcff"), plane(beams))
    pairs = (
        ("#ff7fb0", "#7fd0ff"),
        ("#8f8cff", "#6ff0e0"),
        ("#ffb27a", "#ff8fd0"),
        ("#7af0c8", "#a8b8ff"),
    )
    mirrored = bool(rng.integers(2))
    places = (
        (0.5, 0.32, 0.2),
        (0.2, 0.6, 0.085),
        (0.84, 0.22, 0.07),
        (0.8, 0.7, 0.055),
        (0.12, 0.16, 0.04),
    )
    for k, (u, v, size) in enumerate(places):
        low, high = pairs[int(rng.integers(len(pairs)))]
        u = (1 - u if mirrored else u) + rng.uniform(-0.05, 0.05)
        _jelly(c, light, k, colours=(low, high), place=(u, v + rng.uniform(-0.04, 0.04)),
               size=size * rng.uniform(0.9, 1.2))  # fmt: skip
    glow(light, plane([0.5, 0.8, 1.0]), plane(stars(c, count=int(260 * c.width / c.unit)) * 0.5))
    return develop(light, bloom=0.5, vignette=0.3, seed=32)


def _jelly(
    c: Canvas, light: Light, index: int, *, colours: tuple[str, str], place: tuple[float, float],
    size: float,
) -> None:  # fmt: skip
    """One animal of radius `size` (in units): the ribbed bell and its arms."""
    u, v = place
    low, high = c.look.colour(colours[0]), c.look.colour(colours[1])
    x, y = plane(c.x_from(u) / size), plane(c.y_from(v) / size)
    d = plane(np.sqrt(x * x + (y * 1.25 + 0.05) ** 2))
    soft = max(0.03, 1.5 / (size * c.unit))
    hem = 0.28 + 0.05 * np.sin(x * 14)
    bell = smooth(soft, -soft, plane(y - hem)) * smooth(1.0 + soft, 1.0 - soft, d)
    rim = np.exp(-np.abs(d - 1) * 16) * bell
    ribs = np.abs(np.sin(np.arctan2(x, 0.45 - y) * 11)) ** 6 * bell * 0.35 * smooth(0.1, 0.9, d)
    heart = np.exp(-((x * 2.4) ** 2) - ((y + 0.12) * 3.2) ** 2) * bell * 0.55
    body = bell * (0.16 + 0.25 * smooth(0, 1, d) ** 2) + rim * 0.6 + ribs + heart
    glow(light, low, plane(body * (0.55 + 0.45 * np.clip(-y, 0, 1))))
    glow(light, high, plane(body * np.clip(y + 0.6, 0, 1) * 0.6))
    glow(light, high, _arms(c, index, u=u, v=v, size=size))
    glow(light, low, plane(np.exp(-((x * 0.8) ** 2) - (y * 0.8) ** 2) * 0.07))


def _arms(c: Canvas, index: int, *, u: float, v: float, size: float) -> Plane:
    """The trailing arms as a plane of light, densest below the bell."""
    rng = c.rng(f"arms{index}")
    count = 46 if size > 0.1 else 24
    steps = max(60, int(size * c.unit * 5))
    t = np.linspace(0, 1, steps)[None]
    phase = (np.arange(count) / count * np.pi * 2)[:, None]
    wave = np.sin(t * rng.uniform(4, 9, (count, 1)) + rng.uniform(0, 6, (count, 1))) * t
    x = 0.8 * np.cos(phase) * (1 - 0.35 * t) + 0.17 * wave
    y = 0.26 + t * rng.uniform(1.2, 2.9, (count, 1)) + 0.06 * np.sin(phase)
    column = np.floor(u * c.width + x * size * c.unit).astype(int)
    row = np.floor(v * c.height + y * size * c.unit).astype(int)
    inside = (column >= 0) & (column < c.width) & (row >= 0) & (row < c.height)
    weight = np.broadcast_to((1 - t) ** 1.2, x.shape)[inside] * size * c.unit / steps * 0.55
    flat = np.bincount(
        row[inside] * c.width + column[inside], weights=weight, minlength=c.width * c.height
    )
    threads = plane(flat.reshape(c.height, c.width))
    return plane(noise.blur(threads, 0.6) + noise.blur(threads, c.unit / 160) * 1.4)


SCENES: dict[str, Callable[[Canvas], Plane]] = {"sea": sea, "jellyfish": jellyfish}
