"""The WebSocket side: who is connected, and which message goes to whom."""

import asyncio
import json
import logging
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect

from backends.demo.faults import Fault, FaultBox
from backends.demo.wire import JsonDict

log = logging.getLogger(__name__)

PREVIEW_IMAGE = 1
PREVIEW_IMAGE_WITH_METADATA = 4
FORMATS = {"jpeg": 1, "png": 2}
MAX_UNSENT = 5_000  # messages a client may lag behind before it is dropped


@dataclass(frozen=True, slots=True)
class Preview:
    """An encoded picture on its way to a client."""

    data: bytes
    format: str = "jpeg"


@dataclass(slots=True, eq=False)
class Connection:
    """One open socket and what still has to be sent on it."""

    sid: str
    abort: Callable[[], None]
    outbox: asyncio.Queue[str | bytes] = field(
        default_factory=lambda: asyncio.Queue[str | bytes](MAX_UNSENT)
    )
    silent: bool = False

    def put(self, message: str | bytes) -> None:
        if self.silent:
            return
        try:
            self.outbox.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("Client %s does not read its messages and is dropped", self.sid)
            self.abort()


class SocketHub:
    """Sends messages in the order they are given, each connection at its own pace."""

    def __init__(
        self, *, queue_remaining: Callable[[], int], faults: FaultBox, features: JsonDict
    ) -> None:
        self.client_id: str | None = None  # owner of the last prompt that was started
        self.executing: str | None = None  # node shown to an owner that comes back mid-run
        self._queue_remaining = queue_remaining
        self._faults = faults
        self._features = features
        self._by_sid: dict[str, Connection] = {}
        self._flags: dict[str, JsonDict] = {}
        self._open: set[Connection] = set()

    def send(self, event: str, data: JsonDict, *, sid: str | None) -> None:
        """To one client, or to all when `sid` is None. A client that is away misses it."""
        self._put(_text(event, data), sid=sid)

    def send_status(self) -> None:
        self.send("status", {"status": self._status()}, sid=None)

    def send_preview(self, image: Preview, *, metadata: JsonDict, sid: str | None) -> None:
        """A preview in the layout the client negotiated."""
        if self.wants_metadata(sid):
            head = json.dumps(metadata | {"image_type": f"image/{image.format}"}).encode()
            frame = struct.pack(">II", PREVIEW_IMAGE_WITH_METADATA, len(head)) + head + image.data
        else:
            frame = struct.pack(">II", PREVIEW_IMAGE, FORMATS[image.format]) + image.data
        self._put(frame, sid=sid)

    def wants_metadata(self, sid: str | None) -> bool:
        if sid is None:
            return False
        return self._flags.get(sid, {}).get("supports_preview_metadata") is True

    def is_heard(self, sid: str | None) -> bool:
        """Whether anybody would receive a message to `sid`."""
        return bool(self._by_sid) if sid is None else sid in self._by_sid

    def silence_all(self) -> None:
        """Keeps the sockets open, but nothing more is sent on them."""
        for connection in self._open:
            connection.silent = True

    def abort_all(self) -> None:
        """Cuts every connection without a close frame."""
        for connection in list(self._open):
            connection.abort()

    async def serve(self, websocket: WebSocket) -> None:
        """Looks after one socket until either side closes it."""
        await websocket.accept()
        sid = websocket.query_params.get("clientId") or uuid.uuid4().hex
        state = cast("JsonDict", websocket.scope.get("state", {}))
        connection = Connection(sid, state.get("abort", _no_abort))
        self._by_sid[sid] = connection
        self._flags[sid] = {}
        self._open.add(connection)
        self._greet(connection)
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(_send_all(websocket, connection), name=f"demo-ws-{sid}")
                await self._receive_all(websocket, connection)
                sender.cancel()
        finally:
            self._open.discard(connection)
            # NOTE: by id, not by connection: like the real server, an older socket that closes
            # takes the newer one with the same id off the list.
            self._by_sid.pop(sid, None)
            self._flags.pop(sid, None)

    def _greet(self, connection: Connection) -> None:
        connection.put(_text("status", {"status": self._status(), "sid": connection.sid}))
        if self.client_id == connection.sid and self.executing is not None:
            connection.put(_text("executing", {"node": self.executing}))
        if self._faults.is_lasting(Fault.ZOMBIE_SOCKET):
            connection.silent = True

    async def _receive_all(self, websocket: WebSocket, connection: Connection) -> None:
        first = True
        while True:
            try:
                message = _json_object(await websocket.receive_text())
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: it was already closing
                return
            except KeyError:  # a binary message
                continue
            if message is None:
                continue
            if first and message.get("type") == "feature_flags":
                self._flags[connection.sid] = message.get("data") or {}
                connection.put(_text("feature_flags", self._features))
            first = False

    def _put(self, message: str | bytes, *, sid: str | None) -> None:
        if sid is not None:
            connection = self._by_sid.get(sid)
            if connection is not None:
                connection.put(message)
            return
        for connection in list(self._by_sid.values()):
            connection.put(message)

    def _status(self) -> JsonDict:
        return {"exec_info": {"queue_remaining": self._queue_remaining()}}


async def _send_all(websocket: WebSocket, connection: Connection) -> None:
    while True:
        message = await connection.outbox.get()
        try:
            if isinstance(message, str):
                await websocket.send_text(message)
            else:
                await websocket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError):  # gone; the receiver notices it as well
            return


def _text(event: str, data: JsonDict) -> str:
    return json.dumps({"type": event, "data": data})


def _json_object(text: str) -> JsonDict | None:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return None
    return cast("JsonDict", value) if isinstance(value, dict) else None


def _no_abort() -> None:
    """Served by something that cannot cut a connection."""
