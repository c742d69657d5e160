"""The painter of the demo engine, seen through its public face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backends.demo.painting.painter import SCENES, Painting, finish, paint, sharpen

KEYWORDS = [
    ("snowless mountain peaks at dawn, alps", "alpine"),
    ("a calm lake with reflections", "lake"),
    ("a cabin in the winter snow", "winter"),
    ("northern lights, aurora borealis", "aurora"),
    ("hot air balloons over Cappadocia", "balloons"),
    ("sailing boats on the ocean", "sea"),
    ("desert dunes of the Sahara", "dunes"),
    ("misty forest with tall trees", "forest"),
    ("a field of poppies, countryside", "meadow"),
    ("neon city skyline in the rain", "city"),
    ("a nebula, deep space", "nebula"),
    ("a spiral galaxy", "galaxy"),
    ("Saturn, a planet with rings", "planet"),
    ("stars in the manner of van Gogh", "starry"),
    ("a red dahlia, rose petals", "dahlia"),
    ("a succulent in a pot", "succulent"),
    ("fern leaves", "fern"),
    ("glowing jellyfish underwater", "jellyfish"),
    ("balanced zen stones", "stones"),
    ("abstract silk", "silk"),
    ("portrait of a young woman", "silk"),
    ("a cat", "ribbons"),
    ("an agate geode", "agate"),
    ("bauhaus geometric pattern", "bauhaus"),
    ("an arcade with arches", "arcade"),
    ("a woman walking in a misty forest", "forest"),
    ("full moon over the sea", "sea"),
    ("starry night over a lake", "lake"),
    ("горы на рассвете", "alpine"),
    ("море и лодки на закате", "sea"),
    ("туманный лес", "forest"),
    ("ночной город под дождём", "city"),
    ("портрет девушки", "silk"),
    ("рыжая кошка", "ribbons"),
]


def _distance(first: Image.Image, second: Image.Image) -> float:
    a, b = (np.asarray(image, dtype=np.float32) for image in (first, second))
    return float(np.sqrt(((a - b) ** 2).mean()))


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_same_arguments_paint_the_same_bytes(scene: str) -> None:
    prompt = next(prompt for prompt, name in KEYWORDS if name == scene)

    first = paint(prompt, negative="blur", seed=3, width=64, height=48)
    second = paint(prompt, negative="blur", seed=3, width=64, height=48)

    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.scene == second.scene == scene


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_another_seed_clearly_changes_every_scene(scene: str) -> None:
    prompt = next(prompt for prompt, name in KEYWORDS if name == scene)

    first = paint(prompt, seed=1, width=96, height=64)
    second = paint(prompt, seed=2, width=96, height=64)

    assert _distance(finish(first), finish(second)) > 12


@pytest.mark.parametrize(("prompt", "scene"), KEYWORDS)
def test_words_of_the_prompt_choose_the_scene(prompt: str, scene: str) -> None:
    assert paint(prompt, seed=0, width=16, height=16).scene == scene


def test_unknown_words_choose_a_scene_by_text_and_seed() -> None:
    chosen = {paint("qwrtz", seed=seed, width=16, height=16).scene for seed in range(12)}

    assert len(chosen) > 3


@pytest.mark.parametrize("seed", range(4))
def test_a_prompt_that_names_only_an_hour_gives_a_landscape(seed: int) -> None:
    scene = paint("sunset", seed=seed, width=16, height=16).scene

    assert scene in {"alpine", "lake", "sea", "dunes", "meadow", "city"}


def test_negative_words_change_the_picture() -> None:
    plain = paint("a lake", seed=4, width=64, height=64)
    shunned = paint("a lake", negative="ugly", seed=4, width=64, height=64)

    assert plain.pixels.tobytes() != shunned.pixels.tobytes()


@pytest.mark.parametrize(
    ("word", "strongest"), [("red", 0), ("green", 1), ("blue", 2), ("красный", 0), ("синий", 2)]
)
def test_colour_words_tint_the_picture(word: str, strongest: int) -> None:
    pixels = paint(f"{word} agate", seed=2, width=64, height=64).pixels

    assert int(pixels.mean((0, 1)).argmax()) == strongest


def test_a_colour_in_the_negative_prompt_is_not_obeyed() -> None:
    asked = paint("red agate", seed=2, width=64, height=64).pixels
    refused = paint("red agate", negative="red", seed=2, width=64, height=64).pixels

    assert np.abs(asked - refused).mean() > 0.02


def test_night_is_darker_than_day() -> None:
    day = paint("mountains by day", seed=5, width=64, height=64)
    night = paint("mountains at night", seed=5, width=64, height=64)

    assert night.pixels.mean() < 0.6 * day.pixels.mean()


def test_monochrome_removes_the_colour() -> None:
    pixels = paint("monochrome sunset over the sea", seed=5, width=64, height=64).pixels

    assert float((pixels.max(-1) - pixels.min(-1)).mean()) < 0.05


@pytest.mark.parametrize("scene", sorted(SCENES))
@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (1024, 64), (16, 256), (1024, 16), (1032, 520)]
)
def test_every_scene_fits_any_shape(scene: str, width: int, height: int) -> None:
    prompt = next(prompt for prompt, name in KEYWORDS if name == scene)

    painting = paint(prompt, seed=9, width=width, height=height)

    assert painting.pixels.shape == (height, width, 3)
    assert painting.pixels.dtype == np.float32
    assert np.isfinite(painting.pixels).all()
    assert painting.pixels.min() >= 0
    assert painting.pixels.max() <= 1


def test_a_larger_size_shows_the_same_composition() -> None:
    small = finish(paint("mountains at dawn", seed=8, width=256, height=256))
    large = finish(paint("mountains at dawn", seed=8, width=1536, height=1536))

    assert large.size == (1536, 1536)
    assert _distance(small.resize((64, 64)), large.resize((64, 64))) < 16


@pytest.mark.parametrize("prompt", ["jellyfish", "city", "dahlia", "agate"])
def test_previews_come_closer_to_the_picture_with_every_step(prompt: str) -> None:
    painting = paint(prompt, seed=6, width=320, height=256)
    final = finish(painting)

    away = [
        _distance(sharpen(painting, step=step, steps=12, seed=6), final) for step in range(1, 13)
    ]

    assert away == sorted(away, reverse=True)
    assert len(set(away)) == len(away)
    assert away[-1] == 0


def test_first_preview_of_many_steps_is_mostly_noise() -> None:
    painting = paint("a lake", seed=6, width=256, height=256)

    first = sharpen(painting, step=1, steps=20, seed=6)

    assert _distance(first, finish(painting)) > 40


@pytest.mark.parametrize(
    ("size", "preview"),
    [((2048, 1024), (512, 256)), ((16, 16), (16, 16)), ((64, 1024), (32, 512))],
)
def test_previews_keep_the_proportions(size: tuple[int, int], preview: tuple[int, int]) -> None:
    painting = paint("silk", seed=1, width=size[0], height=size[1])

    shown = [sharpen(painting, step=step, steps=2, seed=1) for step in (1, 2)]

    assert [image.size for image in shown] == [preview, preview]
    assert [image.mode for image in shown] == ["RGB", "RGB"]


def test_finish_rounds_display_values_to_bytes() -> None:
    pixels = np.zeros((8, 16, 3), np.float32)
    pixels[..., 0] = 1.0
    pixels[..., 1] = 0.5

    image = finish(Painting(pixels=pixels, scene="agate"))

    assert image.size == (16, 8)
    assert image.getpixel((3, 3)) == (255, 128, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\n",
        "🐙🌋👩‍🚀",
        "\x00\x00",
        "מים שקטים",
        "‮غروب",
        "x" * 100_000,
        "red " * 25_000,
        "\ud800",
    ],
    ids=["empty", "blank", "emoji", "nul", "hebrew", "override", "long", "repeated", "surrogate"],
)
def test_hostile_text_still_gives_a_picture(text: str) -> None:
    painting = paint(text, negative=text, seed=2**64 - 1, width=16, height=16)

    assert painting.scene in SCENES


@settings(max_examples=25, deadline=None)
@given(
    prompt=st.text(max_size=60),
    negative=st.text(max_size=20),
    seed=st.integers(min_value=-(2**63), max_value=2**64),
    cells=st.tuples(st.integers(2, 20), st.integers(2, 20)),
)
def test_any_text_seed_and_size_gives_a_picture(
    prompt: str, negative: str, seed: int, cells: tuple[int, int]
) -> None:
    width, height = cells[0] * 8, cells[1] * 8

    painting = paint(prompt, negative=negative, seed=seed, width=width, height=height)

    assert finish(painting).size == (width, height)
