"""JavaScript modules that several components share, importable in them as `orchestrator/…`."""

from pathlib import Path

from nicegui.dependencies import register_esm

_HERE = Path(__file__).parent

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator", _HERE, max_time=max(file.stat().st_mtime for file in _HERE.glob("*.js"))
)
