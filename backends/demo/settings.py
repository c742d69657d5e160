"""What one demo engine is told when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MAX_BODY_BYTES = 100 * 1024 * 1024
DEVICE_NAME = "Demo engine (no AI model)"
DEFAULT_CHECKPOINTS = (
    "demo-painter.safetensors",
    "demo/demo_storybook.safetensors",
    "demo_flux1-schnell-fp8.safetensors",
    "demo_sd15.safetensors",
    "demo_sd35.safetensors",
    "demo_sdxl.safetensors",
    "demo_svd.safetensors",
)
DEFAULT_LORAS = ("demo_ember.safetensors", "demo_ink.safetensors", "styles/demo_neon.safetensors")
OTHER_MODELS: Mapping[str, tuple[str, ...]] = {
    "diffusion_models": ("demo_flux1-dev.safetensors",),
    "text_encoders": (
        "demo_clip_g.safetensors",
        "demo_clip_l.safetensors",
        "demo_t5xxl_fp8.safetensors",
    ),
    "vae": ("demo_ae.safetensors", "demo_vae.safetensors"),
    "upscale_models": ("demo_2x.pth", "demo_4x.pth"),
    "embeddings": ("demo_calm.safetensors", "demo_negative.safetensors"),
}


class Protocol(StrEnum):
    """Which ComfyUI the engine answers like."""

    CURRENT = "0.33.0"
    OLD = "0.3.60"  # no /api/jobs, any prompt id, interrupts whatever runs, invalid_prompt
    NO_ID = "0.3.40-noid"  # as OLD, and it invents the prompt id itself

    @property
    def version(self) -> str:
        """As `/system_stats` shows it."""
        return self.value.partition("-")[0]

    @property
    def is_old(self) -> bool:
        return self is not Protocol.CURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """Where the engine keeps its files, what it offers and how slow it pretends to be."""

    home: Path  # holds output/, input/, temp/ and executed.jsonl
    step_delay_s: float = 0.1
    load_delay_s: float = 0.0  # paid whenever another checkpoint than the last one is used
    speed: float = 1.0  # both delays are divided by it
    checkpoints: tuple[str, ...] = DEFAULT_CHECKPOINTS
    loras: tuple[str, ...] = DEFAULT_LORAS
    without_classes: tuple[str, ...] = ()  # node classes this engine lacks
    vram_gb: float = 8.0  # shown, never allocated
    protocol: Protocol = Protocol.CURRENT
    faults: bool = False  # allows /demo/faults, which can kill this process
    preview_side_px: int = 512

    def models(self) -> Mapping[str, tuple[str, ...]]:
        """Names by model folder."""
        return {"checkpoints": self.checkpoints, "loras": self.loras, **OTHER_MODELS}
