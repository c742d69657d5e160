"""Samplers and schedulers that a backend lacks become the nearest it has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.graphs.samplers import nearest

SAMPLERS = (
    "euler",
    "euler_ancestral",
    "heun",
    "dpm_2",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_sde",
    "ddim",
    "uni_pc",
)
SCHEDULERS = ("normal", "karras", "exponential", "sgm_uniform", "simple")


@pytest.mark.parametrize(
    ("sampler", "scheduler", "used"),
    [
        ("euler", "normal", ("euler", "normal")),
        ("dpmpp_2m", "karras", ("dpmpp_2m", "karras")),
        ("euler_a", "normal", ("euler_ancestral", "normal")),
        ("Euler a", "normal", ("euler_ancestral", "normal")),
        ("DPM++ 2M", "simple", ("dpmpp_2m", "simple")),
        ("DPM++ 2M Karras", "normal", ("dpmpp_2m", "karras")),
        ("dpm++ 2m sde exponential", "normal", ("dpmpp_2m_sde", "exponential")),
        ("DPM++ SDE Karras", "normal", ("dpmpp_sde", "karras")),
        ("dpmpp_3m_sde", "normal", ("dpmpp_2m_sde", "normal")),
        ("UniPC", "normal", ("uni_pc", "normal")),
        ("heunpp2", "normal", ("heun", "normal")),
        ("lcm", "normal", ("euler", "normal")),
        ("never heard of", "normal", ("euler", "normal")),
        ("euler", "beta", ("euler", "karras")),
        ("euler", "kl_optimal", ("euler", "karras")),
        ("euler", "ddim_uniform", ("euler", "simple")),
        ("euler", "Automatic", ("euler", "normal")),
        ("euler", "never heard of", ("euler", "normal")),
    ],
)
def test_what_is_wanted_becomes_the_nearest(
    sampler: str, scheduler: str, used: tuple[str, str]
) -> None:
    found = nearest(sampler, scheduler=scheduler, samplers=SAMPLERS, schedulers=SCHEDULERS)

    assert found == used


def test_a_backend_that_tells_none_is_left_to_check_the_name_itself() -> None:
    assert nearest("xyz", scheduler="abc", samplers=(), schedulers=()) == ("xyz", "abc")


def test_without_the_usual_ones_the_first_is_taken() -> None:
    found = nearest("a", scheduler="b", samplers=("odd", "odder"), schedulers=("rare",))

    assert found == ("odd", "rare")


@given(sampler=st.text(), scheduler=st.text())
@settings(deadline=None)
def test_something_that_is_offered_comes_out_of_every_wish(sampler: str, scheduler: str) -> None:
    found = nearest(sampler, scheduler=scheduler, samplers=SAMPLERS, schedulers=SCHEDULERS)

    assert found[0] in SAMPLERS
    assert found[1] in SCHEDULERS
