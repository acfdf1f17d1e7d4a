"""The engine on the caller's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from crankshaft_core.backends.base import Attempt, Health
from crankshaft_core.backends.opening import OpenBackend, open_backend
from crankshaft_core.config import BackendConfig, Config
from crankshaft_core.engine.blame import located
from crankshaft_core.engine.dispatcher import Dispatcher
from crankshaft_core.engine.handle import TaskHandle
from crankshaft_core.engine.lane import shared_lane
from crankshaft_core.engine.live import LiveTask
from crankshaft_core.engine.results import from_journal, result_of
from crankshaft_core.errors import CancelUnconfirmed, EngineError
from crankshaft_core.events import Event, Subscriber, TaskEnded
from crankshaft_core.journal import Entry, Journal, Stage
from crankshaft_core.staging import Reach
from crankshaft_core.task import Task, TaskResult, Verdict

__all__ = ["Engine"]

_log = logging.getLogger(__name__)


class Engine:
    """Runs tasks on the backends of a configuration. An async context manager; use it on one event loop.

    `journal` is where the run is kept, and is closed with the engine; without one, a temporary journal in the user's
    state directory. Leaving the
    context cancels what was spawned and is not done, and waits until that is confirmed.
    """

    def __init__(
        self, config: Config, *, journal: Journal | None = None, open_backend: OpenBackend = open_backend
    ) -> None:
        self._config = config
        self._given_journal = journal
        self._journal: Journal | None = None
        self._open_backend = open_backend
        self._dispatchers: dict[str, Dispatcher] = {}
        self._lives: dict[LiveTask, None] = {}
        self._by_key: dict[str, LiveTask] = {}
        self._adopted: dict[str, LiveTask] = {}
        self._subscribers: list[Subscriber] = []
        self._serial = 0
        self._resources = contextlib.AsyncExitStack()

    @property
    def run_id(self) -> str:
        """The run's id: it begins every attempt's id, and stays when the journal is opened again."""
        return self._the_journal.run_id

    def spawn(self, backend: str | None, task: Task, *, key: str | None = None) -> TaskHandle:
        """Start the task on the backend of that name (None: the default one) and return at once.

        With a `key`, a task of that key that is under way or came to a good end in this run, also before the client
        was killed, is not started again: the handle is that one's. Raises ConfigError for an unknown backend.
        """
        config = self._config.choose(backend)
        dispatcher = self._dispatcher(config)
        if key is not None and (known := self._known(key, task)):
            return TaskHandle(known, dispatcher.backend)
        entry = self._the_journal.latest(key) if key is not None else None
        if entry is not None and entry.backend != config.name:
            entry = None
        live = self._live(config, _overlaid(task, config), key, entry)
        if entry is not None and entry.stage is Stage.FINISHED and _ended_well(entry):
            self._finish_known(live, entry)
        else:
            self._start(dispatcher, live)
        return TaskHandle(live, dispatcher.backend)

    async def run(self, backend: str | None, task: Task, *, key: str | None = None) -> TaskResult:
        """Spawn the task and wait for it. Cancelled, it cancels the task, and returns once that is confirmed."""
        handle = self.spawn(backend, task, key=key)
        try:
            return await handle
        except asyncio.CancelledError:
            handle.cancel()
            await _uninterrupted(handle)
            raise

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(event)` for every event from now on; returns what ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber) if subscriber in self._subscribers else None

    async def cancel(self) -> None:
        """Cancel every task of this run, and wait until it is confirmed. A second call does not interrupt the first.

        Raises CancelUnconfirmed naming the jobs that may still be running.
        """
        lives = [*self._lives, *self._adopted.values()]
        for live in lives:
            live.cancel()
        await self._confirmed(lives)

    async def detach(self) -> None:
        """Leave as a killed client does, but for tidiness: jobs run on, and an engine of the same journal has them.

        Tasks that are not done count as cancelled here. Leaving the context afterwards does nothing more.
        """
        await self._close()

    def script(self, backend: str | None, task: Task) -> str:
        """What submitting the task would run. Submits nothing."""
        config = self._config.choose(backend)
        dispatcher = self._dispatcher(config)
        live = self._live(config, _overlaid(task, config), None, None)
        assert live.task is not None
        return dispatcher.backend.script(Attempt(id=live.attempt_id, run=self.run_id, number=1, task=live.task))

    def reach(self, backend: str | None) -> Reach:
        """What of this machine's files the backend sees, and what it can be brought."""
        return self._dispatcher(self._config.choose(backend)).backend.reach

    async def check(self, backend: str) -> Health:
        """Is the backend reachable and usable?"""
        return await self._dispatcher(self._config.choose(backend)).backend.check()

    @property
    def live(self) -> tuple[TaskHandle, ...]:
        """The tasks spawned here that are not done."""
        return tuple(TaskHandle(live, self._dispatchers[live.backend].backend) for live in self._lives)

    async def __aenter__(self) -> Self:
        if self._journal is not None:
            raise EngineError("the engine is entered already")
        self._journal = self._given_journal or Journal.fresh()
        self._resources.push_async_callback(self._journal.aclose)
        self._executor = self._resources.enter_context(ThreadPoolExecutor(4, thread_name_prefix="crankshaft-stage"))
        self._scratch = Path(
            self._resources.enter_context(
                tempfile.TemporaryDirectory(prefix=f"crankshaft-{self.run_id}-", ignore_cleanup_errors=True)
            )
        )
        self._serial = self._journal.next_task() - 1
        try:
            self._adopt()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is None:
            return  # detached
        lives = list(self._lives)
        try:
            for live in lives:
                live.cancel()
            await self._confirmed(lives)
        finally:
            await self._close()

    async def _close(self) -> None:
        for live in self._adopted.values():
            _log.warning("%s: job %s of an earlier client still runs", live.backend, live.job and live.job.id)
        for dispatcher in self._dispatchers.values():
            await dispatcher.aclose()
        await self._resources.aclose()
        self._journal = None

    @property
    def _the_journal(self) -> Journal:
        if self._journal is None:
            raise EngineError("the engine is not started: use it within `async with Engine(config) as engine`")
        return self._journal

    def _dispatcher(self, config: BackendConfig) -> Dispatcher:
        dispatcher = self._dispatchers.get(config.name)
        if dispatcher is None:
            dispatcher = self._dispatchers[config.name] = Dispatcher(
                config.name,
                self._open_backend(config, run_id=self.run_id),
                retry=config.retry,
                lane=shared_lane(self._config.fingerprint, config.name, config.max_tasks),
                journal=self._the_journal,
                scratch=self._scratch,
                executor=self._executor,
                publish=self._publish,
                located=functools.partial(located, config=self._config, backend=config),
            )
        return dispatcher

    def _live(self, config: BackendConfig, task: Task | None, key: str | None, entry: Entry | None) -> LiveTask:
        """A task's record: a new serial number, or that of its entry; a further attempt after one that failed."""
        if entry is None:
            self._serial += 1
        name = task.name if task is not None else entry.name if entry is not None else ""
        live = LiveTask(
            run=self.run_id,
            serial=self._serial if entry is None else entry.task,
            backend=config.name,
            name=name,
            key=key,
            task=task,
        )
        if entry is not None:
            live.resume(entry)
            if entry.stage is Stage.FINISHED and not _ended_well(entry):
                live.new_attempt(entry.number + 1)
        return live

    def _start(self, dispatcher: Dispatcher, live: LiveTask) -> None:
        self._lives[live] = None
        if live.key is not None:
            self._by_key[live.key] = live
        live.done.add_done_callback(functools.partial(self._forgotten, live))
        dispatcher.start(live)

    def _known(self, key: str, task: Task) -> LiveTask | None:
        """The task of this key that is under way here, or was adopted from an earlier client."""
        live = self._by_key.get(key)
        if live is None and (live := self._adopted.pop(key, None)):
            config = self._config.choose(live.backend)
            self._dispatcher(config).claim(live, _overlaid(task, config))
            self._lives[live] = None
            self._by_key[key] = live
        return live

    def _finish_known(self, live: LiveTask, entry: Entry) -> None:
        outcome, outputs = from_journal(entry.outcome or "{}")
        live.job = None
        live.done.set_result(result_of(live, outcome, outputs))
        ended = TaskEnded(live.id, live.name, live.backend, live.done.result())
        asyncio.get_running_loop().call_soon(self._publish, ended)

    def _adopt(self) -> None:
        """Watch the jobs an earlier client left running; they take their places before any new task."""
        for entry in list(self._the_journal.entries()):
            if entry.stage is not Stage.SUBMITTED or entry.backend not in self._config.backends:
                continue
            config = self._config.backends[entry.backend]
            live = self._live(config, None, entry.key, entry)
            self._adopted[entry.key or entry.attempt] = live
            live.done.add_done_callback(functools.partial(self._forgotten, live))
            self._dispatcher(config).adopt(live)

    def _forgotten(self, live: LiveTask, _done: asyncio.Future[TaskResult]) -> None:
        self._lives.pop(live, None)
        if live.key is not None and self._by_key.get(live.key) is live:
            del self._by_key[live.key]
        for key in [key for key, adopted in self._adopted.items() if adopted is live]:
            del self._adopted[key]

    def _publish(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - one subscriber's mistake must not take a task from the others
                _log.exception("a subscriber failed on %s", type(event).__name__)

    async def _confirmed(self, lives: list[LiveTask]) -> None:
        """Wait for all, also when the waiting itself is cancelled; then say what was not confirmed."""
        handles = [TaskHandle(live, self._dispatchers[live.backend].backend) for live in lives]
        interrupted = False
        for handle in handles:
            interrupted |= await _uninterrupted(handle)
        unconfirmed = [live.done.exception() for live in lives if live.done.done() and not live.done.cancelled()]
        missing = [job for error in unconfirmed if isinstance(error, CancelUnconfirmed) for job in error.job_ids]
        if missing:
            raise CancelUnconfirmed(f"not confirmed to have ended: {', '.join(missing)}", job_ids=missing)
        if interrupted:
            raise asyncio.CancelledError


async def _uninterrupted(handle: TaskHandle) -> bool:
    """Wait until the task is done; True if somebody tried to cancel the waiting meanwhile."""
    interrupted = False
    while not handle.done():
        try:
            await handle.wait()
        except asyncio.CancelledError:
            interrupted = True
    return interrupted


def _overlaid(task: Task, config: BackendConfig) -> Task:
    """The task with the backend's defaults, attributes and variables under its own."""
    named: dict[str, str | None] = {"queue": config.queue, "account": config.account, **config.attributes}
    task = task.over(config.defaults, {name: value for name, value in named.items() if value is not None})
    values: Mapping[str, str] = config.env.values
    if not values:
        return task
    executions = tuple(item.model_copy(update={"env": {**values, **item.env}}) for item in task.executions)
    return task.model_copy(update={"executions": executions})


def _ended_well(entry: Entry) -> bool:
    return entry.outcome is not None and from_journal(entry.outcome)[0].verdict is Verdict.OK
