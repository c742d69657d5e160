"""Pictures of the land: dunes, a misty forest, a meadow in flower."""

from collections.abc import Callable

import numpy as np
from PIL import ImageDraw

from backends.demo.painting.canvas import Canvas, Light, develop, glow, over
from backends.demo.painting.noise import Plane, blur_line, generator, line, plane, smooth
from backends.demo.painting.skies import Sky, add_sun, choose_sky, paint_sky


def dunes(c: Canvas) -> Plane:
    """Sand dunes with a sharp edge between sunlight and shade."""
    sky, rng = choose_sky(c, usual=("dawn", "dusk", "day")), c.rng("dunes")
    sun_u = rng.uniform(0.2, 0.8)
    light = paint_sky(c, sky, horizon=0.56, clouds=0.15)
    add_sun(c, light, sky, u=sun_u, v=rng.uniform(0.26, 0.4), size=0.045)
    grains = c.noise("sand", beta=1.8)
    wind = 1.0 if sun_u > 0.5 else -1.0
    for k in range(6):
        _dune(c, light, sky, k, grains=grains, wind=wind)
    return develop(light, seed=21)


def _dune(c: Canvas, light: Light, sky: Sky, index: int, *, grains: Plane, wind: float) -> None:
    """One crest and everything below it; the higher `index`, the nearer."""
    t = index / 5
    x = plane(c.u[0] * (c.width / c.unit))
    crest_line = line(x, key=f"{c.key}/dune{index}", beta=2.6, low=0.34 + 0.2 * (1 - t))
    scale = c.unit / c.height
    crest = 0.48 + 0.4 * t**1.25 - 0.055 * crest_line * (0.55 + 0.7 * t) * scale
    mask = c.below(plane(crest))
    depth = plane((c.v - crest[None]) * (c.height / c.unit))
    slip = line(x, key=f"{c.key}/slip{index}", beta=2.4, low=0.5)
    edge = (0.07 + 0.07 * t) * np.clip(0.15 + slip, 0, 2.2)
    # The lee side runs from the crest down to a winding foot; beyond it the sand is lit again.
    lee = smooth(0.005, -0.005, plane(depth - edge[None])) * smooth(0.0, 0.012, plane(edge))[None]
    rake = np.sin(depth * (250 / (0.6 + t)) + wind * c.u * 26 + grains * 0.9)
    ripple = 1 + 0.055 * rake * (0.25 + t) * smooth(0.0, 0.08, depth)
    lit_tone = c.look.mix(("#f6c692", "#e8985a"), t)
    dark_tone = c.look.mix(("#b67a70", "#7c3c34"), t) * np.float32(0.62)
    tone = lit_tone + (dark_tone - lit_tone) * (lee * 0.92)[..., None]
    dim = (0.16 if sky.night else 1.0) * (1 - 0.22 * t)
    tone = tone * (ripple * dim * (1 - 0.75 * np.clip(depth, 0, 0.8)))[..., None]
    haze = (0.66 * (1 - t)) ** 1.3
    tone = tone + (c.look.colour(sky.haze) - tone) * np.float32(haze)
    over(light, plane(tone), mask)


_WOODS = (
    ("#c9cdb2", "#5f7a6c", "#fff0c2", "#0d1a17"),
    ("#d9a27c", "#6a3f4a", "#ffd49a", "#140a14"),
    ("#b8d0d0", "#4f7480", "#f4f8e8", "#0a1a20"),
    ("#d8d09a", "#6f7a3c", "#fff2b0", "#161a08"),
)
_WOODS_AT = {
    "dawn": ("#e0b898", "#7a6068", "#ffdcae", "#15121a"),
    "dusk": ("#c07a70", "#5a3458", "#ffb27a", "#12081a"),
    "night": ("#2f4a66", "#14263c", "#a8c8e8", "#02060c"),
}


