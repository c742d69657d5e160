"""The texts that a picture carries beside its pixels, by what they are called."""

import html
import io
import re
import struct
import warnings
import zlib
from typing import Any

from PIL import ExifTags, Image

from app.errors import InvalidRequestError
from app.said import Said

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_FORMATS = ("PNG", "WEBP", "JPEG")
_MAX_PIXELS = 40_000_000
"""Of a picture that is decoded to get at texts behind its pixels."""
_PREFIX = re.compile(r"\s*(workflow|prompt|parameters)\s*:\s*(?=[{\[])", re.IGNORECASE)
_XMP = re.compile(
    r"\b(workflow|prompt|parameters)(?:\s*=\s*\"([^\"]{2,})\"|\s*=\s*'([^']{2,})'|[^<>]{0,100}>([^<>]{2,})<)",
    re.IGNORECASE,
)
_ENCODINGS = {b"UNICODE\0": "utf-16", b"ASCII\0\0\0": "ascii", b"JIS\0\0\0\0\0": "shift_jis"}
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def carried_texts(data: bytes) -> dict[str, str] | None:
    """The texts of a PNG, WebP or JPEG, such as `workflow` and `prompt`; None for other files.

    Raises:
        InvalidRequestError: the picture cannot be read.
    """
    if not data.startswith(_MAGIC):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: no pixel is decoded
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                return _texts(picture)
    except _DAMAGED as exc:
        raise InvalidRequestError(
            "file", Said("This picture is damaged or cut short: nothing can be read from it.")
        ) from exc


def _texts(picture: Image.Image) -> dict[str, str]:
    found = {str(key): value for key, value in picture.info.items() if isinstance(value, str)}
    xmp = picture.info.get("xmp")
    if isinstance(xmp, bytes):
        found |= _of_xmp(xmp)
    comment = picture.info.get("comment")
    if isinstance(comment, bytes):
        _put(found, "comment", comment.decode("utf-8", "replace"))
    found |= _of_exif(picture.getexif())
    behind = picture.format == "PNG" and not {"workflow", "prompt", "parameters"} & found.keys()
    if behind and picture.width * picture.height <= _MAX_PIXELS:
        try:
            picture.load()  # texts may follow the pixels
        except _DAMAGED:
            return found
        found |= {str(key): each for key, each in picture.info.items() if isinstance(each, str)}
    return found


def _of_exif(exif: Image.Exif) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag, value in exif.items():
        if isinstance(value, str):
            _put(found, ExifTags.TAGS.get(tag, str(tag)), value)
    comment: Any = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(comment, bytes):
        encoding = _ENCODINGS.get(comment[:8])
        text = comment[8:] if encoding else comment
        if encoding == "utf-16":
            # Without a mark of its own, the byte order is seen from where the zeros are.
            encoding = "utf-16-be" if text[:1] == b"\0" else "utf-16-le"
        _put(found, "parameters", text.decode(encoding or "utf-8", "replace"))
    elif isinstance(comment, str):
        _put(found, "parameters", comment)
    return found


def _put(found: dict[str, str], name: str, text: str) -> None:
    """Note a text under its name; ComfyUI writes the name in front of it."""
    prefix = _PREFIX.match(text[:200])
    if prefix:
        name, text = prefix[1].lower(), text[prefix.end() :]
    found[name] = text


def _of_xmp(data: bytes) -> dict[str, str]:
    text = data.decode("utf-8", "replace")
    found: dict[str, str] = {}
    for match in _XMP.finditer(text):
        value = match[2] or match[3] or match[4]
        found.setdefault(match[1].lower(), html.unescape(value).strip())
    return found
