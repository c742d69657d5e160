"""Order within a priority as strings: a move writes one row, never its neighbours."""

from fractional_indexing import (  # pyright: ignore[reportMissingTypeStubs] - has none
    generate_key_between,
    generate_n_keys_between,
)


def ranks_after(last: str | None, *, count: int) -> list[str]:
    """`count` ranks in order, all after `last`."""
    return generate_n_keys_between(last, None, count)


def rank_between(before: str | None, after: str | None) -> str:
    """A rank between two (None: open end)."""
    return generate_key_between(before, after)
