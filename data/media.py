"""What is in a finished file: looked at whole, so that a damaged one is found now, not later.

The suffix decides what a file is taken for; its content must then be that.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from app.errors import BadOutputError
from app.models import MediaKind
from app.said import Said

THUMBNAIL_SIDE = 384  # pixels of the longer side
MAX_BYTES: Mapping[MediaKind, int] = {
    "image": 2 * 2**30,
    "video": 8 * 2**30,
    "audio": 2 * 2**30,
    "text": 64 * 2**20,
    "file": 8 * 2**30,
}
_MAX_PIXELS = 16_384 * 16_384  # the largest picture one may ask for
Pillow.MAX_IMAGE_PIXELS = _MAX_PIXELS  # its own limit is lower, and would refuse such a picture
_MAX_FRAMES = 10_000  # of an animated picture that are looked at
_CUT_SHORT = 0.9  # of the length that a video claims; less of it means that the rest is missing

_KINDS: Mapping[str, tuple[MediaKind, str]] = {
    ".png": ("image", "image/png"),
    ".jpg": ("image", "image/jpeg"),
    ".jpeg": ("image", "image/jpeg"),
    ".webp": ("image", "image/webp"),
    ".gif": ("image", "image/gif"),
    ".avif": ("image", "image/avif"),
    ".mp4": ("video", "video/mp4"),
    ".m4v": ("video", "video/mp4"),
    ".webm": ("video", "video/webm"),
    ".mov": ("video", "video/quicktime"),
    ".mkv": ("video", "video/x-matroska"),
    ".flac": ("audio", "audio/flac"),
    ".mp3": ("audio", "audio/mpeg"),
    ".wav": ("audio", "audio/wav"),
    ".opus": ("audio", "audio/ogg"),
    ".ogg": ("audio", "audio/ogg"),
    ".m4a": ("audio", "audio/mp4"),
    ".txt": ("text", "text/plain"),
    ".md": ("text", "text/plain"),
    ".json": ("text", "application/json"),
    ".csv": ("text", "text/plain"),
}
_OTHER: tuple[MediaKind, str] = ("file", "application/octet-stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen in a file."""

    kind: MediaKind
    mime: str
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    duration_s: float | None = None
    metadata: dict[str, str] = field(default_factory=dict[str, str])


def kind_of(name: PurePosixPath) -> MediaKind:
    """What a file of that name is taken for."""
    return _KINDS.get(name.suffix.lower(), _OTHER)[0]


def is_ours(name: PurePosixPath) -> bool:
    """Whether a file that is found without a row belongs into the gallery.

    Texts do not: they are as likely notes that somebody put beside the pictures.
    """
    return kind_of(name) in ("image", "video", "audio")


def look_at(path: Path, *, name: PurePosixPath, thumbnail: Path) -> Seen:
    """Read the file, and make the thumbnail if there is something to see; blocks.

    Raises:
        BadOutputError: a picture or a video that cannot be read to its end.
        OSError: the disk.
    """
    seen = _look(path, name=name, thumbnail=thumbnail)
    return replace(seen, size_bytes=path.stat().st_size)


def _look(path: Path, *, name: PurePosixPath, thumbnail: Path) -> Seen:
    kind, mime = _KINDS.get(name.suffix.lower(), _OTHER)
    match kind:
        case "image":
            return _look_at_picture(path, thumbnail)
        case "video":
            return _look_at_video(path, thumbnail, mime=mime)
        case "audio":
            return Seen(kind=kind, mime=mime, duration_s=_length_of_sound(path))
        case _:
            return Seen(kind=kind, mime=mime)


def _look_at_picture(path: Path, thumbnail: Path) -> Seen:
    try:
        with Pillow.open(path) as picture:
            _refuse_too_large(picture.width, picture.height)
            metadata = {str(k): v for k, v in picture.info.items() if isinstance(v, str)}
            mime = Pillow.MIME.get(picture.format or "", "application/octet-stream")
            width, height = picture.size
            picture.load()
            write_thumbnail(picture, thumbnail)
            duration_s = _length_of_animation(picture)
    except (UnidentifiedImageError, SyntaxError, ValueError, Pillow.DecompressionBombError) as exc:
        raise BadOutputError(Said("The file is not a picture that can be read.")) from exc
    except (EOFError, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:  # the disk, not the picture
            raise
        raise BadOutputError(Said("The picture is truncated or damaged.")) from exc
    return Seen(
        kind="image",
        mime=mime,
        width=width,
        height=height,
        duration_s=duration_s,
        metadata=metadata,
    )


def _length_of_animation(picture: Pillow.Image) -> float | None:
    """The seconds all its frames take, each of them decoded; None of a picture that stands."""
    frames = min(getattr(picture, "n_frames", 1), _MAX_FRAMES)
    if frames < 2:
        return None
    total_ms = 0.0
    for number in range(frames):
        picture.seek(number)
        picture.load()
        total_ms += float(picture.info.get("duration") or 0)
    return total_ms / 1000


def _look_at_video(path: Path, thumbnail: Path, *, mime: str) -> Seen:
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise BadOutputError(Said("The video holds no picture."))
            stream = container.streams.video[0]
            _refuse_too_large(stream.width, stream.height)
            duration_s = length_of(container, stream)
            container.seek(0)
            frame = next(container.decode(stream))
            write_thumbnail(Pillow.fromarray(frame.to_ndarray(format="rgb24")), thumbnail)
    except (FileNotFoundError, PermissionError):  # the disk, not the video
        raise
    except (FFmpegError, StopIteration, ValueError) as exc:
        raise BadOutputError(Said("The video is truncated or damaged.")) from exc
    return Seen(
        kind="video", mime=mime, width=frame.width, height=frame.height, duration_s=duration_s
    )


def length_of(
    container: InputContainer, stream: VideoStream | AudioStream, *, trusted: bool = True
) -> float | None:
    """How long it is; every packet is read, so that a missing end is noticed.

    `trusted`: the length that the file claims is no guess.

    Raises:
        BadOutputError: the file ends before the video does.
    """
    end = 0.0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise BadOutputError(Said("The video is truncated or damaged."))
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    if not trusted:
        return end or None
    claimed = None
    if stream.duration is not None and stream.time_base is not None:
        claimed = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        claimed = container.duration / av.time_base
    if claimed is not None and end < claimed * _CUT_SHORT:
        raise BadOutputError(Said("The video is truncated or damaged."))
    return claimed or end or None


def _length_of_sound(path: Path) -> float | None:
    """Its seconds; None where it cannot be told: the file is kept as it is."""
    try:
        with av.open(path) as container:
            return container.duration / av.time_base if container.duration else None
    except FFmpegError:
        return None


def _refuse_too_large(width: int, height: int) -> None:
    if width * height > _MAX_PIXELS:
        raise BadOutputError(Said("{w} × {h} pixels are too many.", w=width, h=height))


def write_thumbnail(picture: Pillow.Image, target: Path) -> None:
    """Make the thumbnail, unless it is there already."""
    if target.exists():
        return
    small = ImageOps.exif_transpose(picture)
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Pillow.Resampling.BICUBIC, reducing_gap=2.0)
    target.parent.mkdir(parents=True, exist_ok=True)
    temp = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        small.convert("RGBA" if "A" in small.getbands() else "RGB").save(
            temp, "WEBP", quality=78, method=2
        )
        temp.replace(target)
    finally:
        temp.unlink(missing_ok=True)
