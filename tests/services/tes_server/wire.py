"""HTTP/1.1 with keep-alive, as much of it as a TES client needs: requests in, answers out."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

__all__ = ["Drop", "Handler", "Request", "Response", "serve"]

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


async def serve(handler: Handler, host: str, port: int) -> asyncio.Server:
    """Listen, and answer each request with what `handler` makes of it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, Drop, asyncio.CancelledError):
            while True:
                request = await _read(reader)
                response = await handler(request)
                _write(writer, response)
                await writer.drain()
        writer.transport.abort()

    return await asyncio.start_server(talk, host, port, limit=1024 * 1024)


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
    path, _, query = target.partition("?")
    return Request(method, unquote(path), tuple(parse_qsl(query, keep_blank_values=True)), headers, body)


def _write(writer: asyncio.StreamWriter, response: Response) -> None:
    content = response.content()
    headers = {"Content-Type": "application/json", **response.headers, "Content-Length": str(len(content))}
    reason = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
