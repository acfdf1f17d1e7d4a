"""The header that lets us in, read anew when the server no longer accepts it."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from crankshaft_core.config.secrets import Secret
from crankshaft_core.config.tes import BasicAuth, BearerAuth, HeaderAuth, Http
from crankshaft_core.errors import AuthenticationError, ConfigError

__all__ = ["Credentials"]

_ADVICE = {
    "text": "What stands in the configuration is read once; use { file } or { command }",
    "env": "{ env } cannot change in a running process; use { file } or { command }",
    "file": "The file was read again and is the same; renew it",
    "command": "The command was run again and gives the same; log in where it asks",
    "none": "Set `http.auth`",
}
"""What to do about a login that is refused, by where the secret comes from."""

_READ_PAUSE = 5.0
"""Seconds between two readings of a secret that was refused: a vault's command is not run for every task."""
_TOKEN_PAUSE = 30.0
"""Seconds between two tries with a token that was refused: it may be the server's fault, and no account gets locked."""


class Credentials:
    """Reads the configured secret when first needed, in a thread of its own, since a vault's command may take long."""

    def __init__(self, http: Http, *, backend: str) -> None:
        self._http = http
        self._backend = backend
        self._headers: Mapping[str, str] | None = None
        self._refused_at: float | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._executor: ThreadPoolExecutor | None = None

    @property
    def kind(self) -> str:
        """For a person: how we log in."""
        if self._http.basic_auth_token is not None:
            return "basic"
        return "none" if self._http.auth is None else self._http.auth.type

    @property
    def advice(self) -> str:
        """For a person: what to do when it is refused."""
        secret = self._http.basic_auth_token
        match self._http.auth:
            case BasicAuth(password=secret) | BearerAuth(token=secret) | HeaderAuth(value=secret):
                pass
            case None:
                if secret is None:
                    return _ADVICE["none"]
        return _ADVICE[next(iter(secret.reference or ("text",)))]

    async def headers(self) -> Mapping[str, str]:
        """The headers to send. Raises AuthenticationError while what we have is known to be refused."""
        async with self._reading:
            if self._headers is None:
                self._headers = await self._read()
            elif self._refused_at is not None:
                await self._reconsider()
            return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Read the secret again after a 401 to `refused`. False if it is still the same: then nothing more is sent."""
        async with self._reading:
            if self._headers == refused:
                self._headers = await self._read()
            if self._headers != refused:
                self._refused_at = None
                return True
            self._refused_at = time.monotonic()
            return False

    def aclose(self) -> None:
        """Let go of the thread."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _reconsider(self) -> None:
        """After a refusal: go on with a new secret, or at last with a token that may not have been to blame."""
        assert self._refused_at is not None
        now = time.monotonic()
        fresh = self._headers
        if now - self._read_at >= _READ_PAUSE:
            fresh = await self._read()
        # a password is not tried twice, since accounts get locked
        patient = self.kind != "basic" and now - self._refused_at >= _TOKEN_PAUSE
        if fresh == self._headers and not patient:
            said = f"the server refused the login ({self.kind}), and it is still the same"
            raise AuthenticationError(said, advice=self.advice)
        self._headers, self._refused_at = fresh, None

    async def _read(self) -> Mapping[str, str]:
        self._read_at = time.monotonic()
        if self._http.auth is None and self._http.basic_auth_token is None:
            return {}
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="crankshaft-tes-secret")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._look_up)
        except ConfigError as error:
            raise AuthenticationError(str(error)) from error

    def _look_up(self) -> Mapping[str, str]:
        """RFC 7617 for basic, RFC 6750 for bearer."""
        http = self._http
        if http.basic_auth_token is not None:
            return {"Authorization": f"Basic {self._line('http.basic_auth_token', http.basic_auth_token)}"}
        match http.auth:
            case BasicAuth(username=username, password=password):
                pair = f"{username}:{self._revealed('http.auth.password', password)}".encode()
                return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            case BearerAuth(token=token):
                return {"Authorization": f"Bearer {self._line('http.auth.token', token)}"}
            case HeaderAuth(name=name, value=value):
                return {name: self._line("http.auth.value", value)}
            case None:
                return {}

    def _line(self, key: str, secret: Secret) -> str:
        """A token as a header can carry it; never shown, whatever is wrong with it."""
        text = self._revealed(key, secret)
        if not text.strip() or not text.strip().isprintable() or not text.isascii():
            where = f"backend {self._backend!r}, {key}"
            raise ConfigError(f"{where}: the secret is empty, or has characters that no HTTP header can carry")
        return text.strip()

    def _revealed(self, key: str, secret: Secret) -> str:
        try:
            return secret.reveal()
        except ConfigError as error:
            raise ConfigError(f"backend {self._backend!r}, {key}: {error}") from error
