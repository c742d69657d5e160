"""Reading bodies and writing answers the way the real server does."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from backends.demo.wire import BrokenRequestError, JsonDict

Handler = Callable[[Request], Awaitable[Response]]
Table = Mapping[str, Mapping[str, Handler]]  # path -> method -> handler
MISSING: Any = object()


class JsonAnswer(Response):
    """JSON as Python's encoder writes it, spaces and all."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


async def read_json(request: Request, *, default: Any = MISSING) -> Any:
    """The body as JSON, whatever its content type says.

    Raises BrokenRequestError when it is none and no `default` is given.
    """
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        if default is MISSING:
            raise BrokenRequestError("The body is not JSON") from exc
        return default


async def read_object(request: Request, *, default: Any = MISSING) -> JsonDict:
    """The body as a JSON object. Raises BrokenRequestError when it is something else."""
    value = await read_json(request, default=default)
    if not isinstance(value, dict):
        raise BrokenRequestError("The body is not a JSON object")
    return value  # pyright: ignore[reportUnknownVariableType] - foreign JSON
