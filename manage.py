"""One command for everything: makes `.venv` beside this file, installs the lock, does the verb.

Only the standard library, so that a machine with nothing but Python can start here. The syntax
stays readable for old Pythons too: they must get as far as the sentence below.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older Python is who reads this
    sys.exit(
        "Orchestrator needs Python 3.11 or newer; this is Python %d.%d (%s).\n"  # noqa: UP031
        "Install a newer one from https://www.python.org/downloads/ or your system's packages, "
        "then call it by its name, for example: python3.12 manage.py run"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
BUILD_LOCK = "requirements-build.lock"  # Node.js for fetching what the browser gets
INTERRUPTED = 130


class StepError(Exception):
    """A step did not work; the message says which, why, and what to do."""

    def __init__(self, step: str, *, cause: str, remedy: str) -> None:
        super().__init__(f"FAILED: {step}\n{cause.rstrip()}\nWhat to do: {remedy}")


def say(text: str) -> None:
    """One line for the person in front, at once."""
    print(text, flush=True)


# The virtual environment


@dataclass(frozen=True)
class Outcome:
    """How a command of the set-up ended, with all it printed."""

    code: int
    output: str


Runner = Callable[[Sequence[str]], Outcome]


class Environment:
    """The `.venv` beside this file, made and filled when that is needed."""

    def __init__(
        self, root: Path, *, run: Runner, say: Callable[[str], None], uv: str | None
    ) -> None:
        self._root = root
        self._run = run
        self._say = say
        self._uv = uv
        self.folder = root / ".venv"
        self._unfinished = self.folder / ".orchestrator-unfinished"

    @property
    def scripts(self) -> Path:
        """The folder with the interpreter and the tools."""
        return self.folder / ("Scripts" if WINDOWS else "bin")

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.scripts / ("python.exe" if WINDOWS else "python")

    def tool(self, name: str) -> str:
        """The path of a command-line tool in the environment."""
        return str(self.scripts / (f"{name}.exe" if WINDOWS else name))

    def variables(self) -> dict[str, str]:
        """The variables for what runs inside: as if the environment had been activated."""
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONHOME"}
        path = os.pathsep.join([str(self.scripts), inherited.get("PATH", "")])
        return {**inherited, "PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def prepare(self, kind: str) -> None:
        """Make sure that what the lock of that kind (`run` or `dev`) names is installed.

        Raises:
            StepError: a step failed; the next call starts over where that is safe.
        """
        lock = self._root / LOCKS[kind]
        if not lock.is_file():
            raise StepError(
                f"reading {lock.name}",
                cause=f"{lock} is missing.",
                remedy="take it from the repository again (git checkout), or make it: "
                "python manage.py lock",
            )
        if self._is_current(kind):
            return
        if not self._is_usable():
            self._make()
        self._install(lock)
        self._remember(kind)

    def _is_current(self, kind: str) -> bool:
        return (
            _read(self._marker(kind)) == self._mark(kind)
            and self.python.exists()
            and not self._unfinished.exists()
        )

    def _marker(self, kind: str) -> Path:
        return self.folder / f".orchestrator-installed-{kind}"

    def _mark(self, kind: str) -> str:
        # The folder is part of it because the tools in a moved environment point to the old place.
        digest = hashlib.sha256((self._root / LOCKS[kind]).read_bytes()).hexdigest()
        return f"{digest}\n{self._root}\n"

    def _is_usable(self) -> bool:
        if not self.python.exists() or self._unfinished.exists():
            return False
        marks = [_read(self._marker(kind)).splitlines() for kind in LOCKS]
        if any(mark and mark[1:] != [str(self._root)] for mark in marks):
            return False
        needs = ["sys.version_info >= (3, 11)", "sys.prefix != sys.base_prefix"]
        if self._uv is None:
            needs.append("importlib.util.find_spec('pip')")
        probe = f"import importlib.util, sys; sys.exit(not ({' and '.join(needs)}))"
        return self._run([str(self.python), "-c", probe]).code == 0

    def _make(self) -> None:
        if self.folder.is_symlink() or self.folder.exists():
            self._say("The existing .venv is half-made, moved or too old: removing it ...")
            _remove(self.folder)
        base = str(getattr(sys, "_base_executable", "") or sys.executable)
        version = ".".join(map(str, sys.version_info[:3]))
        step = f"making .venv with Python {version}"
        self._say(f"{step[0].upper()}{step[1:]} ...")
        if self._uv:
            outcome = self._run([self._uv, "venv", "--python", base, str(self.folder)])
        elif missing := missing_packages():
            raise StepError(
                step,
                cause=f"This Python comes without {' and '.join(missing)}.",
                remedy=venv_remedy(),
            )
        else:
            outcome = self._run([base, "-m", "venv", str(self.folder)])
        if outcome.code or not self.python.exists():
            raise StepError(step, cause=_tail(outcome.output), remedy=venv_remedy())

    def _install(self, lock: Path) -> None:
        tool = "uv" if self._uv else "pip"
        count = len(pins(lock.read_text("utf-8")))
        step = f"installing the {count} packages of {lock.name} with {tool}"
        self._say(f"{step[0].upper()}{step[1:]} (the first time may take a minute or two) ...")
        started = time.monotonic()
        self._unfinished.touch()
        outcome = self._run(self._install_command(lock))
        # Gone also after an orderly failure: only an installation cut short spoils a folder.
        self._unfinished.unlink(missing_ok=True)
        if outcome.code:
            raise StepError(
                step,
                cause=_tail(outcome.output),
                remedy="check the network connection and the free disk space, then run the same "
                "command again. Behind a proxy set HTTPS_PROXY, with a mirror "
                f"{'UV_DEFAULT_INDEX' if self._uv else 'PIP_INDEX_URL'}. If it keeps failing, "
                "delete the folder .venv first.",
            )
        self._say(f"Installed in {time.monotonic() - started:.0f} s.")

    def _install_command(self, lock: Path) -> list[str]:
        # The lock is complete, so nothing is left to resolve; hashes are demanded for all of it.
        strict = ["--require-hashes", "--no-deps", "-r", str(lock)]
        if self._uv:
            compiled = "--compile-bytecode"  # as pip does, or the first start takes twice as long
            return [self._uv, "pip", "install", compiled, "--python", str(self.python), *strict]
        quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        return [str(self.python), "-m", "pip", "install", *quiet, *strict]

    def _remember(self, kind: str) -> None:
        other = "dev" if kind == "run" else "run"
        locks = {name: self._root / LOCKS[name] for name in LOCKS}
        agreed = locks[other].is_file() and (
            pins(locks["run"].read_text("utf-8")) <= pins(locks["dev"].read_text("utf-8"))
        )
        if not agreed:
            self._marker(other).unlink(missing_ok=True)
        elif kind == "dev":
            self._marker("run").write_text(self._mark("run"), "utf-8")
        self._marker(kind).write_text(self._mark(kind), "utf-8")


def pins(lock: str) -> set[str]:
    """The `name==version` of every package in a lock."""
    return set(re.findall(r"^[A-Za-z0-9][\w.\-\[\],]*==[^\s;\\]+", lock, flags=re.MULTILINE))


def missing_packages() -> list[str]:
    """The parts of the standard library that making `.venv` needs and this Python lacks."""
    return [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]


def venv_remedy() -> str:
    """How to get a Python that can make virtual environments."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if sys.platform == "linux":
        return (
            f"on Debian and Ubuntu: sudo apt install {name} (elsewhere the package with Python's "
            "venv and ensurepip), or install uv (https://docs.astral.sh/uv/); then run the same "
            "command again."
        )
    return (
        "check that this folder is writable and close programs that use .venv, or install "
        "Python from https://www.python.org/downloads/; then run the same command again."
    )


