"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import TypeVar

__all__ = ["LoopThread"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


class LoopThread:
    """Runs from construction to `close`. Coroutines are handed over from any other thread."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[object, object, None], *, context: Context, ended: Callable[[], object]) -> None:
        """Run `work` as a task in `context`, and return at once. `work` lets no exception out but cancellation.

        `ended` is called on the loop at its end, also when it was cancelled before its first step.
        """
        self.loop.call_soon_threadsafe(self._start, work, context, ended)

    def wait_for(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` and return what it returns. Interrupted, it waits on; the interruption is raised at the end."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        interruption = _waited(future)
        if interruption is not None:
            raise interruption
        return future.result()

    def cancel_all(self) -> None:
        """Cancel what was started, soon. `all_done` tells when it has come to its end."""
        self.loop.call_soon_threadsafe(self._cancel_all)

    async def all_done(self) -> None:
        """Wait, on the loop, until nothing that was started is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """End the loop and its thread. Whoever started work has seen to its end."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _start(self, work: Coroutine[object, object, None], context: Context, ended: Callable[[], object]) -> None:
        task = self.loop.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: ended())

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()


def _waited(future: Future[T]) -> BaseException | None:
    """Wait until it is done; the last KeyboardInterrupt or termination signal that arrived meanwhile."""
    interruption: BaseException | None = None
    while not future.done():
        try:
            future.exception()
        except BaseException as error:  # noqa: BLE001 - signals are raised in whatever waits; jobs are being ended
            interruption = error
            _log.warning("waiting until it is confirmed that the jobs have ended")
    return interruption
