"""The Backend protocol over a GA4GH TES server."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from crankshaft_core.backends.base import (
    Attempt,
    Cadence,
    Cleaning,
    Health,
    Job,
    JobState,
    Leftover,
    Outcome,
    Reach,
    Shown,
    StagedInput,
)
from crankshaft_core.backends.tes import leftovers
from crankshaft_core.backends.tes.answer import as_table, as_text, refusal
from crankshaft_core.backends.tes.cancel import ask_to_cancel, few
from crankshaft_core.backends.tes.client import BusyError
from crankshaft_core.backends.tes.discovery import Service
from crankshaft_core.backends.tes.document import RUN_TAG, Document, Source, Terms, create_document
from crankshaft_core.backends.tes.dryrun import readable
from crankshaft_core.backends.tes.health import check
from crankshaft_core.backends.tes.outcome import is_terminal
from crankshaft_core.backends.tes.places import Copy
from crankshaft_core.backends.tes.results import Results, record_of
from crankshaft_core.backends.tes.server import Connection, Server
from crankshaft_core.backends.tes.storage import INLINE_BYTES, Storage, inline
from crankshaft_core.backends.tes.turns import Turns
from crankshaft_core.config.tes import TESConfig
from crankshaft_core.errors import (
    AnswerLostError,
    StagingError,
    SubmitDeferred,
    SubmitError,
    SubmitInDoubt,
    TransportError,
)
from crankshaft_core.task import Input, Output, Verdict

__all__ = ["TESBackend"]

_log = logging.getLogger(__name__)
_AT_ONCE = 64
"""Submits, and results, that are worked at at once; more than connections, since some wait for the storage."""
_COMMON_SCHEMES = frozenset({"http", "https", "ftp", "s3", "gs"})
"""What servers read besides what they list, which is "some, but not necessarily all" (tesServiceInfo)."""


class TESBackend:
    """Tasks on a TES server, for one run. Constructing it asks nothing; raises ConfigError for a bad `ca_bundle`."""

    def __init__(self, config: TESConfig, *, run_id: str) -> None:
        self._config = config
        self._run = run_id
        self._connection = Connection(config, run_id, in_doubt=self.cadence.in_doubt)
        self._storage = None if config.storage is None else Storage(config.storage, run_id)
        self._results = Results(self._storage)
        # the rest waits without documents and coroutines, which for thousands would take much memory
        self._submits, self._questions = (Turns(max(_AT_ONCE, 2 * config.http.max_connections)) for _ in range(2))
        self._cancelling: dict[str, str] = {}
        """Attempt to task id, of those asked to end and not seen ended."""

    @property
    def requests_sent(self) -> int:
        """How many so far, whatever became of them."""
        return self._connection.client.sent

    @property
    def cadence(self) -> Cadence:
        """As configured; a create in doubt is repeated after `grace`."""
        poll = self._config.poll_interval or 2.0
        standard = Cadence()
        return Cadence(
            poll=poll,
            slowest_poll=max(poll, standard.slowest_poll),
            sweep=self._config.sweep_interval or max(poll, standard.sweep),
            grace=standard.grace if self._config.grace is None else self._config.grace,
            kill_after=standard.kill_after if self._config.kill_after is None else self._config.kill_after,
            cancel_timeout=(
                standard.cancel_timeout if self._config.cancel_timeout is None else self._config.cancel_timeout
            ),
            in_doubt=standard.in_doubt if self._config.grace is None else self._config.grace,
        )

    @property
    def reach(self) -> Reach:
        """Small text travels in the task; the rest needs `storage`. A `file:` that a server lists is its own disk."""
        service = self._connection.service
        listed = service.schemes if service is not None else frozenset[str]()
        return Reach(
            transfers=self._storage is not None,
            inline_bytes=INLINE_BYTES,
            schemes=(_COMMON_SCHEMES | listed) - {"file"},
        )

    @property
    def enforces_time(self) -> bool:
        """TES has no time limit."""
        return False

    def listen(self, wake: Callable[[], None]) -> None:
        """TES tells nothing by itself."""

    def script(self, attempt: Attempt) -> str:
        """The document that would be sent, with what an upload would make of its inputs."""
        service = self._connection.service or Service(base=self._config.url)
        inputs = attempt.inputs or tuple(self._as_staged(item) for item in attempt.task.inputs)
        sources = [self._expected_source(attempt.run, staged) for staged in inputs]
        copy = Copy(attempt.run, attempt.id, "…")
        planned = dataclasses.replace(attempt, inputs=inputs)
        return readable(create_document(planned, sources, copy=copy, terms=self._terms(service)))

    async def submit(self, attempt: Attempt) -> str:
        """Bring its inputs and create the task; the id is the server's."""
        async with self._submits:
            return await self._submit(attempt)

    async def poll(self, jobs: Collection[Job], *, sweep: bool) -> Mapping[str, JobState]:
        """One listing of the run, or a few single questions, whichever is less."""
        server = await self._connection.server_to_ask()
        states = await server.watcher.poll(jobs, sweep=sweep)
        for attempt in list(self._cancelling):
            if server.watcher.ended_as(attempt) is not None:
                del self._cancelling[attempt]
        return states

    async def result(self, job: Job) -> Outcome:
        """From one FULL view."""
        async with self._questions:
            return await self._results.result(await self._connection.server_to_ask(), job)

    async def diagnose(self, jobs: Collection[Job]) -> Mapping[str, Outcome]:
        """Ask for each by its id once more: a server that forgets tasks leaves nothing else to ask."""
        server = await self._connection.server_to_ask()
        ids = {job.id: job for job in jobs if job.id is not None}
        tasks = await server.sweep.tasks(list(ids), view="MINIMAL")
        ended = [ids[task_id] for task_id, task in tasks.items() if task and is_terminal(as_text(task.get("state")))]
        outcomes = await asyncio.gather(*(self._results.result(server, job) for job in ended))
        return {job.attempt: outcome for job, outcome in zip(ended, outcomes, strict=True)}

    async def cancel(self, jobs: Collection[Job], *, force: bool) -> None:  # noqa: ARG002 - TES knows one way only
        """Ask for all at once. One in doubt is looked for, and cancelled whenever it turns up."""
        server = await self._connection.server_to_ask()
        urls: dict[str, str] = {}
        for job in jobs:
            task_id = job.id or await self._look(server, job)
            if task_id is None or server.watcher.ended_as(job.attempt) is not None:
                continue  # Poiesis overwrites the state of a task that has ended
            self._cancelling[job.attempt] = task_id
            urls[task_id] = server.sweep.task_url(task_id)
        answered = await ask_to_cancel(server.client, urls)
        unasked = set(urls) - answered
        if unasked:
            raise TransportError(f"no answer yet to the wish to cancel {few(unasked)}")

    async def collect(self, job: Job, outputs: Sequence[Output], scratch: Path) -> Mapping[str, Path | None]:
        """Fetch the outputs from the storage, and compare their sizes."""
        return await self._results.collect(await self._connection.server_to_ask(), job, outputs, scratch)

    async def read(self, job: Job, stream: Literal["stdout", "stderr"], offset: int) -> bytes:
        """Empty until the end: only then are the files in the storage, or the server's log as long as it will get."""
        return await self._results.read(await self._connection.server_to_ask(), job, stream, offset)

    async def release(self, ended: Mapping[Job, Verdict]) -> None:
        """Forget the jobs, and remove the storage's copies of their outputs."""
        server = await self._connection.server_to_ask()
        for job in ended:
            server.watcher.forget(job)
            self._results.release(job.attempt)

    async def shown(self) -> Sequence[Shown]:
        """As `Backend.shown`, by the tags and names of the tasks."""
        return await leftovers.shown(await self._connection.server_to_ask())

    async def clean(self, cleaning: Cleaning) -> Sequence[Leftover]:
        """As `Backend.clean`: files in the storage. TES cannot delete a task."""
        if self._storage is None:
            return ()
        try:
            return await leftovers.clean(await self._connection.server_to_ask(), self._storage, cleaning)
        except StagingError as error:
            raise TransportError(str(error)) from error

    async def check(self) -> Health:
        """Name the server, its version, whether it lets us in, and what it ignores."""
        return await check(self._connection, self._storage)

    async def aclose(self) -> None:
        """Let go. Says which tasks were asked to end and have not confirmed it."""
        if self._cancelling:
            _log.warning(
                "%s: asked to end, not confirmed: %s (all tasks of this run have the tag %s=%s)",
                self._config.name,
                few(self._cancelling.values()),
                RUN_TAG,
                self._run,
            )
        await self._results.aclose()
        if self._storage is not None:
            await self._storage.aclose()
        await self._connection.aclose()

    async def _submit(self, attempt: Attempt) -> str:
        server = await self._connection.server()
        if attempt.again:
            server.doubts.adopt(attempt.id, None)
            await server.doubts.look(attempt.id)
        known = server.doubts.known(attempt.id)
        if known is not None:
            return known
        await self._open_storage()
        sources = [await self._source(staged) for staged in attempt.inputs]
        copy = Copy.new(attempt.run, attempt.id)
        document = create_document(attempt, sources, copy=copy, terms=self._terms(server.service))
        task_id = await self._create(server, attempt.id, document)
        self._results.remember(attempt.id, record_of(document))
        return task_id

    async def _create(self, server: Server, attempt: str, document: Document) -> str:
        try:
            answer = await server.create(document)
        except BusyError as error:
            raise SubmitDeferred(str(error), retry_after=error.retry_after) from error
        except TransportError:
            raise
        except AnswerLostError as error:
            server.doubts.lost(attempt)
            raise SubmitInDoubt(str(error)) from error
        except BaseException:  # cancelled in the middle: the same doubt
            server.doubts.lost(attempt)
            raise
        if answer.status == 409:
            raise SubmitDeferred(refusal(answer), retry_after=answer.retry_after)
        if not answer.ok:
            raise SubmitError(refusal(answer))
        task_id = as_text(as_table(answer.body).get("id"))
        if not task_id:
            server.doubts.lost(attempt)
            raise SubmitInDoubt(f"{refusal(answer)}: the server accepted the task and told no id")
        server.doubts.accepted(attempt, task_id)
        return task_id

    async def _look(self, server: Server, job: Job) -> str | None:
        server.doubts.adopt(job.attempt, None)
        found = await server.doubts.look(job.attempt)
        if found is None:
            server.doubts.unwant(job.attempt)
        return found

    async def _open_storage(self) -> None:
        """What cannot be opened now would not take the outputs either."""
        if self._storage is None:
            return
        try:
            await self._storage.open()
        except StagingError as error:
            raise StagingError(f"backend {self._config.name!r}, {error}") from error

    async def _source(self, staged: StagedInput) -> Source:
        if self._storage is not None:
            return await self._storage.bring(staged)
        return _without_storage(staged)

    def _as_staged(self, item: Input) -> StagedInput:
        """What staging would make of it, without staging anything."""
        if item.content is not None:
            return StagedInput(item, content=item.content.encode() if isinstance(item.content, str) else item.content)
        url = str(item.url)
        if urlsplit(url).scheme in self.reach.schemes:
            return StagedInput(item, url=url)
        return StagedInput(item, file=Path(urlsplit(url).path))

    def _expected_source(self, run: str, staged: StagedInput) -> Source:
        """What `_source` would make of it, without bringing anything."""
        if self._storage is None:
            return _without_storage(staged)
        text = inline(staged.content) if staged.content is not None else None
        if staged.url is not None or text:
            return Source(url=staged.url, content=text)
        what = f"{len(staged.content)} bytes" if staged.content is not None else str(staged.file)
        return Source(url=self._storage.worker_url(f"{run}/in/<sha256 of {what}>"))

    def _terms(self, service: Service) -> Terms:
        return Terms(
            service=service,
            memory_unit=self._config.memory_unit,
            worker_url=None if self._storage is None else self._storage.worker_url,
            reachable=self._reachable,
        )

    def _reachable(self, url: str) -> str | None:
        """The address at which the workers themselves can write to `url`; None if they cannot."""
        shared = None if self._storage is None else self._storage.shared(url)
        return shared or (url if urlsplit(url).scheme in self.reach.schemes else None)


def _without_storage(staged: StagedInput) -> Source:
    if staged.url is not None:
        return Source(url=staged.url)
    text = inline(staged.content) if staged.content is not None else None
    if text is None:
        what = f"{len(staged.content)} bytes, or no text" if staged.content is not None else str(staged.file)
        raise StagingError(
            f"input {staged.input.path!r} ({what}) cannot travel in a TES task, which takes text up to "
            f"{INLINE_BYTES // 1024} KiB. Configure `storage`"
        )
    return Source(content=text)
