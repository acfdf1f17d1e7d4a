"""Tar archives, written and read as they travel; nothing is held whole in memory or on disk."""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from crankshaft_core.errors import StagingError

__all__ = ["Entry", "pack", "unpack"]

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """Something wanted at the absolute path `target`: content, a file or directory of this machine, a new directory."""

    target: str
    source: Path | bytes | None
    writable: bool
    uid: int = 0
    gid: int = 0


def pack(entries: Iterable[Entry]) -> Iterator[bytes]:
    """A tar archive of the entries, to be unpacked at `/`. Raises StagingError for a file that shrinks meanwhile."""
    for entry in entries:
        yield from _members(entry)
    yield bytes(2 * tarfile.BLOCKSIZE)


def unpack(chunks: Iterable[bytes], target: Path) -> None:
    """Make `target` the file or directory that the archive holds, as `docker cp` gives it.

    Nothing is written outside of `target`, whatever the archive says.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=cast("IO[bytes]", _Reader(chunks)), mode="r|") as archive:
        # refuses members that would land elsewhere; Pythons before 3.11.4 know no filters and ignore the attribute
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)
        top = archive.next()
        if top is None:
            return
        if not top.isdir():
            _write(archive, top, target)
            return
        target.mkdir(exist_ok=True)
        # Docker names the members "top/a", Podman "/a"
        prefix = top.name.strip("/")
        for member in archive:
            inner = member.name.removeprefix(prefix).lstrip("/")
            archive.extract(member.replace(name=inner, deep=False), target)


def _members(entry: Entry) -> Iterator[bytes]:
    if isinstance(entry.source, bytes):
        yield _header(entry, tarfile.REGTYPE, 0o444, len(entry.source)) + entry.source + _padding(len(entry.source))
    elif entry.source is None:
        yield _header(entry, tarfile.DIRTYPE, 0o555)
    elif entry.source.is_dir():
        yield _header(entry, tarfile.DIRTYPE, 0o555)
        for child in sorted(entry.source.iterdir()):
            yield from _members(replace(entry, target=posixpath.join(entry.target, child.name), source=child))
    else:
        yield from _file(entry, entry.source)


def _file(entry: Entry, source: Path) -> Iterator[bytes]:
    try:
        file = source.open("rb")
    except OSError as error:
        raise StagingError(str(error)) from error
    with file:
        status = os.fstat(file.fileno())
        yield _header(entry, tarfile.REGTYPE, 0o444 | (status.st_mode & 0o111), status.st_size)
        left = status.st_size
        while left:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise StagingError(f"{source} became shorter while it was sent")
            left -= len(piece)
            yield piece
    yield _padding(status.st_size)


def _header(entry: Entry, kind: bytes, mode: int, size: int = 0) -> bytes:
    member = tarfile.TarInfo(entry.target.lstrip("/"))
    member.type, member.size = kind, size
    member.mode = mode | (0o222 if entry.writable else 0)
    member.uid, member.gid = entry.uid, entry.gid
    return member.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = archive.extractfile(member)
    if content is None:
        raise StagingError(f"{member.name} is neither a file nor a directory")
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file, _PIECE)
    target.chmod(member.mode & 0o777)


class _Reader:
    """Reads pieces of any size from chunks, as tarfile's stream mode wants it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            chunk: Any = next(self._chunks, None)
            if chunk is None:
                break
            self._buffer += chunk
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece
