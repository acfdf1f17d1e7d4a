"""One connection per place in this process: whoever asks for an equal one gets the same, until the last lets go."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from dataclasses import dataclass

from crankshaft_core.drivers.ssh.backoff import Timing
from crankshaft_core.drivers.ssh.channel import Client
from crankshaft_core.drivers.ssh.connection import Connection
from crankshaft_core.drivers.ssh.line import Line
from crankshaft_core.drivers.ssh.settings import SSHSettings
from crankshaft_core.drivers.ssh.target import Target

__all__ = ["Shared", "acquire", "release"]


@dataclass(slots=True, eq=False)
class Shared:
    """A connection, its two channels, and how many hold it."""

    key: Hashable
    connection: Connection
    control: Line
    bulk: Line
    holders: int = 0

    def close(self) -> None:
        """Hang up, and see all threads end. It may take a second or two."""
        self.connection.close()
        self.control.close()
        self.bulk.close()


def acquire(settings: SSHSettings, target: Target, client: Client, *, timing: Timing) -> Shared:
    """The connection to `target`; each call needs a `release`. Nothing is sent yet."""
    # a forked child has none of the parent's threads, so it needs connections of its own
    read_by_ssh = settings.ssh_config if settings.client == "openssh" else None
    key = (os.getpid(), settings.client, settings.login, read_by_ssh, target)
    with _lock:
        shared = _shared.get(key)
        if shared is None:
            connection = Connection(settings, target, client, timing=timing)
            shared = Shared(key, connection, Line(connection, name="control"), Line(connection, name="bulk"))
            _shared[key] = shared
        shared.holders += 1
        return shared


def release(shared: Shared) -> bool:
    """Let go. True for the last one, who then has to close it."""
    with _lock:
        shared.holders -= 1
        if shared.holders > 0:
            return False
        del _shared[shared.key]
        return True


_lock = threading.Lock()
_shared: dict[Hashable, Shared] = {}
