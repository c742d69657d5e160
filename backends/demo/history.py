"""What has run, oldest first, in memory only."""

import time
from dataclasses import dataclass

from backends.demo.wire import JsonDict

MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    shown: JsonDict
    visible_at: float  # monotonic


class History:
    """Entries by prompt id; the last run of an id wins."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def add(self, prompt_id: str, entry: JsonDict, *, late_s: float = 0.0) -> None:
        """Keeps an entry, hidden for `late_s` seconds; the oldest goes when there are too many."""
        self._entries.pop(prompt_id, None)
        self._entries[prompt_id] = _Entry(entry, time.monotonic() + late_s)
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]

    def get(self, prompt_id: str) -> JsonDict | None:
        entry = self._entries.get(prompt_id)
        return entry.shown if entry and entry.visible_at <= time.monotonic() else None

    def page(self, *, max_items: int | None = None, offset: int = -1) -> dict[str, JsonDict]:
        """Entries oldest first; without `offset` the newest `max_items`."""
        now = time.monotonic()
        shown = {key: e.shown for key, e in self._entries.items() if e.visible_at <= now}
        if max_items is None:
            return dict(list(shown.items())[max(offset, 0) :])
        if max_items <= 0:
            return {}
        start = len(shown) - max_items if offset < 0 else offset
        return dict(list(shown.items())[max(start, 0) : max(start, 0) + max_items])

    def delete(self, prompt_id: str) -> None:
        self._entries.pop(prompt_id, None)

    def clear(self) -> None:
        self._entries.clear()
