"""Frames: a still picture that moves gently, as the seed decides."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from backends.demo.painting.noise import generator

_USUAL_MOTION = 127  # the motion bucket that counts as 1
_ROOM = 1.14  # the picture is kept this much larger than a frame, to have something to move in


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A picture with the move that the camera makes over it."""

    far: Image.Image  # larger than a frame
    near: Image.Image  # the same, what is dark and low in it; moves more
    depth: Image.Image  # 255 where `near` is seen
    size: tuple[int, int]
    heading: float  # radians
    zoom: float  # how much closer the last frame is
    strength: float


def film(picture: Image.Image, *, seed: int, motion: int) -> Film:
    """Gets the frames of a picture ready; `motion` is a motion bucket, 127 the usual one."""
    rng = generator("film", seed)
    size = round(picture.width * _ROOM), round(picture.height * _ROOM)
    larger = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return Film(
        far=larger,
        near=larger,
        depth=_depth(larger),
        size=picture.size,
        heading=float(rng.uniform(0, 2 * math.pi)),
        zoom=float(rng.choice([-1, 1]) * rng.uniform(0.02, 0.05)),
        strength=min(motion / _USUAL_MOTION, 1.6),
    )


def frame(shot: Film, *, index: int, count: int) -> Image.Image:
    """One frame of `count`; the first is nearly the picture itself."""
    way = index / max(1, count - 1)
    eased = way * way * (3 - 2 * way) * shot.strength
    back = _view(shot.far, shot=shot, eased=eased * 0.55)
    front = _view(shot.near, shot=shot, eased=eased)
    seen = _view(shot.depth, shot=shot, eased=eased)
    return Image.composite(front, back, seen)


def _view(layer: Image.Image, *, shot: Film, eased: float) -> Image.Image:
    """What the camera sees of a layer, `eased` of its way along."""
    width, height = shot.size
    closer = 1 + abs(shot.zoom) * (eased if shot.zoom > 0 else 1.6 - eased)
    seen_w, seen_h = width / closer, height / closer
    spare_x, spare_y = (layer.width - seen_w) / 2, (layer.height - seen_h) / 2
    left = spare_x + spare_x * 0.6 * math.cos(shot.heading) * eased
    top = spare_y + spare_y * 0.6 * math.sin(shot.heading) * eased
    box = (
        min(max(left, 0.0), layer.width - seen_w),
        min(max(top, 0.0), layer.height - seen_h),
    )
    return layer.resize(
        shot.size, Image.Resampling.BILINEAR, box=(*box, box[0] + seen_w, box[1] + seen_h)
    )


def _depth(picture: Image.Image) -> Image.Image:
    """Soft guess of what is near: the lower part of a picture, and its dark shapes."""
    small = picture.convert("L").resize((96, 96), Image.Resampling.BOX)
    light = np.asarray(small, np.float32) / 255
    low = np.linspace(-0.2, 1.0, 96, dtype=np.float32)[:, None]
    near = np.clip(low * 0.9 + (0.5 - light) * 0.5, 0, 1)
    mask = Image.fromarray((near * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))
    return mask.resize(picture.size, Image.Resampling.BICUBIC)
