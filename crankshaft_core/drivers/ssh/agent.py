"""Asking the ssh-agent: which keys it holds, and for signatures (draft-miller-ssh-agent, sections 4.4 and 4.5)."""

from __future__ import annotations

import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self

__all__ = ["Agent", "AgentKey", "open_agent"]

TIMEOUT = 20.0
"""Seconds for one answer; the agent may ask its owner to confirm."""
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_FLAGS: Mapping[str, int] = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key that the agent holds."""

    blob: bytes
    """Its public half."""
    comment: str


class Agent:
    """The agent behind one socket. Every call raises OSError if it does not answer."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def identities(self) -> list[AgentKey]:
        """In the agent's order."""
        kind, rest = self._ask(bytes([_REQUEST_IDENTITIES]))
        if kind != _IDENTITIES_ANSWER:
            return []
        keys: list[AgentKey] = []
        count, rest = int.from_bytes(rest[:4], "big"), rest[4:]
        for _ in range(count):
            blob, rest = _string(rest)
            comment, rest = _string(rest)
            keys.append(AgentKey(blob, comment.decode(errors="replace")))
        return keys

    def sign(self, blob: bytes, data: bytes, *, algorithm: str) -> bytes:
        """The signature over `data` with the key `blob`; empty if the agent will not (locked, not confirmed)."""
        flags = _FLAGS.get(algorithm.removesuffix("-cert-v01@openssh.com"), 0)
        kind, rest = self._ask(bytes([_SIGN_REQUEST]) + _packed(blob) + _packed(data) + flags.to_bytes(4, "big"))
        return _string(rest)[0] if kind == _SIGN_RESPONSE else b""

    def _ask(self, message: bytes) -> tuple[int, bytes]:
        self._socket.sendall(_packed(message))
        answer = self._read(int.from_bytes(self._read(4), "big"))
        return (answer[0], answer[1:]) if answer else (0, b"")

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the ssh-agent hung up")
            data += more
        return data


@contextmanager
def open_agent(path: str | None) -> Generator[Agent | None]:
    """The agent, if one is there: the variable may be left of an old session."""
    try:
        agent = Agent(path) if path else None
    except OSError:
        agent = None
    with agent or nullcontext():
        yield agent


def _packed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _string(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    return data[4 : 4 + size], data[4 + size :]
