"""Files to start from: pictures, masks, videos, sounds. Given once, kept by their content, named in
requests."""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from app.errors import InvalidRequestError, NotFoundError
from app.models import MediaKind
from app.ports import FileStore, ImageStore
from app.said import Said

TYPES: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "glb": "model/gltf-binary",
}
"""What can be given, by the suffix of its name."""
_NAME = re.compile(rf"[0-9a-f]{{64}}\.({'|'.join(TYPES)})")
_MOVING = ("gif", "webp")  # pictures that nodes take for videos
_IMAGES: tuple[MediaKind, ...] = ("image",)
_WANTED: Mapping[MediaKind, Said] = {
    "image": Said("A picture is wanted here, and this file is none."),
    "video": Said("A video is wanted here, and this file is none."),
    "audio": Said("A sound is wanted here, and this file is none."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that was given."""

    name: str  # "<sha256>.<ext>": the same file has the same name
    width: int  # as seen, also where the file says that it is turned; 0: there is nothing to see
    height: int
    size_bytes: int
    kind: MediaKind = "image"
    duration_s: float | None = None  # of a video or a sound

    @property
    def mime(self) -> str:
        """Its type, as browsers want to know it."""
        return TYPES[self.name.rpartition(".")[2]]

    def serves_as(self, kind: MediaKind) -> bool:
        """Whether it can be given where such a file is wanted."""
        moves = kind == "video" and self.name.endswith(_MOVING)
        return kind in ("file", self.kind) or moves


class InputStore(Protocol):
    """The folder of such files."""

    async def save(self, data: bytes) -> InputFile:
        """Keep a file; one that is there already is left as it is.

        Raises:
            InvalidRequestError: it is no whole picture, video or sound, or one too large.
            StorageError: the disk is full, read-only or gone; nothing of the file remains.
        """
        ...

    async def look(self, name: str) -> InputFile | None:
        """What is known of a file that is there."""
        ...

    async def thumbnail(self, name: str) -> Path | None:
        """A small picture of it, its first frame if it is a video; None: there is none to see."""
        ...

    async def copy(self, source: Path) -> InputFile:
        """Keep a file that lies elsewhere.

        Raises:
            NotFoundError: it is not there.
            InvalidRequestError, StorageError: as `save`.
        """
        ...

    def path(self, name: str) -> Path:
        """Where the file lies; it may be missing."""
        ...


class InputService:
    """Everything people and backends do with files to start from."""

    def __init__(self, *, store: InputStore, images: ImageStore, files: FileStore) -> None:
        self._store = store
        self._images = images
        self._files = files

    async def add(self, data: bytes) -> InputFile:
        """Keep a file.

        Raises:
            InvalidRequestError: it is no picture, video or sound, a damaged one, or one too large.
            StorageError: our disk cannot take it.
        """
        return await self._store.save(data)

    async def from_image(
        self, image_id: UUID, *, kinds: Collection[MediaKind] = _IMAGES
    ) -> InputFile:
        """Keep a copy of a file of the gallery, which then may be deleted there.

        Raises:
            NotFoundError: there is none with that id, or its file is gone.
            InvalidRequestError: it is of another kind.
        """
        image = await self._images.get(image_id)
        if image is None:
            raise NotFoundError(Said("There is no image {id}.", id=image_id))
        if image.kind not in kinds:
            raise InvalidRequestError("imageId", Said("Only a picture can be started from."))
        return await self._store.copy(self._files.path(image.file))

    async def get(self, name: str) -> InputFile:
        """What is known of a file.

        Raises:
            NotFoundError: there is none of that name.
        """
        found = await self._store.look(name) if _NAME.fullmatch(name) else None
        if found is None:
            raise NotFoundError(Said("There is no input file '{name}'.", name=name[:100]))
        return found

    async def require(self, name: str, *, field: str, kind: MediaKind = "image") -> InputFile:
        """What is known of a file that a request names.

        Raises:
            InvalidRequestError: there is none of that name, or it is of another kind.
        """
        try:
            found = await self.get(name)
        except NotFoundError as exc:
            raise InvalidRequestError(
                field,
                exc.message,
                fix=Said("Give the file again: only its name came, and the file is gone."),
            ) from exc
        if not found.serves_as(kind):
            raise InvalidRequestError(field, _WANTED[kind])
        return found

    async def thumbnail(self, name: str) -> Path:
        """Where a small picture of a file lies: its first frame, if it is a video.

        Raises:
            NotFoundError: there is no such file, or nothing of it can be seen.
        """
        found = await self.get(name)
        made = await self._store.thumbnail(found.name)
        if made is None:
            raise NotFoundError(Said("There is no picture of '{name}'.", name=name[:100]))
        return made

    async def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            NotFoundError: there is none of that name.
        """
        found = await self.get(name)
        return await asyncio.to_thread(self._store.path(found.name).read_bytes)

    def path(self, name: str) -> Path:
        """Where a file lies; it may be missing.

        Raises:
            NotFoundError: this is no name of a file.
        """
        if not _NAME.fullmatch(name):
            raise NotFoundError(Said("There is no input file '{name}'.", name=name[:100]))
        return self._store.path(name)
