"""Keeps hostile web pages out: they can reach a loopback server through the user's browser.

NiceGUI's socket accepts any Origin and any Host, so the check stands before everything, and for
WebSockets too. A foreign Host means DNS rebinding; a foreign Origin, another site's page.
"""

import ipaddress
import json
import re
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SOCKET_PATH = "/_nicegui_ws"

SECURITY_HEADERS = {
    # NiceGUI compiles Vue templates in the browser and starts from an inline script, so these two
    # `unsafe` are needed; what the policy stops is foreign loads, framing and foreign form targets.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_TAKES_FILES = re.compile(r"/api/(inputs$|workflows/import$|comfy/|backends/[^/]+/comfy/)")
_MAX_FILE_BYTES = 50 * 2**20


class BodyTooLargeError(Exception):
    """The request's body went over the limit while it was read."""


class Guard:
    """ASGI middleware: 403 for foreign Hosts and Origins, 413 for bodies over `max_body_bytes`."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], max_body_bytes: int) -> None:
        self.app = app
        self._hosts = hosts
        self._max_body_bytes = max_body_bytes

    def _limit(self, scope: Scope) -> int:
        """How many bytes a body may have: more where pictures are given."""
        takes_files = _TAKES_FILES.match(scope["path"]) is not None
        return max(self._max_body_bytes, _MAX_FILE_BYTES) if takes_files else self._max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, receive, send, *refusal)
            return
        # NiceGUI would write this header's value into the page.
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"x-forwarded-prefix"]
        await self._counting(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(_name(host)):
            return 403, f"The host '{host[:100]}' is not this app's."
        origin = headers.get("origin")
        guarded = (
            scope["type"] == "websocket"
            or scope.get("method") not in _SAFE
            or scope["path"].startswith(_SOCKET_PATH)
        )
        if origin is not None and _netloc(origin) != host:
            return 403, "Another site's page may not do this."
        if guarded and headers.get("sec-fetch-site") == "cross-site":
            return 403, "Another site's page may not do this."
        length = headers.get("content-length", "0")
        limit = self._limit(scope)
        if length.isdecimal() and int(length) > limit:
            return 413, f"The body is over {limit} bytes."
        return None

    def _is_ours(self, name: str) -> bool:
        # DNS rebinding needs a name of the attacker's; an address can only be the real one.
        return name.lower() in self._hosts or _is_address(name)

    async def _counting(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        limit = self._limit(scope)
        started = too_large = False

        async def counted() -> Message:
            nonlocal received, too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                too_large = True
                raise BodyTooLargeError
            return message

        async def noticing(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return  # the app says only that it could not parse the body
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        with suppress(BodyTooLargeError):
            await self.app(scope, counted, noticing)
        if too_large and not started:
            detail = f"The body is over {limit} bytes."
            await _refuse(scope, receive, send, 413, detail)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": detail})
        return
    title = "Forbidden" if status == 403 else "Too large"
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body = json.dumps(problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
