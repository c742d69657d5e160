"""What is in a video, a sound or a shape that was given to start from.

Its first bytes choose the reader, never FFmpeg: left to guess, that also reads playlists and
scripts, which name other files and addresses.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from PIL import Image as Pillow

from app.errors import BadOutputError, InvalidRequestError
from app.models import MediaKind
from app.said import Said
from data.media import length_of

Format = Literal["mp4", "mov", "m4a", "webm", "mkv", "wav", "mp3", "flac", "ogg", "glb"]

KINDS: Mapping[str, MediaKind] = {
    "mp4": "video",
    "mov": "video",
    "webm": "video",
    "mkv": "video",
    "m4a": "audio",
    "wav": "audio",
    "mp3": "audio",
    "flac": "audio",
    "ogg": "audio",
    "glb": "file",
}
"""By the suffix of its name, what a file is; others are pictures."""

_READERS: Mapping[str, str] = {
    "mp4": "mov", "mov": "mov", "m4a": "mov", "webm": "matroska", "mkv": "matroska",
    "wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg",
}  # fmt: skip
_STILLS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")  # in the same kind of box
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_HEAD = 64  # bytes in which a Matroska file says whether it is WebM
_GUESSED = ("mp3",)  # nothing in them says how long they are
_FIELD = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What was seen of a file."""

    suffix: str
    kind: MediaKind
    width: int = 0  # of a video
    height: int = 0
    duration_s: float | None = None


def format_of(head: bytes) -> Format | None:
    """What a file says at its start that it is; None: a picture, or nothing that is known."""
    if head[4:8] in _BOXES:
        return _format_of_boxes(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm" if b"webm" in head[:_HEAD] else "mkv"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"glTF"):
        return "glb"
    if head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
        return "mp3"
    return "flac" if head.startswith(b"fLaC") else "ogg" if head.startswith(b"OggS") else None


def _format_of_boxes(head: bytes) -> Format | None:
    brand = head[8:12]
    if head[4:8] != b"ftyp" or brand == b"qt  ":
        return "mov"
    if brand in _STILLS:
        return None
    return "m4a" if brand == b"M4A " else "mp4"


def examine(data: bytes, format_: Format, *, most_pixels: int) -> Shape:
    """Read it to its end, so that a damaged one is found now; blocks.

    Raises:
        InvalidRequestError: it is not what its first bytes say, it is damaged, or it has frames
            that are too large.
    """
    if format_ == "glb":
        if int.from_bytes(data[8:12], "little") != len(data):
            raise InvalidRequestError(_FIELD, Said("The file is truncated or damaged."))
        return Shape(suffix=format_, kind="file")
    try:
        with av.open(io.BytesIO(data), "r", format=_READERS[format_]) as container:
            return _examined(container, format_, most_pixels=most_pixels)
    except BadOutputError as exc:
        raise InvalidRequestError(_FIELD, exc.message) from exc
    except (FFmpegError, StopIteration, ValueError, OverflowError) as exc:
        what = (
            Said("The sound is truncated or damaged.")
            if KINDS[format_] == "audio"
            else Said("The video is truncated or damaged.")
        )
        raise InvalidRequestError(_FIELD, what, fix=_fix()) from exc


def look(path: Path) -> Shape:
    """What is known of one that was kept; blocks.

    Raises:
        OSError: it is gone.
    """
    suffix = path.suffix[1:]
    if suffix not in _READERS:
        path.stat()
        return Shape(suffix=suffix, kind=KINDS[suffix])
    with av.open(path, "r", format=_READERS[suffix]) as container:
        width, height = _size(container) if KINDS[suffix] == "video" else (0, 0)
        duration_s = container.duration / av.time_base if container.duration else None
    return Shape(
        suffix=suffix, kind=KINDS[suffix], width=width, height=height, duration_s=duration_s
    )


def first_frame(path: Path) -> Pillow.Image | None:
    """The first picture of a video; None where there is none to see. Blocks.

    Raises:
        OSError: it is gone.
    """
    reader = _READERS.get(path.suffix[1:])
    if reader is None:
        return None
    with av.open(path, "r", format=reader) as container:
        if not container.streams.video:
            return None
        frame = next(container.decode(container.streams.video[0]), None)
        return None if frame is None else Pillow.fromarray(frame.to_ndarray(format="rgb24"))


def _examined(container: InputContainer, format_: Format, *, most_pixels: int) -> Shape:
    video, audio = container.streams.video, container.streams.audio
    if KINDS[format_] == "audio" or (not video and audio and format_ in ("mp4", "mov")):
        if not audio:
            raise InvalidRequestError(_FIELD, Said("The file holds no sound."), fix=_fix())
        length = _length(container, audio[0], trusted=format_ not in _GUESSED)
        suffix = format_ if KINDS[format_] == "audio" else "m4a"
        return Shape(suffix=suffix, kind="audio", duration_s=length)
    if not video:
        raise InvalidRequestError(_FIELD, Said("The video holds no picture."), fix=_fix())
    width, height = _size(container)
    if width * height > most_pixels:
        raise InvalidRequestError(_FIELD, Said("{w} × {h} pixels are too many.", w=width, h=height))
    length = _length(container, video[0], trusted=True)
    return Shape(suffix=format_, kind="video", width=width, height=height, duration_s=length)


def _length(
    container: InputContainer, stream: VideoStream | AudioStream, *, trusted: bool
) -> float | None:
    next(container.decode(stream))  # there is something in it that can be decoded
    container.seek(0)
    return length_of(container, stream, trusted=trusted)


def _size(container: InputContainer) -> tuple[int, int]:
    if not container.streams.video:
        return (0, 0)
    stream = container.streams.video[0]
    return stream.width, stream.height


def _fix() -> Said:
    return Said("Give an MP4, WebM, MOV or MKV video, or a WAV, MP3, FLAC or OGG sound.")
