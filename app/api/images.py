"""The gallery over HTTP."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import ConfigDict, Field
from zipstream import ZipStream  # pyright: ignore[reportMissingTypeStubs] - has none

from app.api.deps import Cursor, Here, Limit
from app.api.problems import responses
from app.errors import InvalidRequestError, NotFoundError
from app.gallery import download_name
from app.models import Image
from app.ports import ImageFilter
from app.said import Said
from app.services import Services
from app.submission import Wire
from app.views import ImageView

router = APIRouter(prefix="/api/images", tags=["images"])

_MAX_DOWNLOAD = 10_000  # images in one ZIP
_IMMUTABLE = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
_REVALIDATED = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}


class ImageList(Wire):
    """A page of images, newest first; `total` is exact to 1,000, then "1000+"."""

    images: list[ImageView]
    next_cursor: str | None
    total: int | str


class OutlineView(Wire):
    """The shape of a list: `anchors[i]` is the cursor of image `i * step` and what follows."""

    rev: str
    total: int
    step: int
    anchors: list[str | None]


class Chosen(Wire):
    """Some images."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ids": ["01a1fc41-54ea-777a-94be-1da39cfc7cb7"]}]}
    )

    ids: Annotated[list[UUID], Field(min_length=1, max_length=_MAX_DOWNLOAD)]


class Changed(Wire):
    """The images that were really changed."""

    ids: list[UUID]


def _filter(
    q: Annotated[str | None, Query(max_length=500, description="Words in the prompt")] = None,
    backend: Annotated[str | None, Query(max_length=200)] = None,
    job_id: Annotated[UUID | None, Query(alias="jobId")] = None,
    since: Annotated[date | None, Query(alias="from", description="First day (UTC)")] = None,
    until: Annotated[date | None, Query(alias="to", description="Last day (UTC)")] = None,
) -> ImageFilter:
    if q is not None and "\x00" in q:
        raise HTTPException(422, "q: holds a NUL character")
    return ImageFilter(
        text=q,
        backend=backend,
        job_id=job_id,
        since=_midnight(since) if since else None,
        until=_midnight(until) + timedelta(days=1) if until and until < date.max else None,
    )


Filter = Annotated[ImageFilter, Depends(_filter)]


@router.get("", responses=responses())
async def list_images(
    here: Here, image_filter: Filter, limit: Limit = 50, cursor: Cursor = None
) -> ImageList:
    """Images newest first."""
    images, next_cursor = await here.gallery.page(image_filter, limit=limit, cursor=cursor)
    return ImageList(
        images=images,
        next_cursor=None if next_cursor is None else str(next_cursor),
        total=await here.gallery.count(image_filter),
    )


@router.get("/outline", responses=responses())
async def outline(here: Here, image_filter: Filter) -> OutlineView:
    """The shape of the whole list, for jumping anywhere in it."""
    found = await here.gallery.outline(image_filter)
    return OutlineView(
        rev=found.rev,
        total=found.total,
        step=found.step,
        anchors=[None, *(str(anchor) for anchor in found.anchors)],
    )


@router.post(
    "/download",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}, **responses(400, 404)},
)
async def download(here: Here, chosen: Chosen) -> StreamingResponse:
    """The files of several images as one ZIP, streamed."""
    return await _stream_archive(here, chosen.ids)


@router.post(
    "/archive",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}, **responses(400, 404)},
)
async def archive(
    here: Here, ids: Annotated[str, Form(max_length=_MAX_DOWNLOAD * 40)]
) -> StreamingResponse:
    """The same for a form, whose answer a browser saves as it arrives; ids with commas between."""
    try:
        chosen = [UUID(each.strip()) for each in ids.split(",")]
    except ValueError as exc:
        raise InvalidRequestError("ids", "One of the ids is no id of an image.") from exc
    if len(chosen) > _MAX_DOWNLOAD:
        raise InvalidRequestError("ids", f"More than {_MAX_DOWNLOAD} images at once.")
    return await _stream_archive(here, chosen)


