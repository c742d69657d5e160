"""What a user chose for this browser: theme, language, what the form held last.

NiceGUI keeps it as one small file per browser session; nothing else is stored there.
"""

from collections.abc import MutableMapping
from typing import Any

# The page state of a browser is NiceGUI's to keep, and only this module asks for it.
from nicegui import app as nicegui_app  # noqa: TID251


def preferences() -> MutableMapping[str, Any]:
    """The preferences of the browser this page belongs to; changes are kept."""
    return nicegui_app.storage.user
