"""Which seed each picture of a submission gets."""

import secrets
from bisect import bisect_left, insort

from app.models import SeedStrategy
from app.submission import MAX_RANDOM_SEED, MAX_SEED

_GOLDEN = (5**0.5 - 1) / 2
_PRECISION = 2**53
_TRIES = 64


def seeds_for(
    seed: int | None, *, count: int, strategy: SeedStrategy = SeedStrategy.SEQUENTIAL
) -> list[int]:
    """`count` seeds, all different; the first is the one given, else it is drawn.

    Seeds stay exact in JavaScript (below 2**53) unless the one given is larger.
    """
    first = secrets.randbelow(MAX_RANDOM_SEED + 1) if seed is None else seed
    span = (MAX_SEED if first > MAX_RANDOM_SEED else MAX_RANDOM_SEED) + 1
    match strategy:
        case SeedStrategy.RANDOM:
            return _drawn(first, count=count, span=span)
        case SeedStrategy.SEQUENTIAL:
            return [(first + offset) % span for offset in range(count)]
        case SeedStrategy.FIBONACCI:
            return _fibonacci(first, count=count, span=span)
        case SeedStrategy.GOLDEN_RATIO:
            step = int(_GOLDEN * _PRECISION) * (span // _PRECISION) | 1  # odd: never meets itself
            return [(first + step * index) % span for index in range(count)]


def _drawn(first: int, *, count: int, span: int) -> list[int]:
    """Drawn seeds, each at least half of its fair share of the circle from every other."""
    distance = span // (2 * count)
    seeds, ordered = [first], [first]
    while len(seeds) < count:
        candidate = max(
            (secrets.randbelow(span) for _ in range(_TRIES)),
            key=lambda each: min(_room(each, ordered=ordered, span=span), distance),
        )
        seeds.append(candidate)
        insort(ordered, candidate)
    return seeds


def _room(candidate: int, *, ordered: list[int], span: int) -> int:
    """How far the nearest of the seeds is, around the circle."""
    index = bisect_left(ordered, candidate)
    after, before = ordered[index % len(ordered)], ordered[index - 1]
    return min((after - candidate) % span, (candidate - before) % span)


def _fibonacci(first: int, *, count: int, span: int) -> list[int]:
    """The first, and steps of 1, 2, 3, 5, 8, … from it."""
    seeds, taken = [first], {first}
    step, following = 1, 2
    while len(seeds) < count:
        seed = (first + step) % span
        step, following = following, step + following
        if seed not in taken:
            seeds.append(seed)
            taken.add(seed)
    return seeds
