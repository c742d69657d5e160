"""The port FileStore on a real folder: pictures are there whole, or not at all."""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path, PurePosixPath
from threading import Event

import pytest
from PIL import Image as Pillow

from app.errors import BadOutputError, StorageError
from data.files import THUMBNAIL_SIDE, PictureFiles, move_into_place
from tests.support.media import animation, sound, video
from tests.support.pictures import claimed_png, pieces, png

NAME = PurePosixPath("2026-05-17", "picture.png")


@pytest.fixture
def files(tmp_path: Path) -> PictureFiles:
    """A store in two folders that are not there yet."""
    return PictureFiles(outputs=tmp_path / "outputs", thumbnails=tmp_path / "thumbnails")


def left_in(folder: Path) -> list[str]:
    """Every file below a folder, also those with a dot."""
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if not each.is_dir())


async def test_a_saved_picture_is_there_byte_for_byte(files: PictureFiles) -> None:
    data = png(seed=3, size=(640, 360), text={"prompt": '{"3": {}}', "workflow": "{}"})

    stored = await files.save(NAME, pieces(data))

    assert files.path(NAME).read_bytes() == data
    assert stored.file == NAME
    assert stored.mime == "image/png"
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.size_bytes == len(data)
    assert (stored.width, stored.height) == (640, 360)
    assert stored.metadata == {"prompt": '{"3": {}}', "workflow": "{}"}


async def test_saving_leaves_nothing_but_the_picture_and_its_thumbnail(
    files: PictureFiles, tmp_path: Path
) -> None:
    stored = await files.save(NAME, pieces(png()))

    thumbnail = files.thumbnail(stored.sha256).relative_to(tmp_path)
    assert left_in(tmp_path) == sorted([f"outputs/{NAME}", str(thumbnail)])


