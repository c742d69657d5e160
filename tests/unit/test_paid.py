"""Prices and orders: what a request costs, and what is posted for it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import FluxSettings, Settings
from app.errors import InvalidRequestError
from app.events import EventBus
from app.models import GenerationRequest
from app.paid import Budget, ChargeStore, usd
from backends.flux.bodies import RATIOS, build_body, nearest_ratio, shown_body, suffix_of
from tests.support.fakes import FakeClock
from tests.support.values import a_request


def wanted(**changes: Any) -> GenerationRequest:
    """A request for the cloud."""
    return a_request(**{"target": "flux", "preset": "flux", **changes})


def a_budget(**changes: Any) -> Budget:
    """A budget that is only asked for prices."""
    store: ChargeStore = None  # pyright: ignore[reportAssignmentType] - quotes read nothing
    return Budget(
        store=store,
        settings=Settings(flux=FluxSettings(**changes)),
        payload=shown_body,
        agreed=lambda _: 1000.0,
        clock=FakeClock(),
        bus=EventBus(),
    )


def test_a_quote_names_price_date_model_and_payload() -> None:
    quote = a_budget().quote(wanted(checkpoint="flux-dev", seed=5))

    assert quote is not None
    assert (quote.usd, quote.micro_usd, quote.model) == (0.025, 25_000, "flux-dev")
    assert quote.priced_on.isoformat() == "2026-08-01"
    assert quote.payload["prompt"] == "a red fox"
    assert quote.payload["seed"] == 5


@pytest.mark.parametrize(("target", "preset"), [("auto", "sdxl"), ("gpu-1", "text-to-image")])
def test_what_runs_on_machines_of_ones_own_costs_nothing(target: str, preset: str) -> None:
    assert a_budget().quote(a_request(target=target, preset=preset)) is None


@pytest.mark.parametrize(("target", "preset"), [("auto", "flux"), ("flux", "text-to-image")])
def test_whatever_could_go_to_the_cloud_has_a_price(target: str, preset: str) -> None:
    assert a_budget().quote(a_request(target=target, preset=preset)) is not None


def test_a_model_without_a_price_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(InvalidRequestError, match="flux-9") as caught:
        a_budget().quote(wanted(checkpoint="flux-9"))

    assert "flux-2-pro" in caught.value.fix


def test_a_price_list_of_ones_own_counts() -> None:
    quote = a_budget(prices_usd={"flux-dev": 0.0335}).quote(wanted(checkpoint="flux-dev"))

    assert quote is not None
    assert quote.micro_usd == 33_500


@pytest.mark.parametrize(
    ("size", "image", "units"),
    [((768, 768), None, 1), ((1024, 1024), None, 2), ((512, 512), "a", 2)],
)
def test_flux_2_is_paid_by_the_started_megapixel(
    size: tuple[int, int], image: str | None, units: int
) -> None:
    request = wanted(checkpoint="flux-2-pro", width=size[0], height=size[1], image=image)

    quote = a_budget().quote(request)

    assert quote is not None
    assert quote.micro_usd == 30_000 * units


def test_money_is_written_in_cents_or_finer() -> None:
    assert usd(60_000) == "$0.06"
    assert usd(1_500_000) == "$1.50"
    assert usd(33_500) == "$0.0335"
    assert usd(25_000) == "$0.025"
    assert usd(0) == "$0.00"


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((768, 768), "1:1"),
        ((1920, 1080), "16:9"),
        ((1080, 1920), "9:16"),
        ((768, 512), "3:2"),
        ((4096, 512), "21:9"),
        ((512, 4096), "9:21"),
        ((1280, 1024), "5:4"),
    ],
)
def test_a_size_becomes_the_nearest_ratio_with_a_notice(size: tuple[int, int], ratio: str) -> None:
    body = build_body(wanted(width=size[0], height=size[1]))

    assert body.payload["aspect_ratio"] == ratio
    assert "width" not in body.payload
    assert ratio in body.notices[0]


@given(st.integers(16, 16_384), st.integers(16, 16_384))
def test_no_ratio_is_nearer_than_the_nearest(width: int, height: int) -> None:
    def distance(ratio: str) -> float:
        wide, high = map(int, ratio.split(":"))
        return abs(math.log(wide / high) - math.log(width / height))

    assert min(map(distance, RATIOS)) == distance(nearest_ratio(width, height))


@pytest.mark.parametrize("chosen", ["21:9", "9:21", "7:5"])
def test_a_ratio_that_was_chosen_is_taken_without_a_word(chosen: str) -> None:
    body = build_body(wanted(options={"aspect_ratio": chosen}))

    assert body.payload["aspect_ratio"] == chosen
    assert body.notices == ()


@pytest.mark.parametrize("chosen", ["auto", "", "99:1", "x"])
def test_a_ratio_that_is_none_is_worked_out(chosen: str) -> None:
    body = build_body(wanted(options={"aspect_ratio": chosen}))

    assert body.payload["aspect_ratio"] == "1:1"


@pytest.mark.parametrize("model", ["flux-pro-1.1", "flux-dev"])
@pytest.mark.parametrize(
    ("size", "used", "notices"),
    [((1024, 768), (1024, 768), 0), ((2048, 100), (1440, 256), 1), ((1000, 1000), (992, 992), 1)],
)
def test_a_size_is_brought_within_what_the_model_takes(
    model: str, size: tuple[int, int], used: tuple[int, int], notices: int
) -> None:
    body = build_body(wanted(checkpoint=model, width=size[0], height=size[1]))

    assert (body.payload["width"], body.payload["height"]) == used
    assert len(body.notices) == notices
    assert "raw" not in body.payload


@given(
    st.integers(16, 16_384), st.integers(16, 16_384), st.sampled_from(["flux-dev", "flux-2-pro"])
)
def test_every_size_is_brought_within_the_limits(width: int, height: int, model: str) -> None:
    payload = build_body(wanted(checkpoint=model, width=width, height=height)).payload
    least, most, step = (256, 1440, 32) if model == "flux-dev" else (64, 2048, 16)

    for side in (payload["width"], payload["height"]):
        assert least <= side <= most
        assert side % step == 0


def test_what_only_ultra_knows_goes_to_ultra() -> None:
    options: dict[str, Any] = {
        "raw": True,
        "prompt_upsampling": True,
        "safety_tolerance": 6,
        "output_format": "jpeg",
        "image_prompt_strength": 0.4,
    }
    request = wanted(image="in.png", options=options)

    payload = build_body(request, image="AAAA").payload

    assert payload == {
        "prompt": "a red fox",
        "seed": 0,
        "safety_tolerance": 6,
        "output_format": "jpeg",
        "prompt_upsampling": True,
        "aspect_ratio": "1:1",
        "raw": True,
        "image_prompt": "AAAA",
        "image_prompt_strength": 0.4,
    }
    assert suffix_of(request) == ".jpg"


@pytest.mark.parametrize(
    ("model", "has", "lacks"),
    [
        (
            "flux-kontext-pro",
            {"aspect_ratio", "input_image", "prompt_upsampling"},
            {"width", "raw"},
        ),
        ("flux-2-flex", {"width", "height", "input_image"}, {"aspect_ratio", "image_prompt"}),
        ("flux-pro-1.1", {"width", "image_prompt"}, {"input_image", "image_prompt_strength"}),
    ],
)
def test_each_family_has_its_own_shape(model: str, has: set[str], lacks: set[str]) -> None:
    payload = build_body(wanted(checkpoint=model), image="AAAA").payload

    assert has <= payload.keys()
    assert not lacks & payload.keys()


def test_a_picture_is_a_png_with_the_seed_unless_told_otherwise() -> None:
    request = wanted(seed=2**64 - 1)

    assert build_body(request).payload["output_format"] == "png"
    assert build_body(request).payload["seed"] == 2**32 - 1
    assert suffix_of(request) == ".png"


def test_a_dry_run_names_the_picture_instead_of_showing_it() -> None:
    payload = shown_body(wanted(image="abc.png"))

    assert payload["image_prompt"] == "base64 of abc.png"