def fetch_browser_libraries(environment: Environment, *, run: Runner) -> None:
    """Make sure of what the browser gets beside our own components (`components/_vendor`).

    Raises:
        StepError: they could not be had; everything but the builder's canvas works without them.
    """
    fetch = [str(environment.python), "-m", "components.browser_libraries"]
    if run([*fetch, "--is-current"]).code == 0:
        return
    say("Fetching the browser libraries (the first time may take a minute) ...")
    outcome = run(fetch)
    if outcome.code:
        cause, _, remedy = outcome.output.partition("What to do: ")
        raise StepError(
            "fetching the browser libraries",
            cause=_tail(cause),
            remedy=remedy.strip() or "run: python -m components.browser_libraries",
        )


def run_quietly(command: Sequence[str]) -> Outcome:
    """Run a command of the set-up; on a terminal its newest line shows that it is alive."""
    lines: list[str] = []
    live = sys.stdout.isatty()
    variables = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    variables.pop("PYTHONHOME", None)
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as exc:
        return Outcome(127, f"{command[0]}: {exc}")
    with process:
        try:
            for line in process.stdout or ():
                lines.append(line)
                if live:
                    shown = line.strip().encode("ascii", "replace").decode()[:76]
                    print(f"\r  {shown:<76}", end="", flush=True)
        except BaseException:
            process.terminate()
            raise
        finally:
            if live and lines:
                print(f"\r{'':<78}\r", end="", flush=True)
    return Outcome(process.returncode, "".join(lines))


