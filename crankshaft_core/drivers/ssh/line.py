"""One of the two channels in use: a shell that is replaced when it breaks, and a thread of its own that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from crankshaft_core.drivers.ssh.connection import Connection
from crankshaft_core.drivers.ssh.framing import Process
from crankshaft_core.drivers.ssh.shell import NotSentError, Shell
from crankshaft_core.errors import AnswerLostError, TransportError

__all__ = ["Line"]

T = TypeVar("T")


class Line:
    """Calls on one shell, one at a time, in the order they come. Usable from several event loops."""

    def __init__(self, connection: Connection, *, name: str) -> None:
        self._connection = connection
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"crankshaft-ssh-{name}")
        self._shell: Shell | None = None
        self._stale: Process | None = None

    async def call(self, use: Callable[[Shell], T], *, timeout: float) -> T:
        """Let `use` talk to the shell. `timeout`, in seconds, also bounds the waiting for its turn.

        TransportError, AuthenticationError: nothing was sent. AnswerLostError: no telling. `use` may be called twice,
        if the first time nothing got through.
        """
        try:
            future = self._worker.submit(self._exchange, use, timeout)
        except RuntimeError as error:
            raise self._closed() from error
        return await self._turn(future, timeout)

    def close(self) -> None:
        """Break off the call under way, and see the thread end. Calls that wait are dropped."""
        shell = self._shell
        if shell is not None:
            shell.close()
        self._worker.shutdown(wait=True, cancel_futures=True)
        if self._shell is not None:
            self._shell.close()

    async def _turn(self, future: Future[T], timeout: float) -> T:
        waiting = asyncio.wrap_future(future)
        try:
            await asyncio.wait({waiting}, timeout=timeout)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if future.cancelled():
            raise self._closed()
        if not future.done() and future.cancel():
            raise TransportError(
                f"{self._connection.where}: the connection was busy for {timeout:g} s; nothing was sent"
            )
        return await waiting

    def _closed(self) -> TransportError:
        return TransportError(f"{self._connection.where}: the connection has been closed; nothing was sent")

    def _exchange(self, use: Callable[[Shell], T], timeout: float) -> T:
        if self._shell is not None:
            try:
                return self._on(self._shell, use, timeout)
            except NotSentError:
                self._connection.lost("connection closed")  # while idle: nothing is lost by a second try
        self._shell = self._connection.open_shell(self._stale)
        self._stale = None
        try:
            return self._on(self._shell, use, timeout)
        except NotSentError as error:
            raise TransportError(f"{self._connection.where}: {self._connection.lost(str(error))}") from error

    def _on(self, shell: Shell, use: Callable[[Shell], T], timeout: float) -> T:
        try:
            result = self._translated(shell, use, timeout)
        except BaseException:
            self._shell = None
            shell.close()
            raise
        self._connection.worked()
        return result

    def _translated(self, shell: Shell, use: Callable[[Shell], T], timeout: float) -> T:
        where = self._connection.where
        try:
            return use(shell)
        except TimeoutError as error:
            self._stale = shell.process
            raise AnswerLostError(f"{where}: no answer within {timeout:g} s; the call may have taken effect") from error
        except (EOFError, ConnectionError) as error:
            reason = self._connection.lost(str(error))
            raise AnswerLostError(
                f"{where}: connection lost in the middle of a call, which may have taken effect ({reason})"
            ) from error