def forest(c: Canvas) -> Plane:
    """Tree trunks in the mist with slanting light."""
    rng = c.rng("forest")
    picked = _WOODS[int(rng.integers(len(_WOODS)))]
    far, mid, sun, dark = _WOODS_AT.get(c.look.time or "", picked)
    sun_u, sun_v = rng.uniform(0.25, 0.75), rng.uniform(0.24, 0.4)
    light = c.look.ramp((far, mid), plane(np.broadcast_to(c.v, (c.height, c.width)))) * 0.8
    light = plane(light)
    d = c.distance(sun_u, sun_v)
    glow(light, c.look.colour(sun), plane(np.exp(-d * 3.4) * 0.8))
    veil = c.noise("veil", beta=1.8, sx=2.2)
    for k in range(5):
        t = k / 4
        _trunks(c, light, k, colour=c.look.mix((mid, dark), 0.3 + 0.7 * t), sun_u=sun_u)
        fog = (
            smooth(0.4, 1.0, c.v)
            * (0.36 * (1 - t))
            * np.clip(1 + 0.35 * np.roll(veil, k * 97, 1), 0, 2)
        )
        over(light, c.look.colour(sun) * np.float32(0.9), plane(fog))
        if k >= 2:
            _undergrowth(c, light, k, colour=c.look.mix((mid, dark), 0.5 + 0.5 * t))
    _rays(c, light, c.look.colour(sun), u=sun_u, v=sun_v, d=d)
    return develop(light, bloom=0.35, seed=22)


def _trunks(c: Canvas, light: Light, index: int, *, colour: Plane, sun_u: float) -> None:
    """A row of trunks; the higher `index`, the nearer and thicker."""
    t, rng = index / 4, c.rng(f"trunks{index}")
    span = c.width / c.unit
    number = max(2, round((26, 18, 12, 7, 3.4)[index] * span))
    up = plane(c.v[:, 0])
    for k in range(number):
        u = (k + rng.uniform(0.1, 0.9)) / number
        width = (0.0034 + 0.02 * t**1.7) * rng.uniform(0.7, 1.3) * c.unit
        lean = rng.uniform(-0.03, 0.03) * c.unit
        bend = np.sin(up * rng.uniform(2, 6) + rng.uniform(0, 6)) * width * 0.35
        centre = u * c.width + lean * (1 - up) + bend
        half = np.maximum(width * (0.75 + 0.5 * up**2), 0.35)
        reach = width * 1.8 + 2
        left = int(max(0, centre.min() - reach))
        right = int(min(c.width, centre.max() + reach))
        if right <= left:
            continue
        x = np.arange(left, right, dtype=np.float32)[None] - centre[:, None]
        side = np.clip(x / half[:, None] * (1 if sun_u > u else -1), -1, 1)
        mask = smooth(0.8, -0.8, plane(np.abs(x) - half[:, None])) * np.float32(0.35 + 0.62 * t)
        tone = colour * (1 + 0.7 * side * (1 - t * 0.4))[..., None]
        part = light[:, left:right]
        part += (tone - part) * mask[..., None]


def _undergrowth(c: Canvas, light: Light, index: int, *, colour: Plane) -> None:
    """A ragged line of bushes and ferns along the bottom."""
    bushes = c.line(f"bush{index}", beta=1.1, low=1.5)
    twigs = np.abs(c.line(f"twig{index}", beta=0.5, low=14.0))
    top = 0.965 - 0.062 * (4 - index) - (0.018 * bushes + 0.016 * twigs) * c.unit / c.height
    mask = c.below(plane(top)) * np.float32(0.86)
    over(light, colour, plane(mask))


def _rays(c: Canvas, light: Light, colour: Plane, *, u: float, v: float, d: Plane) -> None:
    """Beams of light that fan out from (`u`, `v`)."""
    rng = c.rng("rays")
    beams = blur_line(plane(np.tile(rng.random(720), 3)), 5.0)[720:1440]
    beams = plane((beams - beams.min()) / (np.ptp(beams) + 1e-6))
    angle = np.arctan2(c.y_from(v), c.x_from(u))
    place = (angle + np.pi) / (2 * np.pi) * 720
    shape = np.interp(place, np.arange(720), beams)
    glow(light, colour, plane(smooth(0.45, 1, plane(shape)) * np.exp(-d * 2.3) * 0.32))


_BLOOMS = (
    ("#d8402f", "#f0703a", "#f7c9a0"),
    ("#7a5ac0", "#a88ae0", "#e8d0f0"),
    ("#f2c230", "#f7e080", "#ffffff"),
    ("#e0609a", "#f4a0c0", "#fff0e0"),
    ("#3f70c8", "#8ab0f0", "#f0e8b0"),
)


