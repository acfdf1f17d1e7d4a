"""The place at the other end of an SSH connection, as the Generic backend sees it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from crankshaft_core.config.generic import Locale
from crankshaft_core.drivers.base import Completed
from crankshaft_core.drivers.ssh import bulk
from crankshaft_core.drivers.ssh.backoff import Timing
from crankshaft_core.drivers.ssh.channel import Client
from crankshaft_core.drivers.ssh.connection import Outage
from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.drivers.ssh.sharing import Shared, acquire, release
from crankshaft_core.drivers.ssh.target import resolve
from crankshaft_core.errors import StagingError, TransportError

__all__ = ["SSHDriver"]


class SSHDriver:
    """Runs scripts on a login node, over the connection that all drivers of the same place share.

    The constructor reads ssh_config and raises ConfigError; it opens nothing. Each call makes at most one new
    connection. After a failed one the next are spaced by back-off, and calls in between raise TransportError at once.
    A refused login is not tried again before a key, the agent, known_hosts or an opened login has changed.
    """

    def __init__(self, settings: SSHSettings, *, timing: Timing | None = None) -> None:
        target = resolve(settings)
        self._where = target.where
        self._shared: Shared | None = acquire(settings, target, _client(settings), timing=timing or Timing())

    @classmethod
    def of(cls, locale: Locale, *, name: str = "") -> Self:
        """For the `locale` of the backend `name`. Raises ConfigError."""
        return cls(SSHSettings.of(locale, name=name))

    @property
    def where(self) -> str:
        """user@host."""
        return self._where

    @property
    def local(self) -> bool:
        """Never, even if the host is this machine: its files are reached through the connection."""
        return False

    @property
    def outage(self) -> Outage | None:
        """Since when and why there is no connection; None while all is well."""
        return self._held().connection.outage

    async def run(self, script: str, *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """One round trip. A call that is cancelled may still be carried out there; one that waits its turn is not."""
        if "\0" in script:
            raise ValueError("a script cannot hold a NUL byte; give it as stdin")
        line = self._held().control
        return await line.call(lambda shell: shell.run(script, stdin=stdin, timeout=timeout), timeout=timeout)

    async def put(self, files: Mapping[Path, str], *, timeout: float = 600.0) -> None:
        """As the contract says; directories with all that is in them. Permission to execute is kept, times are not.

        Raises FileNotFoundError for a missing file here, StagingError with what the other side said.
        """
        if files:
            line = self._held().bulk
            self._raise(await line.call(lambda shell: bulk.put(shell, files, timeout=timeout), timeout=timeout))

    async def get(self, files: Mapping[str, Path], *, timeout: float = 600.0) -> None:
        """As the contract says; directories with all that is in them. StagingError with what the other side said."""
        if files:
            line = self._held().bulk
            self._raise(await line.call(lambda shell: bulk.get(shell, files, timeout=timeout), timeout=timeout))

    async def aclose(self) -> None:
        """Let go of the connection; the last of its drivers hangs up, and calls under way end. Repeatable."""
        shared, self._shared = self._shared, None
        if shared is None or not release(shared):
            return
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()

        def close() -> None:
            try:
                shared.close()
            finally:
                loop.call_soon_threadsafe(closed.set)

        closer = threading.Thread(target=close, name="crankshaft-ssh-close")
        closer.start()
        await asyncio.shield(closed.wait())
        closer.join()

    def _raise(self, problem: Exception | None) -> None:
        if isinstance(problem, StagingError):
            raise StagingError(f"{self.where}: {problem}")
        if problem is not None:
            raise problem

    def _held(self) -> Shared:
        if self._shared is None:
            raise TransportError(f"{self.where}: the driver has been closed")
        return self._shared


def _client(settings: SSHSettings) -> Client:
    if settings.client == "openssh":
        from crankshaft_core.drivers.ssh.openssh import OpenSSHLink

        return OpenSSHLink
    from crankshaft_core.drivers.ssh.paramiko_client import ParamikoLink

    return ParamikoLink
