"""Serves a demo engine over HTTP in the loop of the caller."""

import asyncio
import os
import socket
from asyncio.transports import BaseTransport, Transport
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from backends.demo.engine import DemoEngine
from backends.demo.nodes.base import NodeRunner
from backends.demo.settings import DemoSettings
from backends.demo.wire import JsonDict

__all__ = ["DemoEngine", "DemoSettings", "serve_demo"]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
GRACE_S = 1


@asynccontextmanager
async def serve_demo(
    settings: DemoSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    extra_nodes: Mapping[str, tuple[JsonDict, NodeRunner]] | None = None,
) -> AsyncGenerator[str]:
    """Yields the base URL of a running engine once it answers; port 0 picks a free one.

    On exit everything stops within two seconds, open sockets and a running prompt included.
    Raises OSError when the port is taken.
    """
    listener = _listen(host, port=port)
    try:
        engine = await asyncio.to_thread(DemoEngine, settings, extra_nodes=extra_nodes)
        server = _Server(_config(engine))
        async with asyncio.TaskGroup() as group:
            runner = group.create_task(engine.run(), name="demo-engine")
            serving = group.create_task(server.serve([listener]), name="demo-server")
            try:
                await server.listening.wait()
                yield f"http://{host}:{listener.getsockname()[1]}"
            finally:
                runner.cancel()
                server.should_exit = True
                await serving
    finally:
        listener.close()


def _listen(host: str, *, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, not "default": only then does asyncio switch off the 40 ms send delay.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _config(engine: DemoEngine) -> uvicorn.Config:
    return uvicorn.Config(
        engine.app,
        log_config=None,
        access_log=False,
        lifespan="off",
        loop="none",
        ws=_AbortableSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=GRACE_S,
    )


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class _AbortableSocket(WebSocketsSansIOProtocol):
    """Lets the app cut a connection without a close frame, by `scope["state"]["abort"]`."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": cast("Transport", transport).abort}
