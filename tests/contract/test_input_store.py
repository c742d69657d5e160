"""Pictures to start from: kept by content, whole or not at all."""

import asyncio
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from app.errors import InvalidRequestError, NotFoundError, StorageError
from app.inputs import InputFile
from data.inputs import InputFiles
from tests.support.pictures import claimed_png, png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet."""
    return tmp_path / "inputs"


@pytest.fixture
def store(folder: Path) -> InputFiles:
    """A store in it."""
    return InputFiles(folder)


def picture(kind: str, *, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    """A picture in a format."""
    stream = io.BytesIO()
    Pillow.effect_noise(size, 80).convert("RGB").save(stream, kind, **options)
    return stream.getvalue()


def turned_jpeg() -> bytes:
    """A photograph of 40 × 30 whose camera was held upright."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("PNG", "png"),
        ("JPEG", "jpg"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
        ("TIFF", "tiff"),
    ],
)
async def test_a_picture_is_kept_byte_for_byte_under_its_hash(
    store: InputFiles, kind: str, suffix: str
) -> None:
    data = picture(kind)

    kept = await store.save(data)

    name = f"{hashlib.sha256(data).hexdigest()}.{suffix}"
    assert kept == InputFile(name=name, width=40, height=30, size_bytes=len(data))
    assert store.path(name).read_bytes() == data
    assert await store.look(name) == kept


async def test_the_same_picture_is_kept_once(store: InputFiles, folder: Path) -> None:
    kept = await asyncio.wait_for(store.save(png()), 5)
    before = store.path(kept.name).stat().st_mtime_ns

    assert await store.save(png()) == kept
    assert [each.name for each in folder.iterdir()] == [kept.name]
    assert store.path(kept.name).stat().st_mtime_ns == before


async def test_a_turned_photograph_has_the_size_that_is_seen(store: InputFiles) -> None:
    kept = await store.save(turned_jpeg())

    assert (kept.width, kept.height) == (30, 40)
    assert await store.look(kept.name) == kept


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "not a picture"),
        (lambda: b"no picture at all", "not a picture"),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (lambda: picture("ICO"), "not a picture"),
        (lambda: picture("PNG")[:-500], "truncated or damaged"),
        (lambda: picture("JPEG")[:400], "truncated or damaged"),
        (lambda: picture("WEBP")[:200], "truncated or damaged"),
        (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not a picture"),
        (lambda: claimed_png(9000, 9000), "9000 × 9000 pixels are too many"),
        (lambda: claimed_png(60_000, 60_000), "too many pixels|too many"),
    ],
)
async def test_what_is_no_whole_picture_is_refused_and_leaves_nothing(
    store: InputFiles, folder: Path, make: Callable[[], bytes], message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        await store.save(make())

    assert caught.value.field == "file"
    assert not folder.exists()


async def test_a_copy_is_the_picture_itself(store: InputFiles, tmp_path: Path) -> None:
    source = tmp_path / "gallery.png"
    source.write_bytes(png(seed=5))

    kept = await store.copy(source)
    source.unlink()

    assert store.path(kept.name).read_bytes() == png(seed=5)


async def test_a_copy_of_what_is_gone_says_so(store: InputFiles, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is gone"):
        await store.copy(tmp_path / "gone.png")


async def test_a_picture_that_is_not_there_is_not_known(store: InputFiles) -> None:
    assert await store.look("a" * 64 + ".png") is None


async def test_a_folder_that_is_a_file_is_our_own_trouble(tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("in the way")

    with pytest.raises(StorageError):
        await InputFiles(tmp_path / "inputs").save(png())


@pytest.mark.skipif(os.name == "nt", reason="full disks are simulated by /dev/full")
async def test_half_a_picture_never_stays(
    store: InputFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageError, match="full"):
        await store.save(png())

    assert list(folder.iterdir()) == []
