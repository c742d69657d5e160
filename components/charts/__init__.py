"""Small live charts: JavaScript modules and styles, importable as `orchestrator-charts/…`."""

from pathlib import Path

from nicegui.dependencies import register_esm

_HERE = Path(__file__).parent
_MODULES = _HERE / "modules"
SHEET = _HERE / "charts.css"

# The address carries the newest file's time, because browsers keep these files for ever.
register_esm(
    "orchestrator-charts",
    _MODULES,
    max_time=max(file.stat().st_mtime for file in _MODULES.glob("*.js")),
)
