"""Counts what was asked for and what really ran, so that a test can prove nothing ran twice."""

import json
import time
from collections import Counter
from pathlib import Path

from backends.demo.wire import JsonDict


class Ledger:
    """Executions are also appended to a file, so they outlive a killed engine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._received: list[str] = []
        self._sampled_steps = 0
        self._executed: Counter[str] = Counter()
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            self._executed.update(json.loads(line)["prompt_id"] for line in lines if line)

    def prompt_received(self, prompt_id: str) -> None:
        self._received.append(prompt_id)

    def step_sampled(self) -> None:
        self._sampled_steps += 1

    def execution_started(self, prompt_id: str) -> None:
        """Blocks for one short append: the line must be there before anything is painted."""
        self._executed[prompt_id] += 1
        line = json.dumps({"prompt_id": prompt_id, "started_at": time.time()})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def shown(self) -> JsonDict:
        return {
            "prompts_received": self._received,
            "executed": dict(self._executed),
            "sampled_steps": self._sampled_steps,
        }