async def test_saving_again_under_the_same_name_replaces(files: PictureFiles) -> None:
    await files.save(NAME, pieces(png(seed=1)))

    await files.save(NAME, pieces(png(seed=2)))

    assert files.path(NAME).read_bytes() == png(seed=2)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1000, 500), (384, 192)), ((500, 1000), (192, 384)), ((40, 30), (40, 30))],
)
async def test_thumbnails_are_webp_of_at_most_384_pixels(
    files: PictureFiles, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    stored = await files.save(NAME, pieces(png(size=size)))

    with Pillow.open(files.thumbnail(stored.sha256)) as thumbnail:
        assert thumbnail.format == "WEBP"
        assert thumbnail.size == expected
        assert max(thumbnail.size) <= THUMBNAIL_SIDE


async def test_a_deleted_thumbnail_is_made_again(files: PictureFiles) -> None:
    stored = await files.save(NAME, pieces(png()))
    files.thumbnail(stored.sha256).unlink()

    made = await files.remake_thumbnail(NAME, stored.sha256)

    assert made == files.thumbnail(stored.sha256)
    assert made.is_file()


async def test_no_thumbnail_can_be_made_of_a_picture_that_is_gone(files: PictureFiles) -> None:
    stored = await files.save(NAME, pieces(png()))
    files.thumbnail(stored.sha256).unlink()
    files.path(NAME).unlink()

    with pytest.raises(StorageError, match="gone"):
        await files.remake_thumbnail(NAME, stored.sha256)


@pytest.mark.parametrize("size", [(1, 1), (4096, 16)])
async def test_odd_sizes_are_pictures_too(files: PictureFiles, size: tuple[int, int]) -> None:
    stored = await files.save(NAME, pieces(png(size=size)))

    assert (stored.width, stored.height) == size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
async def test_every_kind_of_pixel_gets_a_thumbnail(
    files: PictureFiles, tmp_path: Path, mode: str
) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    source = tmp_path / f"source.{suffix}"
    Pillow.new(mode, (500, 400)).save(source)

    stored = await files.save(PurePosixPath(f"one.{suffix}"), pieces(source.read_bytes()))

    assert files.thumbnail(stored.sha256).is_file()


async def test_a_stream_that_breaks_leaves_nothing(files: PictureFiles, tmp_path: Path) -> None:
    async def breaking() -> AsyncGenerator[bytes]:
        yield png()[:50]
        raise BadOutputError("gone")

    with pytest.raises(BadOutputError):
        await files.save(NAME, breaking())

    assert left_in(tmp_path) == []


async def test_a_cancelled_save_leaves_nothing(files: PictureFiles, tmp_path: Path) -> None:
    hanging = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        yield png()[:50]
        hanging.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        saving = group.create_task(files.save(NAME, endless()))
        await hanging.wait()
        saving.cancel()

    assert left_in(tmp_path) == []


async def test_a_save_cancelled_as_it_gets_its_name_leaves_nothing(
    files: PictureFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    named = asyncio.Event()
    cancelled = Event()

    def move(source: Path, target: Path) -> None:
        move_into_place(source, target)
        loop.call_soon_threadsafe(named.set)
        cancelled.wait(10)

    monkeypatch.setattr("data.files.move_into_place", move)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        saving = group.create_task(files.save(NAME, pieces(png())))
        await named.wait()
        saving.cancel()
        cancelled.set()

    assert [file for file in left_in(tmp_path) if not file.endswith(".webp")] == []


async def test_a_save_cancelled_at_once_leaves_nothing_and_nothing_open(
    files: PictureFiles, tmp_path: Path
) -> None:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        saving = group.create_task(files.save(NAME, pieces(png())))
        await asyncio.sleep(0)  # the thread that writes the file is on its way
        saving.cancel()

    # A thumbnail may be there: it is found by its content, and harms nobody.
    assert [file for file in left_in(tmp_path) if not file.endswith(".webp")] == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>504 Gateway Timeout</html>",
        png()[:-40],
        png(size=(300, 300))[: len(png(size=(300, 300))) // 2],
        b"\x89PNG\r\n\x1a\n",
        claimed_png(30_000, 30_000),
        claimed_png(64, 64),
    ],
    ids=["empty", "html", "no end", "half", "signature only", "bomb", "no pixels"],
)
async def test_what_is_no_whole_picture_is_refused_and_gone(
    files: PictureFiles, tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(BadOutputError):
        await files.save(NAME, pieces(data))

    assert left_in(tmp_path) == []


async def test_the_largest_picture_one_may_ask_for_is_no_bomb(files: PictureFiles) -> None:
    # Its header passes; that its pixels are missing is found out later, by decoding.
    with pytest.raises(BadOutputError, match="damaged"):
        await files.save(NAME, pieces(claimed_png(16_384, 16_384)))


@pytest.mark.parametrize("kept", [b"", png(seed=1)], ids=["first", "replacing"])
async def test_a_broken_save_never_touches_an_older_file(files: PictureFiles, kept: bytes) -> None:
    if kept:
        await files.save(NAME, pieces(kept))

    with pytest.raises(BadOutputError):
        await files.save(NAME, pieces(b"no picture"))

    assert files.path(NAME).exists() == bool(kept)
    assert not kept or files.path(NAME).read_bytes() == kept


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("size", [(8, 8), (1500, 1500)], ids=["small", "large"])
async def test_a_full_disk_is_named_and_leaves_nothing(
    files: PictureFiles, tmp_path: Path, size: tuple[int, int]
) -> None:
    target = files.path(NAME)
    target.parent.mkdir(parents=True)
    # What is written beside the final name goes to the full device: a real ENOSPC.
    target.with_name(f".{target.name}.part").symlink_to("/dev/full")
    noise = Pillow.effect_noise(size, 90)
    noise.save(tmp_path / "noise.png")
    data = (tmp_path / "noise.png").read_bytes()
    (tmp_path / "noise.png").unlink()

    with pytest.raises(StorageError, match="full") as caught:
        await files.save(NAME, pieces(data))

    assert "Free some space" in caught.value.fix
    assert left_in(tmp_path) == []


async def test_an_outputs_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "outputs"
    blocked.write_bytes(b"")
    files = PictureFiles(outputs=blocked, thumbnails=tmp_path / "thumbnails")

    with pytest.raises(StorageError, match=str(blocked)):
        await files.save(NAME, pieces(png()))

    assert left_in(tmp_path) == ["outputs"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
async def test_a_read_only_folder_is_named(files: PictureFiles) -> None:
    folder = files.path(NAME).parent
    folder.mkdir(parents=True)
    folder.chmod(0o500)

    with pytest.raises(StorageError, match="cannot be written"):
        await files.save(NAME, pieces(png()))


async def test_a_thumbnails_folder_that_cannot_be_made_fails_the_save(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_bytes(b"")
    files = PictureFiles(outputs=tmp_path / "outputs", thumbnails=tmp_path / "thumbnails")

    with pytest.raises(StorageError):
        await files.save(NAME, pieces(png()))

    assert left_in(tmp_path) == ["thumbnails"]


@pytest.mark.parametrize("name", ["../out.png", "/etc/passwd", "a/../../out.png", ".."])
async def test_names_that_lead_out_are_refused(
    files: PictureFiles, tmp_path: Path, name: str
) -> None:
    with pytest.raises(StorageError, match="not inside"):
        await files.save(PurePosixPath(name), pieces(png()))

    assert left_in(tmp_path) == []


async def test_strays_are_finished_media_only_oldest_first(
    files: PictureFiles, tmp_path: Path
) -> None:
    outputs = tmp_path / "outputs"
    names = ["b/new.png", "old.WEBP", "a/b/c/middle.jpg", "film.mp4", "a/sound.FLAC"]
    hidden = [".trash/gone.png", "a/.cache/x.png", ".half.png.part", ".dot.png", "notes.txt", "x"]
    for name in [*names, *hidden]:
        (outputs / name).parent.mkdir(parents=True, exist_ok=True)
        (outputs / name).write_bytes(b"x")
    for age, name in enumerate(names):
        os.utime(outputs / name, (1000 - age * 70 % 250, 1000 - age * 70 % 250))
    (outputs / "link.png").symlink_to(outputs / "b/new.png")

    strays = await files.strays()

    ages = {name: (outputs / name).stat().st_mtime for name in names}
    assert [str(each) for each in strays] == sorted(names, key=lambda name: ages[name])


async def test_no_outputs_folder_has_no_strays(files: PictureFiles) -> None:
    assert await files.strays() == []


async def test_inspecting_a_file_tells_what_saving_told(files: PictureFiles) -> None:
    stored = await files.save(NAME, pieces(png(text={"prompt": "{}"})))
    files.thumbnail(stored.sha256).unlink()

    seen = await files.inspect(NAME)

    assert seen == stored
    assert files.thumbnail(stored.sha256).is_file()


async def test_inspecting_what_is_not_there_says_so(files: PictureFiles) -> None:
    with pytest.raises(StorageError, match="gone"):
        await files.inspect(NAME)


@pytest.mark.parametrize(
    ("suffix", "codec", "mime"),
    [(".mp4", "libx264", "video/mp4"), (".webm", "libvpx-vp9", "video/webm")],
)
async def test_a_video_is_kept_with_its_length_and_its_first_frame(
    files: PictureFiles, suffix: str, codec: str, mime: str
) -> None:
    data = video(suffix=suffix, codec=codec)

    stored = await files.save(PurePosixPath(f"clip{suffix}"), pieces(data))

    assert files.path(stored.file).read_bytes() == data
    assert (stored.kind, stored.mime) == ("video", mime)
    assert (stored.width, stored.height) == (64, 48)
    assert stored.duration_s == pytest.approx(2, abs=0.2)
    with Pillow.open(files.thumbnail(stored.sha256)) as thumbnail:
        assert thumbnail.size == (64, 48)


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.8])
@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "libx264", {}),
        (".mp4", "libx264", {"movflags": "faststart"}),
        (".webm", "libvpx-vp9", {}),
    ],
    ids=["index at the end", "index at the start", "webm"],
)
async def test_a_video_cut_short_is_refused_and_gone(
    files: PictureFiles,
    tmp_path: Path,
    suffix: str,
    codec: str,
    options: dict[str, str],
    part: float,
) -> None:
    data = video(suffix=suffix, codec=codec, options=options)

    with pytest.raises(BadOutputError):
        await files.save(PurePosixPath(f"clip{suffix}"), pieces(data[: int(len(data) * part)]))

    assert left_in(tmp_path) == []


