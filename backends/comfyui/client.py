"""A ComfyUI server over HTTP: every request has a time limit, every failure is one of ours."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx

from app.config import Timeouts
from app.errors import (
    BackendUnreachableError,
    NotSentError,
    PromptRejectedError,
)
from app.models import BackendInfo, Catalog
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.answers import (
    HistoryEntry,
    Queue,
    SystemStats,
    find_marked,
    parse_history,
    parse_prompt_answer,
    parse_queue,
    parse_system_stats,
)
from backends.comfyui.catalog import parse_catalog
from backends.comfyui.messages import as_dict, text_or_none

log = logging.getLogger(__name__)

_SCANNED = 64  # entries of the history that are searched for a prompt whose id is not known

OnCall = Callable[[str, int], None]
"""Told of each request: its endpoint and the status of the answer, 0 for none."""


class ComfyClient:
    """The requests we make; connections open on first use and close with `aclose`."""

    def __init__(
        self,
        info: BackendInfo,
        *,
        timeouts: Timeouts,
        transport: httpx.AsyncBaseTransport | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self._info = info
        self._timeouts = timeouts
        self._transport = transport
        self._on_call = on_call
        self._http: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connections; the next request would open new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def system_stats(self) -> tuple[SystemStats, float]:
        """The machine, and how many milliseconds it took to answer."""
        started = time.perf_counter()
        body = await self.json("/system_stats")
        return parse_system_stats(body), (time.perf_counter() - started) * 1000

    async def catalog(self) -> Catalog:
        """What it can do, as far as its node classes tell."""
        response = await self.request("GET", "/object_info")
        try:
            return await asyncio.to_thread(parse_catalog, response.content)
        except ValueError as exc:
            raise failures.strange(self._info, what=failures.NOT_COMFY) from exc

    async def queue(self) -> Queue:
        """The prompts it has, running and waiting."""
        return parse_queue(await self.json("/queue"))

    async def history(self, prompt_id: str) -> HistoryEntry | None:
        """How that prompt ended; None while it has not, or if the server forgot it."""
        body = await self.json(f"/history/{prompt_id}")
        return parse_history(body, prompt_id=prompt_id)

    async def find_ended(self, mark: str) -> str | None:
        """What the server calls the prompt that we marked so, if it ended not long ago."""
        return find_marked(await self.json(f"/history?max_items={_SCANNED}"), mark=mark)

    async def job_status(self, prompt_id: str) -> str | None:
        """`pending`, `in_progress`, …; None if it has none of that id, or no such route."""
        response = await self.answer("GET", f"/api/jobs/{prompt_id}")
        if response.status_code != HTTPStatus.OK:
            return None
        return text_or_none(as_dict(self._parsed(response)), "status")

    async def submit(
        self,
        graph: Mapping[str, Any],
        *,
        prompt_id: str,
        client_id: str,
        extra_data: dict[str, Any],
    ) -> str:
        """Send a graph; once the server has it in its queue, complete: the id it goes by there.

        That is `prompt_id`, unless the server invents its own.

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
                response = await self.http().post("/prompt", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            error = failures.unreachable(self._info, reason=failures.reason_of(exc))
            raise NotSentError(error.message, fix=error.fix) from exc
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise failures.unreachable(self._info, reason=failures.reason_of(exc)) from exc
        return await self._accepted_id(response, prompt_id=prompt_id)

    async def _accepted_id(self, response: httpx.Response, *, prompt_id: str) -> str:
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
        return answer.prompt_id or prompt_id

    async def _remove(self, prompt_id: str) -> None:
        try:
            await self.cancel(prompt_id)
        except BackendUnreachableError as exc:  # what it makes is never asked for
            log.warning("Prompt %s was refused but may still run: %s", prompt_id, exc)

    async def cancel(self, prompt_id: str, *, by_job: bool = False) -> bool:
        """Remove the prompt if it waits, stop it if it runs; True if it waited and is gone.

        Nobody else's prompt is touched. `by_job`: the server has the route that does it at once.
        """
        queue = await self.queue()
        waited = prompt_id in queue.pending
        if not waited and prompt_id not in queue.running:
            return False
        if by_job and await self._cancel_job(prompt_id):
            queue = await self.queue()
            return waited and queue.find(prompt_id) is None
        if waited:
            await self.request("POST", "/queue", json={"delete": [prompt_id]})
        queue = await self.queue()  # it may have started before it could be deleted, or ended
        # Looked at right before: old servers ignore the id and stop whatever runs.
        if prompt_id in queue.running:
            await self.request("POST", "/interrupt", json={"prompt_id": prompt_id})
        return waited and queue.find(prompt_id) is None

    async def remove_waiting(self, prompt_id: str) -> bool:
        """Remove the prompt if it waits, and only then; True if it is gone."""
        await self.request("POST", "/queue", json={"delete": [prompt_id]})
        queue = await self.queue()  # it may have started before it could be deleted, or ended
        return queue.find(prompt_id) is None and await self.history(prompt_id) is None

    async def _cancel_job(self, prompt_id: str) -> bool:
        response = await self.answer("POST", f"/api/jobs/{prompt_id}/cancel")
        return response.status_code == HTTPStatus.OK

    async def interrupt_all(self) -> None:
        """Stop whatever runs, of anybody."""
        await self.request("POST", "/interrupt", json={})

    async def free(self) -> None:
        """Make the server unload its models and drop its caches."""
        await self.request("POST", "/free", json={"unload_models": True, "free_memory": True})

    async def json(self, path: str) -> Any:
        """What it answers to a GET there.

        Raises:
            BackendUnreachableError: nothing in time, or nothing that is JSON.
        """
        return self._parsed(await self.request("GET", path))

    async def request(
        self, method: str, path: str, *, json: Any = None, files: Any = None, data: Any = None
    ) -> httpx.Response:
        """The answer, if it is a 200.

        Raises:
            BackendUnreachableError: none in time, or another status.
        """
        response = await self.answer(method, path, json=json, files=files, data=data)
        if response.status_code != HTTPStatus.OK:
            what = f"answered {response.status_code} to {path}"
            raise failures.strange(self._info, what=what)
        return response

    async def answer(
        self, method: str, path: str, *, json: Any = None, files: Any = None, data: Any = None
    ) -> httpx.Response:
        """The answer, whatever its status.

        Raises:
            BackendUnreachableError: none in time.
        """
        try:
            async with asyncio.timeout(self._limit_s):
                return await self.http().request(method, path, json=json, files=files, data=data)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise failures.unreachable(self._info, reason=failures.reason_of(exc)) from exc

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Mapping[str, str]
    ) -> AsyncGenerator[httpx.Response]:
        """The answer to a GET, its body still to come; the reader sees to the time limit.

        Raises:
            BackendUnreachableError: it broke, also while the body is read.
        """
        try:
            async with self.http().stream("GET", path, params=params) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise failures.unreachable(self._info, reason=failures.reason_of(exc)) from exc

    def _parsed(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as exc:
            raise failures.strange(self._info, what=failures.NOT_COMFY) from exc

    @property
    def info(self) -> BackendInfo:
        """Whom it talks to."""
        return self._info

    @property
    def timeouts(self) -> Timeouts:
        """How long it waits."""
        return self._timeouts

    @property
    def _limit_s(self) -> float:
        # httpx limits each read; this also ends an answer that trickles in for ever.
        return self._timeouts.connect_s + 2 * self._timeouts.request_s

    def http(self) -> httpx.AsyncClient:
        """The connections themselves."""
        if self._http is None:
            limit = httpx.Timeout(self._timeouts.request_s, connect=self._timeouts.connect_s)
            transport = direct_transport(self._info.url, transport=self._transport)
            self._http = httpx.AsyncClient(
                base_url=self._info.url,
                timeout=limit,
                transport=Counting(transport, on_call=self._on_call),
                trust_env=False,
            )
        return self._http


def direct_transport(
    url: str, *, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncBaseTransport:
    """What carries requests to a backend: no proxy of the environment stands between."""
    if transport is not None:
        return transport
    # Reading the system's certificates blocks for 0.1 s; plain HTTP needs none of them.
    secure = url.startswith("https:")
    verify = True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncHTTPTransport(verify=verify, trust_env=False)


class Counting(httpx.AsyncBaseTransport):
    """Tells of each request that passes through, by the first part of its path."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, on_call: OnCall | None) -> None:
        self._inner = inner
        self._on_call = on_call

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on, and tell how it went."""
        status = 0
        try:
            response = await self._inner.handle_async_request(request)
            status = response.status_code
            return response
        finally:
            if self._on_call is not None:
                path = request.url.path.removeprefix("/api")
                self._on_call("/" + path.strip("/").partition("/")[0], status)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
