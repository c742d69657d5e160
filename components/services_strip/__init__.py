"""The services strip: this app and every backend at a glance, as they change."""

from pathlib import Path
from typing import Any

from nicegui import ui

from app.events import (
    BackendChanged,
    BackendRemoved,
    ChargeChanged,
    Event,
    JobChanged,
    JobRemoved,
    QuarantineChanged,
    QueuePaused,
)
from app.models import DEMO
from app.services import Services
from components import modules as _modules  # noqa: F401  (registers what services_strip.js imports)
from components.backend_state import state_of
from components.feed import Batch, ClientFeed
from components.i18n import Message, say, texts, tr

SHEET = Path(__file__).with_name("services_strip.css")
PANEL = "panel"
TEXTS: tuple[Message, ...] = (
    "Services", "Panel", "Paused", "Add a machine", "not connected yet", "offline", "switched off",
    "resting", "trying again", "idle", "no GPU needed", "offline {age}",
    "retry in {age}", "dry run", "paid", "{used} / {total} GB", "{n} of others",
    "{n} s", "{n} min", "{n} h", "{n} d", "{ms} ms",
    ("{n} running", "{n} running"), ("{n} waiting", "{n} waiting"), ("{n} job", "{n} jobs"),
)  # fmt: skip


class ServicesStrip(ui.element, component="services_strip.js"):
    """A card each for this app and every backend; a click leads to its place in Diagnostics."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._sent: dict[str, dict[str, Any]] = {}
        self._props["texts"] = texts(*TEXTS)
        self.feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=_fold,
            send=self._send,
        )

    async def run(self) -> None:
        """Keep the cards right until cancelled."""
        await self.feed.run()

    async def _snapshot(self) -> None:
        self._sent = {}
        for info in self._services.fleet.infos():
            self._sent[info.id] = self._card(info.id)
        self._sent[PANEL] = self._panel()
        self.run_method("snapshot", self._order(), self._sent)

    def _send(self, batch: Batch) -> None:
        order = self._order()
        asked = [each for each in batch.get("cards", {}) if each in order]
        cards = {each: self._panel() if each == PANEL else self._card(each) for each in asked}
        changed = {each: card for each, card in cards.items() if self._sent.get(each) != card}
        if not changed and set(order) == set(self._sent):
            return
        self._sent = {each: card for each, card in self._sent.items() if each in order} | changed
        self.run_method("apply", order, changed)

    def _order(self) -> list[str]:
        return [PANEL, *(info.id for info in self._services.fleet.infos())]

    def _panel(self) -> dict[str, Any]:
        queue = self._services.jobs.queue()
        return {"kind": PANEL, **queue.model_dump()}

    def _card(self, backend_id: str) -> dict[str, Any]:
        view = self._services.fleet.view(backend_id)
        if view is None:  # removed between two looks
            return {}
        return {
            "name": tr("Demo engine") if view.id == DEMO else view.name,
            "kind": view.kind,
            "state": state_of(view, self._services),
            "ours": len(self._services.fleet.job_ids(backend_id)),
            "others": view.foreign_prompts,
            "latency": None if view.latency_ms is None else round(view.latency_ms),
            "seen": view.last_seen.isoformat() if view.last_seen else None,
            "until": view.circuit_until.isoformat() if view.circuit_until else None,
            "vramTotal": view.vram_total,
            "vramFree": view.vram_free,
            "gpu": view.gpu_name,
            "why": say(view.circuit_reason or "") if view.circuit != "closed" else "",
            "error": say(view.last_error or ""),
        }


def _fold(event: Event, batch: Batch) -> None:
    cards = batch.setdefault("cards", {})
    match event:
        case BackendChanged(info=info):
            cards[info.id] = {}
        case BackendRemoved(backend_id=backend_id) | QuarantineChanged(backend_id=backend_id):
            cards[backend_id] = {}
        case JobChanged(job=job):
            cards[PANEL] = {}
            if job.backend_id is not None:
                cards[job.backend_id] = {}
        case JobRemoved() | QueuePaused() | ChargeChanged():
            cards[PANEL] = {}
        case _:
            pass
    if not cards:
        del batch["cards"]
