"""Where a runner keeps journal and results: by flow run, so that a restarted one finds them."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import platformdirs

from crankshaft_core.journal import Journal

__all__ = ["Keeping"]

_KEY_BYTES = 32


class Keeping:
    """A directory that only its owner can read, a journal in it, and the key of the records. A context manager.

    Left, the directory goes: every task has ended and every result was delivered. A killed process leaves it for
    the restarted flow run. Raises JournalError if another process is at work on the same flow run.
    """

    _in_use: ClassVar[set[str]] = set()
    """Flow runs that a runner of this process keeps already; a second runner within one keeps for itself."""

    def __init__(self, flow_run: str | None) -> None:
        self._flow_run = flow_run if flow_run not in self._in_use else None
        self.durable = self._flow_run is not None

    def __enter__(self) -> Self:
        if self._flow_run is None:
            self.directory = Path(tempfile.mkdtemp(prefix="crankshaft-prefect-"))
        else:
            self.directory = platformdirs.user_state_path("crankshaft") / "prefect" / self._flow_run
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
        self.journal = Journal.open(self.directory / "journal.db")
        if self._flow_run is not None:
            self._in_use.add(self._flow_run)
        self.key = _key(self.directory / "key")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._flow_run is not None:
            self._in_use.discard(self._flow_run)
        if error is None:
            shutil.rmtree(self.directory, ignore_errors=True)


def _key(path: Path) -> bytes:
    """The key an earlier process of this flow run made, or a new one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        known = path.read_bytes()
        if len(known) == _KEY_BYTES:
            return known
        path.unlink()  # its process was killed while it wrote it, so nothing was signed with it
        return _key(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key := secrets.token_bytes(_KEY_BYTES))
    return key
