"""Files to start from over HTTP: pictures, masks, videos, sounds."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import FileResponse
from pydantic import ConfigDict, ValidationError
from starlette.datastructures import UploadFile

from app.api.deps import Here
from app.api.problems import responses
from app.inputs import InputFile
from app.models import MediaKind
from app.submission import Wire

router = APIRouter(prefix="/api/inputs", tags=["inputs"])

_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
_KINDS: tuple[MediaKind, ...] = ("image", "video", "audio")
_ANY: dict[str, dict[str, str]] = {
    "image/*": {},
    "video/*": {},
    "audio/*": {},
    "model/*": {},
}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["imageId"],
                "properties": {"imageId": {"type": "string", "format": "uuid"}},
                "additionalProperties": False,
            }
        },
    },
}


class FromGallery(Wire):
    """A picture, a video or a sound that is in the gallery already."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"imageId": "01a1fc41-54ea-777a-94be-1da39cfc7cb7"}]}
    )

    image_id: UUID


class InputView(Wire):
    """A file that was given; its `name` goes into `params.image` or `params.mask`, or into the
    parameter of a workflow that takes such a file."""

    name: str
    kind: MediaKind
    mime: str
    width: int
    height: int
    size_bytes: int
    duration_seconds: float | None
    url: str
    thumbnail_url: str | None


@router.post(
    "",
    status_code=201,
    responses=responses(400, 404, 413, 503),
    openapi_extra={"requestBody": _BODY},
)
async def add_input(here: Here, request: Request) -> InputView:
    """Give a picture (PNG, JPEG, WebP, GIF, BMP, TIFF), a video (MP4, WebM, MOV, MKV), a sound
    (WAV, MP3, FLAC, OGG, M4A) or a 3D model (GLB) of up to 50 MB: a file in a form field `file`,
    or one of the gallery by its `imageId`.

    The same file has the same name; it is safe to repeat.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return _view(await here.inputs.add(await _uploaded(request)))
    body = await request.body()
    try:
        chosen = FromGallery.model_validate_json(body)
    except ValidationError as exc:
        raise HTTPException(422, "Send a file in a form field 'file', or {imageId}.") from exc
    return _view(await here.inputs.from_image(chosen.image_id, kinds=_KINDS))


@router.get("/{name}/info", responses=responses(404))
async def input_info(here: Here, name: Annotated[str, Path(max_length=100)]) -> InputView:
    """What is known of a file that was given."""
    return _view(await here.inputs.get(name))


@router.get(
    "/{name}",
    response_class=FileResponse,
    responses={200: {"content": _ANY}, **responses(404)},
)
async def input_file(here: Here, name: Annotated[str, Path(max_length=100)]) -> FileResponse:
    """The file itself; `Range` is understood."""
    found = await here.inputs.get(name)
    return FileResponse(
        here.inputs.path(found.name),
        headers=_HEADERS,
        media_type=found.mime,
        content_disposition_type="inline",
    )


@router.get(
    "/{name}/thumbnail",
    response_class=FileResponse,
    responses={200: {"content": {"image/webp": {}}}, **responses(404)},
)
async def input_thumbnail(here: Here, name: Annotated[str, Path(max_length=100)]) -> FileResponse:
    """A small picture of it: of a video its first frame."""
    path = await here.inputs.thumbnail(name)
    return FileResponse(path, headers=_HEADERS, media_type="image/webp")


async def _uploaded(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "The form has no file in the field 'file'.")
        return await file.read()


def _view(found: InputFile) -> InputView:
    url = f"/api/inputs/{found.name}"
    return InputView(
        name=found.name,
        kind=found.kind,
        mime=found.mime,
        width=found.width,
        height=found.height,
        size_bytes=found.size_bytes,
        duration_seconds=found.duration_s,
        url=url,
        thumbnail_url=f"{url}/thumbnail" if found.kind in ("image", "video") else None,
    )
