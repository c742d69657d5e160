"""Requests of our clients, passed on to a configured ComfyUI server and to nothing else.

Nothing that belongs to our own origin goes there (cookies, tokens, where a page came from), and
nothing comes back that could act in our origin's name: the answer keeps a few harmless headers,
scripts are answered as text, and pages are locked into a sandbox.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import unquote

import httpx

from app.config import Timeouts
from app.errors import BackendUnreachableError, InvalidRequestError
from app.models import BackendInfo
from app.runs import Forwarded
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.client import direct_transport

_NOT_SENT = frozenset(
    {
        "authorization",
        "connection",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)
_NOT_SENT_PREFIXES = ("sec-", "x-forwarded-", "x-real-", "access-control-")
_PASSED_BACK = frozenset(
    {
        "accept-ranges",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "retry-after",
    }
)
_HARMLESS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNSAFE = frozenset({"\\", "\x7f", *map(chr, range(32))})


class ComfyProxy:
    """`app.runs.Proxy`; made by `open_proxy`."""

    def __init__(
        self, *, timeouts: Timeouts, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._timeouts = timeouts
        self._transport = transport
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    @asynccontextmanager
    async def forward(
        self,
        backend: BackendInfo,
        *,
        method: str,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
        body: AsyncIterator[bytes],
    ) -> AsyncGenerator[Forwarded]:
        """See the port. `path` is as it came, still percent-encoded.

        Raises:
            InvalidRequestError: the path leads elsewhere.
        """
        client = self._client(backend)
        request = client.build_request(
            method,
            _url(backend, path=path, query=query),
            headers=_sent_headers(headers),
            content=None if method in _BODILESS else body,
        )
        try:
            async with asyncio.timeout(self._timeouts.proxy_s):
                response = await client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise _no_answer(backend, exc) from exc
        try:
            yield Forwarded(
                status=response.status_code,
                headers=_answered_headers(response.headers),
                body=_read(response, backend=backend),
            )
        finally:
            await response.aclose()

    def _client(self, backend: BackendInfo) -> httpx.AsyncClient:
        scheme = httpx.URL(backend.url).scheme
        if scheme not in self._clients:
            limit = httpx.Timeout(self._timeouts.proxy_s, connect=self._timeouts.connect_s)
            transport = direct_transport(backend.url, transport=self._transport)
            self._clients[scheme] = httpx.AsyncClient(
                timeout=limit, transport=transport, trust_env=False, follow_redirects=False
            )
        return self._clients[scheme]


@asynccontextmanager
async def open_proxy(timeouts: Timeouts) -> AsyncGenerator[ComfyProxy]:
    """The proxy; its connections close at the end."""
    proxy = ComfyProxy(timeouts=timeouts)
    try:
        yield proxy
    finally:
        await proxy.aclose()


async def _read(response: httpx.Response, *, backend: BackendInfo) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.HTTPError as exc:
        raise _no_answer(backend, exc) from exc


def _no_answer(backend: BackendInfo, exc: Exception) -> BackendUnreachableError:
    error = failures.unreachable(backend, reason=failures.reason_of(exc))
    error.late = isinstance(exc, httpx.TimeoutException | TimeoutError)
    return error


def _url(backend: BackendInfo, *, path: str, query: str) -> httpx.URL:
    """The address below the backend's own; whatever the path says, it stays there."""
    for decoded in (path, unquote(path), unquote(unquote(path))):
        parts = decoded.split("/")
        if not _UNSAFE.isdisjoint(decoded) or any(part in (".", "..") for part in parts):
            raise InvalidRequestError("path", Said("This path leads out of the backend."))
    base = httpx.URL(backend.url)
    raw = base.path.rstrip("/") + "/" + path.lstrip("/") + (f"?{query}" if query else "")
    return base.copy_with(raw_path=raw.encode("ascii", "ignore"))


def _sent_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == "connection"
        for name in value.split(",")
    }
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _NOT_SENT | named and not name.lower().startswith(_NOT_SENT_PREFIXES)
    ]


def _answered_headers(headers: httpx.Headers) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers.items() if name.lower() in _PASSED_BACK]
    return [(name, _as_text(name, value)) for name, value in kept] + list(_HARMLESS.items())


def _as_text(name: str, value: str) -> str:
    # A page of ours may run scripts of our own origin: one from a backend must not be such.
    is_script = name.lower() == "content-type" and "script" in value.lower()
    return "text/plain; charset=utf-8" if is_script else value
