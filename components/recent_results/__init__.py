"""Recent results: the last pictures, as they come and go."""

from pathlib import Path
from typing import Any

from nicegui import ui

from app.events import Event, ImageAdded, ImageDeleted, ImageRestored
from app.ports import ImageFilter
from app.services import Services
from app.views import ImageView
from components import modules as _modules  # noqa: F401  (registers what recent_results.js imports)
from components.feed import Batch, ClientFeed
from components.i18n import Message, texts

SHEET = Path(__file__).with_name("recent_results.css")
SHOWN = 16
TEXTS: tuple[Message, ...] = (
    "Recent results", "Open Canvas", "Pictures you make land here.", "Use settings",
)  # fmt: skip


class RecentResults(ui.element, component="recent_results.js"):
    """The last pictures; emits `use` with the id of the one whose settings are wanted."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._gallery = services.gallery
        self._props["texts"] = texts(*TEXTS)
        self.feed = ClientFeed(
            ui.context.client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=self._fold,
            send=self._send,
        )

    async def run(self) -> None:
        """Feed the element until cancelled."""
        await self.feed.run()

    async def _snapshot(self) -> None:
        images, _ = await self._gallery.page(ImageFilter(), limit=SHOWN)
        self.run_method("snapshot", [_thumb(image) for image in images])

    def _send(self, batch: Batch) -> None:
        if batch["images"].pop("gap", None):
            self.feed.refresh()
        self.run_method("apply", batch["images"])

    def _fold(self, event: Event, batch: Batch) -> None:
        match event:
            case ImageAdded():
                image = _thumb(self._gallery.view(event.image)) | {"fresh": True}
                batch.setdefault("images", {})[str(event.image.id)] = image
            case ImageRestored():
                image = _thumb(self._gallery.view(event.image))
                batch.setdefault("images", {})[str(event.image.id)] = image
            case ImageDeleted():
                # What moves up into the place that is left is not known here: read again.
                batch.setdefault("images", {})[str(event.image.id)] = {"gone": True}
                batch["images"]["gap"] = {"gone": True}
            case _:
                pass


def _thumb(image: ImageView) -> dict[str, Any]:
    return {
        "id": str(image.id),
        "cursor": image.cursor,
        "kind": image.kind,
        "file": image.file,
        "durationSeconds": image.duration_seconds,
        "prompt": image.prompt,
        "thumbnailUrl": image.thumbnail_url,
        "url": image.url,
        "width": image.width,
        "height": image.height,
        "backend": image.backend,
        "createdAt": image.created_at.isoformat(),
    }
