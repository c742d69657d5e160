"""The files of a ComfyUI server: what it made comes home, what it starts from goes there."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from app.errors import BackendUnreachableError, BadOutputError, NotSentError, PromptRejectedError
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.client import ComfyClient
from backends.comfyui.messages import OutputFile

CHUNK_BYTES = 64 * 1024
_KEPT = 16  # bytes at both ends of a file that tell whether it is whole


class ComfyFiles:
    """Downloads and uploads."""

    def __init__(self, client: ComfyClient) -> None:
        self._client = client
        self._info = client.info
        self._timeouts = client.timeouts

    async def upload(self, path: Path, *, name: str) -> None:
        """Put an input file there, under that name.

        Raises:
            NotSentError: it did not take it, so nothing can be run with it.
            PromptRejectedError: the file is gone here, or refused there.
        """
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as exc:
            raise PromptRejectedError(
                Said("The input file {name} is gone.", name=path.name),
                fix=Said("Choose the file again."),
            ) from exc
        try:
            response = await self._client.answer(
                "POST",
                "/upload/image",
                files={"image": (name, data, "application/octet-stream")},
                data={"type": "input", "overwrite": "true"},
            )
        except BackendUnreachableError as exc:
            raise NotSentError(exc.message, fix=exc.fix) from exc
        status = response.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            what = Said("answered {status} to an upload", status=status)
            error = failures.strange(self._info, what=what)
            raise NotSentError(error.message, fix=error.fix)
        if status != HTTPStatus.OK:
            raise PromptRejectedError(
                Said(
                    "{backend} does not take the input file {name}: it answered {status}.",
                    backend=failures.label(self._info),
                    name=name,
                    status=status,
                )
            )

    async def view(self, file: OutputFile) -> AsyncGenerator[bytes]:
        """The bytes of a file, in chunks.

        Raises (while iterating):
            BadOutputError: the server does not have it.
            BackendUnreachableError: it did not come within `download_s`.
        """
        deadline = asyncio.get_running_loop().time() + self._timeouts.download_s
        async with aclosing(self._stream(file)) as chunks:
            while True:
                # The limit is on the server alone: what the reader does in between is its own.
                try:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                except TimeoutError as exc:
                    late = f"'{file.filename}' took more than {self._timeouts.download_s:g} s"
                    raise failures.unreachable(self._info, reason=late) from exc
                if chunk is None:
                    return
                yield chunk

    async def _stream(self, file: OutputFile) -> AsyncGenerator[bytes]:
        params = {"filename": file.filename, "type": file.type, "subfolder": file.subfolder}
        async with self._client.stream("/view", params=params) as response:
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                what = Said("answered {status} to /view", status=response.status_code)
                raise failures.strange(self._info, what=what)
            if response.status_code != HTTPStatus.OK:
                raise BadOutputError(
                    Said(
                        "{backend} does not have the file '{file}' it says it made.",
                        backend=failures.label(self._info),
                        file=file.filename,
                    )
                )
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                yield chunk

    async def find_saved(
        self, *, node_id: str, prefix: str, suffixes: Sequence[str]
    ) -> list[OutputFile]:
        """The whole files that a saving node with that prefix has left there, in order.

        Raises:
            BackendUnreachableError: nothing is known.
        """
        for suffix in suffixes:
            for end in (f"_{suffix}", suffix):  # nodes differ in how they end the number
                found = await self._find_numbered(node_id=node_id, prefix=prefix, end=end)
                if found:
                    return found
        return []

    async def _find_numbered(self, *, node_id: str, prefix: str, end: str) -> list[OutputFile]:
        folder, _, stem = prefix.rpartition("/")
        found: list[OutputFile] = []
        while True:
            name = f"{stem}_{len(found) + 1:05}{end}"
            file = OutputFile(node_id=node_id, filename=name, subfolder=folder, type="output")
            if not await self.has_whole(file):
                return found
            found.append(file)

    async def has_whole(self, file: OutputFile) -> bool:
        """Whether the file is there and whole; one cut short by a crash is not.

        Raises:
            BackendUnreachableError: nothing is known.
        """
        head, tail, size = b"", b"", 0
        try:
            async with aclosing(self.view(file)) as chunks:
                async for chunk in chunks:
                    head = head if len(head) >= _KEPT else head + chunk[:_KEPT]
                    tail = (tail + chunk)[-_KEPT:]
                    size += len(chunk)
        except BadOutputError:
            return False
        return _is_whole(PurePosixPath(file.filename).suffix.lower(), head, tail, size)


def _is_whole(suffix: str, head: bytes, tail: bytes, size: int) -> bool:
    """By its ends: pictures say where they end; what is wrong with others shows when decoded."""
    match suffix:
        case ".png":
            ended = tail.endswith(b"\x00\x00\x00\x00IEND\xaeB`\x82")
            return head.startswith(b"\x89PNG\r\n\x1a\n") and ended
        case ".jpg" | ".jpeg":
            return head.startswith(b"\xff\xd8") and tail.endswith(b"\xff\xd9")
        case ".webp":
            return head.startswith(b"RIFF") and int.from_bytes(head[4:8], "little") + 8 == size
        case _:
            return size > 0
