"""Pictures of things piled up: a city by the water, balanced stones."""

from collections.abc import Callable

import numpy as np

from backends.demo.painting.canvas import Canvas, Light, develop, glow, over
from backends.demo.painting.noise import Plane, generator, plane, sample, smooth

_CITY_SKIES = (
    ("#1b2140", "#4a3f6a", "#a8607a", "#e8a08a"),
    ("#0a1230", "#1c3a66", "#3f7a98", "#9fd0c8"),
    ("#140a2a", "#3a1a5e", "#8a2f8a", "#f06aa8"),
    ("#101a2c", "#3a4058", "#8a6a60", "#e8b880"),
)
_CITY_AT = {
    "dawn": ("#3a4a78", "#8a88a8", "#e8a898", "#ffdcb0"),
    "dusk": ("#24204a", "#6a3f6e", "#d0707a", "#ffb880"),
    "day": ("#4a80b0", "#8ab4d0", "#c8dce0", "#f0ecd8"),
    "night": ("#060a1c", "#0f1c40", "#24406a", "#4a6f98"),
}
_SIGNS = ("#ff4fa0", "#3fe0ff", "#ffb040", "#9a6aff", "#50ffb0")


def city(c: Canvas) -> Plane:
    """A skyline of lit windows, mirrored in wet ground."""
    rng = c.rng("city")
    picked = _CITY_SKIES[int(rng.integers(len(_CITY_SKIES)))]
    codes = _CITY_AT.get(c.look.time or "", picked)
    light = c.look.ramp(codes, plane(np.broadcast_to(c.v * 1.15, (c.height, c.width))))
    d = c.distance(rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.34))
    moon = c.look.colour("#ffe1c4")
    disc = smooth(0.075, 0.075 - max(0.004, 1.4 / c.unit), d)
    glow(light, moon, plane(np.exp(-d * 6) * 0.35 + disc * 0.7))
    ground = rng.uniform(0.76, 0.82)
    veil = c.noise("veil", beta=1.8, sx=2.6, sy=0.8)
    for k in range(5):
        _row_of_houses(c, light, codes, k, ground=ground)
        fog = (
            smooth(0.3, ground, c.v)
            * (0.32 * (1 - k / 4))
            * np.clip(1 + 0.4 * np.roll(veil, k * 131, 1), 0, 2)
        )
        over(light, c.look.colour(codes[-1]), plane(fog))
    _wet_ground(c, light, ground=ground)
    return develop(light, bloom=0.6, seed=61)


def _row_of_houses(
    c: Canvas, light: Light, codes: tuple[str, ...], index: int, *, ground: float
) -> None:
    """One row of towers standing on `ground`; the higher `index`, the nearer."""
    t, rng = index / 4, c.rng(f"houses{index}")
    base = c.look.mix((codes[-2], "#0c1020"), 0.25 + 0.75 * t)
    haze = c.look.colour(codes[-1])
    foot = int(ground * c.height)
    x = -0.05 * c.unit
    while x < c.width:
        wide = rng.uniform(0.04, 0.11) * c.unit * (0.7 + 0.6 * t)
        tall = (0.2 + 0.4 * rng.random() ** 1.7) * (1 - 0.34 * t) + 0.13 * (1 - t)
        top = max(0, int(foot - tall * c.unit * min(1.6, max(1.0, c.height / c.unit))))
        left, right = int(max(x, 0)), int(min(x + wide, c.width))
        kind = rng.random()
        x += wide + rng.uniform(0, 0.012) * c.unit
        if right <= left or foot <= top:
            continue
        depth = np.linspace(0, 1, foot - top, dtype=np.float32)[:, None, None]
        across = np.linspace(1, -1, right - left, dtype=np.float32)[None, :, None]
        tone = base * (1 - 0.5 * (1 - t) * depth) + haze * depth * np.float32(0.5 * (1 - t))
        house = plane(tone * (1 + 0.1 * across))
        house += _windows(c, house.shape, t=t, key=f"{c.key}/{index}/{left}") * (1 - 0.35 * depth)
        light[top:foot, left:right] = house
        _roof(c, light, base, kind=kind, t=t, at=(top, left, right), key=f"{c.key}/{index}/{left}")


