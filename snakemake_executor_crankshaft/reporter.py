"""Telling Snakemake of every task the moment it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue
from typing import Generic, TypeVar

from crankshaft_core.task import TaskResult

__all__ = ["Outcome", "Reporter"]

Subject = TypeVar("Subject")
Outcome = TaskResult | BaseException


class Reporter(Generic[Subject]):
    """A thread that hands each outcome on as it comes.

    Snakemake's scheduler holds its lock while it post-processes files, for seconds on a slow file system. The
    engine's own thread must not wait for that, or all other tasks would.
    """

    def __init__(self, report: Callable[[Subject, Outcome], None], failed: Callable[[BaseException], None]) -> None:
        self._report = report
        self._failed = failed
        self._done: SimpleQueue[tuple[Subject, Outcome] | None] = SimpleQueue()
        self._silent = False
        self._thread = threading.Thread(target=self._run, name="crankshaft-reporter", daemon=True)
        self._thread.start()

    def follow(self, subject: Subject, future: Future[TaskResult]) -> None:
        """Report the future's outcome when it is done."""
        future.add_done_callback(lambda done: self._done.put((subject, _outcome(done))))

    def silence(self) -> None:
        """Report nothing more: what ends from now on was told to."""
        self._silent = True

    def close(self) -> None:
        """Return when all that is done is reported."""
        self._done.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._done.get()) is not None:
            if self._silent:
                continue
            try:
                self._report(*item)
            except Exception as error:  # noqa: BLE001 - the scheduler must learn of it, or it waits for ever
                self._failed(error)


def _outcome(future: Future[TaskResult]) -> Outcome:
    if future.cancelled():
        return CancelledError("it was cancelled")
    return future.exception() or future.result()
