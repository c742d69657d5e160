"""Small real pictures."""

import io
import struct
import zlib
from collections.abc import AsyncGenerator

from PIL import Image, PngImagePlugin


def png(
    *, seed: int = 0, size: tuple[int, int] = (64, 48), text: dict[str, str] | None = None
) -> bytes:
    """A PNG that differs with the seed, with text chunks."""
    chunks = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, value)
    colour = (seed * 37 % 256, seed * 91 % 256, seed // 256 % 256)
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG", pnginfo=chunks)
    return stream.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, with next to nothing behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


async def pieces(data: bytes, *, size: int = 1000) -> AsyncGenerator[bytes]:
    """Bytes as they come over a network."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
