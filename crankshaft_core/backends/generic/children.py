"""Jobs that are children of this very process: started detached, noticed when they exit, and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crankshaft_core.backends.generic.processes import ProcessId

__all__ = ["Children", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the system counted of a child and all of its descendants that were waited for."""

    status: int
    """As subprocess tells it: an exit code, or minus a signal."""
    peak_ram: float | None
    """GiB."""
    cpu_time: float
    """Seconds, user and system."""


class Children:
    """Starts processes in sessions of their own, keyed by attempt. `exited` is called on the loop when one ends."""

    def __init__(self, exited: Callable[[], None]) -> None:
        self._exited = exited
        self._ids: dict[str, ProcessId] = {}
        self._usage: dict[str, Usage] = {}
        self._forgotten: set[str] = set()
        self._watched: dict[str, int] = {}
        """Descriptors that become readable when the process ends (pidfd_open(2))."""

    def start(self, attempt: str, argv: list[str], *, env: Mapping[bytes, bytes], log: str) -> ProcessId:
        """Start a process that outlives us; its output goes to the file `log`. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            argv[0],
            argv,
            env,
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTS,  # bash cannot trap a signal that was ignored when it began
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        self._ids[attempt] = ProcessId.of(pid)
        self._watch(attempt, pid)
        return self._ids[attempt]

    def id(self, attempt: str) -> ProcessId | None:
        """The process that was started here for an attempt."""
        return self._ids.get(attempt)

    def is_watched(self, attempt: str) -> bool:
        """It has not ended yet, or `exited` will be called for its end."""
        return attempt in self._watched

    def usage(self, attempt: str) -> Usage | None:
        """What a child of ours that has ended used; None if it is none, or still there."""
        if attempt in self._ids and attempt not in self._usage:
            self._reap(attempt)
        return self._usage.get(attempt)

    def forget(self, attempt: str) -> None:
        """Nobody will ask for it again; one that is still on its way out is waited for when it has gone."""
        if attempt not in self._ids:
            return
        if self.usage(attempt) is None:
            self._forgotten.add(attempt)
        else:
            del self._ids[attempt], self._usage[attempt]

    def close(self) -> None:
        """Watch no longer. The processes are not touched."""
        for attempt in list(self._watched):
            self._unwatch(attempt)

    def _watch(self, attempt: str, pid: int) -> None:
        """Where the kernel has no pidfd, or we no descriptors left, the next poll finds out by itself."""
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError):
            self._watched[attempt] = os.pidfd_open(pid)
            asyncio.get_running_loop().add_reader(self._watched[attempt], self._on_exit, attempt)

    def _on_exit(self, attempt: str) -> None:
        self._unwatch(attempt)
        self._reap(attempt)
        if attempt in self._forgotten:
            self._forgotten.discard(attempt)
            self._ids.pop(attempt, None)
            self._usage.pop(attempt, None)
        self._exited()

    def _unwatch(self, attempt: str) -> None:
        descriptor = self._watched.pop(attempt)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)

    def _reap(self, attempt: str) -> None:
        try:
            pid, status, used = os.wait4(self._ids[attempt].pid, os.WNOHANG)
        except ChildProcessError:  # somebody else in this process waits for every child
            return
        if pid:
            self._usage[attempt] = Usage(
                os.waitstatus_to_exitcode(status), _peak(used.ru_maxrss), used.ru_utime + used.ru_stime
            )


_DEFAULTS = tuple(
    number
    for number in signal.Signals
    if number not in {signal.SIGKILL, signal.SIGSTOP} and not number.name.startswith("SIGRT")
)


def _peak(max_rss: int) -> float | None:
    """GiB. A child begins with the memory of the process that started it, so what is not above that says nothing."""
    import resource  # not on every platform that can import this package

    if max_rss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        return None
    return max_rss * (1 if sys.platform == "darwin" else 1024) / 1024**3