def meadow(c: Canvas) -> Plane:
    """Rolling hills and, close by, a field of flowers."""
    sky, rng = choose_sky(c, usual=("day", "dawn", "dusk")), c.rng("meadow")
    light = paint_sky(c, sky, horizon=0.6, clouds=0.55)
    add_sun(c, light, sky, u=rng.uniform(0.15, 0.85), v=rng.uniform(0.2, 0.4), size=0.034)
    grass = (("#9fb87a", "#3f6a34"), ("#b8b86a", "#5a6a2a"), ("#8fb894", "#2a5f48"))[
        int(rng.integers(3))
    ]
    tuft = c.noise("tuft", beta=1.1, sx=0.5, sy=1.6)
    dim = np.float32(0.22 if sky.night else 1.0)
    for k in range(5):
        t = k / 4
        top = 0.5 + 0.2 * t**1.1 - 0.05 * c.line(f"hill{k}", beta=2.3, low=0.4) * c.unit / c.height
        depth = (c.v - top[None]) * (c.height / c.unit)
        shade = (1 - 0.9 * np.clip(depth, 0, 0.5)) * (1 + 0.09 * tuft * (0.3 + t))
        tone = c.look.mix(grass, t) * dim * shade[..., None]
        haze = np.float32(0.62 * (1 - t) ** 1.2)
        tone = tone + (c.look.colour(sky.haze) - tone) * haze
        over(light, plane(tone), c.below(plane(top)))
    blooms = _BLOOMS[int(rng.integers(len(_BLOOMS)))]
    for k in range(7):
        _flowers(c, light, k, blooms=blooms, stem=grass[1], dim=float(dim))
    return develop(light, bloom=0.25, seed=23)


def _flowers(
    c: Canvas, light: Light, row: int, *, blooms: tuple[str, ...], stem: str, dim: float
) -> None:
    """One row of flowers, nearer and larger for a higher `row`."""
    t = row / 6
    size = 0.006 + 0.034 * t**1.6
    base = 0.71 + 0.3 * t
    for k, code in enumerate(blooms):
        rng = generator(c.key, "flowers", row, k)
        number = int(c.width / c.unit * (0.55 / size) * (0.8 if t < 0.5 else 0.5)) + 1
        spots = np.stack([rng.random(number), rng.normal(size=number), rng.random(number)], -1)
        stems, heads = _flower_masks(c, spots, base=base, size=size)
        over(light, c.look.colour(stem) * np.float32(0.55 * dim), stems)
        over(light, c.look.colour(code) * np.float32(dim * (0.62 + 0.38 * t)), heads)


def _flower_masks(c: Canvas, spots: np.ndarray, *, base: float, size: float) -> tuple[Plane, Plane]:
    """Masks of the stems and of the heads of the flowers at `spots`."""

    def places(w: float, h: float) -> list[tuple[float, float, float, float]]:
        unit = min(h, w * 1.5)
        return [
            (u * w, base * h + n * 0.018 * unit, size * unit * (0.7 + 0.6 * r), n)
            for u, n, r in spots.tolist()
        ]

    def stems(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
        for x, y, s, n in places(w, h):
            foot = (x + n * s * 0.7, y + s * 5)
            draw.line(((x, y), foot), fill=210, width=max(1, int(s * 0.22)))

    def heads(draw: ImageDraw.ImageDraw, w: float, h: float) -> None:
        for x, y, s, n in places(w, h):
            for k in range(5):
                a = k * 2 * np.pi / 5 + n
                px, py = x + np.cos(a) * s * 0.5, y + np.sin(a) * s * 0.34
                box = (px - s * 0.5, py - s * 0.38, px + s * 0.5, py + s * 0.38)
                draw.ellipse(box, fill=int(255 - 60 * abs(np.sin(a + 0.6))))
            draw.ellipse((x - s * 0.2, y - s * 0.15, x + s * 0.2, y + s * 0.15), fill=120)

    return c.draw(stems), c.draw(heads)


SCENES: dict[str, Callable[[Canvas], Plane]] = {
    "dunes": dunes,
    "forest": forest,
    "meadow": meadow,
}
