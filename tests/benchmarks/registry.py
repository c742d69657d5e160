"""Every benchmark by name: add one here, and `python -m tests.benchmarks` knows it.

A benchmark gets an empty folder and whether it may take long, and returns its lines.
"""

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.builder import measure_builder
from tests.benchmarks.dispatch import measure_dispatch
from tests.benchmarks.idle import measure_idle
from tests.benchmarks.makespan import measure_makespan
from tests.benchmarks.makespan_real import measure_makespan_real
from tests.benchmarks.restart import measure_restart
from tests.benchmarks.results import Result
from tests.benchmarks.throughput import measure_throughput

Benchmark = Callable[[Path, bool], list[Result]]

BENCHMARKS: dict[str, Benchmark] = {
    "dispatch": measure_dispatch,
    "throughput": measure_throughput,
    "makespan": measure_makespan,
    "makespan-real": measure_makespan_real,
    "idle": measure_idle,
    "restart": measure_restart,
    "builder": measure_builder,
}
