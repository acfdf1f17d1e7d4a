"""The server in a thread of its own, for tests that block, or whose clients are other processes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.services.tes_server.profiles import Profile
from tests.services.tes_server.server import TesServer

__all__ = ["serving"]


@contextlib.contextmanager
def serving(profile: Profile) -> Iterator[TesServer]:
    """Serve until the end of the block. Raises AssertionError then if a request was against the document."""
    server = TesServer(profile)
    started, stop = threading.Event(), asyncio.Event()
    failures: list[BaseException] = []

    async def serve() -> None:
        async with server:
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            failures.append(error)
        finally:
            started.set()
            loop.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=run, name="tes-server")
    thread.start()
    started.wait()
    try:
        if not failures:
            yield server
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join()
    if failures:
        raise failures[0]
