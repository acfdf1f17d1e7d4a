"""A TCP proxy that delays every byte, for machines where `tc netem` may not be used."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

CHUNK = 65_536

Taken = Callable[[int, float], object]


@contextmanager
def delaying_proxy(port: int, *, seconds: float, taken: Taken = lambda way, at: None) -> Iterator[int]:
    """The port of a proxy to `port` that holds what passes, in both directions, for `seconds` each way.

    `taken` is told, in a thread of the proxy's, which way each piece goes (0: there, 1: back) and when it came, by the
    monotonic clock.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = _Proxy(listener, port, seconds, taken)
        accepting = threading.Thread(target=proxy.accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            proxy.close()


class _Proxy:
    def __init__(self, listener: socket.socket, target: int, seconds: float, taken: Taken) -> None:
        self._listener = listener
        self._target = target
        self._seconds = seconds
        self._taken = taken
        self._sockets = ExitStack()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is shut down
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._open.append(self._sockets.enter_context(end))
                self._pipe(near, far, way=0)
                self._pipe(far, near, way=1)

    def close(self) -> None:
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._sockets.close()

    def _pipe(self, source: socket.socket, sink: socket.socket, *, way: int) -> None:
        held: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        for work in (lambda: self._take(source, held, way), lambda: self._deliver(held, sink)):
            self._threads.append(threading.Thread(target=work))
            self._threads[-1].start()

    def _take(self, source: socket.socket, held: queue.SimpleQueue[tuple[float, bytes]], way: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                now = time.monotonic()
                self._taken(way, now)
                held.put((now + self._seconds, data))
        held.put((time.monotonic() + self._seconds, b""))

    def _deliver(self, held: queue.SimpleQueue[tuple[float, bytes]], sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = held.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
