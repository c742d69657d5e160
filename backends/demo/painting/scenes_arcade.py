"""An arcade in the sun, traced exactly: planes, arches and a ball need no ray marching."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backends.demo.painting.canvas import Canvas, Light, develop, over
from backends.demo.painting.noise import Plane, blur, plane, smooth


def arcade(c: Canvas) -> Plane:
    """A sunlit court between two rows of arches, and a stone ball in it."""
    rng = c.rng("arcade")
    sets = (
        ("#fbe3cf", "#8fc3d6", "#e7a383", "#6fa9ad", "#f4ede2"),
        ("#f8ead8", "#7fa8d8", "#f0d0a0", "#b0785a", "#e86a4a"),
        ("#fbdcd8", "#a8a0d8", "#e090a0", "#6a6aa0", "#f8e8c0"),
        ("#f4f0dc", "#8fc8b8", "#f0e0c8", "#5f9a8a", "#e8a04a"),
    )
    codes = sets[int(rng.integers(len(sets)))]
    sx, sz = float(rng.choice([-1, 1])) * rng.uniform(0.6, 0.9), rng.uniform(-0.3, 0.35)
    norm = float(np.sqrt(sx * sx + 0.85**2 + sz * sz))
    sx, sz = sx / norm, sz / norm
    scene = _Court(
        sun=(sx, 0.85 / norm, sz),
        ball=(rng.uniform(-0.5, 0.5), -0.45, rng.uniform(3.4, 5.2)),
    )
    light = _seen(c, scene, codes, aside=rng.uniform(-0.08, 0.08))
    night = c.look.time == "night"
    return develop(plane(light * np.float32(0.25 if night else 1.0)), bloom=0.2, seed=62)


def _seen(c: Canvas, court: "_Court", codes: tuple[str, ...], *, aside: float) -> Light:
    """The court as the eye sees it; small pictures are traced finer, to smooth the edges."""
    side = max(c.width, c.height)
    fine = 3 if side <= 160 else 2 if side <= 700 else 1
    grid = Canvas(width=c.width * fine, height=c.height * fine, key=c.key, look=c.look)
    fx = grid.x_from(0.5 + aside) * 1.35
    fy = grid.y_from(0.52) * -1.35
    fx, fy = np.broadcast_arrays(fx, fy)
    length = np.sqrt(fx * fx + fy * fy + 1)
    ray = (plane(fx / length), plane(fy / length), plane(1 / length))
    sky = c.look.ramp(codes[:2], plane(0.15 + ray[1] * 1.25))
    light = _trace(grid, court, ray, codes=codes, sky=sky)
    if fine == 1:
        return plane(np.stack([blur(light[..., k], 0.55) for k in range(3)], -1))
    parts = [light[i::fine, j::fine] for i in range(fine) for j in range(fine)]
    return plane(sum(parts[1:], start=parts[0]) / fine**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Court:
    """Two walls at x = ±half pierced by arches every `pitch`, a floor at y = -1, a ball."""

    sun: tuple[float, float, float]  # towards it, length 1
    ball: tuple[float, float, float]
    radius: float = 0.55
    half: float = 1.55
    pitch: float = 2.0
    thick: float = 0.5
    crown: float = 2.05

    def open(self, y: Plane, z: Plane) -> np.ndarray:
        """Whether a wall is open at (`y`, `z`): inside an arch, or above its crown."""
        across = np.mod(z + self.pitch / 2, self.pitch) - self.pitch / 2
        arch = (np.abs(across) < 0.6) & ((y < 0.75) | (across**2 + (y - 0.75) ** 2 < 0.36))
        return arch | (y > self.crown)

    def lit(self, x: Plane, y: Plane, z: Plane) -> Plane:
        """1 where the sun reaches (`x`, `y`, `z`), 0 where a wall or the ball is in the way."""
        sx, sy, sz = self.sun
        side = self.half if sx > 0 else -self.half
        shade = np.ones(x.shape, bool)
        for plane_x in (side, side + (self.thick if side > 0 else -self.thick)):
            reach = (plane_x - x) / sx
            hit = (reach > 0.01) & ~self.open(plane(y + sy * reach), plane(z + sz * reach))
            shade &= ~hit
        bx, by, bz = x - self.ball[0], y - self.ball[1], z - self.ball[2]
        along = bx * sx + by * sy + bz * sz
        near = bx * bx + by * by + bz * bz - along * along
        shade &= ~((near < self.radius**2) & (along < 0))
        return plane(shade)


def _trace(
    c: Canvas, court: _Court, ray: tuple[Plane, Plane, Plane], *, codes: tuple[str, ...], sky: Light
) -> Light:
    """The court seen from its middle, along `ray`: the nearest thing hit wins, far to near."""
    rx, ry, rz = ray
    light = sky.copy()
    stone, floor = c.look.colour(codes[2]), c.look.colour(codes[3])
    eye_y, far = 0.3, 40.0
    sign = np.where(rx > 0, np.float32(1), np.float32(-1))
    face = np.clip(0.25 - sign * court.sun[0], 0.0, 1)  # the wall that faces the sun is lit
    reach_floor = np.where(ry < -1e-4, (-1 - eye_y) / np.minimum(ry, -1e-4), far)
    reach_in = court.half / np.maximum(np.abs(rx), 1e-4)
    reach_out = (court.half + court.thick) / np.maximum(np.abs(rx), 1e-4)

    def put(where: np.ndarray, reach: np.ndarray, tone: Plane, strength: np.ndarray) -> None:
        fog = plane(np.exp(-((reach[where] * 0.055) ** 2)))[:, None]
        lamp = plane(strength[where])[:, None] * plane([1.2, 1.1, 0.95]) + ambient
        light[where] = sky_far + (tone * lamp - sky_far) * fog

    ambient = plane([0.26, 0.31, 0.38])
    sky_far = c.look.colour(codes[0]) * np.float32(0.95)
    x, z = plane(rx * reach_floor), plane(rz * reach_floor)
    down = (reach_floor < far) & (reach_floor < reach_in * 40)
    put(down, reach_floor, floor, court.lit(x, plane(np.full_like(x, -1)), z) * 0.85)
    y_out, z_out = plane(eye_y + ry * reach_out), plane(rz * reach_out)
    y_in, z_in = plane(eye_y + ry * reach_in), plane(rz * reach_in)
    beyond = court.open(y_in, z_in)
    inside = beyond & ~court.open(y_out, z_out) & (y_in < court.crown) & (reach_out < far)
    put(inside & (reach_out < reach_floor), reach_out, stone, face * 0.12)
    wall = ~beyond & (reach_in < reach_floor) & (reach_in < far)
    sun_on = court.lit(plane(rx * reach_in - sign * 0.02), y_in, z_in) * face
    put(wall, reach_in, stone, sun_on * 0.75)
    _put_ball(c, court, ray, light, eye_y=eye_y, tone=c.look.colour(codes[4]))
    return plane(light)


def _put_ball(
    c: Canvas,
    court: _Court,
    ray: tuple[Plane, Plane, Plane],
    light: Light,
    *,
    eye_y: float,
    tone: Plane,
) -> None:
    rx, ry, rz = ray
    bx, by, bz = court.ball[0], court.ball[1] - eye_y, court.ball[2]
    along = rx * bx + ry * by + rz * bz
    miss = plane(np.sqrt(np.maximum(bx * bx + by * by + bz * bz - along * along, 0)))
    reach = along - np.sqrt(np.maximum(court.radius**2 - miss**2, 0))
    nx, ny, nz = ((r * reach - b) / court.radius for r, b in ((rx, bx), (ry, by), (rz, bz)))
    facing = np.clip(nx * court.sun[0] + ny * court.sun[1] + nz * court.sun[2], 0, 1)
    bounce = np.clip(-ny, 0, 1) * 0.22
    lamp = facing[..., None] * plane([1.15, 1.05, 0.92]) + (0.3 + 0.1 * ny)[..., None]
    lamp = lamp + bounce[..., None] * plane([0.9, 0.8, 0.7])
    soft = 2.2 * court.ball[2] / c.unit
    over(light, plane(tone * lamp), smooth(court.radius, court.radius - soft, miss))


SCENES: dict[str, Callable[[Canvas], Plane]] = {"arcade": arcade}
