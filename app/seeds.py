"""Which seed each picture of a submission gets."""

import secrets

from app.submission import MAX_RANDOM_SEED, MAX_SEED


def seeds_for(seed: int | None, *, count: int) -> list[int]:
    """`count` seeds: drawn at random, or counted up from the one given (wrapping at the top)."""
    if seed is None:
        return [secrets.randbelow(MAX_RANDOM_SEED + 1) for _ in range(count)]
    return [(seed + offset) % (MAX_SEED + 1) for offset in range(count)]
