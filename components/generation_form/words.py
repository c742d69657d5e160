"""What presets and their settings are called, for those who show them."""

from typing import Any

from app.graphs.preset import Preset
from app.presets import Presets
from components.generation_form.labels import field_label
from components.generation_form.values import make_of
from components.i18n import tr


def preset_words(presets: Presets) -> list[dict[str, Any]]:
    """The presets as the gallery names them: `{id, name, fields, options}`.

    The id of a saved workflow is that of the workflow, whatever version a picture was made with.
    """
    return [_words(preset) for preset in presets.all()]


def _words(preset: Preset) -> dict[str, Any]:
    is_ours = preset.version is None
    return {
        "id": make_of(preset),
        "name": tr(preset.name) if is_ours else preset.name,
        "fields": list(preset.fields),
        "options": {
            option.name: field_label(option.label, is_ours=is_ours) for option in preset.options
        },
    }
