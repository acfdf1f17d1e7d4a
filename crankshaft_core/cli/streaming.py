"""A task's standard output and error, shown while it runs, byte for byte."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from crankshaft_core.cli.pipes import write_all
from crankshaft_core.cli.terminal import say
from crankshaft_core.errors import BackendError

__all__ = ["STREAMS", "Readable", "Relay", "Stream", "Writer", "json_writers", "writer"]

Writer = Callable[[bytes], Awaitable[None]]
"""Writes what a task has written."""
Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")

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


class Relay:
    """Copies one stream of a task to `write`; without that to ours of the same name."""

    def __init__(self, source: Readable, stream: Stream, *, write: Writer | None = None) -> None:
        self._source = source
        self._stream: Stream = stream
        self._write = write
        self._offset = 0
        self.shown = 0
        """How many bytes were copied."""

    def start_over(self) -> None:
        """Another attempt begins, and with it another stream."""
        self._offset = 0

    async def run(self, ended: asyncio.Event) -> None:
        """Copy until `ended` is set and all of it is there. Raises BrokenPipeError if nobody reads ours."""
        write = self._write or writer(self._stream)
        pause = _SHORTEST
        while True:
            is_last = ended.is_set()  # asked before reading: what is there after the end is all there will be
            data = await self._read(is_last=is_last)
            await write(data)
            self.shown += len(data)
            if is_last and not data:
                return
            pause = _SHORTEST if data else min(pause * 1.5, _LONGEST)
            if len(data) < _FULL and not is_last:
                await _wait(ended, pause)

    async def _read(self, *, is_last: bool) -> bytes:
        """One read. While the task runs, a lost connection is no matter: the next read starts where this one did."""
        offset = self._offset
        try:
            data = await self._source.read(self._stream, offset)
        except BackendError as error:
            if is_last:
                say(f"the end of {self._stream} cannot be shown: {error}")
            return b""
        if self._offset == offset:  # else it was the end of an attempt that is over by now
            self._offset += len(data)
        return data


def writer(stream: Stream) -> Writer:
    """What writes to our own stream of that name."""
    ours = sys.stdout if stream == "stdout" else sys.stderr
    ours.flush()

    async def write(data: bytes) -> None:
        await write_all(ours.fileno(), data)

    return write


def json_writers() -> Callable[[Stream], Writer]:
    """What writes `{"stream": …, "text": …}`, whole lines, to standard output. What is no UTF-8 is replaced."""
    one_line_at_a_time = asyncio.Lock()
    sys.stdout.flush()

    def writer_of(stream: Stream) -> Writer:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        async def write(data: bytes) -> None:
            text = decoder.decode(data)
            if text:
                line = json.dumps({"stream": stream, "text": text}).encode() + b"\n"
                async with one_line_at_a_time:
                    await write_all(sys.stdout.fileno(), line)

        return write

    return writer_of


async def _wait(ended: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), seconds)
