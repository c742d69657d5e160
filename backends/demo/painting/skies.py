"""Skies by time of day, with sun, moon, clouds and stars; shared by every scene with a horizon."""

from dataclasses import dataclass

import numpy as np

from backends.demo.painting.canvas import Canvas, Light, glow, stars
from backends.demo.painting.noise import Plane, plane, smooth


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """The colours of one hour: the sky from top to horizon, haze, land far and near, the sun."""

    bands: tuple[str, ...]
    haze: str
    far: str
    near: str
    sun: str
    night: bool = False


_SKIES: dict[str, tuple[Sky, ...]] = {
    "dawn": (
        Sky(bands=("#2e4470", "#7f86ad", "#e9a793", "#ffd9a8"), haze="#f3bf9f", far="#a58fa5",
            near="#141c2e", sun="#fff2d0"),
        Sky(bands=("#3b5f86", "#8fb0bf", "#f3d2b4", "#ffe9c8"), haze="#f6d9bd", far="#9fa6b4",
            near="#1b2b35", sun="#fff6dc"),
        Sky(bands=("#3a3566", "#8e6c9c", "#f0a6a0", "#ffd3b0"), haze="#f4b9ab", far="#a283a8",
            near="#1a1730", sun="#fff0d6"),
    ),
    "day": (
        Sky(bands=("#3f78b5", "#83b2d6", "#cfe3ea", "#f3efe0"), haze="#dbe7ea", far="#93b0c4",
            near="#17302f", sun="#fffbe8"),
        Sky(bands=("#2f6f8f", "#79b4bd", "#cbe2d6", "#f4eed6"), haze="#dbe8dc", far="#8fb2b0",
            near="#12302d", sun="#fff8df"),
    ),
    "dusk": (
        Sky(bands=("#1d1740", "#5a3a7c", "#c2638a", "#ffb08a"), haze="#e08a92", far="#7a4f8c",
            near="#120a22", sun="#ffcfa0"),
        Sky(bands=("#182448", "#4a4a80", "#c9756a", "#ffbf73"), haze="#e59a78", far="#6d5580",
            near="#0d1020", sun="#ffdc9a"),
        Sky(bands=("#22122f", "#7a2f52", "#e0603f", "#ffc066"), haze="#ef8f5a", far="#8a4050",
            near="#170a16", sun="#ffe08a"),
    ),
    "night": (
        Sky(bands=("#040817", "#0b1a38", "#1b3a5c", "#3b6480"), haze="#2f5674", far="#1d3a58",
            near="#03070f", sun="#e8f0ff", night=True),
        Sky(bands=("#070618", "#161238", "#34285c", "#5f4a80"), haze="#4a3c6e", far="#2b2350",
            near="#06040f", sun="#f4ecff", night=True),
    ),
}  # fmt: skip


def choose_sky(c: Canvas, *, usual: tuple[str, ...]) -> Sky:
    """The sky of the hour the prompt names, else of one of the scene's `usual` hours."""
    rng = c.rng("sky")
    time = c.look.time or usual[int(rng.integers(len(usual)))]
    skies = _SKIES[time]
    return skies[int(rng.integers(len(skies)))]


def paint_sky(c: Canvas, sky: Sky, *, horizon: float, clouds: float = 0.3) -> Light:
    """The whole canvas as sky, its brightest band at `horizon` (a fraction of the height)."""
    t = np.broadcast_to(c.v / np.float32(horizon), (c.height, c.width))
    light = c.look.ramp(sky.bands, plane(t))
    if clouds:
        veil = c.noise("clouds", beta=1.75, sx=2.6, sy=0.55)
        mask = smooth(0.0, 2.4, veil) * smooth(horizon * 1.05, 0.0, c.v) * np.float32(clouds)
        tone = c.look.mix(sky.bands, 0.78) * np.float32(0.5 if sky.night else 1.05)
        light += (tone - light) * mask[..., None]
    if sky.night:
        field = stars(c, count=int(500 * c.width / c.unit) + 60, big=4)
        glow(light, plane([0.9, 0.95, 1.1]), plane(field * smooth(horizon, horizon * 0.4, c.v)))
    return light


def add_sun(
    c: Canvas, light: Light, sky: Sky, *, u: float, v: float, size: float = 0.03, halo: float = 1.0
) -> Plane:
    """Paint the sun (or moon) at (`u`, `v`) with its halo; returns the distance from it."""
    d = c.distance(u, v)
    colour = c.look.colour(sky.sun)
    edge = max(0.0035, 1.2 / c.unit)
    disc = smooth(size + edge, size - edge, d) * np.float32(1.1)
    soft = np.exp(-d * 6.5) * 0.5 + np.exp(-d * 20) * 0.45
    if sky.night:
        soft = soft * 0.45
        craters = c.noise("moon", beta=1.6)
        disc = plane(disc * (0.92 - 0.1 * smooth(0.1, 1.2, craters)))
    glow(light, colour, plane(soft * halo + disc))
    return d
