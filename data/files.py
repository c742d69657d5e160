"""The outputs folder: files that are there whole or not at all, and their thumbnails.

A picture is written beside its final name, fsynced, looked at, renamed, and its folder fsynced;
whoever finds a file under its final name may trust it.
"""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from app.errors import BadOutputError, StorageError
from app.ports import StoredFile
from app.said import Said

THUMBNAIL_SIDE = 384  # pixels of the longer side
_PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
_MAX_PIXELS = 16_384 * 16_384  # the largest picture one may ask for
Pillow.MAX_IMAGE_PIXELS = _MAX_PIXELS  # its own limit is lower, and would refuse such a picture
_WORKERS = 2  # decoding saturates a core; more would starve the event loop's machine
_TEMP = ".part"


class PictureFiles:
    """`app.ports.FileStore` on a local folder."""

    def __init__(self, *, outputs: Path, thumbnails: Path) -> None:
        self._outputs = outputs
        self._thumbnails = thumbnails
        self._decoding = asyncio.Semaphore(_WORKERS)

    async def save(self, name: PurePosixPath, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Write a picture that arrives in pieces; nothing remains of it unless all went well."""
        target = self.path(name)
        temp = target.with_name(f".{target.name}{_TEMP}")
        with _as_storage_error(target):
            stream = await asyncio.to_thread(_open_for_writing, temp)
        try:
            digest = hashlib.sha256()
            with _as_storage_error(target):
                async for chunk in chunks:
                    digest.update(chunk)
                    await asyncio.to_thread(stream.write, chunk)
                await asyncio.to_thread(_sync_and_close, stream)
                stored = await self._look(temp, name, sha256=digest.hexdigest())
                await asyncio.to_thread(_rename, temp, target)
            return stored
        finally:
            # Also when cancelled: half a file must never stay, and unlink is quick.
            with suppress(OSError):  # a full disk refuses what is left in the buffer once more
                stream.close()
            temp.unlink(missing_ok=True)

    async def strays(self) -> list[PurePosixPath]:
        """Every finished picture file, oldest first."""
        return await asyncio.to_thread(_finished_pictures, self._outputs)

    async def discard_halves(self, *, before: datetime) -> None:
        """Remove what a killed process left half-written."""
        for root in (self._outputs, self._thumbnails):
            with suppress(OSError):  # a folder that cannot be written has nothing to clear
                await asyncio.to_thread(_remove_halves, root, before.timestamp())

    async def inspect(self, name: PurePosixPath) -> StoredFile:
        """Read a file that is there already, and make its thumbnail."""
        path = self.path(name)
        with _as_storage_error(path):
            sha256 = await asyncio.to_thread(_hash, path)
            return await self._look(path, name, sha256=sha256)

    def path(self, file: PurePosixPath) -> Path:
        """Where the file lies; it may be missing.

        Raises:
            StorageError: the name leads out of the outputs folder.
        """
        if file.is_absolute() or ".." in file.parts:
            raise StorageError(Said("'{file}' is not inside the outputs folder.", file=file))
        return self._outputs / file

    def thumbnail(self, sha256: str) -> Path:
        """Where its thumbnail lies; it may be missing."""
        return self._thumbnails / sha256[:2] / f"{sha256}.webp"

    async def remake_thumbnail(self, file: PurePosixPath, sha256: str) -> Path:
        """Make a missing thumbnail again."""
        source, target = self.path(file), self.thumbnail(sha256)
        with _as_storage_error(source):
            try:
                async with self._decoding:
                    await asyncio.to_thread(_examine, source, target)
            except BadOutputError as exc:
                message = Said(
                    "The picture {path} cannot be read: {cause}", path=source, cause=exc.message
                )
                raise StorageError(message) from exc
        return target

    async def _look(self, path: Path, name: PurePosixPath, *, sha256: str) -> StoredFile:
        async with self._decoding:
            seen = await asyncio.to_thread(_examine, path, self.thumbnail(sha256))
        return StoredFile(
            file=name,
            mime=seen.mime,
            sha256=sha256,
            size_bytes=seen.size_bytes,
            width=seen.width,
            height=seen.height,
            metadata=seen.metadata,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    mime: str
    size_bytes: int
    width: int
    height: int
    metadata: dict[str, str]


def _examine(path: Path, thumbnail: Path) -> _Seen:
    """Decode the whole picture, so that a truncated one is found now, and make its thumbnail."""
    try:
        with Pillow.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise BadOutputError(
                    Said("{w} × {h} pixels are too many.", w=picture.width, h=picture.height)
                )
            metadata = {str(k): v for k, v in picture.info.items() if isinstance(v, str)}
            mime = Pillow.MIME.get(picture.format or "", "application/octet-stream")
            width, height = picture.size
            picture.load()
            _write_thumbnail(picture, thumbnail)
    except (UnidentifiedImageError, SyntaxError, ValueError, Pillow.DecompressionBombError) as exc:
        raise BadOutputError(Said("The file is not a picture that can be read.")) from exc
    except OSError as exc:
        if exc.errno is not None:  # the disk, not the picture
            raise
        raise BadOutputError(Said("The picture is truncated or damaged.")) from exc
    return _Seen(
        mime=mime,
        size_bytes=path.stat().st_size,
        width=width,
        height=height,
        metadata=metadata,
    )


def _write_thumbnail(picture: Pillow.Image, target: Path) -> None:
    if target.exists():
        return
    small = ImageOps.exif_transpose(picture)
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Pillow.Resampling.BICUBIC, reducing_gap=2.0)
    target.parent.mkdir(parents=True, exist_ok=True)
    temp = target.with_name(f".{target.name}.{os.getpid()}{_TEMP}")
    try:
        small.convert("RGBA" if "A" in small.getbands() else "RGB").save(
            temp, "WEBP", quality=78, method=2
        )
        temp.replace(target)
    finally:
        temp.unlink(missing_ok=True)


@contextmanager
def _as_storage_error(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as exc:
        raise storage_error(path, exc) from exc


def storage_error(path: Path, exc: OSError) -> StorageError:
    """What the operating system said, for people."""
    folder = path.parent
    match exc.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StorageError(
                Said("The disk with {folder} is full.", folder=folder),
                fix=Said("Free some space, then press Retry."),
            )
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return StorageError(
                Said("{folder} cannot be written: {cause}.", folder=folder, cause=exc.strerror),
                fix=Said("Make the folder writable, or set another with ORCHESTRATOR_OUTPUTS."),
            )
        case errno.ENOENT:
            return StorageError(
                Said("{path} is gone.", path=path), fix=Said("Was it moved or deleted by hand?")
            )
        case _:
            cause = exc.strerror or str(exc)
            return StorageError(Said("{path} cannot be used: {cause}.", path=path, cause=cause))


def _open_for_writing(temp: Path) -> BinaryIO:
    temp.parent.mkdir(parents=True, exist_ok=True)
    return temp.open("wb")


def _sync_and_close(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
    stream.close()


def _rename(temp: Path, target: Path) -> None:
    temp.replace(target)
    if os.name != "nt":  # Windows has no way to sync a folder, and needs none
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remove_halves(root: Path, before: float) -> None:
    for path in root.rglob(f".*{_TEMP}"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)


def _finished_pictures(root: Path) -> list[PurePosixPath]:
    found: list[tuple[float, PurePosixPath]] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or path.suffix.lower() not in _PICTURES or path.is_symlink():
                continue
            modified = path.stat().st_mtime
            found.append((modified, PurePosixPath(path.relative_to(root).as_posix())))
    return [name for _, name in sorted(found)]
