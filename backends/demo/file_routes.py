"""Looking at files and uploading them."""

import asyncio
import io
import json
import mimetypes
from collections.abc import Callable
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from backends.demo.answers import JsonAnswer, Table
from backends.demo.files import OutsideFolderError, Workspace, without_annotation
from backends.demo.wire import BrokenRequestError

ACTIVE_TYPES = {  # a browser would run them
    "text/html",
    "text/javascript",
    "text/css",
    "text/xml",
    "image/svg+xml",
    "application/xml",
    "application/javascript",
    "application/xhtml+xml",
}
DEFAULT_QUALITY = 90


class FileRoutes:
    """`/view`, `/upload/…` and the folder listings."""

    def __init__(self, files: Workspace) -> None:
        self._files = files

    def table(self) -> Table:
        return {
            "/view": {"GET": self._view},
            "/upload/image": {"POST": self._upload_image},
            "/upload/mask": {"POST": self._upload_mask},
            "/internal/files/{kind}": {"GET": self._list},
        }

    async def _list(self, request: Request) -> Response:
        kind: str = request.path_params["kind"]
        folder = self._files.folder(kind)
        if folder is None:
            return Response(status_code=400)
        names = await asyncio.to_thread(lambda: [p.name for p in folder.glob("*") if p.is_file()])
        return JsonAnswer([f"{name} [{kind}]" for name in sorted(names)])

    async def _view(self, request: Request) -> Response:
        query = request.query_params
        if "filename" not in query:
            return Response(status_code=404)
        filename, kind = without_annotation(query["filename"])
        folder = self._files.folder(kind or query.get("type", "output"))
        if folder is None or not filename or filename[0] == "/" or ".." in filename:
            return Response(status_code=400)
        try:
            path = await asyncio.to_thread(
                self._files.find,
                filename=filename,
                subfolder=query.get("subfolder", ""),
                folder=folder,
            )
        except OutsideFolderError:
            return Response(status_code=403)
        if path is None:
            return Response(status_code=404)
        channel = query.get("channel", "rgba")
        if "preview" in query:
            shape = _preview_shape(query["preview"], channel=query.get("channel", ""))
            content = await _encode(path, shape)
            return _named(Response(content, media_type=f"image/{shape[0]}"), path.name)
        if channel in ("rgb", "a"):
            content = await _encode(path, ("png", 0, channel))
            return _named(Response(content, media_type="image/png"), path.name)
        return await asyncio.to_thread(_whole_file, path, request.headers.get("if-none-match"))

    async def _upload_image(self, request: Request) -> Response:
        return await self._upload(request, transform=None)

    async def _upload_mask(self, request: Request) -> Response:
        return await self._upload(request, transform=self._mask)

    async def _upload(
        self, request: Request, *, transform: Callable[[bytes, str], bytes | None] | None
    ) -> Response:
        async with request.form() as form:
            image = form.get("image")
            if not isinstance(image, UploadFile) or not image.filename:
                return Response(status_code=400)
            kind, subfolder = str(form.get("type", "input")), str(form.get("subfolder", ""))
            folder = self._files.folder(kind)
            if folder is None:
                raise BrokenRequestError(f"There is no folder for type {kind}")
            content: bytes | None = await image.read()
            filename = image.filename
            if transform is not None:
                original = form.get("original_ref")
                if not isinstance(original, str):
                    raise BrokenRequestError("original_ref is missing")
                content = await asyncio.to_thread(transform, content, original)
            if content is not None:
                try:
                    filename, _path = await asyncio.to_thread(
                        self._files.store,
                        content,
                        filename=filename,
                        subfolder=subfolder,
                        folder=folder,
                        overwrite=str(form.get("overwrite")) in ("true", "1"),
                    )
                except OutsideFolderError:
                    return Response(status_code=400)
                except (OSError, ValueError) as exc:
                    raise BrokenRequestError("The file cannot be written") from exc
        return JsonAnswer({"name": filename, "subfolder": subfolder, "type": kind})

    def _mask(self, content: bytes, original_ref: str) -> bytes | None:
        """The original with the mask's alpha; None when there is no original."""
        try:
            original = json.loads(original_ref)
            folder = self._files.folder(original.get("type") or "output")
            if folder is None:
                return None
            path = self._files.find(
                filename=original["filename"],
                subfolder=original.get("subfolder", ""),
                folder=folder,
            )
            if path is None:
                return None
            with Image.open(path) as picture, Image.open(io.BytesIO(content)) as mask:
                masked = picture.convert("RGBA")
                masked.putalpha(mask.convert("RGBA").getchannel("A"))
        except (ValueError, KeyError, AttributeError, OSError, OutsideFolderError) as exc:
            raise BrokenRequestError("The mask cannot be applied") from exc
        buffer = io.BytesIO()
        masked.save(buffer, format="PNG", compress_level=4)
        return buffer.getvalue()


def _preview_shape(wanted: str, *, channel: str) -> tuple[str, int, str]:
    """Format, quality and channels of a preview; what is not understood becomes WebP."""
    kind, *rest = wanted.split(";")
    if kind not in ("webp", "jpeg") or "a" in channel:
        kind = "webp"
    quality = int(rest[-1]) if rest and rest[-1].isdigit() else DEFAULT_QUALITY
    return kind, min(quality, 100), "rgb" if kind == "jpeg" or channel == "rgb" else ""


async def _encode(path: Path, shape: tuple[str, int, str]) -> bytes:
    kind, quality, channels = shape

    def encode() -> bytes:
        buffer = io.BytesIO()
        with Image.open(path) as opened:
            image: Image.Image = opened
            if channels == "rgb":
                image = opened.convert("RGB")
            elif channels == "a":
                alpha = opened.convert("RGBA").getchannel("A")
                image = Image.new("RGBA", opened.size)
                image.putalpha(alpha)
            image.save(buffer, format=kind, **({"quality": quality} if kind != "png" else {}))
        return buffer.getvalue()

    try:
        return await asyncio.to_thread(encode)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as exc:
        raise BrokenRequestError(f"{path.name} is no picture") from exc


def _whole_file(path: Path, if_none_match: str | None) -> Response:
    """The bytes as they are; ranges are served too."""
    found = path.stat()
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    if if_none_match and etag in if_none_match:
        return _named(Response(status_code=304, headers={"Etag": etag}), path.name)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    active = kind in ACTIVE_TYPES
    response = FileResponse(
        path,
        media_type="application/octet-stream" if active else kind,
        stat_result=found,
        headers={"Etag": etag, "X-Content-Type-Options": "nosniff"},
    )
    return _named(response, path.name, attached=active)


def _named(response: Response, name: str, *, attached: bool = False) -> Response:
    """Names the file in plain UTF-8, which the header API itself refuses to send."""
    clean = name.replace('"', "%22").replace("\r", "").replace("\n", "")
    value = f'{"attachment; " if attached else ""}filename="{clean}"'
    response.raw_headers.append((b"content-disposition", value.encode("utf-8", "replace")))
    return response
