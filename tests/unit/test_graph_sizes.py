"""The size of a picture that starts from another."""

import pytest

from app.graphs.sizes import size_for
from data.presets import load_presets

PRESETS = {preset.id: preset for preset in load_presets().all()}


@pytest.mark.parametrize(
    ("preset", "given", "painted"),
    [
        ("sd15-inpaint", (512, 512), (512, 512)),
        ("sd15-inpaint", (640, 448), (640, 448)),
        ("sd15-image", (641, 450), (640, 448)),
        ("sd15-image", (4000, 3000), (592, 440)),
        ("sd15-image", (64, 64), (512, 512)),
        ("sdxl-image", (1920, 1080), (1920, 1080)),
        ("sdxl-image", (6000, 4000), (1256, 840)),
        ("svd", (1080, 1920), (576, 1024)),
        ("sd15-image", (100_000, 10), (16_384, 16)),
    ],
)
def test_the_shape_is_kept_and_the_size_suits_the_model(
    preset: str, given: tuple[int, int], painted: tuple[int, int]
) -> None:
    assert size_for(PRESETS[preset], width=given[0], height=given[1]) == painted


def test_a_preset_without_a_size_keeps_that_of_the_picture() -> None:
    assert size_for(PRESETS["upscale"], width=100, height=100) is None