async def test_a_video_without_a_thumbnail_gets_another(files: PictureFiles) -> None:
    name = PurePosixPath("clip.mp4")
    stored = await files.save(name, pieces(video()))
    files.thumbnail(stored.sha256).unlink()

    assert (await files.remake_thumbnail(name, stored.sha256)).is_file()


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".png"])
async def test_an_animation_is_a_picture_with_a_length(files: PictureFiles, suffix: str) -> None:
    data = animation(suffix=suffix, frames=5, frame_ms=200)

    stored = await files.save(PurePosixPath(f"anim{suffix}"), pieces(data))

    assert (stored.kind, stored.width, stored.height) == ("image", 64, 48)
    assert stored.duration_s == pytest.approx(1.0)
    assert files.thumbnail(stored.sha256).is_file()


async def test_a_picture_that_stands_has_no_length(files: PictureFiles) -> None:
    stored = await files.save(NAME, pieces(png()))

    assert (stored.kind, stored.duration_s) == ("image", None)


async def test_a_sound_is_kept_with_its_length_and_nothing_to_see(
    files: PictureFiles, tmp_path: Path
) -> None:
    stored = await files.save(PurePosixPath("tone.flac"), pieces(sound(seconds=1.5)))

    assert (stored.kind, stored.mime, stored.width, stored.height) == ("audio", "audio/flac", 0, 0)
    assert stored.duration_s == pytest.approx(1.5, abs=0.1)
    assert left_in(tmp_path) == ["outputs/tone.flac"]


@pytest.mark.parametrize(
    ("name", "kind", "mime"),
    [
        ("notes.txt", "text", "text/plain"),
        ("data.json", "text", "application/json"),
        ("x.latent", "file", "application/octet-stream"),
        ("page.html", "file", "application/octet-stream"),
        ("drawing.svg", "file", "application/octet-stream"),
        ("model.glb", "file", "application/octet-stream"),
    ],
)
async def test_everything_else_is_kept_as_it_is_and_never_as_a_page(
    files: PictureFiles, name: str, kind: str, mime: str
) -> None:
    stored = await files.save(PurePosixPath(name), pieces(b"hello"))

    assert (stored.kind, stored.mime, stored.size_bytes) == (kind, mime, 5)
    assert files.path(stored.file).read_bytes() == b"hello"


async def test_a_text_has_no_thumbnail(files: PictureFiles) -> None:
    stored = await files.save(PurePosixPath("notes.txt"), pieces(b"hello"))

    with pytest.raises(StorageError, match="nothing to see"):
        await files.remake_thumbnail(stored.file, stored.sha256)


async def test_a_file_without_end_is_refused_and_gone(files: PictureFiles, tmp_path: Path) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        chunk = bytes(1024 * 1024)
        while True:
            yield chunk

    with pytest.raises(BadOutputError, match="too large"):
        await files.save(PurePosixPath("endless.txt"), endless())

    assert left_in(tmp_path) == []
