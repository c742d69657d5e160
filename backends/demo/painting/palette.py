"""Colour: hex codes to linear light, ramps, and the look that words and seed give a picture.

Scenes name their colours as they were painted; a `Look` bends them (hue, strength, brightness) in
a perceptual space, so that a red or a winter version of a scene keeps its harmony.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.demo.painting.noise import Plane, plane

_STEPS = 1024
_GAMMA = 2.2
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LMS = np.linalg.inv(_TO_LMS)
_FROM_LAB = np.linalg.inv(_TO_LAB)


def linear(code: str) -> NDArray[np.float64]:
    """The linear light of a colour written as `#rrggbb`."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** _GAMMA


def encode(light: Plane) -> Plane:
    """Linear light 0..1 as display values 0..1."""
    return plane(np.power(np.clip(light, 0, 1), np.float32(1 / _GAMMA)))


def decode(values: Plane) -> Plane:
    """Display values 0..1 as linear light."""
    return plane(np.power(values, np.float32(_GAMMA)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tint:
    """A bend on top of a look; the default one changes nothing."""

    turn: float = 0.0  # degrees, whole palette
    chroma: float = 1.0
    hue: float | None = None  # degrees; colours move there, or away when the weight is negative
    weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a picture's colours are bent; the neutral look changes nothing."""

    hues: tuple[float, ...] = ()  # degrees; colours are drawn to the nearest of them
    turn: float = 0.0  # degrees, whole palette
    chroma: float = 1.0
    light: float = 1.0
    lift: float = 0.0  # 0..1, towards white
    time: str | None = None  # "dawn", "day", "dusk", "night"
    tints: tuple[Tint, ...] = ()  # in order, after everything else

    def colours(self, codes: Sequence[str]) -> NDArray[np.float64]:
        """The bent colours in linear light, one row for each of `codes`."""
        rgb = np.stack([linear(code) for code in codes])
        lab = np.cbrt(rgb @ _TO_LMS.T) @ _TO_LAB.T
        lightness = lab[:, 0]
        chroma = np.hypot(lab[:, 1], lab[:, 2])
        hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) + self.turn
        if self.hues:
            hue, chroma = self._draw(hue, chroma, lightness)
        chroma = chroma * self.chroma * (1 - 0.45 * self.lift)
        lightness = lightness * self.light
        lightness = lightness + (1 - lightness) * self.lift * 0.55
        for tint in self.tints:
            hue, chroma = hue + tint.turn, chroma * tint.chroma
        angle = np.radians(hue)
        plane_ab = np.stack([chroma * np.cos(angle), chroma * np.sin(angle)], -1)
        for tint in self.tints:
            plane_ab = _moved(plane_ab, lightness, tint=tint)
        lab = np.concatenate([lightness[:, None], plane_ab], -1)
        return np.clip((lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T, 0, 1)

    def _draw(
        self, hue: NDArray[np.float64], chroma: NDArray[np.float64], lightness: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Hue and chroma drawn to the wanted hues; greys take a little of the colour too."""
        targets = np.array(self.hues)
        away = (hue[:, None] - targets[None] + 180) % 360 - 180
        nearest = np.abs(away).argmin(1)
        rows = np.arange(len(hue))
        # Mid tones can carry colour; near black and near white it would look like a filter.
        room = _room(lightness)
        return (
            targets[nearest] + 0.22 * away[rows, nearest],
            np.maximum(chroma * 1.12, 0.075 * room),
        )

    def colour(self, code: str) -> Plane:
        """One bent colour in linear light, three numbers."""
        return plane(self.colours([code])[0])

    def ramp(self, codes: Sequence[str], t: Plane, *, at: Sequence[float] | None = None) -> Plane:
        """The colour at `t` (0..1) along `codes`, in linear light, one axis more than `t`."""
        colours = self.colours(codes)
        stops = np.linspace(0, 1, len(codes)) if at is None else np.asarray(at)
        places = np.linspace(0, 1, _STEPS)
        table = np.stack([np.interp(places, stops, colours[:, k]) for k in range(3)], -1)
        index = (np.clip(t, 0, 1) * (_STEPS - 1)).astype(np.int32)
        return plane(np.take(table.astype(np.float32), index, axis=0))

    def mix(self, codes: Sequence[str], t: float) -> Plane:
        """The single colour at `t` along `codes`."""
        return self.ramp(codes, plane(t))


def _room(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much colour a lightness can carry, 0..1."""
    return np.clip(4 * lightness * (1 - lightness), 0.15, 1)


def _moved(
    ab: NDArray[np.float64], lightness: NDArray[np.float64], *, tint: Tint
) -> NDArray[np.float64]:
    """Colours (rows of two) moved towards the hue of a tint as far as its weight says."""
    if tint.hue is None or not tint.weight:
        return ab
    angle = np.radians(tint.hue if tint.weight > 0 else tint.hue + 180)
    strength = np.maximum(np.hypot(ab[:, 0], ab[:, 1]), 0.13 * _room(lightness))
    target = strength[:, None] * np.array([np.cos(angle), np.sin(angle)])
    return ab + (target - ab) * min(abs(tint.weight), 1.25) * 0.8
