"""The Docker SDK, and nothing of it beyond this file: threads of its own, few connections, our errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from crankshaft_core.backends.docker.refusals import Refusal, plain_words
from crankshaft_core.errors import AnswerLostError, AuthenticationError, BackendError, ConfigError, TransportError

__all__ = ["TIMEOUT", "Connection", "checked"]

T = TypeVar("T")

TIMEOUT = 120.0
"""Seconds. Longer than a loaded engine takes to start a container: a start whose answer is lost is in doubt."""
_SHORT_CALLS = 8
_BULK_CALLS = 4
"""Calls at once: for control, and for what moves bytes (logs, archives, pulls), so that none waits for a large file."""
_TRY_LATER = frozenset({429, 502, 503, 504})
_CONFLICT = ("name is already in use", "container state improper")
_FOREIGN = (DockerException, requests.RequestException, OSError)
_NOT_SENT = (FileNotFoundError, ConnectionRefusedError, PermissionError, requests.exceptions.ConnectTimeout)


class Connection:
    """To one engine. Connects at the first call. Raises ConfigError for an address that is none.

    `Any` stands for the SDK's client, which has types for some of its methods only.
    """

    def __init__(self, host: str | None) -> None:
        try:
            self.address = _address(host)
        except DockerException as error:
            raise ConfigError(f"no address of a Docker engine: {error}") from error
        self._api: Any = None
        self._lock = threading.Lock()
        self._short = ThreadPoolExecutor(_SHORT_CALLS, thread_name_prefix="crankshaft-docker")
        self._bulk = ThreadPoolExecutor(_BULK_CALLS, thread_name_prefix="crankshaft-docker-bulk")

    async def call(self, fn: Callable[[Any], T], *, changing: bool, bulk: bool = False) -> T:
        """`fn(client)` in a thread. `changing`: an answer that is lost, or a no, is an error of its own kind.

        Raises TransportError; if `changing`, also AnswerLostError, and Refusal with the engine's words.
        """
        pool = self._bulk if bulk else self._short
        return await asyncio.get_running_loop().run_in_executor(pool, lambda: self.blocking(fn, changing=changing))

    def blocking(self, fn: Callable[[Any], T], *, changing: bool) -> T:
        """`fn(client)` in this thread, with the same errors."""
        try:
            return fn(self._connected())
        except _FOREIGN as error:
            raise self._translated(error, changing=changing) from error

    def arriving(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks. TransportError tells a connection that breaks from a file of ours that cannot be written."""
        try:
            yield from chunks
        except _FOREIGN as error:
            raise self._translated(error, changing=False) from error

    async def greet(self) -> None:
        """Raises TransportError when the engine takes no new connection; those it has already may still be served."""

        def ping(api: Any) -> None:
            with closing(self._new_client(api.api_version)) as client:
                client.ping()

        await self.call(ping, changing=False)

    async def work(self, fn: Callable[[], T]) -> T:
        """Run something that blocks on this machine's files in the threads for bulk."""
        return await asyncio.get_running_loop().run_in_executor(self._bulk, fn)

    async def aclose(self) -> None:
        """Finish the calls under way and close every connection."""
        for pool in (self._short, self._bulk):
            await asyncio.to_thread(pool.shutdown)
        if self._api is not None:
            self._api.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._api is None:
                self._api = self._new_client("auto")
                if self.address.startswith("unix:"):
                    _share_connections(self._api)
            return self._api

    def _new_client(self, version: str) -> Any:
        tls = kwargs_from_env().get("tls", False) if self.address.startswith(("tcp:", "https:")) else False
        return docker.APIClient(
            self.address,
            version=version,
            timeout=int(TIMEOUT),
            tls=tls,
            use_ssh_client=True,
            max_pool_size=_SHORT_CALLS + _BULK_CALLS + 1,
        )

    def _translated(self, error: Exception, *, changing: bool) -> BackendError:
        """The error of ours that says the same. `changing`: whether the call may have had an effect."""
        if isinstance(error, APIError):
            return self._from_answer(error, changing=changing)
        causes = _causes(error)
        if any(isinstance(cause, PermissionError) for cause in causes):
            return AuthenticationError(
                f"no permission to use the Docker engine at {self.address}; "
                "is the user in the group that owns the socket (usually 'docker')?"
            )
        words = str(next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), error))
        if self._api is None or any(isinstance(cause, _NOT_SENT) for cause in causes):
            return TransportError(f"no Docker engine answers at {self.address}: {words}. Is it running?")
        kind = AnswerLostError if changing else TransportError
        return kind(f"the connection to the Docker engine at {self.address} broke: {words}")

    def _from_answer(self, error: APIError, *, changing: bool) -> BackendError:
        status = error.status_code or 500
        words = plain_words(str(error.explanation or error))
        if status in _TRY_LATER or not changing:
            return TransportError(f"the Docker engine at {self.address} answers {status}: {words}")
        # Podman 4 says 500 to what is a conflict
        return Refusal(words, status=409 if any(sign in words for sign in _CONFLICT) else status)


def checked(answer: requests.Response) -> requests.Response:
    """The answer; an error of the SDK's own if the engine said no."""
    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        raise APIError(str(error), response=answer, explanation=answer.text.strip()) from error
    return answer


def _address(host: str | None) -> str:
    """Where the engine is: `host`, else DOCKER_HOST, else the current `docker context`, else the usual socket."""
    given = host or kwargs_from_env().get("base_url")
    if given:
        return given
    context: Any = docker.ContextAPI.get_current_context()
    return str(getattr(context, "Host", None) or "unix:///var/run/docker.sock").removeprefix("http+")


def _share_connections(api: Any) -> None:
    """The SDK's adapter for sockets (7.2) keeps connections apart by URL, so nearly none would be used twice."""
    adapter = api.get_adapter("http+docker://localhost")
    pool_of = adapter.get_connection

    def one_pool(url: str, proxies: Any = None) -> Any:
        del url
        return pool_of("http+docker://localhost", proxies)

    adapter.get_connection = one_pool


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it was made from: urllib3 and requests keep it in `args`, Python in `__cause__`."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop()
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found
