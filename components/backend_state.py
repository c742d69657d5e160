"""How a backend is, in the one word that the lists of backends look their icon and text up by."""

from app.models import FLUX
from app.services import Services
from app.views import BackendView


def state_of(view: BackendView, services: Services) -> str:
    """`on`, `away`, `new` (not connected yet), `off`, `rest`, `try` (after a rest) or `dry`."""
    if not view.enabled:
        return "off"
    if view.id == FLUX and not services.settings.allow_generation:
        return "dry"
    if not view.online:
        return "away" if view.last_error else "new"
    return {"closed": "on", "open": "rest", "half_open": "try"}[view.circuit]