async def _stream_archive(here: Services, ids: list[UUID]) -> StreamingResponse:
    images = await here.gallery.find_many(ids)
    archive = _archive(here, images)
    if not archive:
        raise HTTPException(404, "None of these images has a file.")
    name = f"orchestrator-{archive.num_queued()}-images.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_pieces(archive), media_type="application/zip", headers=headers)


@router.post("/delete", responses=responses(400, 503))
async def delete_many(here: Here, chosen: Chosen) -> Changed:
    """Move several images to the trash."""
    return Changed(ids=await here.gallery.delete(chosen.ids))


@router.post("/restore", responses=responses(400, 503))
async def restore_many(here: Here, chosen: Chosen) -> Changed:
    """Bring several images back."""
    return Changed(ids=await here.gallery.restore(chosen.ids))


@router.get("/{image_id}", responses=responses(404))
async def get_image(here: Here, image_id: UUID) -> ImageView:
    """One image with everything known of it."""
    return await here.gallery.get(image_id)


@router.get("/{image_id}/neighbours", responses=responses(404))
async def neighbours(here: Here, image_id: UUID, image_filter: Filter) -> dict[str, UUID | None]:
    """The next newer and the next older image of the list."""
    newer, older = await here.gallery.neighbours(image_id, image_filter)
    return {"newer": newer, "older": older}


@router.get(
    "/{image_id}/file",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, **responses(404, 416)},
)
async def file(here: Here, request: Request, image_id: UUID, download: bool = False) -> Response:
    """The picture itself; knows Range and ETag. With `download` it comes as an attachment."""
    image = await here.gallery.find(image_id)
    path = here.gallery.path(image)
    if not path.is_file():
        message = Said("The file of image {id} is gone from the disk.", id=image_id)
        raise NotFoundError(message, fix=Said("Was it moved or deleted by hand?"))
    etag = f'"{image.sha256}"'
    headers = {**_REVALIDATED, "ETag": etag, "Content-Security-Policy": "sandbox"}
    if _matches(request, etag):
        return Response(status_code=304, headers=headers)
    kind = "attachment" if download else "inline"
    name = quote(download_name(image))
    headers["Content-Disposition"] = f"{kind}; filename*=utf-8''{name}"
    return FileResponse(path, media_type=image.mime, headers=headers)


@router.get(
    "/{image_id}/thumbnail",
    response_class=FileResponse,
    responses={200: {"content": {"image/webp": {}}}, **responses(404)},
)
async def thumbnail(here: Here, request: Request, image_id: UUID) -> Response:
    """A WebP of at most 384 pixels a side."""
    image = await here.gallery.find(image_id)
    etag = f'"{image.sha256}-384"'
    headers = {**_IMMUTABLE, "ETag": etag}
    if _matches(request, etag):
        return Response(status_code=304, headers=headers)
    path = await here.gallery.thumbnail(image)
    return FileResponse(path, media_type="image/webp", headers=headers)


@router.delete("/{image_id}", status_code=204, responses=responses(404, 503))
async def delete(here: Here, image_id: UUID) -> None:
    """Move an image to the trash; the file stays, and restore brings it back."""
    await here.gallery.find(image_id)
    await here.gallery.delete([image_id])


@router.post("/{image_id}/restore", responses=responses(404, 503))
async def restore(here: Here, image_id: UUID) -> ImageView:
    """Bring an image back from the trash."""
    await here.gallery.find(image_id)
    await here.gallery.restore([image_id])
    return await here.gallery.get(image_id)


def _archive(here: Services, images: list[Image]) -> ZipStream:
    """The files under names that say what they are, numbered where two are alike."""
    archive = ZipStream()
    taken: set[str] = set()
    for image in images:
        path = here.gallery.path(image)
        if not path.is_file():
            continue
        name = download_name(image)
        stem, dot, suffix = name.rpartition(".")
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}{dot}{suffix}"
        taken.add(name)
        archive.add_path(path, name)  # pyright: ignore[reportUnknownMemberType]
    return archive


def _pieces(archive: ZipStream) -> Iterator[bytes]:
    yield from archive


def _matches(request: Request, etag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    return etag in [each.strip().removeprefix("W/") for each in given.split(",")] or given == "*"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
