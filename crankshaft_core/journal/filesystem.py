"""Is this directory on a network file system? SQLite's WAL needs shared memory, which those do not give."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_local"]

_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "ramfs", "overlay", "reiserfs", "jfs"}
)


def is_local(directory: Path, *, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """True only where it is known: the file system's type is one that lives on this machine (proc(5), mountinfo)."""
    try:
        device = directory.stat().st_dev
        text = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    types = {after.split()[0] for before, after in _halves(text) if before.split()[2] == wanted}
    if not types:
        return _type_by_path(directory, text) in _LOCAL
    return types <= _LOCAL


def _halves(text: str) -> list[tuple[str, str]]:
    return [(before, after) for before, dash, after in (line.partition(" - ") for line in text.splitlines()) if dash]


def _type_by_path(directory: Path, text: str) -> str:
    """The type of the deepest mount above `directory`, for file systems whose device number differs by file."""
    real = str(directory.resolve())
    found = [
        (len(mount), after.split()[0])
        for before, after in _halves(text)
        if (mount := before.split()[4]) == "/" or real == mount or real.startswith(mount + "/")
    ]
    return max(found)[1] if found else ""
