"""What presets and their settings are called, for those who show them."""

from typing import Any

from app.graphs.preset import Preset
from app.presets import Presets
from components.generation_form.values import make_of
from components.i18n import tr


def preset_words(presets: Presets) -> list[dict[str, Any]]:
    """The presets as the gallery names them: `{id, name, fields, options}`.

    The id of a saved workflow is that of the workflow, whatever version a picture was made with.
    """
    return [_words(preset) for preset in presets.all()]


def _words(preset: Preset) -> dict[str, Any]:
    # What people named themselves is in the language they named it in.
    translate = tr if preset.version is None else str
    return {
        "id": make_of(preset),
        "name": translate(preset.name),
        "fields": list(preset.fields),
        "options": {option.name: translate(option.label) for option in preset.options},
    }
