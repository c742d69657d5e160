"""What happens to a request before any route sees it."""

import asyncio
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backends.demo.faults import Fault, FaultBox
from backends.demo.settings import MAX_BODY_BYTES


class OriginCheck:
    """Refuses what another web page sends to a server on this machine; answers OPTIONS."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_foreign(Headers(scope=scope)):
            if scope["type"] == "http" and scope["method"] == "OPTIONS":
                await Response()(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accept: 403
        else:
            await Response(status_code=403)(scope, receive, send)


class DemandedAnswers:
    """Slow answers and plain 500s on demand; the fault routes themselves are spared."""

    def __init__(self, app: ASGIApp, *, faults: FaultBox) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/demo/"):
            delay_s = self._faults.take(Fault.SLOW_ANSWERS_S)
            if delay_s is not None:
                await asyncio.sleep(delay_s)
            if self._faults.take_500(scope["path"]):
                text = "500 Internal Server Error\n\nServer got itself in trouble"
                await PlainTextResponse(text, status_code=500)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Answers 413 to a body that is announced or turns out to be too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse(
            f"Maximum request body size {MAX_BODY_BYTES} exceeded.", status_code=413
        )
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await refusal(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                raise _TooLargeError
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLargeError:
            await refusal(scope, receive, send)


class _TooLargeError(Exception):
    pass


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    host, origin = headers.get("host", "").lower(), headers.get("origin")
    if origin is None:
        return False
    try:
        ours, theirs = urlsplit(f"//{host}"), urlsplit(origin.lower())
        our_name, their_name = host, theirs.netloc
        if theirs.port is None:
            our_name = ours.hostname or ""
        if ours.port is None:
            their_name = theirs.hostname or ""
    except ValueError:
        return True
    if not our_name or not their_name or not _is_loopback(ours.hostname or ""):
        return False
    return our_name != their_name


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
