"""One task, from its hand-over to our exit code: its output passed on, and a screen about what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol

from crankshaft_core.cli import exit_codes
from crankshaft_core.cli.failure import failure_screen
from crankshaft_core.cli.streaming import STREAMS, Readable, Relay, Stream, writer
from crankshaft_core.cli.success import success_line
from crankshaft_core.cli.terminal import say, say_block
from crankshaft_core.errors import BackendError
from crankshaft_core.events import Event, TaskRetried
from crankshaft_core.task import Task, TaskResult, Verdict

__all__ = ["Follower", "Running"]


class Running(Readable, Protocol):
    """A task on its way: a TaskHandle."""

    def __await__(self) -> Generator[object, None, TaskResult]: ...


class Follower:
    """Shows one task's output while it runs. A subscriber of its engine.

    `on_record`: of a success, too, it says which job it was.
    """

    def __init__(self, handle: Running, task: Task, *, quiet: bool, on_record: bool = False) -> None:
        self._handle = handle
        self._task = task
        self._quiet = quiet
        self._on_record = on_record
        self._relays: dict[Stream, Relay] = {stream: Relay(handle, stream) for stream in STREAMS}

    def __call__(self, event: Event) -> None:
        """A further attempt writes its output from the start."""
        if isinstance(event, TaskRetried):
            for relay in self._relays.values():
                relay.start_over()

    async def follow(self) -> int:
        """Show the output until the task has ended; return its exit code, or RUN_FAILED.

        Raises asyncio.CancelledError if the task was cancelled, OSError if our own output cannot be written.
        """
        ended = asyncio.Event()
        shown = asyncio.ensure_future(self._show(ended))
        waiting = asyncio.ensure_future(_end_of(self._handle))
        both: tuple[asyncio.Future[Any], ...] = (shown, waiting)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()  # `shown` is over before the task is: only an error can make it so
        ended.set()
        await shown
        return await self._conclude(await waiting)

    async def _show(self, ended: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for relay in self._relays.values():
                    group.create_task(relay.run(ended))
        except ExceptionGroup as failures:  # our own output cannot be written: a pipe nobody reads, a full disk
            raise failures.exceptions[0] from None

    async def _conclude(self, end: TaskResult | BackendError) -> int:
        result = end if isinstance(end, TaskResult) else end.result
        if result is not None:
            await self._show_rest(result)
        if not self._quiet:
            self._sum_up(end)
        return _exit_code(end)

    def _sum_up(self, end: TaskResult | BackendError) -> None:
        if not isinstance(end, TaskResult) or not end.ok:
            say_block(failure_screen(end, self._task, with_stderr=not self._relays["stderr"].shown))
        elif self._on_record:
            say(success_line(end))

    async def _show_rest(self, result: TaskResult) -> None:
        """What a system that shows nothing before the end had of the output: the whole if it is here, else its tail."""
        for stream, relay in self._relays.items():
            path = result.stdout if stream == "stdout" else result.stderr
            tail = result.stdout_tail if stream == "stdout" else result.stderr_tail
            if not relay.shown:
                content = _content(path) or tail.encode()
                await writer(stream)(content)
                relay.shown = len(content)


async def _end_of(handle: Running) -> TaskResult | BackendError:
    try:
        return await handle
    except BackendError as error:
        return error


def _content(path: str | None) -> bytes:
    try:
        return Path(path).read_bytes() if path is not None else b""
    except OSError:  # it is on another machine, or gone: the tail is what is left
        return b""


def _exit_code(end: TaskResult | BackendError) -> int:
    if not isinstance(end, TaskResult) or end.exit_code is None or end.verdict not in (Verdict.OK, Verdict.FAILED):
        return exit_codes.RUN_FAILED
    return exit_codes.of_signal(-end.exit_code) if end.exit_code < 0 else end.exit_code % 256
