"""The gallery page: what it deletes, what it shows again, and what it asks the browser to read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nicegui.testing import User
from nicegui.testing.user_simulation import user_simulation

from app.errors import InvalidRequestError
from app.events import Event, ImageAdded, ImageDeleted, ImageRestored, LoggedEvent, QueuePaused
from app.gallery import GalleryService
from app.models import Image
from app.ports import ImageFilter
from app.services import Services
from components.feed import Batch
from components.image_grid import ImageGrid, Removal
from components.notify import Toast
from data.files import PictureFiles
from data.memory import MemoryImageStore, MemoryLog
from pages.canvas import BATCH, fold, image_filter, removed_ids
from pages.shell import build_root
from tests.support.fakes import LIMIT_S, FakeBackend, FakeClock, info
from tests.support.running import running
from tests.support.values import NOW, an_image

LOGGED = LoggedEvent(seq=1, at=NOW, type="image.deleted", subject="")


@pytest.fixture
def store() -> MemoryImageStore:
    """The pictures of the gallery."""
    return MemoryImageStore(log=MemoryLog(clock=FakeClock()))


@pytest.fixture
async def services(home: Path, store: MemoryImageStore) -> AsyncIterator[Services]:
    """The running core, with the gallery on that store."""
    async with running(home, FakeBackend(info())) as core:
        gallery = GalleryService(
            store=store,
            jobs=core.event_log,
            files=PictureFiles(outputs=home / "outputs", thumbnails=home / "thumbnails"),
            fleet=core.fleet,
            bus=core.bus,
            clock=FakeClock(),
        )
        yield replace(core, gallery=gallery)


async def fill(store: MemoryImageStore, images: Sequence[Image]) -> list[UUID]:
    """Put pictures into the gallery; their ids, newest first."""
    for image in images:
        assert await store.add_found(image)
    return [image.id for image in reversed(images)]


async def resolved(gallery: GalleryService, removal: Removal) -> list[UUID]:
    """All ids a removal means."""
    return [one async for batch in removed_ids(gallery, removal) for one in batch]


async def living(gallery: GalleryService) -> list[UUID]:
    """The ids of what the gallery shows."""
    return [image.id for image in (await gallery.page(ImageFilter(), limit=100))[0]]


@asynccontextmanager
async def browsing(services: Services, path: str) -> AsyncIterator[User]:
    """Somebody who has opened the page."""
    async with user_simulation(root=build_root(services)) as user:
        await user.open(path)
        yield user


async def until(condition: Callable[[], Any]) -> None:
    """Let the page work until that holds."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - NiceGUI says nowhere that a handler is done
            await asyncio.sleep(0)


def test_a_removal_is_read_as_the_browser_says_it() -> None:
    one = an_image().id

    removal = Removal.of({"ids": [str(one)], "ranges": [[None, 8], [9, None]], "filter": {"q": 5}})

    assert removal == Removal(ids=(one,), ranges=((None, 8), (9, None)), filter={"q": "5"})


@pytest.mark.parametrize("args", [{"ids": ["nonsense"]}, {"ranges": [["a", "b"]]}])
def test_a_removal_that_makes_no_sense_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"badly formed|invalid literal"):
        Removal.of(args)


async def test_a_range_includes_its_oldest_and_excludes_its_upper_edge(
    services: Services, store: MemoryImageStore
) -> None:
    ids = await fill(store, [an_image(minute=minute) for minute in range(6)])
    keys = [image.cursor for image in (await services.gallery.page(ImageFilter(), limit=6))[0]]

    found = await resolved(services.gallery, Removal(ranges=((keys[3], keys[0]),)))

    assert found == ids[1:4]


async def test_ranges_apart_leave_what_lies_between(
    services: Services, store: MemoryImageStore
) -> None:
    ids = await fill(store, [an_image(minute=minute) for minute in range(5)])
    keys = [image.cursor for image in (await services.gallery.page(ImageFilter(), limit=5))[0]]

    ranges = ((keys[4], keys[3]), (keys[0], keys[0] + 1))
    found = await resolved(services.gallery, Removal(ranges=ranges))

    assert found == [ids[0], ids[4]]


async def test_all_that_match_is_one_open_range_read_in_batches(
    services: Services, store: MemoryImageStore
) -> None:
    foxes = [an_image("a red fox") for _ in range(BATCH + 3)]
    await fill(store, [*foxes, an_image("a blue whale")])

    removal = Removal(ranges=((None, None),), filter={"q": "fox"})
    batches = [batch async for batch in removed_ids(services.gallery, removal)]

    assert [len(batch) for batch in batches] == [BATCH, 3]
    assert {one for batch in batches for one in batch} == {image.id for image in foxes}


def test_days_of_the_filter_are_whole_days_in_utc() -> None:
    found = image_filter({"from": "2026-05-17", "to": "2026-05-18", "backend": "gpu-1"})

    assert found == ImageFilter(
        backend="gpu-1",
        since=datetime(2026, 5, 17, tzinfo=UTC),
        until=datetime(2026, 5, 19, tzinfo=UTC),
    )


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "9999-12-31"])
def test_a_date_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(InvalidRequestError, match="not a day"):
        image_filter({"to": day})


def test_only_pictures_that_come_or_go_reach_the_gallery() -> None:
    one, other = an_image(), an_image()
    events: list[Event] = [
        ImageAdded(image=one),
        QueuePaused(paused=True, logged=LOGGED),
        ImageDeleted(image=one, logged=LOGGED),
        ImageRestored(image=other, logged=LOGGED),
    ]
    batch: Batch = {}

    for event in events:
        fold(event, batch)

    assert batch == {"images": {str(one.id): False, str(other.id): True}}


@pytest.mark.parametrize("path", ["/canvas", "/canvas/0197b2a5-0000-7000-8000-000000000001"])
async def test_the_page_shows_one_gallery_whatever_picture_is_named(
    services: Services, path: str
) -> None:
    async with browsing(services, path) as user:
        grids = user.find(ImageGrid).elements

        assert len(grids) == 1
        assert [each["id"] for each in next(iter(grids)).props["backends"]] == ["gpu-1"]


async def test_deleted_pictures_come_back_by_undo(
    services: Services, store: MemoryImageStore
) -> None:
    ids = await fill(store, [an_image(minute=minute) for minute in range(3)])
    gone: list[Event] = []
    with services.bus.subscribe() as inbox:
        async with browsing(services, "/canvas") as user:
            user.find(ImageGrid).trigger("remove", {"ids": [str(ids[1])]})
            toast = next(iter(user.find(Toast).elements))
            await until(lambda: toast._undo)
            assert await living(services.gallery) == [ids[0], ids[2]]

            user.find(Toast).trigger("undo", toast._undo[0] if toast._undo else None)
            async with asyncio.timeout(LIMIT_S):
                while len(gone) < 2 and await inbox.wait():
                    gone += [
                        e for e in inbox.drain() if isinstance(e, ImageDeleted | ImageRestored)
                    ]

    assert [type(event) for event in gone] == [ImageDeleted, ImageRestored]
    assert await living(services.gallery) == ids


async def test_deleting_what_is_gone_already_offers_no_undo(
    services: Services, store: MemoryImageStore
) -> None:
    ids = await fill(store, [an_image()])
    await services.gallery.delete(ids)

    async with browsing(services, "/canvas") as user:
        grid = next(iter(user.find(ImageGrid).elements))
        told: list[bool] = []
        grid.send_stay = lambda: told.append(True)
        user.find(ImageGrid).trigger("remove", {"ids": [str(ids[0])]})
        await until(lambda: told)

        assert next(iter(user.find(Toast).elements))._undo is None
