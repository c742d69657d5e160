"""What presets and their settings are called, for those who show them."""

from typing import Any

from app.presets import Presets
from components.i18n import tr


def preset_words(presets: Presets) -> list[dict[str, Any]]:
    """The presets as the gallery names them: `{id, name, fields, options}`."""
    return [
        {
            "id": preset.id,
            "name": tr(preset.name),
            "fields": list(preset.fields),
            "options": {option.name: tr(option.label) for option in preset.options},
        }
        for preset in presets.all()
    ]
