"""What one demo engine is told when it is made."""

from dataclasses import dataclass
from pathlib import Path

COMFYUI_VERSION = "0.33.0"
MAX_BODY_BYTES = 100 * 1024 * 1024
DEFAULT_CHECKPOINTS = ("demo-painter.safetensors",)
DEVICE_NAME = "Demo engine (no AI model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """Where the engine keeps its files and how slow it pretends to be."""

    home: Path  # holds output/, input/, temp/ and executed.jsonl
    step_delay_s: float = 0.1
    load_delay_s: float = 0.0  # paid whenever another checkpoint than the last one is loaded
    checkpoints: tuple[str, ...] = DEFAULT_CHECKPOINTS
    faults: bool = False  # allows /demo/faults, which can kill this process
    preview_side_px: int = 512
