"""Mountain pictures: alpine ridges, a mirror lake, winter pines, northern lights, balloons."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from backends.demo.painting.canvas import Canvas, Light, develop, over
from backends.demo.painting.noise import Plane, blur_line, plane, sample, smooth
from backends.demo.painting.skies import Sky, add_sun, choose_sky, paint_sky


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """How a mountain range stands in the picture; heights in units, places as fractions."""

    layers: int = 6
    horizon: float = 0.45
    height: float = 0.26
    mist: float = 0.6
    trees: float = 0.0
    snow: float = 0.0


def _ridge(c: Canvas, name: str) -> Plane:
    """The outline of a ridge for each column, 0..1, with peaks sharper than its valleys."""
    broad = 1 - np.minimum(np.abs(c.line(f"{name}/broad", beta=1.25, low=0.55)) * 0.62, 1.4)
    fine = c.line(f"{name}/fine", beta=1.25, low=3.0)
    height = 0.16 + 0.8 * broad + 0.075 * fine
    floor = np.logaddexp(0, 6 * height) / 6  # a soft floor: a hard one would cut valleys flat
    return plane(np.minimum(floor, 1.15))


def _trees(c: Canvas, name: str, *, count: float, low: float, high: float) -> Plane:
    """Heights of a row of firs for each column, in units; `count` to a unit of width."""
    x = plane(c.u[0] * (c.width / c.unit))
    rng = c.rng(name)
    heights = np.zeros_like(x)
    number = int(count * c.width / c.unit) + 2
    for place, size in zip(rng.random(number), rng.uniform(low, high, number), strict=True):
        half = size * 0.21
        centre = place * c.width / c.unit
        first, last = np.searchsorted(x, [centre - half, centre + half])
        k = np.abs(x[first:last] - centre) / half
        tooth = np.floor(k * 7) / 7 * 0.7 + k * 0.3
        heights[first:last] = np.maximum(heights[first:last], size * (1 - tooth))
    return heights


def _paint_range(c: Canvas, light: Light, sky: Sky, r: Range, *, sun_u: float) -> None:
    """Lay the ridges over `light`, far to near, each with its mist and its light and shade."""
    facets = c.noise("facets", beta=2.25, sx=0.8, sy=1.2)
    shift = max(1, round(c.unit / 160))
    slope = np.roll(facets, shift, 1) - np.roll(facets, -shift, 1)
    slope = plane(slope / (slope.std() + 1e-6) * (1 if sun_u > 0.5 else -1))
    haze = c.look.colour(sky.haze)
    for i in range(r.layers):
        t = i / max(r.layers - 1, 1)
        base = r.horizon + (1 - r.horizon) * t**1.25 * 0.84
        rise = _ridge(c, f"ridge{i}") * r.height * (1 - 0.5 * t) * c.unit / c.height
        top = plane(base - rise + 0.06)
        firs = r.trees * (0.0, 0.5, 1.0)[max(0, i - r.layers + 3)]
        if firs:
            rows = _trees(c, f"trees{i}", count=34 / (0.4 + firs / r.trees), low=firs * 0.45,
                          high=firs)  # fmt: skip
            _layer(c, light, plane(top + 0.01), sky, r, t, slope=slope, haze=haze, crown=rows)
        else:
            _layer(c, light, top, sky, r, t, slope=slope, haze=haze, crown=None)


def _layer(
    c: Canvas, light: Light, top: Plane, sky: Sky, r: Range, t: float, *, slope: Plane,
    haze: Plane, crown: Plane | None,
) -> None:  # fmt: skip
    """One ridge: its body below `top`, snow and light on it, mist gathering at its foot."""
    edge = top if crown is None else plane(top - crown * (c.unit / c.height))
    first = max(0, int(edge.min() * c.height) - 2)
    if first >= c.height:
        return
    rows = slice(first, c.height)
    mask = c.below(edge)[rows]
    softened = blur_line(edge, c.width / 30)
    depth = plane((c.v[rows] - softened[None]) * (c.height / c.unit))
    lit = np.roll(slope, int(t * 7919) % c.width, 1)[rows]
    fade = np.exp(-np.clip(depth, 0, 1) * 5.5)
    shade = 1 + np.clip(lit * 0.16, -0.3, 0.42) * fade * (1 - 0.45 * t)
    body = c.look.mix((sky.far, sky.near), t**0.85)[None, None] * shade[..., None]
    if r.snow and crown is None:
        level = depth - 0.032 * lit - 0.05
        snow = smooth(0.03, -0.02, plane(level)) * np.float32(r.snow * (1 - t) ** 0.6)
        white = c.look.mix((sky.haze, "#ffffff"), 0.55) * np.float32(0.8 - 0.25 * t)
        tone = white * np.clip(0.72 + 0.3 * lit, 0.3, 1.25)[..., None]
        body = body + (tone - body) * snow[..., None]
    fog = r.mist * (1 - 0.72 * t) * smooth(0.01, 0.34, depth)
    body = body + (haze - body) * fog[..., None]
    over(light, plane(body), mask, first_row=first)


def _mirror(c: Canvas, light: Light, *, shore: float, ripple: float = 1.0) -> None:
    """Turn everything below `shore` into still water that mirrors what is above it."""
    line = int(shore * c.height)
    rows = c.height - line
    if line < 2 or rows < 2:
        return
    depth = (np.arange(rows, dtype=np.float32)[:, None] + 1) / rows
    waves = c.noise("ripples", beta=1.3, sx=2.4, sy=0.4)[line:]
    sway = waves * (0.4 + depth * 5.0) * ripple * c.unit / 640
    x = plane(np.arange(c.width, dtype=np.float32)[None] + sway)
    y = plane(line - 1 - np.arange(rows, dtype=np.float32)[:, None] * min(1.15, line / rows)
              + np.abs(sway) * 0.7)  # fmt: skip
    for k in range(3):
        light[line:, :, k] = sample(light[:line, :, k], x=x, y=y, wrap=False)
    light[line:] *= (0.84 - 0.24 * depth)[..., None]
    glint = smooth(1.3, 3.0, plane(waves)) * (0.05 + 0.05 * depth)
    light[line:] += light[max(0, line - 4)].mean(0) * glint[..., None]
    bank = smooth(0.004, 0.0, np.abs(c.y_from(shore))) * np.float32(0.5)
    light *= (1 - 0.35 * bank)[..., None]


def _birds(c: Canvas, light: Light, *, colour: Plane) -> None:
    rng = c.rng("birds")
    centre_u, centre_v = rng.uniform(0.25, 0.75), rng.uniform(0.14, 0.24)
    flock = [
        (centre_u + rng.normal() * 0.07, centre_v + rng.normal() * 0.03, rng.uniform(0.005, 0.011))
        for _ in range(int(rng.integers(5, 10)))
    ]

    def brush(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
        unit = min(h, w * 1.5)
        for u, v, size in flock:
            x, y, s = u * w, v * h, size * unit
            wing = [(x - s, y - s * 0.5), (x - s * 0.4, y - s * 0.25), (x, y)]
            wing += [(x + s * 0.4, y - s * 0.3), (x + s, y - s * 0.6)]
            draw.line(wing, fill=235, width=max(1, round(unit / 420)), joint="curve")

    over(light, colour, c.draw(brush))


def alpine(c: Canvas) -> Plane:
    """Ridge behind ridge in the haze, with a low sun."""
    sky, rng = choose_sky(c, usual=("dawn", "dawn", "day", "dusk")), c.rng("alpine")
    horizon, sun_u = rng.uniform(0.38, 0.46), rng.uniform(0.2, 0.8)
    light = paint_sky(c, sky, horizon=horizon + 0.22)
    add_sun(c, light, sky, u=sun_u, v=horizon - rng.uniform(0.04, 0.16), size=0.03)
    mountains = Range(layers=7, horizon=horizon, height=rng.uniform(0.24, 0.32), mist=0.72,
                      trees=rng.choice([0.0, 0.055, 0.075]))  # fmt: skip
    _paint_range(c, light, sky, mountains, sun_u=sun_u)
    if not sky.night:
        _birds(c, light, colour=c.look.colour(sky.near))
    return develop(light, seed=1)


def lake(c: Canvas) -> Plane:
    """Hills mirrored in still water."""
    sky, rng = choose_sky(c, usual=("dusk", "day", "dawn")), c.rng("lake")
    shore = rng.uniform(0.6, 0.68)
    sun_u = rng.uniform(0.22, 0.78)
    light = paint_sky(c, sky, horizon=shore)
    add_sun(c, light, sky, u=sun_u, v=shore - rng.uniform(0.24, 0.34), size=0.032)
    hills = Range(layers=5, horizon=shore - 0.18, height=0.24, mist=0.6, trees=0.05)
    _paint_range(c, light, sky, hills, sun_u=sun_u)
    _mirror(c, light, shore=shore)
    return develop(light, seed=2)


def winter(c: Canvas) -> Plane:
    """Firs in front of pale snowy peaks, snow in the air."""
    sky, rng = choose_sky(c, usual=("day", "dawn")), c.rng("winter")
    pale = Sky(
        bands=("#7d9ab8", "#b9cbd8", "#eee6e4"), haze="#e9ecf0", far="#b5c3d2", near="#1b2a3a",
        sun="#ffffff",
    ) if c.look.time in (None, "day") else sky  # fmt: skip
    sun_u = rng.uniform(0.2, 0.8)
    light = paint_sky(c, pale, horizon=0.7, clouds=0.4)
    add_sun(c, light, pale, u=sun_u, v=rng.uniform(0.16, 0.3), size=0.026, halo=0.7)
    peaks = Range(layers=6, horizon=rng.uniform(0.38, 0.44), height=0.34, mist=0.8, trees=0.12,
                  snow=0.25 if pale.night else 0.6)  # fmt: skip
    _paint_range(c, light, pale, peaks, sun_u=sun_u)
    _snowfall(c, light)
    return develop(light, seed=3)


def _snowfall(c: Canvas, light: Light) -> None:
    rng = c.rng("snow")
    flakes = rng.random((int(90 * c.width / c.unit) + 20, 3))

    def brush(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
        unit = min(h, w * 1.5)
        for u, v, power in flakes:
            s = unit * (0.0012 + 0.0035 * power**4)
            draw.ellipse((u * w - s, v * h - s, u * w + s, v * h + s), fill=int(90 + 130 * power))

    over(light, plane([0.95, 0.97, 1.0]), c.draw(brush) * np.float32(0.85))


def aurora(c: Canvas) -> Plane:
    """Northern lights over a fjord that mirrors them."""
    rng = c.rng("aurora")
    sky = Sky(bands=("#050818", "#0a1730", "#123546"), haze="#16404c", far="#123244",
              near="#02060c", sun="#e8f0ff", night=True)  # fmt: skip
    light = paint_sky(c, sky, horizon=0.8, clouds=0)
    pairs = (("#3df5a6", "#8a5bff"), ("#5af0c0", "#e0569a"), ("#7df06a", "#2fa8e8"))
    low, high = pairs[int(rng.integers(len(pairs)))]
    for k in range(3):
        _curtain(c, light, k, low=low, high=high, v=rng.uniform(0.3, 0.36) + 0.08 * k)
    fjord = Range(layers=4, horizon=0.63, height=0.2, mist=0.35)
    _paint_range(c, light, sky, fjord, sun_u=0.3)
    _mirror(c, light, shore=rng.uniform(0.74, 0.8), ripple=1.4)
    return develop(light, bloom=0.4, seed=4)


def _curtain(c: Canvas, light: Light, index: int, *, low: str, high: str, v: float) -> None:
    """One hanging fold of light, its lower hem at about `v`."""
    hem = v + 0.075 * c.line(f"hem{index}", beta=2.2, low=0.5) * c.unit / c.height
    rays = c.line(f"rays{index}", beta=0.9, low=3.0)
    strength = 0.5 + 0.26 * rays + 0.3 * c.line(f"fade{index}", beta=1.6, low=0.4)
    up = plane((hem[None] - c.v) * (c.height / c.unit))
    fall = np.where(up > 0, np.exp(-np.abs(up) * (5.4 + index)), np.exp(-np.abs(up) * 42))
    power = plane(fall * np.clip(strength, 0.04, 1.5)[None] * (0.62 - 0.12 * index))
    light += c.look.ramp((low, low, high), plane(up * 2.4)) * power[..., None]


def balloons(c: Canvas) -> Plane:
    """Hot-air balloons over hazy hills."""
    sky, rng = choose_sky(c, usual=("dawn", "day", "dawn")), c.rng("balloons")
    sun_u = rng.choice([rng.uniform(0.1, 0.25), rng.uniform(0.75, 0.9)])
    light = paint_sky(c, sky, horizon=0.75)
    add_sun(c, light, sky, u=sun_u, v=rng.uniform(0.42, 0.5), size=0.028)
    hills = Range(layers=6, horizon=0.58, height=0.2, mist=0.65)
    _paint_range(c, light, sky, hills, sun_u=sun_u)
    pairs = [("#c8452f", "#f3d9a4"), ("#2f5f7a", "#f0c36b"), ("#7a3b57", "#f2b28d"),
             ("#d68a3a", "#3b4a63"), ("#3f7d6a", "#f2e3c0"), ("#b03a5b", "#f7c9a0")]  # fmt: skip
    places = ((0.31, 0.3, 0.082), (0.66, 0.2, 0.05), (0.8, 0.42, 0.034), (0.13, 0.5, 0.024),
              (0.5, 0.5, 0.02), (0.9, 0.14, 0.022))  # fmt: skip
    mirrored = bool(rng.integers(2))
    order = rng.permutation(len(pairs))
    for k, (u, v, size) in enumerate(places[: int(rng.integers(4, 7))]):
        place = (1 - u if mirrored else u) + rng.uniform(-0.04, 0.04)
        _balloon(c, light, pairs[int(order[k])], u=place, v=v + rng.uniform(-0.04, 0.04),
                 size=size * rng.uniform(0.85, 1.2))  # fmt: skip
    return develop(light, seed=5)


def _balloon(
    c: Canvas, light: Light, colours: tuple[str, str], *, u: float, v: float, size: float
) -> None:
    """One balloon of radius `size` (in units) with its envelope's centre at (`u`, `v`)."""
    x, y = c.x_from(u) / size, c.y_from(v) / size
    soft = max(0.02, 1.0 / (size * c.unit))
    round_part = np.sqrt(np.clip(1 - y * y, 0, 1))
    half = np.where(y < 0.25, round_part, np.clip(0.968 - (y - 0.25) * 0.66, 0, 1))
    envelope = smooth(soft, -soft, plane(np.abs(x) - half)) * smooth(1.36, 1.32, y)
    envelope = envelope * smooth(-1 - soft, -1 + soft, y)
    angle = np.arcsin(np.clip(x / (half + 1e-4), -1, 1))
    stripe = 0.5 + 0.5 * np.sign(np.sin(angle * 8 + 0.4))
    first, second = c.look.colours(colours)
    shade = np.clip(0.62 + 0.5 * (-0.35 * x + 0.5 * np.cos(angle) - 0.3 * y), 0.25, 1.3)
    tone = first + (second - first) * stripe[..., None]
    over(light, plane(tone * shade[..., None]), plane(envelope))
    basket = smooth(soft, -soft, plane(np.abs(x) - 0.17)) * smooth(1.62 - soft, 1.62 + soft, y)
    basket = basket * smooth(1.9 + soft, 1.9 - soft, y)
    ropes = smooth(2 * soft, 0, plane(np.abs(np.abs(x) - 0.15))) * (y > 1.3) * (y < 1.66)
    over(light, c.look.colour("#2d1d18"), plane(np.maximum(basket, 0.5 * ropes)))


SCENES: dict[str, Callable[[Canvas], Plane]] = {
    "alpine": alpine,
    "lake": lake,
    "winter": winter,
    "aurora": aurora,
    "balloons": balloons,
}
