"""Runs a demo engine as a process of its own."""

import argparse
import asyncio
import ctypes
import os
import signal
import sys
from pathlib import Path

from backends.demo.server import serve_demo
from backends.demo.settings import (
    DEFAULT_CHECKPOINTS,
    DEFAULT_LORAS,
    DemoSettings,
    Protocol,
)

PARENT_CHECK_S = 2.0


def main() -> int:
    """Serves until SIGTERM, SIGINT or the end of the watched parent; returns the exit code."""
    options = _options()
    asyncio.run(_serve(options))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backends.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8188, help="0 picks a free one")
    parser.add_argument("--home", type=Path, required=True, help="folder for its files")
    parser.add_argument("--step-delay", type=float, default=0.1, metavar="SECONDS")
    parser.add_argument(
        "--load-delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="whenever another checkpoint is used",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="divides both delays")
    parser.add_argument("--checkpoint", action="append", help="offered name; may be repeated")
    parser.add_argument("--lora", action="append", help="offered name; may be repeated")
    parser.add_argument("--without-class", action="append", help="node class it lacks")
    parser.add_argument("--vram-gb", type=float, default=8.0, help="shown, never allocated")
    parser.add_argument(
        "--protocol", type=Protocol, default=Protocol.CURRENT, choices=list(Protocol)
    )
    parser.add_argument("--faults", action="store_true", help="allow faults on demand")
    parser.add_argument("--announce", action="store_true", help="print READY and the address")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when it is gone")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    settings = DemoSettings(
        home=options.home,
        step_delay_s=options.step_delay,
        load_delay_s=options.load_delay,
        speed=options.speed,
        faults=options.faults,
        checkpoints=tuple(options.checkpoint or DEFAULT_CHECKPOINTS),
        loras=tuple(options.lora or DEFAULT_LORAS),
        without_classes=tuple(options.without_class or ()),
        vram_gb=options.vram_gb,
        protocol=options.protocol,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: _request_stop(loop, stop))
    async with serve_demo(settings, host=options.host, port=options.port) as url:
        if options.announce:
            print(f"READY {url}", flush=True)  # noqa: T201 - the line a parent waits for
        await _wait(stop, parent=options.parent)


def _request_stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    loop.call_soon_threadsafe(stop.set)


async def _wait(stop: asyncio.Event, *, parent: int | None) -> None:
    if parent is None:
        await stop.wait()
        return
    is_child = os.getppid() == parent
    while _is_alive(parent) and (not is_child or os.getppid() == parent):
        try:
            async with asyncio.timeout(PARENT_CHECK_S):
                await stop.wait()
                return
        except TimeoutError:
            continue


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        synchronize, still_running = 0x00100000, 0x102
        handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
        if not handle:
            return False
        try:
            return ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == still_running
        finally:
            ctypes.windll.kernel32.CloseHandle(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it exists but is somebody else's
        return True
    return True


if __name__ == "__main__":
    sys.exit(main())
