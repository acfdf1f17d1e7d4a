"""The edge: one request, one answer, over httpx. No object and no exception of httpx leaves this file."""

from __future__ import annotations

import email.utils
import json
import ssl
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from crankshaft_core.backends.tes.answer import Answer
from crankshaft_core.config.tes import Http
from crankshaft_core.errors import AnswerLostError, ConfigError, TransportError

__all__ = ["Edge", "Params", "Request"]

Params = Sequence[tuple[str, str]]
"""Of a query, in order: TES 1.1 pairs each `tag_value` with the `tag_key` before it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `body` is sent as JSON."""

    method: str
    url: str
    params: Params = ()
    body: object = None

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


_CONNECT_TIMEOUT = 10.0
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Edge:
    """One client with a few connections: httpx gets slow with many idle ones."""

    def __init__(self, http: Http, url: str) -> None:
        self._client = httpx.AsyncClient(
            verify=_trust(http, url),
            proxy=http.proxy,
            timeout=httpx.Timeout(http.timeout, connect=min(http.timeout, _CONNECT_TIMEOUT), pool=None),
            limits=httpx.Limits(max_connections=http.max_connections, max_keepalive_connections=http.max_connections),
            headers={"Accept": "application/json", "User-Agent": "crankshaft"},
        )

    async def send(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send one request.

        Raises TransportError when it is known not to have reached the server, AnswerLostError when it may have.
        """
        content = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        typed = {**headers, "Content-Type": "application/json"} if content is not None else headers
        try:
            response = await self._client.request(
                request.method, request.url, params=list(request.params), content=content, headers=typed
            )
        except _UNSENT as error:
            raise TransportError(f"{request}: {_reason(error)}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AnswerLostError(f"{request}: {_reason(error)}") from error
        return _answer(request, response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _trust(http: Http, url: str) -> ssl.SSLContext | bool:
    """Where nothing is encrypted no authorities are loaded: they take 3.5 MB. A proxy might be spoken to by TLS."""
    if url.startswith("http://") and http.proxy is None and not urllib.request.getproxies():
        return False
    if not http.verify or http.ca_bundle is None:
        return http.verify
    try:
        return ssl.create_default_context(cafile=Path(http.ca_bundle).expanduser())
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"http.ca_bundle {http.ca_bundle}: {error.strerror or error}") from error


def _answer(request: Request, response: httpx.Response) -> Answer:
    try:
        body: object = json.loads(response.content) if response.content else None
    except ValueError:  # an error page of some proxy, or no JSON at all
        body = None
    return Answer(
        method=request.method,
        url=request.url,
        status=response.status_code,
        text=response.text[:4000] if body is None else "",
        body=body,
        retry_after=_retry_after(response.headers.get("Retry-After")),
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or a date (RFC 9110 section 10.2.3)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return f"{cause}. Set `http.ca_bundle` to the certificate authority of this server"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__
