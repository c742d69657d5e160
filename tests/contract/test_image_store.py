"""The port ImageStore: the same promises from SQL and from memory."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.ids import new_id
from app.models import Image
from app.ports import ImageFilter, Outline
from data.database import Database
from tests.contract.conftest import Stores
from tests.support.values import NOW, a_request, an_image

ALL = ImageFilter()


async def found(stores: Stores, **wanted: Any) -> list[Image]:
    """Every image that a filter finds, having checked that it counts the same."""
    image_filter = ImageFilter(**wanted)
    page = await stores.images.page(image_filter, limit=500)
    assert await stores.images.count(image_filter, cap=500) == len(page.items)
    return list(page.items)


async def test_an_image_comes_back_exactly_as_it_was_put_in(stores: Stores) -> None:
    image = an_image(request=a_request("ثعلب 🦊\nsecond line", seed=2**64 - 1), index=3)

    stored = (await stores.keep(image))[0]

    assert replace(stored, key=0) == image
    assert await stores.images.get(image.id) == stored
    assert await stores.images.get(new_id()) is None


async def test_many_come_in_the_order_asked(stores: Stores) -> None:
    one, two, three = await stores.keep(an_image(), an_image(), an_image())

    many = await stores.images.get_many([three.id, new_id(), one.id, two.id])

    assert many == [three, one, two]


async def test_more_ids_than_one_statement_holds(stores: Stores) -> None:
    image = (await stores.keep(an_image()))[0]
    ids = [new_id() for _ in range(1100)]

    assert await stores.images.get_many([*ids, image.id]) == [image]
    assert await stores.images.of_jobs([*ids, image.job_id or ids[0]]) == {image.job_id: [image]}
    assert len(await stores.images.set_deleted([*ids, image.id], NOW)) == 1


async def test_images_of_jobs_come_in_output_order_without_the_deleted(stores: Stores) -> None:
    job_id, attempt_id = new_id(), new_id()
    late, early, gone = await stores.keep(
        *(an_image(job_id=job_id, attempt_id=attempt_id, index=index) for index in (2, 0, 1))
    )
    await stores.images.set_deleted([gone.id], NOW)

    assert await stores.images.of_jobs([job_id, new_id()]) == {job_id: [early, late]}


async def test_images_page_newest_first_without_gap_or_repeat(stores: Stores) -> None:
    images = await stores.keep(*(an_image() for _ in range(7)))

    first = await stores.images.page(ALL, limit=3)
    await stores.keep(an_image("arrives between two pages"))
    await stores.images.set_deleted([images[6].id], NOW)
    second = await stores.images.page(ALL, limit=3, cursor=first.next_cursor)
    third = await stores.images.page(ALL, limit=3, cursor=second.next_cursor)

    assert list(first.items + second.items + third.items) == images[::-1]
    assert third.next_cursor is None


async def test_the_cursor_excludes_itself(stores: Stores) -> None:
    older, newer = await stores.keep(an_image(), an_image())

    page = await stores.images.page(ALL, limit=9, cursor=newer.key)

    assert list(page.items) == [older]


async def test_nothing_comes_before_the_first_cursor(stores: Stores) -> None:
    await stores.keep(an_image())

    page = await stores.images.page(ALL, limit=9, cursor=0)

    assert page.items == ()


async def test_a_count_stops_at_its_cap(stores: Stores) -> None:
    await stores.keep(*(an_image() for _ in range(5)))

    assert await stores.images.count(ALL, cap=3) == 3
    assert await stores.images.count(ALL, cap=9) == 5


async def test_words_are_found_in_any_order_and_case(stores: Stores) -> None:
    fox, cat = await stores.keep(an_image("A Red Fox in the snow"), an_image("a red cat"))

    assert await found(stores, text="fox RED") == [fox]
    assert await found(stores, text="red") == [cat, fox]
    assert await found(stores, text="red dog") == []
    assert await found(stores, text="   ") == [cat, fox]


async def test_the_beginning_of_a_word_is_enough(stores: Stores) -> None:
    (mountain,) = await stores.keep(an_image("misty mountains at dawn"))

    assert await found(stores, text="mount daw") == [mountain]


async def test_an_emoji_is_found(stores: Stores) -> None:
    fox, _ = await stores.keep(an_image("a 🦊 in snow"), an_image("a fox in snow"))

    assert await found(stores, text="🦊") == [fox]
    assert await found(stores, text="🦊 snow") == [fox]


@pytest.mark.parametrize(
    ("text", "word"), [("ثعلب أحمر في الثلج", "الثلج"), ("лиса в снегу", "лис")]
)
async def test_other_scripts_are_found(stores: Stores, text: str, word: str) -> None:
    (image, _) = await stores.keep(an_image(text), an_image("something else"))

    assert await found(stores, text=word) == [image]


async def test_quotes_are_only_text(stores: Stores) -> None:
    quoted, _ = await stores.keep(an_image('the "old" mill'), an_image("a new mill"))

    assert await found(stores, text='"old"') == [quoted]


@pytest.mark.parametrize(
    "text",
    ['"', "*", "()", "NEAR(", "fox AND", "OR", "NOT fox", "prompt:fox", "^fox", "-", "'", "%", "_"],
)
async def test_the_syntax_of_the_index_does_no_harm(stores: Stores, text: str) -> None:
    await stores.keep(an_image("a red cat"))

    assert await found(stores, text=text) == []


@pytest.mark.parametrize("text", ["100%", "snake_case", "%", "_"])
async def test_signs_of_like_are_only_text(stores: Stores, text: str) -> None:
    image, _ = await stores.keep(an_image("100% of snake_case and _ and %"), an_image("a fox"))

    assert await found(stores, text=text) == [image]


async def test_accents_do_not_matter_to_the_index(sql: Stores) -> None:
    (image,) = await sql.keep(an_image("un café très chaud"))

    assert await found(sql, text="cafe tres") == [image]


async def test_filters_by_backend_job_and_days(stores: Stores) -> None:
    first, second, third = await stores.keep(
        an_image(minute=0), an_image(minute=10, backend_id="gpu-2"), an_image(minute=20)
    )
    ten = NOW + timedelta(minutes=10)

    assert await found(stores, backend="gpu-2") == [second]
    assert await found(stores, job_id=first.job_id) == [first]
    assert await found(stores, since=ten) == [third, second]
    assert await found(stores, until=ten) == [first]
    assert await found(stores, since=ten, until=ten + timedelta(seconds=1)) == [second]
    assert await found(stores, backend="gpu-1", since=ten, text="fox") == [third]


async def test_deleting_moves_to_the_trash_and_twice_is_once(stores: Stores) -> None:
    kept, gone = await stores.keep(an_image(), an_image())

    changed = await stores.images.set_deleted([gone.id, new_id()], NOW)
    again = await stores.images.set_deleted([gone.id], NOW + timedelta(days=1))

    assert [(image.id, logged.type) for image, logged in changed] == [(gone.id, "image.deleted")]
    assert again == []
    assert await found(stores) == [kept]
    assert await found(stores, deleted=True) == [replace(gone, deleted_at=NOW)]


async def test_restoring_brings_back_to_the_same_place_and_twice_is_once(stores: Stores) -> None:
    images = await stores.keep(an_image(), an_image(), an_image())
    await stores.images.set_deleted([images[1].id], NOW)

    changed = await stores.images.set_deleted([images[1].id, images[0].id], None)
    again = await stores.images.set_deleted([images[1].id], None)

    assert [(image, logged.type) for image, logged in changed] == [(images[1], "image.restored")]
    assert again == []
    assert await found(stores) == images[::-1]


async def test_the_anchors_of_an_outline_are_cursors_of_whole_steps(stores: Stores) -> None:
    step = Outline(rev="", total=0, anchors=()).step
    images = await stores.keep(*(an_image() for _ in range(2 * step + 5)))
    await stores.images.set_deleted([images[3].id, images[-2].id], NOW)

    outline = await stores.images.outline(ALL)
    jumped = [await stores.images.page(ALL, limit=1, cursor=each) for each in outline.anchors]

    whole = [each for each in images[::-1] if each not in (images[3], images[-2])]
    assert outline.total == len(whole)
    assert [page.items[0] for page in jumped] == [whole[step], whole[2 * step]]


async def test_the_revision_of_an_outline_changes_with_the_list(stores: Stores) -> None:
    one, two = await stores.keep(an_image(), an_image())
    revisions = [(await stores.images.outline(ALL)).rev]

    for change in ([one.id], [two.id]):
        await stores.images.set_deleted(change, NOW)
        revisions.append((await stores.images.outline(ALL)).rev)
    await stores.images.set_deleted([one.id], None)
    revisions.append((await stores.images.outline(ALL)).rev)
    await stores.images.set_deleted([two.id], None)

    assert len(set(revisions)) == 4
    assert (await stores.images.outline(ALL)).rev == revisions[0]


async def test_an_empty_list_has_an_outline(stores: Stores) -> None:
    outline = await stores.images.outline(ALL)

    assert (outline.total, outline.anchors) == (0, ())


async def test_neighbours_are_those_of_the_filtered_list(stores: Stores) -> None:
    oldest, dog, fox, cat, newest = await stores.keep(
        *(an_image(f"a {word}") for word in ("fox", "dog", "fox", "cat", "fox"))
    )

    assert await stores.images.neighbours(fox, ALL) == (cat.id, dog.id)
    wanted = ImageFilter(text="fox")
    assert await stores.images.neighbours(fox, wanted) == (newest.id, oldest.id)
    assert await stores.images.neighbours(newest, wanted) == (None, fox.id)
    assert await stores.images.neighbours(oldest, wanted) == (fox.id, None)


async def test_a_found_file_gets_one_row(stores: Stores) -> None:
    image = an_image(job_id=None, attempt_id=None, backend_id=None, request=None)
    other = an_image(job_id=None, attempt_id=None, backend_id=None, request=None)

    added = await stores.images.add_found(image)
    again = await stores.images.add_found(replace(image, id=new_id()))
    beside = await stores.images.add_found(other)

    assert added is not None
    assert (replace(added[0], key=0), added[1].type) == (image, "image.created")
    assert again is None
    assert beside is not None
    assert [each.id for each in await found(stores)] == [other.id, image.id]


async def test_known_files_are_told_from_strays(stores: Stores) -> None:
    image = (await stores.keep(an_image()))[0]
    strays = [PurePosixPath(f"stray-{number}.png") for number in range(1100)]

    assert await stores.images.known_files([*strays, image.file]) == {image.file}


@contextmanager
def statements() -> Generator[list[tuple[str, Any]]]:
    """Every statement that goes to a database meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def plans_of(seen: list[tuple[str, Any]], database: Database) -> list[str]:
    """How SQLite would answer the statements."""
    with closing(sqlite3.connect(database.path)) as connection:
        return [
            row[3]
            for statement, parameters in seen
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"backend": "gpu-1"},
        {"job_id": new_id()},
        {"since": NOW},
        {"text": "fox"},
        {"text": "fox", "backend": "gpu-1"},
    ],
    ids=lambda wanted: "+".join(wanted) or "all",
)
async def test_no_list_query_reads_the_whole_table(
    sql: Stores, database: Database, wanted: dict[str, Any]
) -> None:
    (image,) = await sql.keep(an_image())

    with statements() as seen:
        await sql.images.page(ImageFilter(**wanted), limit=50, cursor=10**6)
        await sql.images.neighbours(image, ImageFilter(**wanted))

    plans = plans_of(seen, database)
    assert len(seen) == 3
    assert not [line for line in plans if line.startswith("SCAN image") and "INDEX" not in line]


async def test_an_outline_reads_an_index(sql: Stores, database: Database) -> None:
    with statements() as seen:
        await sql.images.outline(ALL)

    plans = plans_of(seen, database)
    reads = [line for line in plans if line.startswith("SCAN image")]
    assert len(reads) == 2
    assert all("INDEX ix_image_living" in line for line in reads)


@pytest.mark.parametrize("wanted", [{}, {"backend": "gpu-1"}], ids=str)
async def test_the_common_lists_are_read_in_order_without_sorting(
    sql: Stores, database: Database, wanted: dict[str, Any]
) -> None:
    with statements() as seen:
        await sql.images.page(ImageFilter(**wanted), limit=50, cursor=10**6)
        await sql.images.neighbours(an_image(), ImageFilter(**wanted))

    plans = plans_of(seen, database)
    assert len(seen) == 3
    assert not [line for line in plans if "ORDER BY" in line]
