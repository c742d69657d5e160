"""A ComfyUI server over HTTP: every request has a time limit, every failure is one of ours."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import httpx

from app.config import Timeouts
from app.errors import (
    BackendUnreachableError,
    BadOutputError,
    NotSentError,
    PromptRejectedError,
)
from app.graphs.text_to_image import Graph
from app.models import BackendInfo, Catalog
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.answers import (
    HistoryEntry,
    Queue,
    SystemStats,
    parse_catalog,
    parse_history,
    parse_prompt_answer,
    parse_queue,
    parse_system_stats,
)
from backends.comfyui.messages import OutputFile

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


class ComfyClient:
    """The requests we make; connections open on first use and close with `aclose`."""

    def __init__(
        self,
        info: BackendInfo,
        *,
        timeouts: Timeouts,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._info = info
        self._timeouts = timeouts
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connections; the next request would open new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def system_stats(self) -> tuple[SystemStats, float]:
        """The machine, and how many milliseconds it took to answer."""
        started = time.perf_counter()
        body = await self._json("GET", "/system_stats")
        return parse_system_stats(body), (time.perf_counter() - started) * 1000

    async def catalog(self) -> Catalog:
        """What the server can do."""
        response = await self._request("GET", "/object_info")
        try:
            return await asyncio.to_thread(parse_catalog, response.content)
        except ValueError as exc:
            raise failures.strange(self._info, what=failures.NOT_COMFY) from exc

    async def queue(self) -> Queue:
        """The prompts it has, running and waiting."""
        return parse_queue(await self._json("GET", "/queue"))

    async def history(self, prompt_id: str) -> HistoryEntry | None:
        """How that prompt ended; None while it has not, or if the server forgot it."""
        body = await self._json("GET", f"/history/{prompt_id}")
        return parse_history(body, prompt_id=prompt_id)

    async def submit(
        self, graph: Graph, *, prompt_id: str, client_id: str, extra_data: dict[str, Any]
    ) -> None:
        """Send a graph; returns once the server has it in its queue, complete.

        Raises:
            NotSentError: certainly not there.
            BackendUnreachableError: may be there.
            PromptRejectedError, MissingCapabilityError: refused, or only half of it accepted
                (that half is removed again).
        """
        body = {
            "prompt": graph,
            "prompt_id": prompt_id,
            "client_id": client_id,
            "extra_data": extra_data,
        }
        try:
            async with asyncio.timeout(self._limit_s):
                response = await self._client().post("/prompt", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            error = failures.unreachable(self._info, reason=failures.reason_of(exc))
            raise NotSentError(error.message, fix=error.fix) from exc
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise failures.unreachable(self._info, reason=failures.reason_of(exc)) from exc
        await self._check_accepted(response, prompt_id=prompt_id)

    async def _check_accepted(self, response: httpx.Response, *, prompt_id: str) -> None:
        status = response.status_code
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise PromptRejectedError(
                Said(
                    "{backend} rejected the prompt: it is too large.",
                    backend=failures.label(self._info),
                )
            )
        if status not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST):
            what = Said("answered {status} to a prompt", status=int(status))
            error = failures.strange(self._info, what=what)
            if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise NotSentError(error.message, fix=error.fix)
            raise error  # a 500 can come although the prompt is in the queue
        try:
            answer = parse_prompt_answer(response.json())
        except ValueError as exc:
            raise failures.strange(self._info, what=failures.NOT_COMFY) from exc
        if status == HTTPStatus.BAD_REQUEST:
            raise failures.rejection(self._info, answer=answer)
        if answer.complaints:
            # It runs without the outputs it complains about: half a picture is none.
            await self._remove(answer.prompt_id or prompt_id)
            raise failures.rejection(self._info, answer=answer)
        if answer.prompt_id != prompt_id:
            if answer.prompt_id:
                await self._remove(answer.prompt_id)
            raise PromptRejectedError(
                Said(
                    "{backend} does not keep the id we give a prompt.",
                    backend=failures.label(self._info),
                ),
                fix=Said("Update ComfyUI on that machine."),
            )

    async def _remove(self, prompt_id: str) -> None:
        try:
            await self.cancel(prompt_id)
        except BackendUnreachableError as exc:  # what it makes is never asked for
            log.warning("Prompt %s was refused but may still run: %s", prompt_id, exc)

    async def cancel(self, prompt_id: str) -> bool:
        """Remove the prompt if it waits, stop it if it runs; True if it waited and is gone.

        Nobody else's prompt is touched: there is no request here without an id.
        """
        queue = await self.queue()
        waited = prompt_id in queue.pending
        if waited:
            await self._request("POST", "/queue", json={"delete": [prompt_id]})
            queue = await self.queue()  # it may have started before it could be deleted
        # Only what runs is interrupted: old servers ignore the id and stop whatever runs.
        if prompt_id in queue.running:
            await self._request("POST", "/interrupt", json={"prompt_id": prompt_id})
        return waited and queue.find(prompt_id) is None

    async def interrupt_all(self) -> None:
        """Stop whatever runs, of anybody."""
        await self._request("POST", "/interrupt", json={})

    async def free(self) -> None:
        """Make the server unload its models and drop its caches."""
        await self._request("POST", "/free", json={"unload_models": True, "free_memory": True})

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
        try:
            async with self._client().stream("GET", "/view", params=params) as response:
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
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise failures.unreachable(self._info, reason=failures.reason_of(exc)) from exc

    async def has_complete_png(self, file: OutputFile) -> bool:
        """Whether the file is there and whole; one cut short by a crash is not.

        Raises:
            BackendUnreachableError: nothing is known.
        """
        head, tail = b"", b""
        try:
            async with aclosing(self.view(file)) as chunks:
                async for chunk in chunks:
                    head = head if len(head) >= len(_PNG_START) else head + chunk
                    tail = (tail + chunk)[-len(_PNG_END) :]
        except BadOutputError:
            return False
        return head.startswith(_PNG_START) and tail == _PNG_END

    async def _json(self, method: str, path: str) -> Any:
        response = await self._request(method, path)
        try:
            return response.json()
        except ValueError as exc:
            raise failures.strange(self._info, what=failures.NOT_COMFY) from exc

    async def _request(self, method: str, path: str, *, json: Any = None) -> httpx.Response:
        try:
            async with asyncio.timeout(self._limit_s):
                response = await self._client().request(method, path, json=json)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise failures.unreachable(self._info, reason=failures.reason_of(exc)) from exc
        if response.status_code != HTTPStatus.OK:
            what = f"answered {response.status_code} to {path}"
            raise failures.strange(self._info, what=what)
        return response

    @property
    def _limit_s(self) -> float:
        # httpx limits each read; this also ends an answer that trickles in for ever.
        return self._timeouts.connect_s + 2 * self._timeouts.request_s

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            limit = httpx.Timeout(self._timeouts.request_s, connect=self._timeouts.connect_s)
            # Reading the system's certificates blocks for 0.1 s; plain HTTP needs none of them.
            secure = self._info.url.startswith("https:")
            # trust_env=False: a proxy of the environment must not stand between us and a
            # machine next door.
            self._http = httpx.AsyncClient(
                base_url=self._info.url,
                timeout=limit,
                trust_env=False,
                transport=self._transport,
                verify=True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        return self._http
