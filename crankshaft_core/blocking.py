"""The engine for callers without an event loop: it runs in a thread of its own and hands out futures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from crankshaft_core.backends.opening import OpenBackend, open_backend
from crankshaft_core.config import Config
from crankshaft_core.engine import Engine, TaskHandle
from crankshaft_core.errors import CancelUnconfirmed, EngineError
from crankshaft_core.events import Subscriber
from crankshaft_core.journal import Journal
from crankshaft_core.task import Task, TaskResult

__all__ = ["BlockingEngine", "TaskFuture"]

P = ParamSpec("P")
T = TypeVar("T")


class TaskFuture(Future[TaskResult]):
    """A `concurrent.futures.Future` of a task. Its `cancel` asks, and returns before anything has ended.

    It is `cancelled()` once the system has confirmed that nothing of the task runs.
    """

    def __init__(self, handle: TaskHandle, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._handle = handle
        self._loop = loop

    @property
    def task_id(self) -> str:
        """The task's id within its run; events carry it."""
        return self._handle.id

    @property
    def name(self) -> str:
        """The task's name."""
        return self._handle.name

    @property
    def backend(self) -> str:
        """The name of the backend it runs on."""
        return self._handle.backend

    @property
    def job_id(self) -> str | None:
        """The system's own id of the current attempt, once it has one."""
        return self._handle.job_id

    def running(self) -> bool:
        """The system has it, and it is not done."""
        return self.job_id is not None and not self.done()

    def cancel(self) -> bool:
        """Ask for the task to be ended; False if it is done already. Wait with `BlockingEngine.cancel`."""
        if self.done():
            return self.cancelled()
        self._loop.call_soon_threadsafe(self._handle.cancel)
        return True

    def settle(self, result: TaskResult | BaseException) -> None:
        """Called by the engine's thread when the task is done."""
        if isinstance(result, TaskResult):
            self.set_result(result)
        elif isinstance(result, asyncio.CancelledError):
            super().cancel()
            self.set_running_or_notify_cancel()
        else:
            self.set_exception(result)


class BlockingEngine:
    """Runs tasks on the backends of a configuration, from any thread. A context manager.

    Engines of one configuration in a process that name no journal share one thread and one run; the last one to
    leave stops it. Leaving cancels what this engine spawned and is not done, and waits until that is confirmed.
    """

    def __init__(
        self, config: Config, *, journal: Journal | None = None, open_backend: OpenBackend = open_backend
    ) -> None:
        self._config = config
        self._journal = journal
        self._open_backend = open_backend
        self._thread: _EngineThread | None = None
        self._futures: set[TaskFuture] = set()
        self._mutex = threading.Lock()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._running.engine.run_id

    def spawn(self, backend: str | None, task: Task, *, key: str | None = None) -> TaskFuture:
        """As `Engine.spawn`, from any thread; returns once the engine knows the task, not later."""
        running = self._running
        self._config.choose(backend)
        return running.call(self._spawn, backend, task, key)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """As `Engine.subscribe`; `subscriber` is called in the engine's thread, and must return at once."""
        running = self._running
        unsubscribe = running.call(running.engine.subscribe, subscriber)
        return lambda: running.post(unsubscribe)

    def cancel(self) -> None:
        """Cancel every task spawned here and wait until it is confirmed.

        Raises CancelUnconfirmed naming the jobs that may still be running.
        """
        with self._mutex:
            futures = tuple(self._futures)
        for future in futures:
            future.cancel()
        errors = [_unconfirmed(future) for future in futures]
        jobs = [job for error in errors if error is not None for job in error.job_ids]
        if jobs:
            raise CancelUnconfirmed(f"not confirmed to have ended: {', '.join(jobs)}", job_ids=jobs)

    def detach(self) -> None:
        """As `Engine.detach`, for an engine with a journal of its own; futures that are not done are cancelled."""
        if self._journal is None:
            raise EngineError("only an engine with a journal of its own can leave its jobs to a later one")
        running = self._running
        asyncio.run_coroutine_threadsafe(running.engine.detach(), running.loop).result()

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise EngineError("the engine is entered already")
        self._thread = _enter_thread(self._config, self._journal, self._open_backend)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread = self._running
        try:
            self.cancel()
        finally:
            self._thread = None
            _leave_thread(thread)

    @property
    def _running(self) -> _EngineThread:
        if self._thread is None:
            raise EngineError("the engine is not started: use it within `with BlockingEngine(config) as engine`")
        return self._thread

    def _spawn(self, backend: str | None, task: Task, key: str | None) -> TaskFuture:
        """On the engine's loop."""
        running = self._running
        handle = running.engine.spawn(backend, task, key=key)
        future = TaskFuture(handle, running.loop)
        with self._mutex:
            self._futures.add(future)
        handle.add_done_callback(lambda done: self._settle(future, done))
        return future

    def _settle(self, future: TaskFuture, handle: TaskHandle) -> None:
        with self._mutex:
            self._futures.discard(future)
        future.settle(handle.outcome())


def _unconfirmed(future: TaskFuture) -> CancelUnconfirmed | None:
    """Wait for the future; what it says of an end that was not confirmed."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    done.wait()
    error = None if future.cancelled() else future.exception()
    return error if isinstance(error, CancelUnconfirmed) else None


class _EngineThread:
    """One engine on one event loop in one thread, and how many use it."""

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.users = 0
        self.loop = asyncio.new_event_loop()
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="crankshaft-engine", daemon=True)
        self._thread.start()

    @property
    def engine(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def enter(self, config: Config, journal: Journal | None, open_backend: OpenBackend) -> None:
        async def start() -> Engine:
            return await Engine(config, journal=journal, open_backend=open_backend).__aenter__()

        self._engine = asyncio.run_coroutine_threadsafe(start(), self.loop).result()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it on the loop, and wait for what it returns. On the loop itself (a subscriber) there is no waiting."""
        if threading.current_thread() is self._thread:
            return function(*args, **kwargs)

        async def on_loop() -> T:
            return function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result()

    def post(self, function: Callable[[], object]) -> None:
        """Call it on the loop, some time soon."""
        self.loop.call_soon_threadsafe(function)

    def leave(self) -> None:
        """Close the engine, if it was entered, and end the thread."""
        try:
            if self._engine is not None:
                asyncio.run_coroutine_threadsafe(self._engine.__aexit__(None, None, None), self.loop).result()
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


_THREADS: dict[str, _EngineThread] = {}
_THREADS_MUTEX = threading.Lock()


def _enter_thread(config: Config, journal: Journal | None, open_backend_: OpenBackend) -> _EngineThread:
    """The thread that engines of this configuration share; one of its own for a journal or a way of opening."""
    key = config.fingerprint if journal is None and open_backend_ is open_backend else None
    with _THREADS_MUTEX:
        thread = _THREADS.get(key) if key is not None else None
        if thread is None:
            thread = _EngineThread(key)
            try:
                thread.enter(config, journal, open_backend_)
            except BaseException:
                thread.leave()
                raise
            if key is not None:
                _THREADS[key] = thread
        thread.users += 1
        return thread


def _leave_thread(thread: _EngineThread) -> None:
    with _THREADS_MUTEX:
        thread.users -= 1
        if thread.users:
            return
        if thread.key is not None:
            _THREADS.pop(thread.key, None)
        thread.leave()
