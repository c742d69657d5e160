"""The whole app as a process of its own, as its users start it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TextIO

import httpx

ROOT = Path(__file__).resolve().parents[2]
_START_LIMIT_S = 60
_STOP_LIMIT_S = 20


class AppProcess:
    """`python main.py --no-browser` in a home of its own; start it again and it goes on there."""

    def __init__(self, home: Path, *, script: Path = ROOT / "main.py", **settings: object) -> None:
        self.home = home
        self.log = home / "logs" / "orchestrator.log"
        self.url = ""
        self._script = script
        values = {"port": 0, "submissions_per_minute": 100_000, **settings}
        self._settings = {f"ORCHESTRATOR_{name.upper()}": str(v) for name, v in values.items()}
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> subprocess.Popen[str]:
        """The process, without waiting for it; what it says comes on its standard output."""
        self.home.mkdir(parents=True, exist_ok=True)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "NICEGUI_", "ORCHESTRATOR_"))
        }
        own = {"ORCHESTRATOR_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self._settings}
        self._process = subprocess.Popen(
            [sys.executable, str(self._script), "--no-browser"],
            cwd=self.home,
            env={**clean, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self._process

    def start(self) -> "AppProcess":
        """Start it, on the port it had before; returns once it answers."""
        self.url = _wait_for_url(self.launch())
        self._settings["ORCHESTRATOR_PORT"] = self.url.rsplit(":", 1)[1]
        with httpx.Client(trust_env=False, timeout=_START_LIMIT_S) as client:
            client.get(f"{self.url}/api/health").raise_for_status()
        return self

    def kill(self) -> None:
        """SIGKILL: no chance to put anything in order. Nothing, if it does not run."""
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; its exit code, 0 if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def errors(self) -> list[str]:
        """The ERROR records of its log."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if json.loads(line)["level"] in ("ERROR", "CRITICAL")]


def _wait_for_url(process: subprocess.Popen[str]) -> str:
    stream = process.stdout
    assert stream is not None
    killer = threading.Timer(_START_LIMIT_S, process.kill)
    killer.start()
    said: list[str] = []
    try:
        for line in stream:
            said.append(line)
            found = re.search(r"Orchestrator is at (http://\S+)", line)
            if found:
                # Somebody must go on reading, or a full pipe would stop the app.
                threading.Thread(target=_drain, args=(stream,)).start()
                return found[1]
    finally:
        killer.cancel()
    stream.close()
    process.wait()
    raise AssertionError("The app did not start:\n" + "".join(said))


def _drain(stream: TextIO) -> None:
    with stream:
        stream.read()
