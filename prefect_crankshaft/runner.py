"""The task runner: Prefect's engine runs in the flow's process, the functions of its tasks run on a backend."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from pathlib import Path
from typing import Any, Self

from prefect._internal.uuid7 import uuid7  # as in Prefect's own integrations: the server sorts task runs by it
from prefect.client.schemas.objects import RunInput, State
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.states import Crashed
from prefect.task_runners import TaskRunner
from prefect.tasks import Task

from crankshaft_core.config import Config
from crankshaft_core.errors import CancelUnconfirmed, ConfigError
from prefect_crankshaft.loop_thread import LoopThread
from prefect_crankshaft.options import checked
from prefect_crankshaft.session import Session
from prefect_crankshaft.task_run import Submission, final_state

__all__ = ["CrankshaftTaskRunner"]


class CrankshaftTaskRunner(TaskRunner[PrefectFuture[Any]]):
    """Runs each task of a flow as a task on a backend of Crankshaft.toml.

        @flow(task_runner=CrankshaftTaskRunner("hpc", ram=8, time="2h"))

    `backend`: its name; None for the default one. The variable CRANKSHAFT_BACKEND overrides it.
    `config`: a Config, or the path of a file; None for the files that are found (DESIGN: CRANKSHAFT_CONFIG_TOML too).
    `image`: the container image that tasks run in; it needs Python of the flow's minor version, and nothing else.
    `python`: the worker's interpreter; by default the flow's own where the backend sees this machine's files, else
    `python3`. `env`: variables of the tasks. `batch`: so many calls share a job. `max_tasks` (or `max_workers`): so
    many jobs at once, within the backend's own limit. `attributes`: queue, account, … . All others are resources,
    such as `cpu`, `ram` in GiB, `time` with a unit; one may be a function of the attempt's number, from 1.

    Raises ConfigError for an unknown option at once, for what is wrong with the configuration when it is entered.
    """

    def __init__(
        self,
        backend: str | None = None,
        *,
        config: Config | str | Path | None = None,
        image: str | None = None,
        python: str | None = None,
        env: Mapping[str, str] | None = None,
        batch: int = 1,
        max_tasks: int | None = None,
        max_workers: int | None = None,
        attributes: Mapping[str, str] | None = None,
        **resources: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Prefect's
        if max_tasks is not None and max_workers is not None and max_tasks != max_workers:
            raise ConfigError(f"max_tasks={max_tasks} and max_workers={max_workers} mean the same; give one of them")
        limit = max_workers if max_tasks is None else max_tasks
        if limit is not None and limit < 1:
            raise ConfigError(f"max_tasks={limit}: 1 or more jobs can run at once")
        options = {"image": image, "python": python, "env": env, "batch": batch, "attributes": attributes}
        self._settings: dict[str, Any] = {"backend": backend, "config": config, "max_tasks": limit}
        self._options: dict[str, Any] = dict(checked({**options, **resources}))
        self._duplicates: weakref.WeakSet[CrankshaftTaskRunner] = weakref.WeakSet()
        self._thread: LoopThread | None = None

    def duplicate(self) -> Self:
        """Another runner with the same settings; `cancel_all` reaches it."""
        duplicate = type(self)(**self._settings, **self._options)
        self._duplicates.add(duplicate)
        return duplicate

    def submit(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectConcurrentFuture[Any]:
        """Run the task with these parameters, once the futures among them and in `wait_for` are done.

        Raises RuntimeError before the runner is entered.
        """
        if self._thread is None:
            raise RuntimeError("Task runner is not started")
        awaited = tuple(wait_for) if wait_for else None
        submission = Submission(task, parameters, awaited, dependencies, uuid7())
        future: Future[State[Any]] = Future()
        future.set_running_or_notify_cancel()  # Prefect cancels by `cancel_all`, never by the future
        ended = functools.partial(_never_without_state, future)
        self._thread.start(self._drive(submission, future), context=copy_context(), ended=ended)
        return PrefectConcurrentFuture(task_run_id=submission.task_run_id, wrapped_future=future)

    def cancel_all(self) -> None:
        """Cancel what runs here and in duplicates; leaving the runner waits until that is confirmed."""
        for duplicate in list(self._duplicates):
            duplicate.cancel_all()
        if self._thread is not None:
            self._thread.cancel_all()

    def __enter__(self) -> Self:
        given = self._settings["config"]
        config = given if isinstance(given, Config) else Config.load(given)
        self._backend = config.choose(os.environ.get("CRANKSHAFT_BACKEND") or self._settings["backend"]).name
        super().__enter__()
        self._thread = LoopThread("crankshaft")
        self._session = Session(config, max_tasks=self._settings["max_tasks"])
        return self

    def __exit__(self, exc_type: object, exc_value: object, traceback: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.cancel_all()
                thread.wait_for(self._end(thread))
            finally:
                thread.close()
        super().__exit__(exc_type, exc_value, traceback)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CrankshaftTaskRunner):
            return NotImplemented
        return (self._settings, self._options) == (other._settings, other._options)

    __hash__ = object.__hash__

    def __getstate__(self) -> dict[str, Any]:
        return {**self._settings, **self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # what is pickled are the constructor's arguments

    async def _drive(self, submission: Submission, future: Future[State[Any]]) -> None:
        try:
            state = await final_state(submission, self._session, self._options, backend=self._backend)
        except BaseException as error:  # noqa: BLE001 - whoever holds the future must not wait for ever
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        else:
            future.set_result(state)

    async def _end(self, thread: LoopThread) -> None:
        await thread.all_done()
        try:
            await self._session.aclose()
        except CancelUnconfirmed as error:
            self.logger.error("%s. Look after them with the backend's own means", error)  # noqa: TRY400 - no traceback


def _never_without_state(future: Future[State[Any]]) -> None:
    if not future.done():
        future.set_result(Crashed(message="It was cancelled before it began."))
