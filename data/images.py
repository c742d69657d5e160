"""The gallery's rows in SQL. Keyset paging only: an OFFSET grows with the library."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, column, func, insert, literal, select, table, update

from app.events import LoggedEvent
from app.models import Image
from app.ports import Clock, ImageFilter, Outline, Page
from data import rows
from data.database import Database
from data.jobs import log_all
from data.steps import image_event
from data.tables import image

_CHUNK = 500
_PREFIX_FROM = 3  # letters; shorter prefixes match half the library
_image_text = table("image_text", column("rowid"), column("image_text"))


class SqlImageStore:
    """`app.ports.ImageStore` on the database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, image_id: UUID) -> Image | None:
        """The image, deleted or not."""
        found = await self._images(select(image).where(image.c.id == image_id))
        return found[0] if found else None

    async def get_many(self, image_ids: Sequence[UUID]) -> list[Image]:
        """Those that exist, in the order asked."""
        found: dict[UUID, Image] = {}
        for start in range(0, len(image_ids), _CHUNK):
            chunk = image_ids[start : start + _CHUNK]
            for each in await self._images(select(image).where(image.c.id.in_(chunk))):
                found[each.id] = each
        return [found[image_id] for image_id in image_ids if image_id in found]

    async def of_jobs(self, job_ids: Sequence[UUID]) -> dict[UUID, list[Image]]:
        """The living images of each job, in output order."""
        grouped: dict[UUID, list[Image]] = {}
        for start in range(0, len(job_ids), _CHUNK):
            statement = (
                select(image)
                .where(
                    image.c.job_id.in_(job_ids[start : start + _CHUNK]),
                    image.c.deleted_at.is_(None),
                )
                .order_by(image.c.index, image.c.key)
            )
            for each in await self._images(statement):
                if each.job_id is not None:
                    grouped.setdefault(each.job_id, []).append(each)
        return grouped

    async def page(
        self, image_filter: ImageFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Image]:
        """Images newest first, older than the cursor."""
        statement = select(image).where(*_conditions(image_filter))
        if cursor is not None:
            statement = statement.where(image.c.key < cursor)
        statement = statement.order_by(image.c.key.desc()).limit(limit + 1)
        found = await self._images(statement)
        more = len(found) > limit
        return Page(items=tuple(found[:limit]), next_cursor=found[limit - 1].key if more else None)

    async def count(self, image_filter: ImageFilter, *, cap: int) -> int:
        """How many match, counted no further than `cap`."""
        some = select(literal(1)).select_from(image).where(*_conditions(image_filter)).limit(cap)
        async with self._database.read() as connection:
            result = await connection.execute(select(func.count()).select_from(some.subquery()))
            return result.scalar_one()

    async def outline(self, image_filter: ImageFilter) -> Outline:
        """Total, and a cursor for every 200 images."""
        conditions = _conditions(image_filter)
        numbered = (
            select(image.c.key, func.row_number().over(order_by=image.c.key.desc()).label("n"))
            .where(*conditions)
            .subquery()
        )
        totals = select(func.count(), func.max(image.c.key), func.sum(image.c.key)).where(
            *conditions
        )
        step = Outline.__dataclass_fields__["step"].default
        async with self._database.read() as connection:
            total, newest, checksum = (await connection.execute(totals)).one()
            anchors = await connection.execute(
                select(numbered.c.key).where(numbered.c.n % step == 0).order_by(numbered.c.n)
            )
            keys = tuple(anchors.scalars())
        rev = f"{total}-{newest or 0}-{(checksum or 0) % 2**32}"
        return Outline(rev=rev, total=total, anchors=keys, step=step)

    async def neighbours(
        self, of: Image, image_filter: ImageFilter
    ) -> tuple[UUID | None, UUID | None]:
        """The next newer and the next older image of the list."""
        conditions = _conditions(image_filter)
        newer = select(image.c.id).where(*conditions, image.c.key > of.key)
        older = select(image.c.id).where(*conditions, image.c.key < of.key)
        async with self._database.read() as connection:
            return (
                (await connection.execute(newer.order_by(image.c.key).limit(1))).scalar(),
                (await connection.execute(older.order_by(image.c.key.desc()).limit(1))).scalar(),
            )

    async def set_deleted(
        self, image_ids: Sequence[UUID], at: datetime | None
    ) -> list[tuple[Image, LoggedEvent]]:
        """Move to the trash, or (None) bring back; only those whose state changed."""
        type_ = "image.restored" if at is None else "image.deleted"
        was = image.c.deleted_at.is_not(None) if at is None else image.c.deleted_at.is_(None)
        changed: list[Image] = []
        async with self._database.write() as connection:
            for start in range(0, len(image_ids), _CHUNK):
                chosen = image.c.id.in_(image_ids[start : start + _CHUNK])
                statement = update(image).where(chosen, was).values(deleted_at=at).returning(image)
                result = await connection.execute(statement)
                changed += [rows.image_value(row) for row in result.mappings().all()]
            logged = await log_all(
                connection,
                [image_event(each, type_, at=self._clock.now()) for each in changed],
            )
        return list(zip(changed, logged, strict=True))

    async def add_found(self, found: Image) -> tuple[Image, LoggedEvent] | None:
        """Insert an image whose file was found without a row; None if its file has one."""
        async with self._database.write() as connection:
            same = select(image).where(image.c.file == str(found.file))
            if (await connection.execute(same)).first() is not None:
                return None
            await connection.execute(insert(image).values(**rows.image_row(found)))
            stored = rows.image_value((await connection.execute(same)).mappings().one())
            event = image_event(stored, "image.created", at=self._clock.now())
            return stored, (await log_all(connection, [event]))[0]

    async def known_files(self, files: Sequence[PurePosixPath]) -> set[PurePosixPath]:
        """Those of the files that have a row."""
        known: set[PurePosixPath] = set()
        async with self._database.read() as connection:
            for start in range(0, len(files), _CHUNK):
                names = [str(each) for each in files[start : start + _CHUNK]]
                result = await connection.execute(
                    select(image.c.file).where(image.c.file.in_(names))
                )
                known.update(PurePosixPath(name) for name in result.scalars())
        return known

    async def _images(self, statement: Select[Any]) -> list[Image]:
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).mappings().all()
        return [rows.image_value(row) for row in found]