def _windows(c: Canvas, shape: tuple[int, ...], *, t: float, key: str) -> Plane:
    """The light of a house's windows; each house has its own grid."""
    rng = generator(key, "windows")
    # Windows keep their share of the picture; in small ones they melt into a shimmer.
    pitch = max(3, int(c.unit * (0.0085 + 0.008 * t)))
    rise = max(4, int(pitch * 1.5))
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    row, column = y // rise, x // pitch
    lit = rng.random((int(row.max()) + 1, int(column.max()) + 1))
    hue = rng.random(lit.shape)
    on = (lit[row, column] > 0.77 - 0.12 * t) & (y % rise > rise * 0.35) & (x % pitch > pitch * 0.3)
    colours = c.look.ramp(("#ff9d52", "#ffd59a", "#bfe6ff"), plane(hue))[row, column]
    return plane(colours * (on * (0.16 + 0.75 * t))[..., None])


def _roof(
    c: Canvas,
    light: Light,
    base: Plane,
    *,
    kind: float,
    t: float,
    at: tuple[int, int, int],
    key: str,
) -> None:
    """A mast, a narrower top floor or a glowing sign for some of the houses."""
    top, left, right = at
    middle, wide = (left + right) // 2, right - left
    if kind < 0.3 and t < 0.9:
        thin = max(1, int(c.unit * 0.003))
        light[max(0, top - int(c.unit * 0.05)) : top, middle : middle + thin] = base
    elif kind < 0.5:
        light[max(0, top - int(c.unit * 0.022)) : top, left + wide // 5 : right - wide // 5] = base
    elif kind > 0.8 and t > 0.4:
        code = _SIGNS[int(generator(key, "sign").integers(len(_SIGNS)))]
        tall, thin = int(c.unit * 0.085), max(1, wide // 7)
        side = left + wide // 8
        light[top + tall // 4 : top + tall, side : side + thin] = c.look.colour(code) * np.float32(
            1.3
        )


def _wet_ground(c: Canvas, light: Light, *, ground: float) -> None:
    """Below `ground` everything above is mirrored, drawn out downward and broken by ripples."""
    line = int(ground * c.height)
    rows = c.height - line
    if rows < 1 or line < 2:
        return
    depth = plane((np.arange(rows, dtype=np.float32)[:, None] + 1) / rows)
    ripples = c.noise("wet", beta=1.2, sx=2.2, sy=0.35)[line:]
    sway = ripples * (0.6 + 4.5 * depth) * c.unit / 640
    x = plane(np.arange(c.width, dtype=np.float32)[None] + sway)
    y0 = line - 1 - np.arange(rows, dtype=np.float32)[:, None] * 1.5
    mirrored = np.zeros((rows, c.width, 3), np.float32)
    for shift, weight in ((0, 0.4), (0.012, 0.3), (0.03, 0.3)):
        y = plane(y0 - np.abs(sway) * 1.5 - shift * c.unit * (0.3 + depth))
        for k in range(3):
            mirrored[..., k] += sample(light[:line, :, k], x=x, y=y, wrap=False) * weight
    light[line:] = mirrored * (0.85 - 0.4 * depth)[..., None]
    light[line : line + max(1, int(c.unit * 0.004))] *= 0.35


def stones(c: Canvas) -> Plane:
    """Smooth stones balanced on raked sand."""
    rng = c.rng("stones")
    sets = (
        ("#dfe6e6", "#f4e6d2", "#e5d5bb", ("#8a7f78", "#5f6a72", "#b9a58e", "#434b55", "#d6c7b2")),
        ("#e8d8d0", "#f8e8d8", "#e8c8b0", ("#7a5a58", "#a8887a", "#4f4a58", "#c8a898", "#6a6a7a")),
        ("#c8dcd8", "#eaf0e4", "#d0d4c0", ("#4f6a68", "#8aa098", "#38484c", "#b8c4b0", "#6a8078")),
    )
    top, low, sand, codes = sets[int(rng.integers(3))]
    horizon = 0.46
    light = c.look.ramp((top, low), plane(np.broadcast_to(c.v / horizon, (c.height, c.width))))
    side = float(rng.choice([-1, 1]))
    u = 0.5 + rng.uniform(-0.12, 0.12)
    _sand(c, light, sand, horizon=horizon, u=u)
    widths = np.sort(rng.uniform(0.07, 0.2, int(rng.integers(4, 6))))[::-1]
    pile: list[tuple[float, float, float, float]] = []
    y = 0.78
    for k, wide in enumerate(widths):
        tall = float(wide * rng.uniform(0.34, 0.5))
        y -= tall * (0.7 if k == 0 else 0.93) * c.unit / c.height
        pile.append((u + rng.uniform(-0.02, 0.02), y, float(wide), tall))
        y -= tall * 0.93 * c.unit / c.height
    small = [(u + rng.uniform(0.18, 0.4) * s, rng.uniform(0.74, 0.86), w, w * 0.45)
             for s, w in ((-1, rng.uniform(0.03, 0.06)), (1, rng.uniform(0.04, 0.07)),
                          (side, rng.uniform(0.02, 0.035)))]  # fmt: skip
    for place in (*small, pile[0]):
        _cast_shadow(c, light, place, side=side, stretch=3.2 if place is pile[0] else 1.6)
    order = rng.permutation(len(codes))
    for k, place in enumerate((*small, *pile)):
        code = codes[int(order[k % len(codes)])]
        above = pile[k - 2] if 3 <= k < 2 + len(pile) else None
        _stone(c, light, code, place, side=side, above=above, key=k)
    dim = np.float32(0.3 if c.look.time == "night" else 1.0)
    return develop(plane(light * dim), bloom=0.15, vignette=0.28, seed=63)


def _sand(c: Canvas, light: Light, code: str, *, horizon: float, u: float) -> None:
    """Sand from `horizon` down, raked in rings around the stones at `u`."""
    depth = plane(np.clip((c.v - horizon) / (1 - horizon), 0, 1))
    distance = 1 / (depth + 0.06)
    x, z = c.x_from(u) * distance, distance * 1.25
    ring = np.sqrt(x * x * 1.4 + (z - 1.9) ** 2)
    rake = np.sin(ring * 34 + 0.5 * c.noise("drift", beta=2.2))
    relief = rake * 0.10 * smooth(0.08, 0.5, depth) * smooth(0.3, 0.6, plane(ring))
    grain = c.noise("grain", beta=0.5) * 0.022
    tone = c.look.colour(code) * (0.98 - 0.28 * depth + relief + grain)[..., None]
    over(light, plane(tone), plane(np.broadcast_to(smooth(0.0, 0.22, depth), ring.shape)))


def _cast_shadow(
    c: Canvas,
    light: Light,
    place: tuple[float, float, float, float],
    *,
    side: float,
    stretch: float,
) -> None:
    """The shadow on the sand, long and soft, away from the light at `side`."""
    u, v, wide, tall = place
    x = c.x_from(u) + side * wide * stretch * 0.42
    y = c.y_from(v) - tall * 0.8
    d = np.sqrt((x / (wide * (1 + stretch * 0.42))) ** 2 + (y / (tall * 0.62)) ** 2)
    light *= (1 - 0.5 * smooth(1.2, 0.45, plane(d)))[..., None]


def _stone(
    c: Canvas, light: Light, code: str, place: tuple[float, float, float, float], *, side: float,
    above: tuple[float, float, float, float] | None, key: int,
) -> None:  # fmt: skip
    """One pebble, lit from `side`, in the shade of the one `above` it."""
    u, v, wide, tall = place
    x, y = c.x_from(u) / wide, c.y_from(v) / tall
    d = plane((np.abs(x) ** 2.3 + np.abs(y) ** 2.3) ** (1 / 2.3))
    z = np.sqrt(np.clip(1 - d * d, 0, 1))
    lamp = np.clip(x * side * 0.62 - y * 0.6 + z * 0.5, 0, 1)
    grain = 1 + 0.05 * np.roll(c.noise("stone", beta=1.1), key * 173, 1)
    lamp = lamp * 0.85 + 0.16 + 0.12 * np.clip(y, 0, 1) * z
    if above is not None:
        gap = np.sqrt(
            (c.x_from(above[0]) / above[2]) ** 2 + (c.y_from(above[1]) / above[3] - 0.5) ** 2
        )
        lamp = lamp * (1 - 0.55 * smooth(1.25, 0.7, plane(gap)))
    tone = c.look.colour(code) * (lamp * grain * 1.15)[..., None]
    soft = max(0.012, 1.1 / (tall * c.unit))
    over(light, plane(tone), smooth(1 + soft, 1 - soft, d))


SCENES: dict[str, Callable[[Canvas], Plane]] = {
    "city": city,
    "stones": stones,
}
