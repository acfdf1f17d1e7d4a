"""Small files as a tar archive, written fast: it is a third of what a submit costs us when `tarfile` does it."""

from __future__ import annotations

import posixpath
import tarfile
import time
from collections.abc import Iterable, Mapping

__all__ = ["archive"]

_BLOCK = 512
_LONGEST_NAME = 99


def archive(directories: Iterable[str], files: Mapping[str, bytes]) -> bytes:
    """Private directories and files, by their paths below the run's directory; one called `job` is executable."""
    now = int(time.time())
    pieces = [_header(path, 0o700, now, kind=tarfile.DIRTYPE) for path in directories]
    for path, content in files.items():
        mode = 0o700 if posixpath.basename(path) == "job" else 0o600
        pieces += [_header(path, mode, now, size=len(content)), content, bytes(-len(content) % _BLOCK)]
    return b"".join([*pieces, bytes(2 * _BLOCK)])


def _header(path: str, mode: int, mtime: int, *, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One header block (POSIX.1-2001, pax: "ustar Interchange Format"); more blocks for a long name."""
    name = path.encode("utf-8", "surrogateescape")
    if len(name) > _LONGEST_NAME or size >= 8**11:
        return _long_header(path, mode, mtime, size=size, kind=kind)
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, 0, 0, size, mtime)
    block = bytearray(_BLOCK)
    block[: len(name)] = name
    block[100:148] = numbers
    block[148:156] = b" " * 8  # the checksum counts itself as spaces
    block[156:157] = kind
    block[257:265] = tarfile.GNU_MAGIC
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _long_header(path: str, mode: int, mtime: int, *, size: int, kind: bytes) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.mtime, entry.size, entry.type = mode, mtime, size, kind
    return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
