"""What is exchanged with workers that do not see this machine: inputs brought once, outputs fetched and verified."""

from __future__ import annotations

import asyncio
import posixpath
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from crankshaft_core.backends.base import StagedInput
from crankshaft_core.backends.tes.document import Source
from crankshaft_core.backends.tes.fingerprint import Fingerprints, content_hash, files_in
from crankshaft_core.backends.tes.places import is_pattern
from crankshaft_core.backends.tes.remote import Remote, Stored
from crankshaft_core.config.tes import Storage as StorageConfig
from crankshaft_core.errors import StagingError
from crankshaft_core.task import Output

__all__ = ["INLINE_BYTES", "Storage", "inline"]

_T = TypeVar("_T")
INLINE_BYTES = 128 * 1024
"""What every server takes as an input's content (both documents: "a minimum of 128 KiB")."""
_THREADS = 4
_TAIL_BYTES = 4096
_READ_BYTES = 1024 * 1024


class Storage:
    """One storage, for one run. Its blocking calls run in threads of its own."""

    def __init__(self, config: StorageConfig, run: str) -> None:
        self._remote = Remote(config.url, config.options)
        self._worker_url = (config.worker_url or config.url).rstrip("/")
        self._run = run
        self._fingerprints = Fingerprints()
        self._arrivals: dict[str, asyncio.Task[None]] = {}
        self._is_open = False
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="crankshaft-tes-storage")

    def worker_url(self, key: str) -> str:
        """Where the workers find `key`."""
        return f"{self._worker_url}/{key}"

    def key(self, worker_url: str) -> str | None:
        """The other way round; None for a URL that is not under this storage."""
        prefix = f"{self._worker_url}/"
        return worker_url.removeprefix(prefix) if worker_url.startswith(prefix) else None

    def url(self, key: str) -> str:
        """Where we find `key`: a path, if the storage is a directory of this machine."""
        url = f"{self._remote.url}/{key}"
        return url.removeprefix("file://") if url.startswith("file:///") else url

    def shared(self, url: str) -> str | None:
        """The workers' URL of something of ours that lies under the storage; None for what lies elsewhere."""
        prefix = f"{self._remote.url}/"
        return self.worker_url(url.removeprefix(prefix)) if url.startswith(prefix) else None

    async def open(self) -> None:
        """See that there is a driver for it and that its secrets are there; asks nobody. Raises StagingError."""
        if not self._is_open:
            await self._run_blocking(self._remote.open)
            self._is_open = True

    async def bring(self, staged: StagedInput) -> Source:
        """Make an input reachable for the workers: as text in the document if it is small, else by an upload.

        Each content is uploaded once in a run, however many tasks wait for it. Raises StagingError.
        """
        if staged.url is not None:
            return Source(url=staged.url)
        if staged.content is not None:
            text = inline(staged.content)
            if text:
                return Source(content=text)
            return Source(url=await self._upload(staged.content, content_hash(staged.content)))
        assert staged.file is not None
        return Source(url=self._in_place(staged.file) or await self._bring_file(staged.input.path, staged.file))

    async def fetch(self, output: Output, key: str, target: Path) -> Path | None:
        """Fetch an output to below `target`: a file, or a directory with what it holds. None if it is not there."""
        return await self._run_blocking(lambda: self._fetch(output, key, target))

    async def tail(self, key: str) -> str | None:
        """The last 4 KiB of a file; None if it is not there."""
        found = await self._run_blocking(lambda: self._remote.tail(key, _TAIL_BYTES))
        return None if found is None else found.decode(errors="replace")

    async def read(self, keys: Sequence[str], offset: int) -> bytes:
        """At most 1 MiB of several files one after the other, from `offset` on."""
        return await self._run_blocking(lambda: self._read(keys, offset))

    async def remove(self, key: str) -> None:
        """Delete what is below `key`."""
        await self._run_blocking(lambda: self._remote.remove(key))

    async def children(self, key: str) -> Sequence[str]:
        """The names directly below `key`."""
        return await self._run_blocking(lambda: self._remote.children(key))

    async def stored(self, key: str) -> Sequence[Stored]:
        """Every file below `key`."""
        return await self._run_blocking(lambda: self._remote.stored(key))

    async def probe(self) -> None:
        """Write, read and delete a small file. Raises StagingError."""
        key = f"crankshaft-check-{secrets.token_hex(4)}"
        await self._run_blocking(lambda: self._remote.put(b"crankshaft", key))
        if await self.tail(key) != "crankshaft":
            raise StagingError(f"{self.url(key)}: what was written there is not what is read")
        await self.remove(key)

    async def aclose(self) -> None:
        """Wait for uploads under way; let go of the threads."""
        await asyncio.gather(*self._arrivals.values(), return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _bring_file(self, name: str, file: Path) -> str:
        try:
            digest = await self._run_blocking(lambda: self._fingerprints.of(file))
        except OSError as error:
            raise StagingError(f"input {name!r}: {error}") from error
        return await self._upload(file, digest)

    def _in_place(self, file: Path) -> str | None:
        """The URL of a file that is in the storage already, because that is a directory we share with the workers."""
        return self.shared(f"file://{file.absolute()}")  # unquoted, as fsspec and the servers read it

    async def _upload(self, source: Path | bytes, digest: str) -> str:
        """Under its hash. Whoever comes second waits for the first; a failed upload is tried anew by the next."""
        key = f"{self._run}/in/{digest}"
        arrival = self._arrivals.get(digest)
        if arrival is None or (arrival.done() and (arrival.cancelled() or arrival.exception() is not None)):
            arrival = asyncio.ensure_future(self._run_blocking(lambda: self._put(source, key)))
            self._arrivals[digest] = arrival
        await asyncio.shield(arrival)
        return self.worker_url(key)

    def _put(self, source: Path | bytes, key: str) -> None:
        if isinstance(source, bytes) or not source.is_dir():
            self._put_file(source, key)
            return
        for file in files_in(source):
            self._put_file(file, f"{key}/{file.relative_to(source).as_posix()}")

    def _put_file(self, source: Path | bytes, key: str) -> None:
        """Unless an earlier client of this run has brought it: the key holds the hash of its content."""
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if self._remote.size(key) != size:
            self._remote.put(source, key)

    def _read(self, keys: Sequence[str], offset: int) -> bytes:
        for key in keys:
            size = self._remote.size(key) or 0
            if offset < size:
                return self._remote.read(key, offset, min(size, offset + _READ_BYTES))
            offset -= size
        return b""

    def _fetch(self, output: Output, key: str, target: Path) -> Path | None:
        if not is_pattern(output.path) and output.type == "FILE":
            file = target / posixpath.basename(key)
            return file if self._remote.get(key, file) else None
        names = self._remote.names(key)
        if names is None or (not names and is_pattern(output.path)):
            return None
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            self._remote.get(f"{key}/{name}", target / name)
        return target

    async def _run_blocking(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


def inline(content: bytes) -> str | None:
    """The content as text for the document; None if it is too large for that, or is no text."""
    if len(content) > INLINE_BYTES or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
