"""Runs benchmarks and prints one table.

    python -m tests.benchmarks [--long] [name ...]

Exit code 1 if one misses its target or cannot be measured.
"""

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

from tests.benchmarks.registry import BENCHMARKS
from tests.benchmarks.results import Result, table


def main() -> int:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--long", action="store_true", help="take the time the targets name")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    results: list[Result] = []
    broken = False
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as folder:
            try:
                results += BENCHMARKS[name](Path(folder), options.long)
            except Exception:  # noqa: BLE001 - one that breaks must not hide the others
                traceback.print_exc()
                broken = True
    print(table(results))
    return int(broken or not all(result.passed for result in results))


if __name__ == "__main__":
    sys.exit(main())
