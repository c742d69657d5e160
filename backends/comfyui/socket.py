"""The WebSocket to a ComfyUI server: connected, said hello, and read as typed messages."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

from app.config import Timeouts
from app.models import BackendInfo
from backends.comfyui import failures
from backends.comfyui.messages import Message, parse

# Counts only as the first message of a connection, so it is sent again after each reconnect.
_HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_CLOSE_S = 1


class ComfySocket:
    """One connection, open."""

    def __init__(self, connection: ClientConnection, *, info: BackendInfo) -> None:
        self._connection = connection
        self._info = info

    async def messages(self) -> AsyncIterator[Message]:
        """What the server says, until `close`.

        Raises (while iterating):
            BackendUnreachableError: the connection broke.
        """
        try:
            async for raw in self._connection:
                message = parse(raw)
                if message is not None:
                    yield message
        except ConnectionClosed as exc:
            raise failures.unreachable(self._info, reason=failures.BROKE) from exc

    async def close(self) -> None:
        """End the connection, and with it the iteration."""
        await self._connection.close()


@asynccontextmanager
async def open_socket(
    info: BackendInfo, *, client_id: str, timeouts: Timeouts
) -> AsyncGenerator[ComfySocket]:
    """Connect and say hello; on leaving, the connection is fully closed.

    Raises:
        BackendUnreachableError: no connection within `connect_s`.
    """
    url = f"{info.url.replace('http', 'ws', 1)}/ws?clientId={client_id}"
    try:
        connection = await connect(
            url,
            open_timeout=timeouts.connect_s,
            close_timeout=_CLOSE_S,
            ping_interval=timeouts.ping_s,
            ping_timeout=timeouts.ping_s,
            max_size=None,  # servers send previews of any size
            compression=None,  # previews are compressed pictures already
            proxy=None,
        )
    except (OSError, TimeoutError, WebSocketException, InvalidURI) as exc:
        raise failures.unreachable(info, reason=failures.reason_of(exc)) from exc
    async with connection:
        try:
            await connection.send(_HELLO)
        except ConnectionClosed as exc:
            raise failures.unreachable(info, reason=failures.BROKE) from exc
        yield ComfySocket(connection, info=info)
