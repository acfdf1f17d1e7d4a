"""Ways to a host for the client that needs a socket: TCP, or a ProxyCommand."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from crankshaft_core.drivers.ssh.target import Target
from crankshaft_core.errors import TransportError

__all__ = ["ProxyProcess", "dial"]

UNANSWERED_KEEPALIVES = 3
"""After so many the connection counts as dead, as with ssh's ServerAliveCountMax."""


def dial(target: Target, opened: Callable[[socket.socket], None]) -> socket.socket:
    """A TCP connection to the target. Each socket is shown to `opened` before it may block. Raises TransportError."""
    error: OSError | None = None
    try:
        addresses = socket.getaddrinfo(target.hostname, target.port, type=socket.SOCK_STREAM)
    except OSError as unknown:
        addresses, error = [], unknown
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        opened(connection)
        try:
            _tune(connection, target)
            connection.connect(address)
        except OSError as refused:
            connection.close()
            error = refused
        else:
            return connection
    reason = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", "") or str(error)
    raise TransportError(f"{target.where}: cannot reach {target.hostname} port {target.port}: {reason}") from error


def _tune(connection: socket.socket, target: Target) -> None:
    connection.settimeout(target.connect_timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it 20 calls a second, with it hundreds
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        patience_ms = int(target.keepalive * UNANSWERED_KEEPALIVES * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)


class ProxyProcess:
    """A ProxyCommand whose standard input and output are one end of a socket, so that its end is seen at once."""

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 closed in `close`
        shell = os.environ.get("SHELL", "/bin/sh")
        shell = shell if os.access(shell, os.X_OK) else "/bin/sh"
        with theirs:
            # a session of its own: no terminal to ask a password on, and Ctrl-C is not for it
            self._process = subprocess.Popen(
                [shell, "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._stderr,
                start_new_session=True,
                cwd=Path.home(),
            )

    @property
    def last_words(self) -> str:
        """The last line it wrote to its standard error."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End it, and wait for its end."""
        self.socket.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()
