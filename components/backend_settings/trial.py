"""What came of trying an address, leg by leg."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from app.machines import Trial
from app.models import BackendStatus
from components.i18n import number, say, tr, trn
from components.theme import icon

_GB = 1024**3


class TrialPanel(ui.element):
    """Empty until something was tried; `on_use` gets a better address that somebody chose."""

    def __init__(self, *, on_use: Callable[[str], Awaitable[None]]) -> None:
        super().__init__("section")
        self._on_use = on_use
        self.classes("o-panel o-trial").props("data-testid=backend-trial aria-live=polite")
        self.props(f'aria-label="{tr("Connection test")}"')
        self.rest()

    def rest(self) -> None:
        """Show what a test would tell."""
        self.clear()
        with self:
            self._head(None)
            for name in self._legs():
                _leg("clock", name, "–", classes="o-mut")

    def wait(self) -> None:
        """Say that it is being tried."""
        self.clear()
        with self:
            self._head(None)
            _leg("run", tr("Connecting…"), "", classes="o-trial-busy")
            for name in self._legs()[1:]:
                _leg("clock", name, "–", classes="o-mut")

    def show(self, trial: Trial) -> None:
        """Show what was found, or why nothing was."""
        self.clear()
        with self:
            self._head(trial.seconds)
            if trial.status.online:
                self._found(trial.status)
            else:
                self._failed(trial)
            if trial.known is not None:
                text = tr("{name} has this address already.", name=trial.known.name)
                _leg("alert", text, "", classes="o-trial-warn")

    def _legs(self) -> list[str]:
        return [
            tr("Machine answers"),
            tr("ComfyUI version"),
            tr("Graphics card"),
            tr("Live updates (WebSocket)"),
            tr("Nodes and models"),
        ]

    def _head(self, seconds: float | None) -> None:
        with ui.element("div").classes("o-panel-head o-panel-head-line"):
            with ui.element("h2"):
                ui.label(tr("Connection test"))
            if seconds is not None:
                ui.label(tr("{n} s", n=f"{seconds:.1f}")).classes("o-count")

    def _found(self, status: BackendStatus) -> None:
        answers, version, card, live, nodes = self._legs()
        latency = status.latency_ms
        _leg("done", answers, "" if latency is None else tr("{ms} ms", ms=round(latency)))
        _leg("done", version, status.version or "–")
        memory = ""
        if status.vram_total_bytes:
            memory = tr("{gb} GB", gb=f"{status.vram_total_bytes / _GB:.0f}")
        _leg("done", card, memory, more=status.gpu_name or tr("none, it works on the processor"))
        _leg("done", live, "")
        catalog = status.catalog
        if catalog is not None:
            models = sum(len(names) for names in catalog.models.values())
            many = number(len(catalog.node_classes))
            _leg("done", nodes, many, more=trn("{n} model file", "{n} model files", models))

    def _failed(self, trial: Trial) -> None:
        error = say(trial.status.last_error or "")
        _leg("fail", tr("Nothing usable answers there"), "", more=error, classes="o-trial-bad")
        if trial.better_url is not None:
            with ui.element("div").classes("o-trial-hint"):
                ui.label(tr("A ComfyUI answers on the usual port of that machine."))
                use = ui.element("button").classes("o-link")
                use.props("type=button data-testid=backend-use-url")
                use.on("click", partial(self._on_use, trial.better_url))
                with use:
                    ui.label(tr("Use {url}", url=trial.better_url))
        for name in self._legs()[1:]:
            _leg("clock", name, "–", classes="o-mut")


def _leg(symbol: str, name: str, fact: str, *, more: str = "", classes: str = "") -> None:
    with ui.element("div").classes(f"o-leg {classes}"):
        with ui.element("span").classes("o-leg-icon"):
            icon(symbol, classes="o-i-s")
        with ui.element("div").classes("o-col"):
            ui.label(name).classes("o-leg-name")
            if more:
                ui.label(more).classes("o-leg-more")
        ui.label(fact).classes("o-num o-mut")
