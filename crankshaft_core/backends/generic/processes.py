"""Processes of this machine, seen through /proc: which is still the one we started, and which belong to a task."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MARK", "ProcessId", "Seen", "own", "send", "start_time", "table"]

MARK = "CRANKSHAFT_ATTEMPT"
"""The environment variable by which descendants are found that have left their parent, group and session."""

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """`host:pid:start time`: a process that no later one can be taken for. Written the same way by the wrapper."""

    host: str
    pid: int
    started: int
    """Clock ticks since boot; 0 where the system does not tell."""

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"

    @classmethod
    def parse(cls, text: str) -> ProcessId | None:
        """None for the id of anything else, such as a scheduler's job."""
        host, _, rest = text.partition(":")
        pid, _, started = rest.partition(":")
        if not host or not pid.isdecimal() or not started.isdecimal():
            return None
        return cls(host, int(pid), int(started))

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """That of a child which has not been waited for."""
        return cls(socket.gethostname(), pid, start_time(pid) or 0)

    @property
    def here(self) -> bool:
        """It ran on this machine."""
        return self.host == socket.gethostname()

    def alive(self) -> bool:
        """It is here, and neither ended nor followed by another process of the same number."""
        if not self.here:
            return False
        if not _PROC.joinpath("self/stat").exists():
            return _answers(self.pid)
        fields = _stat(self.pid)
        return fields is not None and fields[0] not in {"Z", "X"} and int(fields[19]) == self.started


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as /proc showed it."""

    pid: int
    parent: int
    group: int
    session: int
    mark: str
    """The attempt it belongs to by its environment; empty for none."""


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of the process; None if it is gone or there is no /proc."""
    fields = _stat(pid)
    return None if fields is None else int(fields[19])


def table() -> Mapping[int, Seen]:
    """Every process we may look at, but ourselves. Empty without /proc."""
    return {seen.pid: seen for seen in _scan() if seen.pid != os.getpid()}


def own(roots: Mapping[int, str], processes: Mapping[int, Seen]) -> Mapping[int, str]:
    """Which processes belong to which attempt: the roots' sessions and descendants, and all that carry the mark."""
    owner = dict(roots)
    wanted = set(roots.values())
    for seen in processes.values():
        if seen.mark in wanted:
            owner.setdefault(seen.pid, seen.mark)
        elif seen.session in roots:
            owner.setdefault(seen.pid, roots[seen.session])
    grew = True
    while grew:
        children = {p.pid: owner[p.parent] for p in processes.values() if p.parent in owner and p.pid not in owner}
        owner |= children
        grew = bool(children)
    return owner


def send(number: signal.Signals, targets: Collection[int]) -> None:
    """Signal processes; those that are gone or not ours are left out. A stopped one is woken, so that it hears."""
    for pid in targets:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)


def _scan() -> Iterator[Seen]:
    if not _PROC.is_dir():
        return
    for entry in _PROC.iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdecimal() else None
        if fields is not None and fields[0] not in {"Z", "X"}:
            yield Seen(int(entry.name), int(fields[1]), int(fields[2]), int(fields[3]), _mark(entry))


def _stat(pid: int) -> list[str] | None:
    """The fields from the third on (proc(5)); the second, the name, may hold spaces and brackets."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 4096)
    except OSError:  # it has ended meanwhile
        return None
    finally:
        os.close(descriptor)
    return text.rpartition(b")")[2].decode().split()


def _mark(entry: Path) -> str:
    try:
        environ = entry.joinpath("environ").read_bytes()
    except OSError:
        return ""
    for variable in environ.split(b"\0"):
        if variable.startswith(_MARKED):
            return variable.removeprefix(_MARKED).decode(errors="replace")
    return ""


_MARKED = f"{MARK}=".encode()


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
