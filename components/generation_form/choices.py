"""What the form offers: backends with their state, and what the chosen one can do."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.fleet import Fleet
from app.models import AUTO, DEMO
from app.views import BackendView
from components.i18n import say, tr

_FALLBACK_SAMPLERS = ("euler",)
_FALLBACK_SCHEDULERS = ("normal",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A backend as the picker shows it."""

    id: str
    name: str
    online: bool
    state: str  # a sentence: ready, or why not

    @property
    def label(self) -> str:
        """The line in the list."""
        return self.name if self.online else f"{self.name} — {tr('offline')}"


class Choices:
    """What there is to choose from right now."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._views = {view.id: view for view in fleet.views() if view.enabled}

    def backends(self) -> list[Choice]:
        """The presets first, then every backend that draws with a model."""
        real = [view for view in self._views.values() if view.kind == "comfyui"]
        demo = [_demo(view) for view in self._views.values() if view.kind == "embedded"]
        auto = [_auto(real)] if real else []
        return [*demo, *auto, *(self._comfyui(view) for view in real)]

    def samplers(self, backend: str) -> list[str]:
        """What the backend reports, or something every one has while it is not known."""
        return _union(view.samplers for view in self._candidates(backend)) or list(
            _FALLBACK_SAMPLERS
        )

    def schedulers(self, backend: str) -> list[str]:
        """Like `samplers`."""
        return _union(view.schedulers for view in self._candidates(backend)) or list(
            _FALLBACK_SCHEDULERS
        )

    def checkpoints(self, backend: str) -> list[str]:
        """The models the backend has."""
        return _union(view.models.get("checkpoints", []) for view in self._candidates(backend))

    def _comfyui(self, view: BackendView) -> Choice:
        facts = [view.gpu_name, f"ComfyUI {view.comfy_version}" if view.comfy_version else None]
        ready = " · ".join(fact for fact in facts if fact) or tr("Online")
        why = say(self._fleet.status(view.id).last_error or "")
        state = ready if view.online else why or tr("Offline. Jobs wait until it is back.")
        return Choice(id=view.id, name=view.name, online=view.online, state=state)

    def _candidates(self, backend: str) -> list[BackendView]:
        if backend == AUTO:
            return [view for view in self._views.values() if view.kind == "comfyui"]
        return [view for view in self._views.values() if view.id == backend]


def backend_names(fleet: Fleet) -> dict[str, str]:
    """How boards and badges name each backend and preset."""
    names = {info.id: info.name for info in fleet.infos()}
    return {**names, DEMO: tr("Demo"), AUTO: tr("Any ComfyUI")}


def _demo(view: BackendView) -> Choice:
    state = tr("Demo — no AI model") if view.online else tr("The demo engine is starting.")
    return Choice(id=DEMO, name=tr("Demo"), online=view.online, state=state)


def _auto(views: list[BackendView]) -> Choice:
    online = [view.name for view in views if view.online]
    state = " · ".join(online) or tr("No backend is online. Jobs wait until one is.")
    return Choice(id=AUTO, name=tr("Any ComfyUI"), online=bool(online), state=state)


def _union(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(item for items in lists for item in items))
