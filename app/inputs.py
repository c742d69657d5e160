"""Pictures to start from, and masks: given once, kept by their content, named in requests."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from app.errors import InvalidRequestError, NotFoundError
from app.ports import FileStore, ImageStore
from app.said import Said

_NAME = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp|gif|bmp|tiff)")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A picture that was given."""

    name: str  # "<sha256>.<ext>": the same picture has the same name
    width: int  # as seen, also where the file says that it is turned
    height: int
    size_bytes: int


class InputStore(Protocol):
    """The folder of such pictures."""

    async def save(self, data: bytes) -> InputFile:
        """Keep a picture; one that is there already is left as it is.

        Raises:
            InvalidRequestError: it is no whole picture, or one too large.
            StorageError: the disk is full, read-only or gone; nothing of the file remains.
        """
        ...

    async def look(self, name: str) -> InputFile | None:
        """What is known of a picture that is there."""
        ...

    async def copy(self, source: Path) -> InputFile:
        """Keep a picture that lies elsewhere.

        Raises:
            NotFoundError: it is not there.
            InvalidRequestError, StorageError: as `save`.
        """
        ...

    def path(self, name: str) -> Path:
        """Where the picture lies; it may be missing."""
        ...


class InputService:
    """Everything people and backends do with pictures to start from."""

    def __init__(self, *, store: InputStore, images: ImageStore, files: FileStore) -> None:
        self._store = store
        self._images = images
        self._files = files

    async def add(self, data: bytes) -> InputFile:
        """Keep a picture.

        Raises:
            InvalidRequestError: it is no picture, a damaged one, or one too large.
            StorageError: our disk cannot take it.
        """
        return await self._store.save(data)

    async def from_image(self, image_id: UUID) -> InputFile:
        """Keep a copy of a picture of the gallery, which then may be deleted there.

        Raises:
            NotFoundError: there is none with that id, or its file is gone.
            InvalidRequestError: it is a video, a sound or a text.
        """
        image = await self._images.get(image_id)
        if image is None:
            raise NotFoundError(Said("There is no image {id}.", id=image_id))
        if image.kind != "image":
            raise InvalidRequestError("imageId", Said("Only a picture can be started from."))
        return await self._store.copy(self._files.path(image.file))

    async def get(self, name: str) -> InputFile:
        """What is known of a picture.

        Raises:
            NotFoundError: there is none of that name.
        """
        found = await self._store.look(name) if _NAME.fullmatch(name) else None
        if found is None:
            raise NotFoundError(Said("There is no input picture '{name}'.", name=name[:100]))
        return found

    async def require(self, name: str, *, field: str) -> InputFile:
        """What is known of a picture that a request names.

        Raises:
            InvalidRequestError: there is none of that name.
        """
        try:
            return await self.get(name)
        except NotFoundError as exc:
            raise InvalidRequestError(
                field,
                exc.message,
                fix=Said("Give the picture again: only its name came, and the file is gone."),
            ) from exc

    async def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            NotFoundError: there is none of that name.
        """
        found = await self.get(name)
        return await asyncio.to_thread(self._store.path(found.name).read_bytes)

    def path(self, name: str) -> Path:
        """Where a picture lies; it may be missing.

        Raises:
            NotFoundError: this is no name of a picture.
        """
        if not _NAME.fullmatch(name):
            raise NotFoundError(Said("There is no input picture '{name}'.", name=name[:100]))
        return self._store.path(name)
