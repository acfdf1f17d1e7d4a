"""The wire format of attached and logged streams: an 8-byte header (stream, 3 zeros, length), then the bytes.

Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerAttach, "Stream format".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["Mender", "frames"]

_HEADER = 8
_PIECE = 16384
"""Docker logs a longer line in pieces of so many bytes (moby, daemon/logger/copier.go)."""


class Mender:
    """Gives the lines of one stream back the newline that Docker's `local` log driver drops.

    Seen with Docker 20.10: the last piece of a line of more than 16 KiB comes without it. So it is added to a piece
    that is no full one, ends without a newline, and is not the last. What cannot be told: a line of an exact multiple
    of 16 KiB, and whether a last line that long had a newline at all.
    """

    def __init__(self) -> None:
        self._dropped = False

    def mend(self, piece: bytes) -> bytes:
        """The piece, after the newline that was missing before it."""
        mended = b"\n" + piece if self._dropped else piece
        self._dropped = len(piece) < _PIECE and not piece.endswith(b"\n")
        return mended


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(1 for stdout or 2 for stderr, payload) for each frame; what a broken connection left incomplete is dropped."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        start = 0
        while len(buffer) - start >= _HEADER:
            end = start + _HEADER + int.from_bytes(buffer[start + 4 : start + _HEADER], "big")
            if len(buffer) < end:
                break
            yield buffer[start], bytes(buffer[start + _HEADER : end])
            start = end
        del buffer[:start]
