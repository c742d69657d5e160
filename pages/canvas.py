"""The gallery page: every picture ever made, found by words, backend and date."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from nicegui import ui

from app.errors import InvalidRequestError, NotFoundError, OrchestratorError, StorageError
from app.events import Event, ImageAdded, ImageDeleted, ImageRestored
from app.gallery import GalleryService
from app.ports import ImageFilter
from app.services import Services
from components import notify
from components.feed import Batch, ClientFeed
from components.generation_form.choices import backend_names
from components.generation_form.words import preset_words
from components.i18n import say, tr, trn
from components.image_grid import ImageGrid, Removal
from components.scope import Scope

BATCH = 500  # pictures deleted or restored at once

SHORTCUTS: tuple[tuple[str, str], ...] = (
    ("/", "Search"),
    ("← ↑ → ↓", "Move between images"),
    ("↵", "Open the image"),
    ("Space", "Select the image, or play the video"),
    ("Shift", "Select a range, with arrows or a click"),
    ("Ctrl A", "Select all that match"),
    ("Esc", "Close, or clear the selection"),
    ("Z", "Whole pictures or square tiles"),
    ("I", "Show or hide information"),
    ("C", "Copy the prompt"),
    ("U", "Use the settings again"),
    ("D", "Download"),
    ("Del", "Delete"),
    ("+ −", "Zoom in or out"),
    ("F", "Fit the image to the window"),
    ("1", "Show the image at 100 %"),
)
"""Keys and what they do here; the descriptions are messages for `tr`."""


def canvas(services: Services, image_id: str | None = None) -> None:
    """Show the gallery, and that picture large when one is named.

    The component reads `image_id` and the filter from the address itself, so that going from
    picture to picture needs no new page; the server only hands over what changes.
    """
    del image_id
    ui.page_title(f"{tr('Canvas')} – Orchestrator")
    with Scope() as scope:
        names = backend_names(services.fleet)
        grid = ImageGrid(
            backends=[{"id": info.id, "name": names[info.id]} for info in services.fleet.infos()],
            presets=preset_words(services.presets),
            start=ui.context.client.sub_pages_router.current_path,
        )
    grid.on_about(lambda job_id: _tell_about(services, grid, job_id))
    grid.on_remove(lambda removal: _remove(services, grid, removal))
    grid.on_failed(lambda reason: notify.show_error(StorageError(reason)))
    feed = ClientFeed(
        ui.context.client,
        bus=services.bus,
        snapshot=lambda: _refresh(grid),
        fold=fold,
        send=lambda _: grid.send_changed(),
    )
    scope.task(feed.run(), name="canvas feed")


def fold(event: Event, batch: Batch) -> None:
    """Note that a picture came, went or came back; what it looks like the browser reads itself."""
    match event:
        case ImageAdded(image=image) | ImageRestored(image=image):
            batch.setdefault("images", {})[str(image.id)] = True
        case ImageDeleted(image=image):
            batch.setdefault("images", {})[str(image.id)] = False
        case _:
            pass


async def _tell_about(services: Services, grid: ImageGrid, job_id: UUID) -> None:
    try:
        job = await services.jobs.get(job_id)
    except NotFoundError:
        grid.send_about(job_id, [])  # long gone; its pictures stay
    else:
        grid.send_about(job_id, [say(each) for each in job.notices])


async def _refresh(grid: ImageGrid) -> None:
    grid.send_refresh()


async def _remove(services: Services, grid: ImageGrid, removal: Removal) -> None:
    """Move the pictures to the trash and offer to take it back."""
    gone: list[UUID] = []
    try:
        async for batch in removed_ids(services.gallery, removal):
            gone += await services.gallery.delete(batch)
    except OrchestratorError as exc:
        notify.show_error(exc)
    if not gone:
        grid.send_stay()
        return
    text = trn("{n} image moved to trash", "{n} images moved to trash", len(gone))
    notify.show_undo(text, lambda: _restore(services.gallery, gone))


async def _restore(gallery: GalleryService, image_ids: Sequence[UUID]) -> None:
    for start in range(0, len(image_ids), BATCH):
        await gallery.restore(image_ids[start : start + BATCH])


async def removed_ids(gallery: GalleryService, removal: Removal) -> AsyncIterator[list[UUID]]:
    """The pictures a removal means, newest first, in batches that leave others room to work.

    Raises:
        InvalidRequestError: its filter is not one of ours.
    """
    if removal.ids:
        yield list(removal.ids)
    wanted = image_filter(removal.filter)
    for low, high in reversed(removal.ranges):
        more, cursor = True, high
        while more:
            images, cursor = await gallery.page(wanted, limit=BATCH, cursor=cursor)
            batch = [image.id for image in images if low is None or image.cursor >= low]
            more = cursor is not None and len(batch) == len(images)
            if batch:
                yield batch


def image_filter(params: Mapping[str, str]) -> ImageFilter:
    """The filter that the parameters of `/api/images` mean.

    Raises:
        InvalidRequestError: a date is none.
    """
    return ImageFilter(
        text=params.get("q") or None,
        backend=params.get("backend") or None,
        since=_midnight(params.get("from"), plus=0),
        until=_midnight(params.get("to"), plus=1),
    )


def _midnight(day: str | None, *, plus: int) -> datetime | None:
    """The beginning of a day, as the API counts them: in UTC."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time.min, tzinfo=UTC) + timedelta(plus)
    except (ValueError, OverflowError) as exc:
        raise InvalidRequestError("date", f"{day} is not a day.") from exc
