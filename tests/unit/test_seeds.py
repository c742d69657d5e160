"""Which seeds the pictures of a submission get."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models import SeedStrategy
from app.seeds import seeds_for
from app.submission import MAX_COUNT, MAX_RANDOM_SEED, MAX_SEED

counts = st.integers(min_value=1, max_value=MAX_COUNT)
strategies = st.sampled_from(SeedStrategy)


@given(seed=st.integers(min_value=0, max_value=MAX_SEED), count=counts, strategy=strategies)
@settings(deadline=None)
def test_seeds_start_with_the_one_given_and_are_all_different(
    seed: int, count: int, strategy: SeedStrategy
) -> None:
    seeds = seeds_for(seed, count=count, strategy=strategy)

    assert seeds[0] == seed
    assert len(set(seeds)) == count == len(seeds)
    top = MAX_SEED if seed > MAX_RANDOM_SEED else MAX_RANDOM_SEED
    assert all(0 <= each <= top for each in seeds)


@given(count=counts, strategy=strategies)
@settings(deadline=None)
def test_without_a_seed_the_first_is_drawn_and_exact_in_javascript(
    count: int, strategy: SeedStrategy
) -> None:
    seeds = seeds_for(None, count=count, strategy=strategy)

    assert len(set(seeds)) == count
    assert max(seeds) <= MAX_RANDOM_SEED


def test_two_draws_differ() -> None:
    assert seeds_for(None, count=1) != seeds_for(None, count=1)


@given(count=st.integers(min_value=2, max_value=MAX_COUNT))
@settings(deadline=None)
def test_drawn_seeds_keep_their_distance(count: int) -> None:
    seeds = sorted(seeds_for(None, count=count, strategy=SeedStrategy.RANDOM))

    circle = MAX_RANDOM_SEED + 1
    gaps = [b - a for a, b in zip(seeds, [*seeds[1:], seeds[0] + circle], strict=True)]
    assert min(gaps) >= circle // (8 * count)


@pytest.mark.parametrize(
    ("strategy", "seeds"),
    [
        (SeedStrategy.SEQUENTIAL, [100, 101, 102, 103, 104]),
        (SeedStrategy.FIBONACCI, [100, 101, 102, 103, 105]),
    ],
)
def test_counted_seeds_are_the_same_every_time(strategy: SeedStrategy, seeds: list[int]) -> None:
    assert seeds_for(100, count=5, strategy=strategy) == seeds


def test_the_golden_ratio_spreads_the_same_way_every_time() -> None:
    first = seeds_for(42, count=8, strategy=SeedStrategy.GOLDEN_RATIO)

    assert first == seeds_for(42, count=8, strategy=SeedStrategy.GOLDEN_RATIO)
    ordered = sorted(first)
    assert min(b - a for a, b in pairwise(ordered)) > 2**53 // 16


def test_a_larger_seed_than_javascript_knows_wraps_at_the_very_top() -> None:
    assert seeds_for(MAX_SEED, count=2) == [MAX_SEED, 0]
    assert seeds_for(MAX_RANDOM_SEED, count=2) == [MAX_RANDOM_SEED, 0]
