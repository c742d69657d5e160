"""Which size a picture is painted at that starts from another."""

from app.graphs.preset import Preset

_STEP = 8  # pixels; what latents are counted in
_SIDES = (16, 16_384)  # what may be asked for
_MOST = 2.0  # of the preset's own area: beyond, a model repeats itself


def size_for(preset: Preset, *, width: int, height: int) -> tuple[int, int] | None:
    """The width and height for an input picture: its own if the model can, else its shape.

    None for a preset that has no size of its own.
    """
    if not {"width", "height"} <= preset.defaults.keys():
        return None
    area = preset.defaults["width"] * preset.defaults["height"]
    fits = area / (2 * _MOST) <= width * height <= area * _MOST
    if fits and width % _STEP == height % _STEP == 0:
        return width, height
    scale = 1.0 if fits else (area / (width * height)) ** 0.5
    return _rounded(width * scale), _rounded(height * scale)


def _rounded(side: float) -> int:
    low, high = _SIDES
    return min(max(low, round(side / _STEP) * _STEP), high)
