"""The finished pictures: browse, find, delete and restore; and take in files without a row."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from uuid import UUID

from app.errors import BadOutputError, NotFoundError, StorageError
from app.events import EventBus, ImageAdded, ImageDeleted, ImageRestored
from app.fleet import Fleet
from app.ids import new_id
from app.models import Image
from app.ports import Clock, FileStore, ImageFilter, ImageStore, JobStore, Outline
from app.said import Said
from app.views import ImageView, image_view

log = logging.getLogger(__name__)

COUNT_CAP = 1000
"""Totals are exact up to here; beyond, counting costs more than it tells."""
_NAME_LENGTH = 48


class GalleryService:
    """Everything the pages and the API do with images."""

    def __init__(
        self,
        *,
        store: ImageStore,
        jobs: JobStore,
        files: FileStore,
        fleet: Fleet,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._files = files
        self._fleet = fleet
        self._bus = bus
        self._clock = clock
        self._opened_at = clock.now()

    async def page(
        self, image_filter: ImageFilter, *, limit: int, cursor: int | None = None
    ) -> tuple[list[ImageView], int | None]:
        """Images newest first, and the cursor of what follows."""
        page = await self._store.page(image_filter, limit=limit, cursor=cursor)
        return [self.view(image) for image in page.items], page.next_cursor

    async def count(self, image_filter: ImageFilter) -> int | str:
        """How many match: exact to 1,000, then "1000+"."""
        counted = await self._store.count(image_filter, cap=COUNT_CAP + 1)
        return counted if counted <= COUNT_CAP else f"{COUNT_CAP}+"

    async def outline(self, image_filter: ImageFilter) -> Outline:
        """The shape of the whole list, for jumping anywhere in it."""
        return await self._store.outline(image_filter)

    async def find(self, image_id: UUID) -> Image:
        """The image, also one in the trash.

        Raises:
            NotFoundError: there is none with that id.
        """
        image = await self._store.get(image_id)
        if image is None:
            raise NotFoundError(Said("There is no image {id}.", id=image_id))
        return image

    async def get(self, image_id: UUID) -> ImageView:
        """One image for the wire; says whether its file is still there."""
        image = await self.find(image_id)
        return self.view(image).model_copy(update={"missing": not self.path(image).is_file()})

    async def find_many(self, image_ids: Sequence[UUID]) -> list[Image]:
        """Those that exist, in the order asked."""
        return await self._store.get_many(image_ids)

    async def neighbours(
        self, image_id: UUID, image_filter: ImageFilter
    ) -> tuple[UUID | None, UUID | None]:
        """The next newer and the next older image of the list."""
        return await self._store.neighbours(await self.find(image_id), image_filter)

    def view(self, image: Image) -> ImageView:
        """An image for the wire."""
        return image_view(
            image,
            backend=self._fleet.info(image.backend_id),
            download_name=download_name(image),
        )

    def path(self, image: Image) -> Path:
        """Its file; it may be missing."""
        return self._files.path(image.file)

    async def thumbnail(self, image: Image) -> Path:
        """Its thumbnail, made again if somebody deleted it.

        Raises:
            NotFoundError: the picture itself is gone.
        """
        path = self._files.thumbnail(image.sha256)
        if path.is_file():
            return path
        try:
            return await self._files.remake_thumbnail(image.file, image.sha256)
        except StorageError as exc:
            log.warning("No thumbnail for image %s: %s", image.id, exc)
            message = Said("The file of image {id} is gone from the disk.", id=image.id)
            raise NotFoundError(message, fix=Said("Was it moved or deleted by hand?")) from exc

    async def delete(self, image_ids: Sequence[UUID]) -> list[UUID]:
        """Move images to the trash; the ids of those that were not there yet."""
        changed = await self._store.set_deleted(image_ids, self._clock.now())
        for image, logged in changed:
            self._bus.publish(ImageDeleted(image=image, logged=logged))
        return [image.id for image, _ in changed]

    async def restore(self, image_ids: Sequence[UUID]) -> list[UUID]:
        """Bring images back from the trash; the ids of those that were there."""
        changed = await self._store.set_deleted(image_ids, None)
        for image, logged in changed:
            self._bus.publish(ImageRestored(image=image, logged=logged))
        return [image.id for image, _ in changed]

    async def sweep(self) -> int:
        """Take in picture files that have no row; how many.

        A file named after an attempt of ours is left alone: its job brings it in itself.
        """
        await self._files.discard_halves(before=self._opened_at)
        strays = await self._files.strays()
        known = await self._store.known_files(strays)
        unknown = [file for file in strays if file not in known]
        named = {file: attempt_id for file in unknown if (attempt_id := _attempt_id(file))}
        ours = await self._jobs.attempt_ids(list(named.values()))
        taken = 0
        for file in unknown:
            if named.get(file) not in ours:
                taken += await self._take_in(file)
        if taken:
            log.info("Took in %d pictures that were found in the outputs folder", taken)
        return taken

    async def _take_in(self, file: PurePosixPath) -> bool:
        try:
            stored = await self._files.inspect(file)
        except (BadOutputError, StorageError) as exc:
            log.warning("Left %s alone: %s", file, exc)
            return False
        image = Image(
            id=new_id(),
            job_id=None,
            attempt_id=None,
            backend_id=None,
            file=stored.file,
            mime=stored.mime,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            width=stored.width,
            height=stored.height,
            kind=stored.kind,
            duration_s=stored.duration_s,
            request=None,
            created_at=self._clock.now(),
        )
        added = await self._store.add_found(image)
        if added is not None:
            self._bus.publish(ImageAdded(image=added[0], logged=added[1]))
        return added is not None


def download_name(image: Image) -> str:
    """A name that says what it is: date, the beginning of the prompt, seed."""
    suffix = image.file.suffix
    if image.request is None:
        return image.file.name
    text = unicodedata.normalize("NFC", image.request.prompt)
    words = re.sub(r"[\W_]+", "-", text).strip("-")[:_NAME_LENGTH].strip("-").lower()
    return f"{image.created_at:%Y-%m-%d}_{words or 'picture'}_{image.request.seed}{suffix}"


def _attempt_id(file: PurePosixPath) -> UUID | None:
    try:
        return UUID(file.name.split("_", 1)[0])
    except ValueError:
        return None
