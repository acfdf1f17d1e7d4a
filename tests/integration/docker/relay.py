"""An engine's socket as a TCP port on loopback, as it is when the engine is on another machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

__all__ = ["over_tcp"]


@asynccontextmanager
async def over_tcp(url: str) -> AsyncIterator[str]:
    """`tcp://…`, which leads to the socket at `url` (`unix://…`)."""
    path = url.removeprefix("unix://")
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        with closing(writer):
            there, back = await asyncio.open_unix_connection(path)
            with closing(back), suppress(asyncio.CancelledError):  # the end of the relay is the end of this task
                await asyncio.gather(_copy(reader, back), _copy(there, writer), return_exceptions=True)
        under_way.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        target.write(piece)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
