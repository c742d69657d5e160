"""The folder of the files that were given to start from: by content, whole or not at all."""

import asyncio
import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from av.error import FFmpegError
from PIL import Image as Pillow

from app.errors import InvalidRequestError, NotFoundError
from app.inputs import InputFile
from app.said import Said
from data.files import move_into_place, storage_error
from data.input_media import KINDS, Shape, examine, first_frame, format_of, look
from data.media import write_thumbnail

log = logging.getLogger(__name__)

MAX_PIXELS = 64_000_000
MAX_BYTES = 200 * 2**20
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_SUFFIXES: Mapping[str, str] = {
    "PNG": "png",
    "JPEG": "jpg",
    "MPO": "jpg",  # a JPEG of some cameras, with more pictures behind the first
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tiff",
}
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
_WORKERS = 2  # decoding saturates a core
_FIELD = "file"
_THUMBNAILS = "thumbnails"


class InputFiles:
    """`app.inputs.InputStore` on a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._decoding = asyncio.Semaphore(_WORKERS)

    async def save(self, data: bytes) -> InputFile:
        """Keep a file; one that is there already is left as it is."""
        async with self._decoding:
            shape = await asyncio.to_thread(_examine, data)
            digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
            target = self.path(f"{digest}.{shape.suffix}")
            try:
                await asyncio.to_thread(_write, data, target)
            except OSError as exc:
                raise storage_error(target, exc) from exc
        return _file(target.name, shape, size_bytes=len(data))

    async def look(self, name: str) -> InputFile | None:
        """What is known of a file that is there."""
        path = self.path(name)
        try:
            return await asyncio.to_thread(_look, path)
        except (OSError, FFmpegError):
            return None

    async def thumbnail(self, name: str) -> Path | None:
        """A small picture of it, its first frame if it is a video; None: there is none to see."""
        target = self._folder / _THUMBNAILS / f"{name}.webp"
        try:
            async with self._decoding:
                made = await asyncio.to_thread(_make_thumbnail, self.path(name), target)
        except (OSError, FFmpegError, ValueError):
            log.info("There is no thumbnail of the input %s", name, exc_info=True)
            return None
        return target if made else None

    async def copy(self, source: Path) -> InputFile:
        """Keep a file that lies elsewhere."""
        try:
            data = await asyncio.to_thread(_read, source)
        except FileNotFoundError as exc:
            raise NotFoundError(Said("{path} is gone.", path=source)) from exc
        except OSError as exc:
            raise storage_error(source, exc) from exc
        return await self.save(data)

    def path(self, name: str) -> Path:
        """Where the file lies; it may be missing."""
        return self._folder / name


def _file(name: str, shape: Shape, *, size_bytes: int) -> InputFile:
    return InputFile(
        name=name,
        kind=shape.kind,
        width=shape.width,
        height=shape.height,
        size_bytes=size_bytes,
        duration_s=shape.duration_s,
    )


def _examine(data: bytes) -> Shape:
    """Read the whole file, so that a damaged one is found now."""
    if len(data) > MAX_BYTES:
        raise _too_large_a_file()
    media = format_of(data)
    return _examine_picture(data) if media is None else examine(data, media, most_pixels=MAX_PIXELS)


def _examine_picture(data: bytes) -> Shape:
    try:
        with Pillow.open(io.BytesIO(data), formats=_FORMATS) as picture:
            _require_size(picture)
            width, height = _seen_size(picture)
            picture.load()
            suffix = _SUFFIXES[picture.format or ""]
            return Shape(suffix=suffix, kind="image", width=width, height=height)
    except InvalidRequestError:
        raise
    except Pillow.DecompressionBombError as exc:
        raise InvalidRequestError(_FIELD, Said("The picture has too many pixels.")) from exc
    except Pillow.UnidentifiedImageError as exc:
        raise InvalidRequestError(
            _FIELD,
            Said("The file is not a picture, a video or a sound that can be read."),
            fix=Said(
                "Give a PNG, JPEG, WebP, GIF, BMP or TIFF picture, an MP4, WebM, MOV or MKV video,"
                " or a WAV, MP3, FLAC or OGG sound."
            ),
        ) from exc
    except Exception as exc:  # the decoders have many ways to say that a file is broken
        log.info("An input picture cannot be decoded", exc_info=True)
        raise InvalidRequestError(_FIELD, Said("The picture is truncated or damaged.")) from exc


def _require_size(picture: Pillow.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise InvalidRequestError(
            _FIELD,
            Said("{w} × {h} pixels are too many.", w=picture.width, h=picture.height),
            fix=Said("Give a picture of at most {n} megapixels.", n=MAX_PIXELS // 1_000_000),
        )


def _look(path: Path) -> InputFile:
    if path.suffix[1:] in KINDS:
        return _file(path.name, look(path), size_bytes=path.stat().st_size)
    with Pillow.open(path) as picture:
        width, height = _seen_size(picture)
    shape = Shape(suffix=path.suffix[1:], kind="image", width=width, height=height)
    return _file(path.name, shape, size_bytes=path.stat().st_size)


def _make_thumbnail(path: Path, target: Path) -> bool:
    if target.exists():
        return True
    if path.suffix[1:] in KINDS:
        frame = first_frame(path)
        if frame is not None:
            write_thumbnail(frame, target)
        return frame is not None
    with Pillow.open(path) as picture:
        write_thumbnail(picture, target)
    return True


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise _too_large_a_file()
    return path.read_bytes()


def _seen_size(picture: Pillow.Image) -> tuple[int, int]:
    # Servers turn a photograph as its camera says before they use it.
    turned = picture.getexif().get(_ORIENTATION) in _TURNED
    return (picture.height, picture.width) if turned else picture.size


def _too_large_a_file() -> InvalidRequestError:
    return InvalidRequestError(_FIELD, Said("The file has more than {n} MB.", n=MAX_BYTES // 2**20))


def _write(data: bytes, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    temp = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        move_into_place(temp, target)
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)
