"""Order within a priority as strings: a move writes one row, never its neighbours."""

from fractional_indexing import (  # pyright: ignore[reportMissingTypeStubs] - has none
    generate_key_between,
    generate_n_keys_between,
    get_integer_part,
)

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def ranks_after(last: str | None, *, count: int) -> list[str]:
    """`count` ranks in order, all after `last`."""
    return generate_n_keys_between(last, None, count)


def rank_between(before: str | None, after: str | None) -> str:
    """A rank between two (None: open end)."""
    if before is None or after is None:
        return generate_key_between(before, after)
    assert before < after
    whole = get_integer_part(before)
    fraction = before[len(whole) :]
    if after.startswith(whole):
        return whole + _middle(fraction, after[len(whole) :])
    following = generate_key_between(whole, None)
    return following if following < after else whole + _middle(fraction, None)


def _middle(low: str, high: str | None) -> str:
    """A fraction between two (None: one).

    The library's own recurses once per digit, and thousands of moves into one gap make many.
    """
    shared = 0
    while high and low[shared : shared + 1] in (high[shared], "" if high[shared] == "0" else None):
        shared += 1
    done = high[:shared] if high else ""
    low, high = low[shared:], high[shared:] if high else None
    while True:
        first = _DIGITS.index(low[0]) if low else 0
        limit = _DIGITS.index(high[0]) if high else len(_DIGITS)
        if limit - first > 1:
            return done + _DIGITS[(first + limit) // 2]
        if high and len(high) > 1:
            return done + high[0]
        done, low, high = done + _DIGITS[first], low[1:], None