# The locks

_LOCK_LINE = re.compile(
    r"([A-Za-z0-9][\w.\-]*(\[[\w,\-]+\])?==[^\s;\\@/]+( ; [^\\]+?)?"
    r"|    --hash=sha256:[0-9a-f]{64})( \\)?"
)


def foreign_lines(lock: str) -> list[str]:
    """The lines of a lock that are neither a pinned package nor a hash, such as an address."""
    return [line for line in lock.splitlines() if not _LOCK_LINE.fullmatch(line)]


def write_locks(environment: Environment, *, run: Runner, upgrade: bool) -> None:
    """Resolve pyproject.toml anew for every platform; what is locked stays unless `upgrade`."""
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    shared = ["--universal", "--python-version", oldest[1] if oldest else "3.11"]
    shared += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    shared += ["--no-header", "--no-annotate", *(["--upgrade"] if upgrade else [])]
    project = "pyproject.toml"
    sources = {
        LOCKS["run"]: [project],
        LOCKS["dev"]: [project, "--group", "dev", "--constraint", LOCKS["run"]],
        BUILD_LOCK: ["--group", "build"],
    }
    for name, source in sources.items():
        say(f"Resolving {name} ...")
        target, draft = ROOT / name, ROOT / f"{name}.new"
        try:
            if target.exists():
                shutil.copyfile(target, draft)  # uv keeps the versions it finds in its output file
            command = [environment.tool("uv"), "pip", "compile", *source, *shared]
            outcome = run([*command, "-o", str(draft)])
            if outcome.code:
                raise StepError(
                    f"resolving {name}",
                    cause=_tail(outcome.output),
                    remedy="mend the requirement named above in pyproject.toml, or the network.",
                )
            if foreign := foreign_lines(draft.read_text("utf-8")):
                raise StepError(
                    f"checking {name}",
                    cause="Lines that are no pinned package and no hash:\n"
                    + "\n".join(foreign[:5]),
                    remedy="locks carry no addresses; require packages by name in pyproject.toml.",
                )
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    say("The locks are written; the next run or test installs what changed.")


