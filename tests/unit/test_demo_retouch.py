"""Pictures made from pictures by the demo engine: painted over, enlarged, filmed, masked."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from backends.demo.models import Family, Model, family_of, named_vae, upscale_factor, vae_of
from backends.demo.nodes.latents import grow
from backends.demo.painting.motion import film, frame
from backends.demo.painting.painter import finish, paint
from backends.demo.painting.retouch import come_clear, enlarge, paint_over


def picture(prompt: str, *, seed: int = 1, side: int = 96) -> Image.Image:
    return finish(paint(prompt, seed=seed, width=side, height=side))


def distance(first: Image.Image, second: Image.Image) -> float:
    a, b = (np.asarray(image, dtype=np.float32) for image in (first, second))
    return float(np.sqrt(((a - b) ** 2).mean()))


LAKE, FOREST = picture("a lake"), picture("autumn forest")


def disc(side: int = 96) -> Image.Image:
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse((24, 24, 72, 72), fill=255)
    return mask


def test_painting_over_goes_from_the_original_to_the_painted_picture() -> None:
    strengths = [0.0, 0.25, 0.5, 0.75, 1.0]

    made = [paint_over(LAKE, FOREST, denoise=each, seed=3) for each in strengths]

    away = [distance(LAKE, each) for each in made]
    assert away == sorted(away)
    assert away[0] == 0
    assert distance(made[-1], FOREST) < 1


def test_painting_over_depends_on_the_seed_alone() -> None:
    first, again, other = (paint_over(LAKE, FOREST, denoise=0.5, seed=s) for s in (3, 3, 4))

    assert first.tobytes() == again.tobytes()
    assert distance(first, other) > 3


def test_painting_over_leaves_what_is_not_masked() -> None:
    made = paint_over(LAKE, FOREST, denoise=1.0, seed=3, mask=disc())

    changed = np.asarray(made) != np.asarray(LAKE)
    assert not changed[:20].any()
    assert distance(made.crop((40, 40, 56, 56)), FOREST.crop((40, 40, 56, 56))) < 1


def test_previews_start_with_noise_over_the_picture_and_end_with_the_result() -> None:
    final = paint_over(LAKE, FOREST, denoise=0.6, seed=3)

    shown = [
        come_clear(LAKE, final, done=done, denoise=0.6, seed=3, max_side=512)
        for done in (0.0, 0.4, 0.8, 1.0)
    ]

    away = [distance(each, final) for each in shown]
    assert away == sorted(away, reverse=True)
    assert away[-1] == 0


def test_previews_show_no_noise_outside_the_mask() -> None:
    shown = come_clear(LAKE, FOREST, done=0.2, denoise=1.0, seed=3, max_side=48, mask=disc())

    assert shown.size == (48, 48)
    small = LAKE.resize((48, 48), Image.Resampling.BOX)
    assert np.array_equal(np.asarray(shown)[:10], np.asarray(small)[:10])


def test_weaker_denoising_shows_weaker_noise() -> None:
    weak, strong = (
        come_clear(LAKE, LAKE, done=0.1, denoise=each, seed=3, max_side=512) for each in (0.2, 1.0)
    )

    assert distance(weak, LAKE) < 0.6 * distance(strong, LAKE)


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_keeps_the_picture(factor: int) -> None:
    larger = enlarge(LAKE, factor=factor)

    assert larger.size == (96 * factor, 96 * factor)
    assert distance(larger.resize((96, 96), Image.Resampling.BOX), LAKE) < 8


def frames(*, seed: int, motion: int = 127, count: int = 8) -> Iterator[Image.Image]:
    shot = film(LAKE, seed=seed, motion=motion)
    return (frame(shot, index=index, count=count) for index in range(count))


def test_a_film_moves_a_little_with_every_frame() -> None:
    shown = list(frames(seed=5))

    steps = [distance(a, b) for a, b in pairwise(shown)]
    assert min(steps) > 0.1
    assert max(steps) < 25
    assert {each.size for each in shown} == {LAKE.size}


def test_a_larger_motion_bucket_moves_more() -> None:
    calm, lively = (list(frames(seed=5, motion=bucket)) for bucket in (20, 180))

    assert distance(lively[0], lively[-1]) > 1.5 * distance(calm[0], calm[-1])


def test_a_film_of_one_frame_is_a_picture() -> None:
    assert len(list(frames(seed=5, count=1))) == 1


@settings(max_examples=20, deadline=None)
@given(
    pixels=st.integers(-40, 40),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    spot=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_growing_a_mask_reaches_exactly_that_far(
    pixels: int, size: tuple[int, int], spot: tuple[float, float]
) -> None:
    x, y = (min(int(at * side), side - 1) for at, side in zip(spot, size, strict=True))
    mask = Image.new("L", size, 0)
    mask.putpixel((x, y), 255)

    grown = np.asarray(grow(mask, pixels))

    rows, columns = np.indices(grown.shape)
    near = np.maximum(np.abs(rows - y), np.abs(columns - x)) <= pixels
    if pixels < 0 and size != (1, 1):
        near = near & False  # nothing as small as a pixel survives
    elif pixels < 0:
        near = near | True  # it has no neighbour that could eat it
    assert np.array_equal(grown == 255, near)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("demo-painter.safetensors", Family.SD15),
        ("demo_sd15.safetensors", Family.SD15),
        ("demo_sdxl.safetensors", Family.SDXL),
        ("demo_sd35.safetensors", Family.SD35),
        ("flux/demo_sdxl.safetensors", Family.SDXL),
        ("demo_flux1-dev.safetensors", Family.FLUX),
        ("demo_svd.safetensors", Family.SVD),
    ],
)
def test_the_name_of_a_model_tells_its_family(name: str, family: Family) -> None:
    assert family_of(name) is family


@pytest.mark.parametrize(
    ("name", "channels"),
    [("demo_ae.safetensors", 16), ("demo_vae.safetensors", 4), ("pixel_space", 3)],
)
def test_the_name_of_a_vae_tells_its_channels(name: str, channels: int) -> None:
    assert named_vae(name).channels == channels


def test_the_vae_of_a_checkpoint_fits_its_model() -> None:
    for name in ("demo_sd15.safetensors", "demo_flux1-schnell-fp8.safetensors"):
        assert vae_of(name).channels == Model(name=name).channels


@pytest.mark.parametrize(("name", "factor"), [("demo_2x.pth", 2), ("demo_4x.pth", 4)])
def test_the_name_of_an_upscale_model_tells_its_factor(name: str, factor: int) -> None:
    assert upscale_factor(name) == factor


def test_an_ordinary_model_bends_nothing() -> None:
    plain = paint("red dahlia", seed=2, width=64, height=64)
    tints = Model(name="demo-painter.safetensors").with_lora("any", weight=0.0).tints()
    bent = paint("red dahlia", seed=2, width=64, height=64, tints=tints)

    assert plain.pixels.tobytes() == bent.pixels.tobytes()


def test_a_lora_draws_the_colours_to_its_own_and_away_when_negative() -> None:
    def redness(weight: float) -> float:
        model = Model(name="demo_sd15.safetensors").with_lora(
            "demo_ember.safetensors", weight=weight
        )
        pixels = paint("a lake", seed=2, width=64, height=64, tints=model.tints()).pixels
        return float((pixels[..., 0] - pixels[..., 2]).mean())

    reds = [redness(weight) for weight in (-1.0, 0.0, 0.5, 1.0)]

    assert reds == sorted(reds)
    assert reds[0] < reds[1] - 0.02 < reds[3] - 0.04
