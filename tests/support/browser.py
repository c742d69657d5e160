"""The Chromium that the journeys drive: one that is here already, else one that is fetched.

    python -m tests.support.browser

says which one is used, gets one if there is none, and exits with 1 if that cannot be done.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "ORCHESTRATOR_TEST_BROWSER"
DOWNLOAD_LIMIT_S = 180
PACKAGES_LIMIT_S = 600
_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge"),
)
_MAC = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_WINDOWS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
_INSTALLERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "apt-get": (
        ("apt-get", "update"),
        ("apt-get", "install", "-y", "--no-install-recommends", "chromium"),
    ),
    "dnf": (("dnf", "install", "-y", "chromium"),),
    "apk": (("apk", "add", "--no-cache", "chromium"),),
    "pacman": (("pacman", "-Sy", "--noconfirm", "chromium"),),
}
_HOW_TO = (
    "Install Chromium, Google Chrome or Microsoft Edge (Debian: sudo apt install chromium; Fedora: "
    "sudo dnf install chromium; macOS: brew install --cask chromium), or set "
    f"{VARIABLE} to the path of one, then run the same command again."
)


class BrowserMissingError(Exception):
    """There is no browser to test with; the message says how to get one."""


@dataclass(frozen=True, slots=True)
class Browser:
    """What to launch: `executable` is None for the one that Playwright brought itself."""

    executable: Path | None
    label: str


def launch_args() -> list[str]:
    """The command-line options of every test browser: quiet, and no GPU."""
    arguments = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    arguments += ["--disable-sync", "--no-first-run"]
    # Chromium refuses to start as root, as in most containers, with its sandbox on.
    return ["--no-sandbox", *arguments] if sys.platform == "linux" and _is_root() else arguments


def find_browser() -> Browser:
    """A browser that is already on this machine and starts.

    Raises:
        BrowserMissingError: there is none, or `ORCHESTRATOR_TEST_BROWSER` names none.
    """
    if chosen := os.environ.get(VARIABLE):
        path = Path(chosen).expanduser()
        if not path.is_file():
            raise BrowserMissingError(
                f"{VARIABLE} is set to '{chosen}', and there is no such file. "
                "Correct it, or unset it to use a browser that is found."
            )
        return Browser(path, f"{path} ({VARIABLE})")
    if (own := _playwright_folder()) and _starts(_shell_in(own)):
        return Browser(None, f"Playwright's own Chromium in {own}")
    for path in _installed():
        if _starts(path):
            return Browser(path, str(path))
    raise BrowserMissingError(f"No Chromium, Chrome or Edge was found. {_HOW_TO}")


def ensure_browser(say: Callable[[str], object] = print) -> Browser:
    """A browser, fetched when there is none: Playwright's download, else the system's packages.

    Raises:
        BrowserMissingError: nothing worked; the message lists what was tried and what to do.
    """
    tried: list[str] = []
    for fetch in (None, _download, _install_package):
        if fetch is not None:
            tried.append(fetch(say))
        try:
            return find_browser()
        except BrowserMissingError:
            if os.environ.get(VARIABLE):
                raise
    raise BrowserMissingError("\n".join(["No browser could be had:", *tried, _HOW_TO]))


def _download(say: Callable[[str], object]) -> str:
    say("No browser found; downloading one: playwright install chromium (not possible everywhere)")
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    return f"- playwright install chromium: {_try(command, limit_s=DOWNLOAD_LIMIT_S)}"


def _install_package(say: Callable[[str], object]) -> str:
    manager = next((name for name in _INSTALLERS if shutil.which(name)), None)
    if manager is None:
        return "- system packages: no package manager that we know"
    if not _is_root():
        return f"- {manager}: needs root"
    results: list[str] = []
    for command in _INSTALLERS[manager]:
        say(f"Installing a browser: {' '.join(command)}")
        results.append(f"- {' '.join(command)}: {_try(command, limit_s=PACKAGES_LIMIT_S)}")
    return results[-1]


def _try(command: Sequence[str], *, limit_s: float) -> str:
    """Run a command under a limit, with all its children, and say in one line how it went."""
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=os.name == "posix",
        )
    except OSError as exc:
        return str(exc)
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"not finished after {limit_s:.0f} s"
    except BaseException:
        _kill(process)
        raise
    if process.returncode == 0:
        return "done, but the browser does not start"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or line.startswith("E:")]
    return (errors or lines or [f"exit code {process.returncode}"])[-1][:200]


def _kill(process: subprocess.Popen[str]) -> None:
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _playwright_folder() -> Path | None:
    """Where the Chromium of the installed Playwright is, if its download was finished."""
    spec = find_spec("playwright")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent / "driver" / "package"
    try:
        entries = json.loads((package / "browsers.json").read_text("utf-8"))["browsers"]
    except (OSError, ValueError, KeyError):
        return None
    revision = next((e["revision"] for e in entries if e["name"] == "chromium-headless-shell"), "")
    folder = _playwright_cache(package) / f"chromium_headless_shell-{revision}"
    return folder if (folder / "INSTALLATION_COMPLETE").is_file() else None


def _playwright_cache(package: Path) -> Path:
    chosen = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if chosen == "0":
        return package / ".local-browsers"
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ms-playwright"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "ms-playwright"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ms-playwright"


def _shell_in(folder: Path) -> Path | None:
    names = ("headless_shell", "chrome-headless-shell")
    return next((p for p in folder.glob("*/*") if p.stem in names and p.is_file()), None)


def _installed() -> Iterator[Path]:
    for name in _NAMES:
        if found := shutil.which(name):
            yield Path(found)
    if sys.platform == "darwin":
        places = [Path("/Applications"), Path.home() / "Applications"]
        yield from (p / name for p in places for name in _MAC if (p / name).is_file())
    if sys.platform == "win32":
        roots = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        places = [Path(os.environ[root]) for root in roots if root in os.environ]
        yield from (p / name for p in places for name in _WINDOWS if (p / name).is_file())


def _starts(path: Path | None) -> bool:
    """Whether it runs at all: some are stubs that ask to install something, or lack libraries."""
    if path is None:
        return False
    if sys.platform == "win32":  # there the question for the version opens a window
        return True
    try:
        command = [str(path), "--version"]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def main() -> int:
    """Make sure of a browser, and say which."""
    try:
        print(f"Browser: {ensure_browser(lambda line: print(line, flush=True)).label}")
    except BrowserMissingError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
