"""How a job came out, and its outputs: from the server's own record where ours does not suffice."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crankshaft_core.backends.base import Job, Outcome
from crankshaft_core.backends.tes.answer import as_list, as_table, as_text
from crankshaft_core.backends.tes.outcome import is_terminal, logged_text, outcome_of, presumed_outcome
from crankshaft_core.backends.tes.places import log_path
from crankshaft_core.backends.tes.server import Server
from crankshaft_core.backends.tes.storage import Storage
from crankshaft_core.backends.tes.sweep import Task
from crankshaft_core.errors import StagingError, TransportError
from crankshaft_core.task import Output, Verdict

__all__ = ["Record", "Results", "record_of"]

_log = logging.getLogger(__name__)
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """What a task's document says of where things are. Of our own document, or of the server's copy of it."""

    executors: int = 0
    urls: tuple[str, ...] = ()
    """Of the outputs: the task's own, then stdout and stderr."""
    by_path: Mapping[str, str] = field(default_factory=dict[str, str])
    """The same, by the absolute path in the worker."""
    work_dir: str = "/"
    """Of the first execution: the task's relative paths resolve against it."""
    streams: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """URLs of "stdout" and "stderr", of each execution in turn; empty where they are not kept."""
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Bytes by URL, as the server logged them."""


def record_of(task: Task) -> Record:
    """Read a document: one that we send, or one that a server gives back."""
    executors = [as_table(item) for item in as_list(task.get("executors"))]
    outputs = [as_table(item) for item in as_list(task.get("outputs"))]
    if not outputs:
        return _bare(len(executors))
    by_path = {as_text(item.get("path")): as_text(item.get("url")) for item in outputs}
    streams: dict[str, tuple[str, ...]] = {}
    for stream in ("stdout", "stderr"):
        paths = [as_text(item.get(stream)) or log_path(number, stream) for number, item in enumerate(executors)]
        streams[stream] = tuple(by_path[path] for path in paths if path in by_path)
    return Record(
        executors=len(executors),
        urls=tuple(as_text(item.get("url")) for item in outputs),
        by_path=by_path,
        work_dir=as_text(executors[0].get("workdir")) if executors else "/",
        streams=streams,
        sizes=_sizes(task),
    )


@functools.cache
def _bare(executors: int) -> Record:
    """One for all tasks without outputs, of which there may be very many."""
    return Record(executors)


class Results:
    """Remembers the records of the attempts under way; whatever it lacks it asks the server for."""

    def __init__(self, storage: Storage | None) -> None:
        self._storage = storage
        self._records: dict[str, Record] = {}
        self._shown: dict[str, Task] = {}
        """Of attempts that `read` was asked about."""
        self._removals: set[asyncio.Task[None]] = set()

    def remember(self, attempt: str, record: Record) -> None:
        """What was submitted, unless it is what is presumed anyway."""
        if record != _bare(1):
            self._records[attempt] = record

    async def result(self, server: Server, job: Job) -> Outcome:
        """The outcome of a job that has ended. Raises TransportError if it cannot be asked now."""
        state = server.watcher.ended_as(job.attempt)
        record = self._records.get(job.attempt)
        task = await self._task(server, job)
        if task is None:
            if state is None:
                return Outcome(Verdict.LOST, detail="the server no longer knows the task")
            return presumed_outcome(state, executors=record.executors if record else 1)
        if not is_terminal(as_text(task.get("state"))):
            raise TransportError(f"{server.sweep.task_url(job.id or '')}: had ended, is {task.get('state')} again")
        told = record_of(task)
        self.remember(job.attempt, told)
        outcome = outcome_of(task, expected=record.executors if record else None)
        return await self._with_streams(outcome, told)

    async def read(self, server: Server, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """What an ended job has written, from the storage or from the server's log of it. Raises TransportError."""
        if server.watcher.ended_as(job.attempt) is None:
            return b""
        if job.attempt not in self._shown:
            task = await self._task(server, job)
            self._shown[job.attempt] = task or {}
        task = self._shown[job.attempt]
        keys = self._keys(record_of(task).streams.get(stream, ()))
        if self._storage is not None and keys:
            return await self._storage.read(keys, offset)
        return logged_text(task, stream).encode()[offset : offset + _READ_BYTES]

    async def collect(
        self, server: Server, job: Job, outputs: Sequence[Output], scratch: Path
    ) -> dict[str, Path | None]:
        """Fetch the outputs from the storage. Raises StagingError naming every one that is not there."""
        record = self._records.get(job.attempt)
        if record is None:
            task = await self._task(server, job)
            if task is None:
                raise StagingError(f"{job.id}: the server no longer knows the task, nor where its outputs are")
            record = self._records[job.attempt] = record_of(task)
        urls = [
            record.by_path.get(posixpath.normpath(posixpath.join(record.work_dir, output.path))) for output in outputs
        ]
        known = [url for url in urls if url is not None]
        if len(known) < len(outputs):
            raise StagingError(f"{job.id}: the server's record of the task has lost its outputs")
        fetched = await asyncio.gather(
            *(
                self._fetch(output, url, scratch / f"output-{number}", record)
                for number, (output, url) in enumerate(zip(outputs, known, strict=True))
            ),
            return_exceptions=True,
        )
        return _all_or_error(outputs, known, fetched)

    def release(self, attempt: str) -> None:
        """Forget the attempt, and remove its outputs from the storage, whose copies the caller has."""
        self._shown.pop(attempt, None)
        record = self._records.pop(attempt, None)
        if record is None or self._storage is None:
            return
        for place in {"/".join(key.split("/")[:3]) for key in self._keys(record.urls)}:
            if place.split("/")[-1].startswith("out-"):
                removal = asyncio.ensure_future(self._remove(place))
                self._removals.add(removal)
                removal.add_done_callback(self._removals.discard)

    async def aclose(self) -> None:
        """Wait for removals under way."""
        await asyncio.gather(*self._removals)

    async def _task(self, server: Server, job: Job) -> Task | None:
        task_id = job.id or server.doubts.known(job.attempt)
        if task_id is None:
            raise TransportError(f"{job.attempt}: its task id is not known yet")
        return await server.sweep.task(task_id, view="FULL")

    def _keys(self, urls: Sequence[str]) -> list[str]:
        """Of those that are in the storage."""
        return [] if self._storage is None else [key for url in urls if (key := self._storage.key(url)) is not None]

    async def _with_streams(self, outcome: Outcome, record: Record) -> Outcome:
        """Where the last execution's stdout and stderr are in the storage, and their ends if the server has no logs."""
        ok = outcome.verdict is Verdict.OK
        ran = len(outcome.exit_codes) or None
        stdout, stdout_tail = await self._stream(record.streams.get("stdout", ())[:ran], outcome.stdout_tail, ok=ok)
        stderr, stderr_tail = await self._stream(record.streams.get("stderr", ())[:ran], outcome.stderr_tail, ok=ok)
        return dataclasses.replace(
            outcome, stdout=stdout, stderr=stderr, stdout_tail=stdout_tail, stderr_tail=stderr_tail
        )

    async def _stream(self, urls: Sequence[str], tail: str, *, ok: bool) -> tuple[str | None, str]:
        """Its place and its end. A task that failed may not have got to writing it, so that is looked at."""
        keys = self._keys(urls)
        if self._storage is None or not keys:
            return None, tail
        if ok and tail:
            return self._storage.url(keys[-1]), tail
        try:
            kept = await self._storage.tail(keys[-1])
        except StagingError as error:
            _log.debug("the end of %s is not to be had: %s", keys[-1], error)
            return None, tail
        return (None, tail) if kept is None else (self._storage.url(keys[-1]), kept or tail)

    async def _fetch(self, output: Output, url: str, target: Path, record: Record) -> Path | None:
        """None when the worker has written `output.url` itself. Raises FileNotFoundError."""
        storage = self._storage
        key = None if storage is None else storage.key(url)
        if storage is None or key is None or (output.url is not None and storage.shared(output.url) == url):
            return None
        path = await storage.fetch(output, key, target)
        if path is None:
            raise FileNotFoundError(url)
        logged = record.sizes.get(url)
        if logged is not None and path.is_file() and path.stat().st_size != logged:
            raise StagingError(
                f"output {output.path!r}: {url} has {path.stat().st_size} bytes; the server wrote {logged}"
            )
        return path

    async def _remove(self, place: str) -> None:
        assert self._storage is not None
        try:
            await self._storage.remove(place)
        except StagingError as error:
            _log.info("left in the storage: %s", error)


def _all_or_error(
    outputs: Sequence[Output], urls: Sequence[str], fetched: Sequence[Path | BaseException | None]
) -> dict[str, Path | None]:
    missing = [
        f"{output.path} ({url})"
        for output, url, found in zip(outputs, urls, fetched, strict=True)
        if isinstance(found, FileNotFoundError)
    ]
    if missing:
        raise StagingError(f"not there after the task has ended: {', '.join(missing)}")
    collected: dict[str, Path | None] = {}
    for output, found in zip(outputs, fetched, strict=True):
        if isinstance(found, BaseException):
            raise found
        collected[output.path] = found
    return collected


def _sizes(task: Task) -> dict[str, int]:
    runs = as_list(task.get("logs"))
    logged = [as_table(item) for item in as_list(as_table(runs[-1]).get("outputs"))] if runs else []
    return {
        as_text(item.get("url")): int(size)
        for item in logged
        if isinstance(size := item.get("size_bytes"), (str, int)) and str(size).isdigit()
    }
