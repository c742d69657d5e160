"""What a benchmark says, and the table of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line of the table."""

    name: str
    ours: str
    floor: str  # or the peer, in the same run
    compared: str  # ratio or difference
    target: str
    passed: bool


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def table(results: Sequence[Result]) -> str:
    """The results in Markdown, columns aligned."""
    head = ("benchmark", "ours", "floor or peer", "ratio or difference", "target", "")
    rows = [head] + [
        (each.name, each.ours, each.floor, each.compared, each.target, _verdict(each))
        for each in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _verdict(result: Result) -> str:
    return "pass" if result.passed else "FAIL"
