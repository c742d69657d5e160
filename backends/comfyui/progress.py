"""How far a run is, from messages that may be doubled, out of order or missing.

Pure: told what was heard and when, it gives the new progress, or None if nothing changed.
"""

from dataclasses import dataclass

from app.models import Progress
from backends.comfyui.answers import Brief
from backends.comfyui.messages import (
    NodeExecuted,
    NodeProgress,
    NodesCached,
    NodesProgressed,
    NodeStarted,
    RunMessage,
    TextReceived,
)

_TEXT_LENGTH = 100  # characters of what a node says that are shown
_SAMPLERS_SHARE = 0.9  # of the whole; loading, encoding and saving share the rest


@dataclass(slots=True, kw_only=True)
class _Pace:
    """Steps of one node over time: the first one heard includes loading the model."""

    first_at: float
    first_step: float
    last_at: float
    last_step: float

    @property
    def seconds_per_step(self) -> float | None:
        steps = self.last_step - self.first_step
        return (self.last_at - self.first_at) / steps if steps >= 1 else None


class ProgressTracker:
    """The progress of one run; the fraction never goes back."""

    def __init__(self) -> None:
        self._brief: Brief = {}
        self._steps: dict[str, float] = {}  # of each sampler, as planned or as it reports itself
        self._values: dict[str, float] = {}  # steps done, of each node
        self._done: set[str] = set()
        self._samplers: list[str] = []  # in order of appearance
        self._node_id: str | None = None
        self._words: dict[str, str] = {}  # what nodes say of themselves, newest
        self._fraction = 0.0
        self._pace: dict[str, _Pace] = {}
        self._last: Progress | None = None

    @property
    def node_id(self) -> str | None:
        """The node that executes."""
        return self._node_id

    def know(self, brief: Brief) -> None:
        """Tell it the graph that runs."""
        if self._brief:
            return
        self._brief = brief
        for node_id, node in brief.items():
            if node.steps is not None:
                self._steps.setdefault(node_id, float(node.steps))

    def step_of(self, node_id: str | None) -> int:
        """The steps a node has done; of the current sampler if it is not said which."""
        sampler = node_id if node_id in self._values else self._sampler()
        return int(self._values.get(sampler or "", 0))

    def hear(self, message: RunMessage, *, at: float) -> Progress | None:
        """Take in a message heard at that second of a steady clock."""
        match message:
            case NodesCached(node_ids=node_ids):
                self._done.update(node_ids)
            case NodeStarted(node_id=node_id):
                if node_id not in self._done:
                    self._node_id = node_id
            case NodesProgressed(nodes=nodes):
                for node in nodes:
                    self._advance(node, at=at)
            case NodeExecuted(node_id=node_id):
                self._done.add(node_id)
            case TextReceived(node_id=node_id, text=text):
                self._note_words(self._shown(node_id), text=text)
            case _:
                return None
        return self._changed()

    def _advance(self, node: NodeProgress, *, at: float) -> None:
        node_id = self._shown(node.node_id)
        if node.activity:
            self._note_words(node_id, text=node.activity)
        if node.maximum > 1:
            self._steps[node_id] = node.maximum
            if node_id not in self._samplers:
                self._samplers.append(node_id)
            if node.value > self._values.get(node_id, 0):
                self._values[node_id] = node.value
                self._note_pace(node_id, step=node.value, at=at)
        if node.finished:
            self._done.add(node_id)
        elif node_id not in self._done:
            self._node_id = node_id

    def _note_words(self, node_id: str, *, text: str) -> None:
        lines = text.strip().splitlines()
        if lines:
            self._words[node_id] = lines[0][:_TEXT_LENGTH]

    def _shown(self, node_id: str) -> str:
        # `progress` names nodes that another one expanded into by "<that one>.…".
        outer = node_id.partition(".")[0]
        return outer if outer in self._brief else node_id

    def _note_pace(self, node_id: str, *, step: float, at: float) -> None:
        pace = self._pace.get(node_id)
        if pace is None:
            self._pace[node_id] = _Pace(first_at=at, first_step=step, last_at=at, last_step=step)
        else:
            pace.last_at, pace.last_step = at, step

    def _changed(self) -> Progress | None:
        self._fraction = max(self._fraction, self._measure())
        sampler = self._sampler()
        samplers = len(self._steps.keys() | set(self._samplers))
        progress = Progress(
            fraction=self._fraction,
            step=int(self._values.get(sampler or "", 0)),
            steps=int(self._steps.get(sampler or "", 0)),
            node_id=self._node_id,
            node_title=self._title(),
            phase=max(1, self._samplers.index(sampler) + 1 if sampler in self._samplers else 1),
            phases=max(1, samplers),
            eta_s=self._eta(sampler),
        )
        if progress == self._last:
            return None
        self._last = progress
        return progress

    def _title(self) -> str | None:
        node, words = self._brief.get(self._node_id or ""), self._words.get(self._node_id or "")
        return ": ".join(part for part in (node.title if node else None, words) if part) or None

    def _sampler(self) -> str | None:
        """The sampler that works or worked last, or will be the first."""
        if self._samplers:
            return self._samplers[-1]
        return next(iter(self._steps), None)

    def _measure(self) -> float:
        others = (self._brief.keys() | self._done) - self._steps.keys()
        total = sum(self._steps.values())
        sampled = sum(
            steps if node_id in self._done else min(self._values.get(node_id, 0), steps)
            for node_id, steps in self._steps.items()
        )
        of_samplers = sampled / total if total else 0.0
        of_others = len(others & self._done) / len(others) if others else 0.0
        if not self._steps:
            return of_others
        return _SAMPLERS_SHARE * of_samplers + (1 - _SAMPLERS_SHARE) * of_others

    def _eta(self, sampler: str | None) -> float | None:
        pace = self._pace.get(sampler or "")
        seconds = pace.seconds_per_step if pace else None
        if seconds is None:
            return None
        left = sum(
            steps - self._values.get(node_id, 0)
            for node_id, steps in self._steps.items()
            if node_id not in self._done
        )
        return max(0.0, left) * seconds
