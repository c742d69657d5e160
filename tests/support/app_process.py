"""The whole app as a process of its own, as its users start it."""

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

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.log = home / "logs" / "orchestrator.log"
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"
        self.url = ""

    def start(self) -> "AppProcess":
        """Start it, on the port it had before; returns once it answers."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "NICEGUI_", "ORCHESTRATOR_"))
        }
        environment |= {
            "ORCHESTRATOR_HOME": str(self.home),
            "ORCHESTRATOR_PORT": self._port,
            "ORCHESTRATOR_SUBMISSIONS_PER_MINUTE": "100000",
        }
        environment |= {f"ORCHESTRATOR_{name}": value for name, value in self._settings.items()}
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "--no-browser"],
            cwd=self.home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = self._wait_for_url()
        self._port = self.url.rsplit(":", 1)[1]
        with httpx.Client(trust_env=False, timeout=_START_LIMIT_S) as client:
            client.get(f"{self.url}/api/health").raise_for_status()
        return self

    def kill(self) -> None:
        """SIGKILL: no chance to put anything in order."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    def errors(self) -> list[str]:
        """The ERROR records of its log."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if re.match(r"^\S+ \S+ (ERROR|CRITICAL) ", line)]

    def _wait_for_url(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        killer = threading.Timer(_START_LIMIT_S, self._process.kill)
        killer.start()
        said: list[str] = []
        try:
            for line in self._process.stdout:
                said.append(line)
                found = re.search(r"Orchestrator is at (http://\S+)", line)
                if found:
                    # Somebody must go on reading, or a full pipe would stop the app.
                    threading.Thread(target=_drain, args=(self._process.stdout,)).start()
                    return found[1]
        finally:
            killer.cancel()
        raise AssertionError("The app did not start:\n" + "".join(said))

    def _end(self, how: signal.Signals) -> int:
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


def _drain(stream: TextIO) -> None:
    with stream:
        stream.read()
