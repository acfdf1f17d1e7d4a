"""The calls of the Engine API that are used, with plain values (https://docs.docker.com/engine/api/v1.41/)."""

from __future__ import annotations

import asyncio
import tarfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol, TypeVar

from crankshaft_core.backends.docker.answers import Json, parts
from crankshaft_core.backends.docker.connection import TIMEOUT, Connection, checked
from crankshaft_core.backends.docker.frames import frames
from crankshaft_core.backends.docker.refusals import Refusal
from crankshaft_core.errors import AnswerLostError, StagingError, TransportError

__all__ = ["DockerClient", "EventStream"]

T = TypeVar("T")

_GONE_WITHIN = 5.0
"""Seconds that a container may take to go away when somebody else is at it."""


class EventStream(Protocol):
    """Events as they happen; `close`, from any thread, ends the iteration."""

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """End the iteration."""
        ...


class DockerClient:
    """One engine. Connects at the first call.

    Reading raises TransportError when no answer could be had. Changing raises that when the call is known not to have
    been taken, AnswerLostError when there is no telling, and Refusal with the engine's words when it said no.
    """

    def __init__(self, host: str | None) -> None:
        self._connection = Connection(host)

    @property
    def address(self) -> str:
        """Where the engine is, for messages."""
        return self._connection.address

    async def info(self) -> tuple[Json, Json]:
        """What the engine tells of itself: `/info` and `/version`."""
        return await self._read(lambda api: (api.info(), api.version()))

    async def greet(self) -> None:
        """Raises TransportError when the engine is being stopped: then it answers old acquaintances only."""
        await self._connection.greet()

    async def containers(self, labels: Sequence[str]) -> Sequence[Json]:
        """All containers, in any state, that carry every one of `labels` ("key" or "key=value")."""
        return await self._read(lambda api: api.containers(all=True, filters={"label": list(labels)}))

    async def create(self, name: str, config: Json, platform: str | None) -> Json:
        """Create a container; Refusal 409 when the name is taken, 404 when the image is not there."""
        return await self._change(lambda api: api.create_container_from_config(dict(config), name, platform))

    async def start(self, name: str) -> None:
        """Start it. One that runs already is left alone, but one that has ended would run again."""
        await self._change(lambda api: api.start(name))

    async def inspect(self, name: str) -> Json | None:
        """All that is known of a container; None when there is none of that name."""
        return await self._find(lambda api: api.inspect_container(name))

    async def kill(self, name: str, signal: str) -> None:
        """Send a signal to the container's first process. One that has ended or is gone is left alone."""
        await self._end(lambda api: api.kill(name, signal), fine={404, 409})

    async def unpause(self, name: str) -> None:
        """Let a paused container go on."""
        await self._end(lambda api: api.unpause(name), fine={404, 409, 500})

    async def remove(self, name: str) -> None:
        """Remove a container in any state, with its anonymous volumes. Returns when it is gone, whoever removed it.

        Raises TransportError when the engine does not get rid of it.
        """
        try:
            await self._change(lambda api: api.remove_container(name, v=True, force=True))
        except Refusal as refusal:
            if refusal.status == 409:  # somebody removes it already, or it does not die
                await self._gone(name, str(refusal))
            elif refusal.status != 404:
                raise

    async def logs(self, path: str, params: Json, sink: Callable[[int, bytes], None]) -> None:
        """What `path` ("/containers/x/logs") has written: `sink(1 or 2, bytes)` for each piece, in a thread.

        Raises StagingError when the sink cannot write.
        """

        def fetch(api: Any) -> None:
            url = f"{api.base_url}/v{api.api_version}{path}"
            with closing(api.get(url, params=dict(params), stream=True, timeout=TIMEOUT)) as answer:
                if answer.status_code != 404:
                    checked(answer)
                    with _local_failures():
                        for stream, piece in frames(self._connection.arriving(answer.iter_content(65536))):
                            sink(stream, piece)

        await self._read(fetch, bulk=True)

    async def put(self, name: str, chunks: Iterable[bytes]) -> None:
        """Unpack a tar archive at the root of a container, whether it runs or not."""
        await self._change(lambda api: api.put_archive(name, "/", chunks), bulk=True)

    async def get(self, name: str, path: str, take: Callable[[Json, Iterable[bytes]], T]) -> T | None:
        """`take(stat, tar archive)` of a path in a container, in a thread; None when there is no such path."""

        def fetch(api: Any) -> T:
            chunks, stat = api.get_archive(name, path)
            with closing(chunks), _local_failures():
                return take(stat, self._connection.arriving(chunks))

        return await self._find(fetch, bulk=True)

    async def image(self, reference: str) -> Json | None:
        """An image that is there; None when it is not."""
        return await self._find(lambda api: api.inspect_image(reference))

    async def pull(self, reference: str, platform: str | None, progress: Callable[[Json], None]) -> None:
        """Pull an image; `progress` is called in a thread with each line the engine tells."""

        def run(api: Any) -> None:
            lines: Any = api.pull(reference, stream=True, decode=True, platform=platform)
            failures: list[str] = []
            for line in lines:  # to the end, which is where the connection is free again
                if "error" in line:
                    failures.append(str(line["error"]))
                progress(line)
            if failures:
                raise Refusal(failures[0], status=404)

        await self._change(run, bulk=True)

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume; one of that name that is there already is fine."""
        await self._change(lambda api: api.create_volume(name, labels=dict(labels)))

    async def volumes(self, label: str) -> Sequence[Json]:
        """The volumes that carry `label`."""
        answer = await self._read(lambda api: api.volumes(filters={"label": label}))
        return parts(answer, "Volumes")

    async def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is fine."""
        await self._end(lambda api: api.remove_volume(name, force=True), fine={404})

    async def network(self, name: str) -> Json | None:
        """A network; None when there is none of that name."""
        return await self._find(lambda api: api.inspect_network(name))

    async def services(self, label: str) -> Sequence[Json]:
        """The services that carry `label`."""
        return await self._read(lambda api: api.services(filters={"label": label}))

    async def create_service(self, spec: Json) -> None:
        """Create a service; Refusal 409 when the name is taken."""
        template, name, labels, mode = (spec[key] for key in ("TaskTemplate", "Name", "Labels", "Mode"))
        await self._change(lambda api: api.create_service(template, name=name, labels=labels, mode=mode))

    async def scale(self, service: Json, replicas: int) -> None:
        """Change how many copies of a service run, unless somebody changed it since `service` was read."""
        mode: Any = {"Replicated": {"Replicas": replicas}}
        version = service["Version"]["Index"]
        await self._change(lambda api: api.update_service(service["ID"], version, mode=mode, fetch_current_spec=True))

    async def remove_service(self, name: str) -> None:
        """Remove a service and end its tasks; one that is gone is fine."""
        await self._end(lambda api: api.remove_service(name), fine={404})

    async def tasks(self, label: str) -> Sequence[Json]:
        """The Swarm tasks whose service carries `label`."""
        return await self._read(lambda api: api.tasks(filters={"label": label}))

    async def nodes(self) -> Sequence[Json]:
        """The nodes of the Swarm."""
        return await self._read(lambda api: api.nodes())

    async def past_events(self, filters: Mapping[str, Sequence[str]], since: int, until: float) -> Sequence[Json]:
        """What the engine remembers to have happened between two times, in seconds since the epoch."""

        def fetch(api: Any) -> list[Json]:
            with closing(api.events(since=since, until=until, filters=dict(filters), decode=True)) as stream:
                return list(stream)

        return await self._read(fetch)

    def follow_events(self, filters: Mapping[str, Sequence[str]]) -> EventStream:
        """What happens from now on. Blocks; raises TransportError."""
        stream: EventStream = self._connection.blocking(
            lambda api: api.events(filters=dict(filters), decode=True), changing=False
        )
        return stream

    def wait(self, name: str) -> None:
        """Return when a container that is ending has ended. Blocks; raises TransportError, also after 10 s."""
        self._connection.blocking(lambda api: api.wait(name, timeout=10), changing=False)

    async def work(self, fn: Callable[[], T]) -> T:
        """Run something that blocks on this machine's files, in a thread."""
        return await self._connection.work(fn)

    async def aclose(self) -> None:
        """Finish the calls under way and close every connection."""
        await self._connection.aclose()

    async def _gone(self, name: str, why_not: str) -> None:
        deadline = time.monotonic() + _GONE_WITHIN
        while await self.inspect(name) is not None:
            if time.monotonic() > deadline:
                raise TransportError(f"container {name} cannot be removed now: {why_not}")
            await asyncio.sleep(0.1)

    async def _find(self, fn: Callable[[Any], T], *, bulk: bool = False) -> T | None:
        try:
            return await self._connection.call(fn, changing=True, bulk=bulk)
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise TransportError(str(refusal)) from refusal
        except AnswerLostError as error:
            raise TransportError(str(error)) from error

    async def _read(self, fn: Callable[[Any], T], *, bulk: bool = False) -> T:
        return await self._connection.call(fn, changing=False, bulk=bulk)

    async def _change(self, fn: Callable[[Any], T], *, bulk: bool = False) -> T:
        return await self._connection.call(fn, changing=True, bulk=bulk)

    async def _end(self, fn: Callable[[Any], object], *, fine: Iterable[int]) -> None:
        """A change that is no mistake where there is nothing left to change."""
        try:
            await self._change(fn)
        except Refusal as refusal:
            if refusal.status not in fine:
                raise


@contextmanager
def _local_failures() -> Generator[None, None, None]:
    """What goes wrong on this machine, a full disk for instance, is not the engine's fault."""
    try:
        yield
    except (OSError, tarfile.TarError) as error:
        raise StagingError(str(error)) from error
