"""HTTP/1.1 with keep-alive, as much of it as a TES client needs: requests in, answers out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

__all__ = ["Drop", "Handler", "Listener", "Request", "Response"]

_LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request, its path decoded, its query in order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def values(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for key, value in self.query if key == name]

    def value(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return (self.values(name) or [default])[-1]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `body` is sent as JSON unless it is bytes already."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body as it travels."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


class Drop(Exception):
    """Close the connection without an answer."""


Handler = Callable[[Request], Awaitable[Response]]


class Listener:
    """A port that is listened at, and the connections made there."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.most = 0
        """Connections there were at once."""

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Take connections; 0 is any free port. Returns the port."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=1024 * 1024, ssl=tls)
        taken: int = self._server.sockets[0].getsockname()[1]
        return taken

    async def hang_up(self) -> None:
        """Take no more, and drop those there are."""
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._talks.add(talk)
        self.most = max(self.most, len(self._talks))
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, Drop):
                while True:
                    _write(writer, await self._handler(await _read(reader)))
                    await writer.drain()
        finally:
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    length = int(headers.get("content-length", "0"))
    if length > _LARGEST_BODY:
        raise Drop
    body = await reader.readexactly(length) if length else b""
    if "://" in target:  # as to a proxy (RFC 9112 section 3.2.2)
        target = "/" + target.split("/", 3)[3]
    path, _, query = target.partition("?")
    return Request(method, unquote(path), tuple(parse_qsl(query, keep_blank_values=True)), headers, body)


def _write(writer: asyncio.StreamWriter, response: Response) -> None:
    content = response.content()
    headers = {"Content-Type": "application/json", **response.headers, "Content-Length": str(len(content))}
    reason = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
