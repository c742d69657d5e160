"""What may be asked for: every limit, its field and its seeds; and the names of downloads."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from app.gallery import download_name
from app.seeds import seeds_for
from app.submission import MAX_PROMPT, MAX_RANDOM_SEED, MAX_SEED, Move, Submission
from tests.support.values import a_request, an_image


def submission(**changes: Any) -> Submission:
    """A good one but for the changes."""
    return Submission.model_validate({"prompt": "a fox", "backend": "demo", **changes})


@pytest.mark.parametrize(
    "params",
    [
        {"width": 16, "height": 16_384},
        {"steps": 1},
        {"steps": 10_000},
        {"seed": 0},
        {"seed": MAX_SEED},
        {"cfg": 0},
        {"cfg": 100},
        {"checkpoint": None},
    ],
)
def test_the_limits_themselves_are_allowed(params: dict[str, Any]) -> None:
    accepted = submission(params=params).params

    assert {name: getattr(accepted, name) for name in params} == params


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 15),
        ("width", 8),
        ("width", 16_392),
        ("width", 100),
        ("height", 0),
        ("height", -64),
        ("height", "tall"),
        ("steps", 0),
        ("steps", 10_001),
        ("steps", 2.5),
        ("cfg", -0.1),
        ("cfg", 100.1),
        ("cfg", float("nan")),
        ("cfg", float("inf")),
        ("seed", -1),
        ("seed", 2**64),
        ("seed", "many"),
        ("sampler", ""),
        ("sampler", "x" * 201),
        ("scheduler", 7),
        ("checkpoint", ""),
    ],
)
def test_a_bad_parameter_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        submission(params={field: value})

    assert [error["loc"] for error in caught.value.errors()] == [("params", field)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "x" * (MAX_PROMPT + 1)),
        ("prompt", None),
        ("prompt", ["a fox"]),
        ("prompt", "a\x00b"),
        ("prompt", "half \ud83e"),
        ("negative_prompt", "x" * (MAX_PROMPT + 1)),
        ("negative_prompt", "\x00"),
        ("backend", ""),
        ("backend", 5),
        ("priority", 101),
        ("priority", -101),
        ("count", 0),
        ("count", 65),
        ("hold", "perhaps"),
        ("params", "fast"),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        submission(**{field: value})

    names = {str(part) for error in caught.value.errors() for part in error["loc"]}
    assert {field, "negativePrompt" if field == "negative_prompt" else field} & names


@pytest.mark.parametrize("body", [{"promt": "x"}, {"params": {"stepz": 3}}])
def test_unknown_fields_are_mistakes(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        submission(**body)


@pytest.mark.parametrize("name", ["negativePrompt", "negative_prompt"])
def test_both_spellings_are_understood(name: str) -> None:
    assert submission(**{name: "blur"}).negative_prompt == "blur"


@pytest.mark.parametrize("prompt", ["x" * MAX_PROMPT, "  kept \n as typed ", "🦊", "ثعلب"])
def test_prompts_are_kept_as_typed(prompt: str) -> None:
    assert submission(prompt=prompt).prompt == prompt


@pytest.mark.parametrize("body", [{"priority": 101}, {"before": "next"}, {"up": 1}])
def test_a_bad_move_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Move.model_validate(body)


def test_drawn_seeds_are_exact_in_javascript_and_differ() -> None:
    seeds = seeds_for(None, count=64)

    assert len(set(seeds)) == 64
    assert all(0 <= seed <= MAX_RANDOM_SEED for seed in seeds)


def test_a_given_seed_is_counted_up_and_wraps_at_the_top() -> None:
    assert seeds_for(41, count=3) == [41, 42, 43]
    assert seeds_for(MAX_SEED, count=2) == [MAX_SEED, 0]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A Red Fox, in the snow!", "a-red-fox-in-the-snow"),
        ("../../etc/passwd", "etc-passwd"),
        ('"; rm -rf / #', "rm-rf"),
        ("line\nbreak\r\nhere", "line-break-here"),
        ("🦊🦊", "picture"),
        ("ثعلب أحمر", "ثعلب-أحمر"),
        ("cafe\u0301", "café"),
        ("word " * 50, "word-word-word-word-word-word-word-word-word-wor"),
    ],
)
def test_a_download_is_named_after_day_prompt_and_seed(prompt: str, expected: str) -> None:
    image = an_image(request=a_request(prompt, seed=7), file=PurePosixPath("x/y.png"))

    assert download_name(image) == f"2026-05-17_{expected}_7.png"


def test_a_found_file_keeps_its_name() -> None:
    image = an_image(request=None, file=PurePosixPath("old/Holiday 01.JPG"))

    assert download_name(image) == "Holiday 01.JPG"
