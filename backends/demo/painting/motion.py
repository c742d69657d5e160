"""Frames: a still picture that moves gently, as the seed decides."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from backends.demo.painting.noise import generator

_USUAL_MOTION = 127  # the motion bucket that counts as 1
_ROOM = 0.09  # of each side; the picture reaches this far beyond the frame, to move in
_CELLS = 20  # per side: the grid whose corners move with their depth
_DEPTH_SIDE = 96  # px


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A picture with the move that the camera makes over it."""

    picture: Image.Image  # of the size of a frame
    depth: NDArray[np.float64]  # at each corner of the grid: 0 is far, 1 is near
    heading: float  # radians
    zoom: float  # how much closer the camera comes, or how far it goes back
    strength: float


def film(picture: Image.Image, *, seed: int, motion: int) -> Film:
    """Gets the frames of a picture ready; `motion` is a motion bucket, 127 the usual one."""
    rng = generator("film", seed)
    return Film(
        picture=picture.convert("RGB"),
        depth=_depth(picture),
        heading=float(rng.uniform(0, 2 * math.pi)),
        zoom=float(rng.choice([-1, 1]) * rng.uniform(0.4, 0.9) * _ROOM),
        strength=min(motion / _USUAL_MOTION, 1.5),
    )


def frame(shot: Film, *, index: int, count: int) -> Image.Image:
    """One frame of `count`. What is near moves further than what is far."""
    way = index / max(1, count - 1)
    eased = way * way * (3 - 2 * way) * shot.strength / 1.5
    size = shot.picture.size
    columns = np.linspace(0, 1, _CELLS + 1)[None].repeat(_CELLS + 1, axis=0)
    moved = 0.25 + 0.75 * shot.depth
    closer = 1 - 2 * _ROOM - shot.zoom * moved * (eased - (shot.zoom < 0))
    drift = 0.9 * _ROOM * eased * moved
    x = 0.5 + (columns - 0.5) * closer + drift * math.cos(shot.heading)
    y = 0.5 + (columns.T - 0.5) * closer + drift * math.sin(shot.heading)
    return shot.picture.transform(
        size,
        Image.Transform.MESH,
        _mesh(np.clip(x, 0, 1) * size[0], np.clip(y, 0, 1) * size[1], size=size),
        resample=Image.Resampling.BILINEAR,
    )


def _mesh(
    x: NDArray[np.float64], y: NDArray[np.float64], *, size: tuple[int, int]
) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """For each cell of the frame, the four corners of what is seen there."""
    across = np.linspace(0, size[0], _CELLS + 1).round().astype(int).tolist()
    down = np.linspace(0, size[1], _CELLS + 1).round().astype(int).tolist()
    cells: list[tuple[tuple[int, int, int, int], tuple[float, ...]]] = []
    for row in range(_CELLS):
        for column in range(_CELLS):
            box = (across[column], down[row], across[column + 1], down[row + 1])
            corners = ((0, 0), (1, 0), (1, 1), (0, 1))  # down first: the order Pillow wants
            places = [(row + below, column + right) for below, right in corners]
            cells.append((box, tuple(float(v) for at in places for v in (x[at], y[at]))))
    return cells


def _depth(picture: Image.Image) -> NDArray[np.float64]:
    """A soft guess of what is near: the lower part of a picture, and its dark shapes."""
    side = (_DEPTH_SIDE, _DEPTH_SIDE)
    light = np.asarray(picture.convert("L").resize(side, Image.Resampling.BOX), np.float32) / 255
    low = np.linspace(-0.2, 1.0, _DEPTH_SIDE, dtype=np.float32)[:, None]
    near = np.clip(low * 0.9 + (0.5 - light) * 0.5, 0, 1)
    soft = Image.fromarray((near * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))
    corners = soft.resize((_CELLS + 1, _CELLS + 1), Image.Resampling.BILINEAR)
    return np.asarray(corners, np.float64) / 255
