"""Tar streams, so that any number of files travels in one call: made here without a copy, and unpacked here.

tar(5), the format of GNU tar: names of any length and in any bytes, files of any size.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

__all__ = ["Member", "Reader", "size", "stream"]

BLOCK = tarfile.BLOCKSIZE
CHUNK = 262_144
END = bytes(2 * BLOCK)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of this machine, and its name in the archive."""

    source: Path
    name: str
    size: int
    mode: int

    @property
    def header(self) -> bytes:
        """The blocks in front of its content."""
        info = tarfile.TarInfo(self.name)
        info.size = self.size
        info.mode = self.mode
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")

    @property
    def padding(self) -> int:
        """Bytes that fill its last block."""
        return -self.size % BLOCK


def size(members: Sequence[Member]) -> int:
    """The exact length of their archive."""
    return sum(len(member.header) + member.size + member.padding for member in members) + len(END)


def stream(members: Sequence[Member]) -> Iterator[bytes]:
    """The archive. Raises OSError for a file that cannot be read, or is shorter than it was."""
    for member in members:
        yield member.header
        yield from _content(member)
        yield bytes(member.padding)
    yield END


class Reader:
    """Chunks of bytes as a file that `tarfile` can read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def read(self, count: int = -1) -> bytes:
        """`count` bytes, fewer only at the end."""
        parts = [self._held]
        have = len(self._held)
        while have < count:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        self._held = data[count:]
        return data[:count]

    def members(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        """Each member in turn, with its content if it is a file; nothing at all for an empty stream."""
        first = self.read(BLOCK)
        self._held = first + self._held
        if not first:
            return
        with tarfile.open(
            fileobj=cast("IO[bytes]", self), mode="r|", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for info in archive:
                yield info, archive.extractfile(info) if info.isreg() else None

    def drain(self) -> None:
        """Read on to the end of the stream."""
        self._held = b""
        for _ in self._chunks:
            pass


def _content(member: Member) -> Iterator[bytes]:
    left = member.size
    with member.source.open("rb") as file:
        while left:
            data = file.read(min(CHUNK, left))
            if not data:
                raise OSError(0, "file became shorter while it was sent", os.fspath(member.source))
            left -= len(data)
            yield data
