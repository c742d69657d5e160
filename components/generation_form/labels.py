"""What the fields of presets and workflows are called on the page."""

from app.drawing.form.exposing import LABELS
from components.i18n import tr

MESSAGES = (
    "Prompt", "Negative prompt", "Seed", "Width", "Height", "Steps", "CFG", "Guidance", "Sampler",
    "Scheduler", "Denoise", "Checkpoint", "VAE", "LoRA", "LoRA strength", "Image", "Video",
    "Sound",
)  # fmt: skip
"""What fields are called that nobody gave another name."""
_USUAL = frozenset(LABELS.values())


def field_label(label: str, *, is_ours: bool) -> str:
    """What a field is called on the page; what people named themselves stays in their language."""
    return tr(label) if is_ours or label in _USUAL else label
