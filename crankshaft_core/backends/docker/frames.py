"""The wire format of attached and logged streams: an 8-byte header (stream, 3 zeros, length), then the bytes.

Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerAttach, "Stream format".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["frames"]

_HEADER = 8


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
