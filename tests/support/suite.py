"""Every check and every test, one after the other, with a summary: what `manage.py test` runs.

    python -m tests.support.suite check
    python -m tests.support.suite test [--fast] [--screenshots] [--cwd DIR] [-- pytest arguments]

It runs inside `.venv`; `manage.py` has put the tools on PATH.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JOURNEYS = "browser journeys"
PARTS = {
    # One more than cores: they wait much of their time.
    "tests without a browser": (
        *("tests/unit", "tests/contract", "tests/api", "tests/ui"),
        *("tests/recovery", "tests/real"),
    ),
    JOURNEYS: ("tests/e2e",),
}
_CORES = os.cpu_count() or 1
_SIDE_BY_SIDE = {
    # One more than cores: they wait much of their time.
    "tests without a browser": ("-n", str(_CORES + 1), "--dist", "worksteal", "--durations=15"),
    # A Chromium and an app for each worker: by file, so that they are few.
    JOURNEYS: ("-n", str(min(_CORES, 4)), "--dist", "loadfile", "--durations=15"),
}
NO_TESTS = 5  # what pytest exits with when it collected nothing
INTERRUPTED = 130
STOP_GRACE_S = 30.0

# Options of pytest whose value is the next argument, and so never a path to run.
_WITH_VALUE = frozenset(["-k", "-m", "-p", "-o", "-c", "-r", "-W", "-n"]) | frozenset(
    ["--maxfail", "--tb", "--timeout", "--durations", "--deselect", "--ignore", "--ignore-glob"]
)
_FILTERS = ("-k", "-m", "--deselect", "--ignore", "--lf", "--last-failed")


def say(text: str) -> None:
    """One line for the person in front, at once."""
    print(text, flush=True)


@dataclass
class Report:
    """What ran, in order, and how it ended."""

    lines: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, name: str, *, ok: bool, seconds: float, remark: str = "") -> None:
        """Note one thing that ran."""
        self.lines.append(f"{'ok' if ok else 'FAILED':<8}{name:<28}{seconds:6.1f} s  {remark}")
        if not ok:
            self.failed.append(name)

    def finish(self) -> int:
        """Print the summary and give the exit code."""
        say("\n== Summary " + "=" * 40)
        for line in self.lines:
            say(line.rstrip())
        if not self.lines:
            say("Nothing ran: no test was found.")
            return 1
        if self.failed:
            say(f"{len(self.failed)} of {len(self.lines)} failed: {', '.join(self.failed)}")
            return 1
        say(f"All {len(self.lines)} passed.")
        return 0


@dataclass(frozen=True)
class Part:
    """One invocation of pytest."""

    name: str
    paths: tuple[str, ...]
    options: tuple[str, ...]
    whole: bool = False  # nobody looks for something in it, who would want one clear story


def plan_tests(
    arguments: Sequence[str],
    *,
    root: Path,
    cwd: Path,
    fast: bool = False,
    screenshots: bool = False,
) -> list[Part]:
    """The invocations of pytest that the arguments ask for.

    Journeys have their own because synchronous Playwright and asynchronous tests do not get on in
    one process. Paths among the arguments (relative to `cwd`) select; the rest goes to every part.
    """
    named, options = split_arguments(arguments, root=root, cwd=cwd)
    parts: list[Part] = []
    for name, folders in PARTS.items():
        filled = [folder for folder in folders if any((root / folder).rglob("test_*.py"))]
        default = [str(root / folder) for folder in filled]
        chosen = [path for place in named for path in _chosen(place, name, default, root=root)]
        paths = list(dict.fromkeys(chosen)) if named else default
        extra = ["--screenshots"] if screenshots and name == JOURNEYS else []
        if paths and not (fast and name == JOURNEYS):
            whole = not named and not options and not extra
            parts.append(Part(name, tuple(paths), (*options, *extra), whole=whole))
    return parts


def _chosen(path: str, part: str, default: Iterable[str], *, root: Path) -> Iterable[str]:
    """What of a part a named path selects: all folders of the part below it, or itself."""
    place = Path(path.partition("::")[0])
    if (root / "tests").is_relative_to(place):
        return [folder for folder in default if Path(folder).is_relative_to(place)]
    journey = any(place.is_relative_to(root / folder) for folder in PARTS[JOURNEYS])
    return [path] if journey == (part == JOURNEYS) else []


def split_arguments(
    arguments: Sequence[str], *, root: Path, cwd: Path
) -> tuple[list[str], list[str]]:
    """The paths among the arguments for pytest, made absolute, and everything else."""
    named: list[str] = []
    options: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        path, colons, test = argument.partition("::")
        found = next((base / path for base in (cwd, root) if (base / path).exists()), None)
        looks_so = found is not None or bool(colons) or path.endswith(".py")
        if argument.startswith("-") or before in _WITH_VALUE or not looks_so:
            options.append(argument)
        else:
            named.append(os.path.normpath(found or cwd / path) + colons + test)
    return named, options


def run_checks(report: Report) -> None:
    """Format, lint, types and import rules: all four, whatever the first one says."""
    for name, *options in (
        ("ruff", "format", "--check", "."),
        ("ruff", "check", "."),
        ("basedpyright",),
        ("lint-imports",),
    ):
        title = " ".join([name, *options])
        say(f"\n== {title}")
        started = time.monotonic()
        code = call([tool(name), *options])
        remark = "mends it: ruff format ." if code and "format" in options else ""
        report.add(title, ok=code == 0, seconds=time.monotonic() - started, remark=remark)


def run_tests(parts: Sequence[Part], *, report: Report) -> None:
    """Every part; journeys first make sure of a browser."""
    python = sys.executable
    codes: list[int] = []
    if not parts:
        report.add("tests", ok=False, seconds=0, remark="none was found")
    for part in parts:
        started = time.monotonic()
        if part.name == JOURNEYS:
            say("\n== browser")
            if call([python, "-m", "tests.support.browser"]):
                seconds = time.monotonic() - started
                report.add(part.name, ok=False, seconds=seconds, remark="no browser, see above")
                continue
        say(f"\n== {part.name}")
        cores = _SIDE_BY_SIDE[part.name] if part.whole else ()
        command = [python, "-m", "pytest", *cores, *part.options, *part.paths]
        code = call(command)
        codes.append(code)
        filtered = any(option.startswith(_FILTERS) for option in part.options)
        remark = "no test selected" if code == NO_TESTS else ""
        ok = code == 0 or (code == NO_TESTS and filtered)
        report.add(part.name, ok=ok, seconds=time.monotonic() - started, remark=remark)
    if codes and all(code == NO_TESTS for code in codes):
        report.failed.append("the filter selects no test at all")


def call(command: Sequence[str]) -> int:
    """Run a tool in the open and give its exit code; it may end in its own way after Ctrl-C."""
    # Tests start the app dozens of times: what is compiled must be kept, whatever is usual here.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    try:
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
    except OSError as exc:
        say(f"{command[0]} cannot be started: {exc}")
        return 127
    try:
        return process.wait()
    except KeyboardInterrupt:  # the terminal has told the tool too
        _end(process, grace_s=STOP_GRACE_S)
        raise
    except BaseException:
        process.terminate()
        _end(process, grace_s=STOP_GRACE_S)
        raise


def _end(process: subprocess.Popen[bytes], *, grace_s: float) -> None:
    try:
        process.wait(timeout=grace_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def tool(name: str) -> str:
    """The path of a command-line tool of this environment."""
    return str(Path(sys.executable).parent / (f"{name}.exe" if os.name == "nt" else name))


def main(argv: Sequence[str]) -> int:
    """Check or test, and give the exit code."""
    parser = argparse.ArgumentParser(prog="tests.support.suite")
    parser.add_argument("verb", choices=("check", "test"))
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--screenshots", action="store_true")
    parser.add_argument("--cwd", type=Path, default=Path.cwd())
    border = list(argv).index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:border])
    rest = argv[border + 1 :]
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    report = Report()
    try:
        if options.verb == "check" or not split_arguments(rest, root=ROOT, cwd=options.cwd)[0]:
            run_checks(report)
        if options.verb == "test":
            parts = plan_tests(
                rest,
                root=ROOT,
                cwd=options.cwd,
                fast=options.fast,
                screenshots=options.screenshots,
            )
            run_tests(parts, report=report)
    except KeyboardInterrupt:
        report.finish()
        say("Stopped.")
        return INTERRUPTED
    return report.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