def _conditions(image_filter: ImageFilter) -> list[ColumnElement[bool]]:
    deleted = image.c.deleted_at.is_not(None)
    conditions: list[ColumnElement[bool]] = [
        deleted if image_filter.deleted else image.c.deleted_at.is_(None)
    ]
    if image_filter.backend is not None:
        conditions.append(image.c.backend_id == image_filter.backend)
    if image_filter.job_id is not None:
        conditions.append(image.c.job_id == image_filter.job_id)
    if image_filter.since is not None:
        conditions.append(image.c.created_at >= image_filter.since)
    if image_filter.until is not None:
        conditions.append(image.c.created_at < image_filter.until)
    return conditions + _text_conditions(image_filter.text or "")


def _text_conditions(text: str) -> list[ColumnElement[bool]]:
    """Every word must occur, the beginning of a word being enough."""
    indexed: list[str] = []
    conditions: list[ColumnElement[bool]] = []
    for word in text.split():
        if not re.search(r"[^\W_]", word):  # an emoji, say: the index has only letters and digits
            conditions.append(image.c.prompt.contains(word, autoescape=True))
            continue
        quoted = '"' + word.replace('"', '""') + '"'
        indexed.append(quoted + "*" if len(word) >= _PREFIX_FROM else quoted)
    if indexed:
        match = _image_text.c.image_text.op("MATCH")(" ".join(indexed))
        conditions.append(image.c.key.in_(select(_image_text.c.rowid).where(match)))
    return conditions
