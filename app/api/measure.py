"""How often each route is asked, and how long its answers take."""

from time import perf_counter
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OTHER = "other"
_STREAM = b"text/event-stream"


class Meter(Protocol):
    """Counts answers."""

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        ...


class Measured:
    """ASGI middleware that tells a meter of every HTTP answer, by route and not by address."""

    def __init__(self, app: ASGIApp, *, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and measure its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 500  # unless an answer begins
        is_counted = False

        def count() -> None:
            nonlocal is_counted
            is_counted = True
            self._meter.answered(
                method=scope["method"],
                route=_route(scope),
                status=status,
                seconds=perf_counter() - started,
            )

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = dict(message.get("headers", ()))
                if headers.get(b"content-type", b"").startswith(_STREAM):
                    count()  # its end says how long somebody listened, not how long we took
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if not is_counted:
                count()


def _route(scope: Scope) -> str:
    """The template of the route: a label of its own for every address would never end."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str) and path not in ("", "/api/{path:path}"):
        return path
    return "/_nicegui" if str(scope["path"]).startswith("/_nicegui/") else _OTHER