# The verbs


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The verb with its options; `rest` is what goes on to pytest."""
    parser = argparse.ArgumentParser(
        prog="manage.py", description="Makes .venv, installs what is locked, then does the verb."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the app and open it in the browser")
    run.add_argument("--no-browser", action="store_true", help="do not open the browser")
    run.add_argument("--host", help="address to listen on (127.0.0.1)")
    run.add_argument("--port", help="port to listen on (3000; 0 takes any free one)")
    run.add_argument("--home", help="folder for everything the app writes (var)")
    test = verbs.add_parser(
        "test",
        help="run every check and every test",
        allow_abbrev=False,
        usage="manage.py test [--screenshots] [--fast] [pytest arguments ...]",
        description="Everything else goes to pytest. Naming files runs only those, no checks.",
    )
    scope = test.add_mutually_exclusive_group()
    scope.add_argument("--screenshots", action="store_true", help="write pictures of every page")
    scope.add_argument("--fast", action="store_true", help="leave out the browser journeys")
    verbs.add_parser("check", help="format, lint, types and import rules")
    bench = verbs.add_parser("bench", help="run the benchmarks")
    bench.add_argument("names", nargs="*", metavar="name", help="only these")
    lock = verbs.add_parser("lock", help="write both lock files anew")
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    options, rest = parser.parse_known_args(argv)
    if rest and options.verb != "test":
        verbs.choices[options.verb].error(f"unknown: {' '.join(rest)}")
    options.rest = rest
    return options


def app_variables(options: argparse.Namespace, *, cwd: Path) -> dict[str, str]:
    """The options of `run` as the settings the app reads."""
    chosen = {"HOST": options.host, "PORT": options.port}
    if options.home is not None:
        chosen["HOME"] = str(cwd / Path(options.home).expanduser())
    return {f"ORCHESTRATOR_{key}": value for key, value in chosen.items() if value is not None}


def become(command: Sequence[str], *, variables: dict[str, str]) -> NoReturn:
    """Hand over to the command, with its signals and its exit code, working in this folder."""
    os.chdir(ROOT)
    sys.stdout.flush()
    if not WINDOWS:
        os.execve(command[0], list(command), variables)  # noqa: S606 - no shell is wanted
    # Windows has no exec that a console waits for; Ctrl-C reaches both, and only the app answers.
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(subprocess.call(command, env=variables))


def do(options: argparse.Namespace) -> None:
    """Do the verb; all but `lock` hand over and do not come back."""
    environment = Environment(ROOT, run=run_quietly, say=say, uv=shutil.which("uv"))
    environment.prepare("run" if options.verb == "run" else "dev")
    if options.verb == "lock":
        write_locks(environment, run=run_quietly, upgrade=options.upgrade)
        return
    if options.verb in ("run", "test"):
        try:
            fetch_browser_libraries(environment, run=run_quietly)
        except StepError as exc:
            if options.verb == "test":
                raise
            say(f"{exc}\nThe app starts without them: only the canvas of the builder needs them.")
    variables = environment.variables()
    if options.verb == "run":
        variables.update(app_variables(options, cwd=Path.cwd()))
    become([str(environment.python), *verb_command(options, cwd=Path.cwd())], variables=variables)


def verb_command(options: argparse.Namespace, *, cwd: Path) -> list[str]:
    """What the interpreter of the environment is given to do the verb."""
    if options.verb == "run":
        return ["main.py", *(["--no-browser"] if options.no_browser else [])]
    if options.verb == "bench":
        return ["-m", "tests.benchmarks", *options.names]
    suite = ["-m", "tests.support.suite", options.verb]
    if options.verb == "check":
        return suite
    flags = [f"--{name}" for name in ("fast", "screenshots") if getattr(options, name)]
    return [*suite, f"--cwd={cwd}", *flags, "--", *options.rest]


def main(argv: Sequence[str]) -> int:
    """Parse, do, and turn what goes wrong into a sentence and an exit code."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        do(options)
    except StepError as exc:
        print(exc, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr, flush=True)
        return INTERRUPTED
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _remove(folder: Path) -> None:
    try:
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    except OSError as exc:
        raise StepError(
            f"removing {folder}",
            cause=str(exc),
            remedy="close what uses it (a running app, an editor), delete it by hand, try again.",
        ) from exc


def _tail(output: str, *, lines: int = 25) -> str:
    return "\n".join(output.strip().splitlines()[-lines:]) or "It printed nothing."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
