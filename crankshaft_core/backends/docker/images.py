"""Images: there before a container is created, pulled once however many tasks wait; and what one has at a path."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import tarfile
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, TypeVar

from crankshaft_core.backends.docker.answers import Json
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.backends.docker.refusals import Refusal
from crankshaft_core.errors import SubmitError

__all__ = ["Images"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

_TELL_EVERY = 10.0
"""Seconds between two lines of progress."""


class Images:
    """The images of one engine. What was learned holds until `forget`."""

    def __init__(
        self, client: DockerClient, *, pull: Literal["missing", "always", "never"], platform: str | None
    ) -> None:
        self._client = client
        self._pull_policy = pull
        self._platform = platform
        self._known: dict[object, asyncio.Task[Any]] = {}

    async def ensure(self, reference: str) -> str:
        """The id of an image, pulled first where the policy says so. Raises SubmitError when it cannot be had."""
        return await self._once(("image", reference), lambda: self._get(reference))

    async def vacant(self, image: str, path: str, labels: dict[str, str]) -> bool:
        """The image (an id) has nothing at `path`, or an empty directory: something may be mounted there."""
        return await self._once(("path", image, path), lambda: self._look(image, path, labels))

    def forget(self, reference: str) -> None:
        """The image is not there any more."""
        self._known.pop(("image", reference), None)

    async def aclose(self) -> None:
        """Wait for the pulls under way."""
        await asyncio.gather(*self._known.values(), return_exceptions=True)

    async def _once(self, key: object, fetch: Callable[[], Awaitable[T]]) -> T:
        """`fetch` once for all who wait; only success is remembered. A waiter that is cancelled stops nobody else's."""

        async def run() -> T:
            try:
                return await fetch()
            except BaseException:
                self._known.pop(key, None)
                raise

        if key not in self._known:
            self._known[key] = asyncio.get_running_loop().create_task(run())
        return await asyncio.shield(self._known[key])

    async def _get(self, reference: str) -> str:
        found = None if self._pull_policy == "always" else await self._client.image(reference)
        if found is None and self._pull_policy == "never":
            raise SubmitError(
                f'image {reference!r} is not on the Docker engine at {self._client.address}, and pull = "never"; '
                f'run `docker pull {reference}` there, or set pull = "missing"'
            )
        if found is None:
            await self._pull(reference)
            found = await self._client.image(reference)
        if found is None:
            raise SubmitError(f"image {reference!r} was pulled but is not there; look at `docker images`")
        return str(found["Id"])

    async def _pull(self, reference: str) -> None:
        _log.info("pulling image %s", reference)
        started = time.monotonic()
        try:
            await self._client.pull(_tagged(reference), self._platform, _Progress(reference).tell)
        except Refusal as refusal:
            raise SubmitError(
                f"image {reference!r} is not on the Docker engine at {self._client.address} and cannot be pulled: "
                f"{refusal}. "
                "Check its name, `docker login` for a private one, or bring it there with `docker load`"
            ) from refusal
        _log.info("pulled image %s in %.0f s", reference, time.monotonic() - started)

    async def _look(self, image: str, path: str, labels: dict[str, str]) -> bool:
        """Looked up in a container that is never started: an image itself cannot be listed."""
        config = {"Image": image, "Entrypoint": ["-"], "Labels": labels}
        name = f"crankshaft-look-{image.rpartition(':')[2][:12]}-{time.time_ns()}"
        await self._client.create(name, config, self._platform)
        try:
            kind = await self._client.get(name, path, _entries)
        finally:
            await self._client.remove(name)
        return kind is None or kind == "empty"


class _Progress:
    """Says every few seconds how far a pull is; called in a thread."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._layers: dict[str, str] = {}
        self._told = time.monotonic()

    def tell(self, line: Json) -> None:
        if "id" in line:
            self._layers[str(line["id"])] = str(line.get("status", ""))
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            done = sum(status in {"Pull complete", "Already exists"} for status in self._layers.values())
            _log.info("pulling image %s: %d of %d layers", self._reference, done, len(self._layers))


def _entries(_stat: Json, chunks: Iterable[bytes]) -> str:
    """ "empty" for a directory with nothing in it; only the beginning of the archive is read."""
    start = b"".join(itertools.islice(chunks, 1))
    with tarfile.open(fileobj=io.BytesIO(start), mode="r|") as archive:
        first = archive.next()
        try:
            more = archive.next() is not None
        except tarfile.ReadError:  # it goes on beyond what was read
            more = True
    return "empty" if first is not None and first.isdir() and not more else "something"


def _tagged(reference: str) -> str:
    """With the tag `latest` where none is given; without one the API pulls every tag there is."""
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"
