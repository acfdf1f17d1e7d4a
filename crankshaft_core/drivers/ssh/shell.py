"""The protocol of `framing` over a channel: one shell, one call at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from crankshaft_core.drivers.base import Completed
from crankshaft_core.drivers.ssh.channel import Channel
from crankshaft_core.drivers.ssh.framing import Hello, Process, Stream, bootstrap, new_token, request

__all__ = ["Body", "Call", "NotSentError", "Shell"]

SENT_INLINE = 32_768
"""Bytes of stdin sent before the answer is read. They fit into a pipe (64 KiB), so nobody waits for anybody."""

Clock = Callable[[], float]


class NotSentError(Exception):
    """The script did not reach the other side whole, so it was not run."""


@dataclass(frozen=True, slots=True)
class Body:
    """A call's standard input: exactly `size` bytes."""

    size: int
    chunks: Iterable[bytes]


EMPTY = Body(0, ())


class Shell:
    """A bash at the other end of a channel. After any exception it is of no more use and must be closed."""

    def __init__(self, channel: Channel, *, login: bool = False, clock: Clock = time.monotonic) -> None:
        self.process = Process(0, 0, 0)
        """What it is there, once started."""
        self._key = new_token()
        self._channel = channel
        self._login = login
        self._clock = clock

    def start(self, timeout: float) -> None:
        """Wait for its first sign of life. TimeoutError, ConnectionError or EOFError with what it said instead."""
        deadline = self._clock() + timeout
        hello = Hello(self._key)
        errors = b""
        self._channel.send(bootstrap(self._key, login=self._login), timeout=timeout)
        while hello.shell is None:
            if self._clock() >= deadline:
                raise TimeoutError(_said(f"no shell within {timeout:g} s", hello.chatter + errors))
            try:
                out, err = self._channel.receive(deadline - self._clock())
            except EOFError as error:
                raise EOFError(_said(str(error) or "the shell ended at once", hello.chatter + errors)) from None
            hello.feed(out)
            errors = (errors + err)[-2000:]
        self.process = hello.shell

    def run(self, script: str, *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a script and gather its output. Errors as those of `Call`."""
        call = self.call(script, body=Body(len(stdin), (stdin,)), timeout=timeout)
        stdout = b"".join(call.stdout())
        return Completed(call.status, stdout, call.stderr)

    def call(self, script: str, *, body: Body = EMPTY, timeout: float) -> Call:
        """Send a script. NotSentError if it did not get there whole."""
        deadline = self._clock() + timeout
        call = new_token()
        frame = request(self._key, call, script=script.encode("utf-8", "surrogateescape"), stdin_size=body.size)
        try:
            self._channel.send(frame, timeout=timeout)
        except (ConnectionError, TimeoutError) as error:
            raise NotSentError(str(error)) from error
        return Call(self._channel, call, body=body, deadline=deadline, clock=self._clock)

    def close(self) -> None:
        """Hang up; the shell ends when it reads the end of its input."""
        self._channel.close()


class Call:
    """A script under way. Read `stdout` to its end; then `status` and `stderr` are known.

    Reading raises TimeoutError at the deadline, EOFError when the connection breaks, and whatever the body's
    iterator raises.
    """

    def __init__(self, channel: Channel, call: str, *, body: Body, deadline: float, clock: Clock) -> None:
        self._channel = channel
        self._out = Stream(call)
        self._err = Stream(call)
        self._stderr: list[bytes] = []
        self._body = body
        self._deadline = deadline
        self._clock = clock
        self._broken: BaseException | None = None

    @property
    def status(self) -> int:
        """The script's exit status."""
        assert self._out.status is not None
        return self._out.status

    @property
    def stderr(self) -> bytes:
        """All of it."""
        return b"".join(self._stderr)

    def stdout(self) -> Iterator[bytes]:
        """Its standard output as it comes, while the standard input is sent."""
        if self._body.size <= SENT_INLINE:
            self._send_body()
            yield from self._answer()
            return
        sender = threading.Thread(target=self._send_body, name="crankshaft-ssh-stdin")
        sender.start()
        try:
            yield from self._answer()
        finally:
            if self._out.status is None:
                self._channel.close()  # or the sender would wait for a reader for ever
            sender.join()

    def _answer(self) -> Iterator[bytes]:
        while self._out.status is None or self._err.status is None:
            remaining = self._deadline - self._clock()
            if remaining <= 0:
                raise TimeoutError
            try:
                out, err = self._channel.receive(remaining)
            except EOFError as error:
                raise self._broken or error from None
            self._stderr.append(self._err.feed(err))
            content = self._out.feed(out)
            if content:
                yield content

    def _send_body(self) -> None:
        """Send the standard input. What goes wrong here is raised by the reader, which this wakes up."""
        try:
            for chunk in self._body.chunks:
                self._channel.send(chunk, timeout=max(0.0, self._deadline - self._clock()))
        except BaseException as error:  # noqa: BLE001 kept for the other thread, which raises it
            self._broken = error
            self._channel.close()


def _said(reason: str, chatter: bytes) -> str:
    """The reason, with the last line that came instead of an answer."""
    lines = chatter.decode(errors="replace").strip().splitlines()
    return f"{reason}: {lines[-1].strip()}" if lines else reason
