"""Real processes for tests and benchmarks: demo engines, lives of the app, and the whole app."""

import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from backends.demo.settings import Protocol
from tests.recovery.crashing_app import Plan, live

ROOT = Path(__file__).resolve().parents[2]
START_S = 45.0
LIFE_S = 30.0


class Engine:
    """A demo engine as a process of its own; it keeps its address when it comes back."""

    def __init__(
        self,
        home: Path,
        *,
        step_delay_s: float = 0.01,
        protocol: Protocol = Protocol.CURRENT,
        options: Sequence[str] = (),
    ) -> None:
        """`options` are further arguments of `python -m backends.demo`."""
        self.home = home
        self._options = options
        self._protocol = protocol
        self.url = ""
        self._step_delay_s = step_delay_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Engine":
        """Start it; returns when it answers."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "backends.demo", "--announce", "--faults"]
        command += ["--port", port, "--home", str(self.home), "--parent", str(os.getpid())]
        command += ["--step-delay", str(self._step_delay_s), "--protocol", self._protocol]
        command += self._options
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.url = read_until(self._process, "READY ").split()[-1]
        return self

    def kill(self) -> None:
        """It is gone, with everything it remembered."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)
            self._process = None

    def freeze(self) -> None:
        """It neither works nor answers until `thaw`; its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def wait_for_death(self) -> None:
        """It was told to die; returns when it has."""
        assert self._process is not None
        self._process.wait(LIFE_S)
        self.kill()

    def fault(self, **faults: Any) -> None:
        """Arm faults."""
        httpx.post(f"{self.url}/demo/faults", json=faults, trust_env=False).raise_for_status()

    def release(self) -> None:
        """Clear all faults; what hangs goes on."""
        httpx.delete(f"{self.url}/demo/faults", trust_env=False).raise_for_status()

    def stats(self) -> dict[str, Any]:
        """What it was asked for and what it ran."""
        return httpx.get(f"{self.url}/demo/stats", trust_env=False).raise_for_status().json()

    def executed(self) -> Counter[str]:
        """How often each prompt was begun, over all lives of the engine."""
        lines = (self.home / "executed.jsonl").read_text("utf-8").splitlines()
        return Counter(json.loads(line)["prompt_id"] for line in lines)

    def wait_until_idle(self) -> None:
        """Returns when nothing waits or runs there."""
        with connect(f"{self.url.replace('http', 'ws')}/ws?clientId=onlooker") as socket:
            deadline = time.monotonic() + LIFE_S
            while True:
                message = socket.recv(timeout=deadline - time.monotonic())
                body = json.loads(message) if isinstance(message, str) else {}
                status = body.get("type") == "status" and body["data"]["status"]
                if status and status["exec_info"]["queue_remaining"] == 0:
                    return


class Lives:
    """Starts lives of the app by a fork of a process that has imported everything already."""

    def __init__(self) -> None:
        self._fork = multiprocessing.get_context("forkserver")
        self._fork.set_forkserver_preload(["tests.recovery.crashing_app", "aiosqlite"])
        # Started here, because it finds what to import by the working directory.
        before = Path.cwd()
        os.chdir(ROOT)
        forkserver.ensure_running()
        os.chdir(before)

    def start(self, plan: Plan) -> Any:
        """A life under way."""
        life = self._fork.Process(target=live, args=(plan,))
        life.start()
        return life

    def finish(self, life: Any) -> int:
        """Its exit code; a life that does not end is a failure."""
        life.join(LIFE_S)
        if life.exitcode is None:
            life.kill()
            life.join()
            raise AssertionError("The app did not come to an end: some job never finished.")
        code = life.exitcode
        life.close()
        return code

    def run(self, plan: Plan) -> int:
        """A whole life; its exit code."""
        return self.finish(self.start(plan))


def read_until(process: subprocess.Popen[bytes], beginning: str) -> str:
    """The line of its output that begins so; a process that does not say it is a failure."""
    assert process.stdout is not None
    deadline = time.monotonic() + START_S
    said = b""
    while time.monotonic() < deadline:
        ready, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
        piece = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not piece:
            break
        said += piece
        for line in said.decode().splitlines(keepends=True):
            if line.startswith(beginning) and line.endswith("\n"):
                return line
    end(process, signal.SIGKILL)
    raise AssertionError(f"The process never said '{beginning}', only: {said.decode()}")


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Signal it, wait, close its pipes; its exit code."""
    process.send_signal(number)
    try:
        code = process.wait(LIFE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return code
