"""One owner per journal: an advisory lock that the kernel drops with its process."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from crankshaft_core.errors import JournalInUseError

__all__ = ["OwnerLock"]


class OwnerLock:
    """Held from construction to `close`. Raises JournalInUseError naming the owner if another process holds it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._fd, 200).decode(errors="replace").strip() or "another process"
            os.close(self._fd)
            raise JournalInUseError(
                f"{path.with_suffix('')}: in use by {owner}. Wait for it, stop it, or use another journal"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    def close(self) -> None:
        """Let go; idempotent. The file stays, since removing it would let two owners hold two files of one name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
