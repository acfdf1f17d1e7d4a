"""What the two clients offer: a link to a host, and channels on it. All of it blocks, for worker threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.drivers.ssh.target import Target

__all__ = ["Channel", "Client", "Link"]


class Channel(Protocol):
    """The standard streams of one process on the other side."""

    def send(self, data: bytes, *, timeout: float) -> None:
        """Send all of `data`. ConnectionError or TimeoutError: not all of it has been sent."""
        ...

    def receive(self, timeout: float) -> tuple[bytes, bytes]:
        """More of its stdout and stderr; both empty if there was none in time. EOFError at the end, with the reason."""
        ...

    def close(self) -> None:
        """Hang up. A `send` or `receive` in another thread ends with an error."""
        ...


class Link(Protocol):
    """A connection to a host."""

    @property
    def alive(self) -> bool:
        """False once it is known to be dead."""
        ...

    @property
    def epitaph(self) -> str:
        """Why it is dead, in the client's words; may be empty."""
        ...

    def establish(self) -> None:
        """Reach the host, check its key and be let in; once. Raises TransportError, AuthenticationError."""
        ...

    def open(self, command: str, *, timeout: float) -> Channel:
        """Run `command`. TransportError: the server refuses; TimeoutError, ConnectionError: the link may be dead."""
        ...

    def close(self) -> None:
        """Hang up, also on an `establish` that is under way in another thread."""
        ...


Client = Callable[[SSHSettings, Target], Link]
"""Makes links that are not established yet."""
