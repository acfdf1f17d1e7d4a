"""A task's function, as Prefect's engine calls it here: it runs on the backend, and its outcome is this call's."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import cloudpickle
from prefect.context import TaskRunContext
from prefect.states import Cancelled
from prefect.tasks import Task
from prefect.transactions import get_transaction
from prefect.utilities.engine import should_log_prints

from crankshaft_core.errors import BackendError, CancelledElsewhereError, TimeLimitError
from prefect_crankshaft.failures import JobCrashed, JobEnded, RemoteTraceback
from prefect_crankshaft.jobs import Jobs, NoResult
from prefect_crankshaft.options import Options
from prefect_crankshaft.payload import Record, pickled_call
from prefect_crankshaft.request import Request, requested
from prefect_crankshaft.worker_context import worker_context

__all__ = ["remote_task"]


def remote_task(task: Task[..., Any], jobs: Jobs, options: Options, *, backend: str) -> Task[..., Any]:
    """The same task, its function's calls made by `jobs`. Keys, hooks, policies and names are unchanged."""
    remote = copy.copy(task)
    call = functools.partial(_call, task, jobs, options, backend, itertools.count(1))
    function: Callable[..., Awaitable[Any]] = functools.wraps(task.fn)(call)
    remote.fn = function
    remote.isasync, remote.isgenerator = True, False
    remote.timeout_seconds = None  # the worker enforces it: time in a queue does not count
    return remote


async def _call(
    task: Task[..., Any],
    jobs: Jobs,
    options: Options,
    backend: str,
    attempts: itertools.count[int],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """One attempt. Runs within the task run's context."""
    attempt = next(attempts)
    request = requested(task.fn, options, backend=backend, attempt=attempt)
    call = pickled_call(
        task.fn,
        args,
        kwargs,
        context=worker_context(task),
        timeout=task.timeout_seconds,
        log_prints=should_log_prints(task),
    )
    answer = await jobs.answer(_name(task), call, request, identity=f"{task.task_key} {attempt}")
    if isinstance(answer, NoResult):
        return _without_result(answer, again=attempt <= task.retries)
    return _outcome(answer, request)


def _name(task: Task[..., Any]) -> str:
    context = TaskRunContext.get()
    return task.name if context is None else context.task_run.name


def _without_result(answer: NoResult, *, again: bool) -> Any:
    """The state or the error of a task run whose job left nothing."""
    cause = answer.cause
    if isinstance(cause, CancelledElsewhereError):
        _commit_nothing()
        return Cancelled(message=answer.message)
    if isinstance(cause, TimeLimitError):
        raise TimeoutError(answer.message) from cause
    if cause is not None and not isinstance(cause, BackendError):
        raise cause
    if again:
        raise JobEnded(answer.message) from cause
    raise JobCrashed(answer.message) from cause


def _commit_nothing() -> None:
    """Or Prefect keeps the state that is returned as a result, which would be found for the same inputs later."""
    run, transaction = TaskRunContext.get(), get_transaction()
    if run is not None and transaction is not None:
        transaction.write_on_commit = False
        run.task.on_commit_hooks = []  # of the copy that was made for this run


def _outcome(record: Record, request: Request) -> Any:
    """What the function returned; raises what it raised."""
    match record.kind, record.value:
        case "value", bytes(blob):
            return _loaded(blob)
        case "error", (bytes() | None as blob, str(text), str(trace)):
            raise _error(blob, text, request) from RemoteTraceback(trace)
        case "timeout", str(text):
            raise TimeoutError(text)
        case "exit", str(text):
            raise JobCrashed(f"the function ended its process: {text}")
        case _, value:
            raise TypeError(str(value))


def _loaded(blob: bytes) -> Any:
    try:
        return cloudpickle.loads(blob)
    except Exception as error:
        raise TypeError(f"its result cannot be read here: {type(error).__name__}: {error}") from error


def _error(blob: bytes | None, text: str, request: Request) -> Exception:
    try:
        error: object = None if blob is None else cloudpickle.loads(blob)
    except Exception:  # noqa: BLE001 - its text and its traceback tell more than why it cannot be read
        error = None
    if isinstance(error, ModuleNotFoundError):
        where = f"image {request.image!r}" if request.image else f"the worker's Python on {request.backend}"
        hint = f"Install it there, or name another with `image` or `python`; {where} does not have it"
        return ModuleNotFoundError(f"{error}. {hint}", name=error.name)
    return error if isinstance(error, Exception) else RuntimeError(text)
