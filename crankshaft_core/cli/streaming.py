"""A task's standard output and error, shown while it runs, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from crankshaft_core.cli.pipes import write_all
from crankshaft_core.errors import BackendError

__all__ = ["Readable", "relay"]

Stream = Literal["stdout", "stderr"]
Write = Callable[[bytes], Awaitable[None]]

# Seconds between two looks: short while something comes, longer the longer nothing does, since over SSH each one
# is a round trip.
_SHORTEST = 0.1
_LONGEST = 2.0
# A read as large as this has more behind it (Backend.read: at most 1 MiB a call).
_FULL = 1 << 20


class Readable(Protocol):
    """What has the two streams: a TaskHandle."""

    async def read(self, stream: Stream, offset: int) -> bytes:
        """What is there from byte `offset` on; empty if nothing more for now. Raises BackendError."""
        ...


async def relay(source: Readable, stream: Stream, ended: asyncio.Event, *, write: Write | None = None) -> int:
    """Copy the stream to ours until `ended` is set and all of it is there. Returns the number of bytes.

    Raises BackendError if the end of it cannot be read, BrokenPipeError if nobody reads ours.
    """
    write = write or _to(stream)
    offset, pause = 0, _SHORTEST
    while True:
        is_last = ended.is_set()  # asked before reading: what is there after the end is all there will be
        data = await _read(source, stream, offset, tolerant=not is_last)
        await write(data)
        offset += len(data)
        if is_last and not data:
            return offset
        pause = _SHORTEST if data else min(pause * 1.5, _LONGEST)
        if len(data) < _FULL and not is_last:
            await _wait(ended, pause)


async def _read(source: Readable, stream: Stream, offset: int, *, tolerant: bool) -> bytes:
    """One read. While the task runs, a lost connection is no matter: the next read starts where this one did."""
    try:
        return await source.read(stream, offset)
    except BackendError:
        if not tolerant:
            raise
        return b""


async def _wait(ended: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), seconds)


def _to(stream: Stream) -> Write:
    ours = sys.stdout if stream == "stdout" else sys.stderr
    ours.flush()

    async def write(data: bytes) -> None:
        await write_all(ours.fileno(), data)

    return write
