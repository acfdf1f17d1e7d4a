"""A process of this machine as a channel."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

__all__ = ["ProcessChannel", "end_session"]

CHUNK = 65_536
SLICE = 0.25
"""Seconds after which a waiting reader looks whether somebody has closed the channel."""


class ProcessChannel:
    """The standard streams of `args`, run in a session of its own.

    `told` may turn the last of its stderr into an error that says more than that it has ended.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        told: Callable[[str], Exception | None] = lambda _: None,
    ) -> None:
        self._told = told
        # a session of its own: Ctrl-C at our terminal is not for it, and it cannot ask anything there
        self._process = subprocess.Popen(
            args,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env=environ,
        )
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._pipes = tuple(pipe for pipe in pipes if pipe is not None)
        self._in, self._out, self._err = (pipe.fileno() for pipe in self._pipes)
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)
        self._open = {self._out, self._err}
        self._stderr_tail = b""
        self._closed = False
        self._lock = threading.Lock()  # so that no descriptor is used while another thread closes it

    def send(self, data: bytes, *, timeout: float) -> None:
        """Write all of it."""
        deadline = time.monotonic() + timeout
        at = 0
        while at < len(data):
            at += self._write(data[at : at + CHUNK])
            if at < len(data) and not _ready([self._in], select.POLLOUT, deadline):
                raise TimeoutError("the other side takes no more")

    def receive(self, timeout: float) -> tuple[bytes, bytes]:
        """Read what there is, or wait for it."""
        deadline = time.monotonic() + timeout
        while True:
            out, err = self._read(self._out), self._read(self._err)
            self._stderr_tail = (self._stderr_tail + err)[-2000:]
            if out or err:
                return out, err
            if self._closed or not self._open:
                raise self._end()
            if not _ready(list(self._open), select.POLLIN, deadline):
                return b"", b""

    def close(self) -> None:
        """End the process, and all that belongs to it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            end_session(self._process)
            for pipe in self._pipes:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _write(self, data: bytes) -> int:
        with self._lock:
            if self._closed:
                raise ConnectionError("connection closed")
            try:
                return os.write(self._in, data)
            except BlockingIOError:
                return 0
            except OSError as error:
                raise ConnectionError("connection closed") from error

    def _read(self, pipe: int) -> bytes:
        with self._lock:
            if self._closed or pipe not in self._open:
                return b""
            try:
                data = os.read(pipe, CHUNK)
            except BlockingIOError:
                return b""
            if not data:
                self._open.discard(pipe)
            return data

    def _end(self) -> Exception:
        told = self._told(self._stderr_tail.decode(errors="replace"))
        return told if told is not None else EOFError("connection closed")


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, with its children: a jump host's ssh, for instance."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ready(pipes: Sequence[int], what: int, deadline: float) -> bool:
    """One of the pipes may be ready; false at the deadline."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        return False
    poll = select.poll()
    for pipe in pipes:
        poll.register(pipe, what)
    poll.poll(min(remaining, SLICE) * 1000)
    return True
