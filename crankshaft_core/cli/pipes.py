"""Writing to a file descriptor from an event loop, without ever holding the loop up.

A reader that pauses (a pager, a full pipe) must not stop the engine's clock, nor make Ctrl-C wait. The descriptor
is not made non-blocking for that, since it is shared with whoever started us.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat

__all__ = ["write_all"]


async def write_all(fd: int, data: bytes) -> None:
    """Write all of `data` to `fd`, waiting whenever it is full. Raises BrokenPipeError when nobody reads it."""
    waits = _can_be_full(fd)
    rest = memoryview(data)
    while rest:
        if waits:
            await _writable(fd)
        # What polls as writable takes PIPE_BUF bytes at once (POSIX, select.PIPE_BUF); a file takes any number.
        rest = rest[os.write(fd, rest[: select.PIPE_BUF] if waits else rest) :]


def _can_be_full(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


async def _writable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(fd, _set, ready)
    try:
        await ready
    finally:
        loop.remove_writer(fd)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
