"""The outputs folder: files that are there whole or not at all, and their thumbnails.

A file is written beside its final name, fsynced, looked at, renamed, and its folder fsynced;
whoever finds a file under its final name may trust it.
"""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO

from app.errors import BadOutputError, StorageError
from app.ports import StoredFile
from app.said import Said
from data.media import MAX_BYTES, THUMBNAIL_SIDE, Seen, is_ours, kind_of, look_at

__all__ = ["THUMBNAIL_SIDE", "PictureFiles", "move_into_place", "storage_error"]

_WORKERS = 2  # decoding saturates a core; more would starve the event loop's machine
_TEMP = ".part"
_HELD_BYTES = 4 * 2**20


class PictureFiles:
    """`app.ports.FileStore` on a local folder."""

    def __init__(self, *, outputs: Path, thumbnails: Path, held_bytes: int = _HELD_BYTES) -> None:
        """So much of a file on its way is in memory between two writes."""
        self._held_bytes = held_bytes
        self._outputs = outputs
        self._thumbnails = thumbnails
        self._decoding = asyncio.Semaphore(_WORKERS)

    async def save(self, name: PurePosixPath, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Write a file that arrives in pieces; nothing remains of it unless all went well."""
        target = self.path(name)
        part = _Part(target.with_name(f".{target.name}{_TEMP}"))
        try:
            digest, held = hashlib.sha256(), bytearray()
            left = MAX_BYTES[kind_of(name)]
            with _as_storage_error(target):
                async for chunk in chunks:
                    left -= len(chunk)
                    _refuse_beyond(left, name)
                    digest.update(chunk)
                    held += chunk
                    if len(held) >= self._held_bytes:
                        await asyncio.to_thread(part.write, bytes(held))
                        held.clear()
                # All that is left in one go: each hop to a thread costs as much as a small write.
                async with self._decoding:
                    return await asyncio.to_thread(
                        self._finish, part, bytes(held), name, digest.hexdigest()
                    )
        except BaseException:  # also when cancelled: nobody waits for this file any more
            part.remove()
            raise

    def _finish(self, part: "_Part", rest: bytes, name: PurePosixPath, sha256: str) -> StoredFile:
        part.write(rest)
        part.sync_and_close()
        seen = look_at(part.path, name=name, thumbnail=self.thumbnail(sha256))
        part.move_to(self.path(name))
        return _stored(name, seen, sha256=sha256)

    async def strays(self) -> list[PurePosixPath]:
        """Every finished file of a kind that belongs into the gallery, oldest first."""
        return await asyncio.to_thread(_finished_files, self._outputs)

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
        if kind_of(file) not in ("image", "video"):
            raise StorageError(Said("There is nothing to see in {path}.", path=source))
        with _as_storage_error(source):
            try:
                async with self._decoding:
                    await asyncio.to_thread(look_at, source, name=file, thumbnail=target)
            except BadOutputError as exc:
                message = Said(
                    "The picture {path} cannot be read: {cause}", path=source, cause=exc.message
                )
                raise StorageError(message) from exc
        return target

    async def _look(self, path: Path, name: PurePosixPath, *, sha256: str) -> StoredFile:
        async with self._decoding:
            thumbnail = self.thumbnail(sha256)
            seen = await asyncio.to_thread(look_at, path, name=name, thumbnail=thumbnail)
        return _stored(name, seen, sha256=sha256)


def _refuse_beyond(left: int, name: PurePosixPath) -> None:
    if left < 0:
        raise BadOutputError(Said("The file {name} is too large.", name=name.name))


def _stored(name: PurePosixPath, seen: Seen, *, sha256: str) -> StoredFile:
    return StoredFile(
        file=name,
        mime=seen.mime,
        sha256=sha256,
        size_bytes=seen.size_bytes,
        width=seen.width,
        height=seen.height,
        kind=seen.kind,
        duration_s=seen.duration_s,
        metadata=seen.metadata,
    )


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


class _Part:
    """A file on its way; written in threads, which go on when whoever waits for them does not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._stream: BinaryIO | None = None
        self._unwanted = False

    def write(self, chunk: bytes) -> None:
        """Append, unless it was removed meanwhile."""
        with self._lock:
            if self._unwanted:
                return
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self.path.open("wb")
            self._stream.write(chunk)

    def sync_and_close(self) -> None:
        """See to it that the bytes are on the disk."""
        with self._lock:
            if self._stream is not None:
                self._stream.flush()
                os.fsync(self._stream.fileno())
                self._stream.close()

    def move_to(self, target: Path) -> None:
        """Give it its name, unless nobody wants it any more."""
        with self._lock:
            if not self._unwanted:
                move_into_place(self.path, target)
                self.path = target

    def remove(self) -> None:
        """Close and unlink it, which is quick, whatever it is called by now."""
        with self._lock:
            self._unwanted = True
            if self._stream is None:
                return
            with suppress(OSError):  # a full disk refuses what is left in the buffer once more
                self._stream.close()
            self._stream = None
            self.path.unlink(missing_ok=True)


def move_into_place(temp: Path, target: Path) -> None:
    """Give a finished file its name, also after a power cut; blocks."""
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


def _finished_files(root: Path) -> list[PurePosixPath]:
    found: list[tuple[float, PurePosixPath]] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or not is_ours(PurePosixPath(name)) or path.is_symlink():
                continue
            modified = path.stat().st_mtime
            found.append((modified, PurePosixPath(path.relative_to(root).as_posix())))
    return [name for _, name in sorted(found)]
