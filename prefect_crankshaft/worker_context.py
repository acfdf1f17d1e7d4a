"""What of Prefect's run context travels to the worker: names and ids, for run loggers and `prefect.runtime`.

No settings, no result storage, no job variables: those may hold secrets. The call's parameters travel as arguments.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

from prefect.context import FlowRunContext, TagsContext, TaskRunContext
from prefect.flows import Flow
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

__all__ = ["worker_context"]

T = TypeVar("T")

_FLOW_RUN_UNTOLD = {"job_variables", "state", "context", "empirical_policy", "infrastructure_document_id"}
_TASK_RUN_UNTOLD = {"state", "task_inputs"}
_PLAIN = (str, int, float, bool, type(None))


def worker_context(task: Task[..., Any]) -> dict[str, Any]:
    """The context of the task run that is under way here, as `prefect.context.hydrated_context` reads it."""
    task_run, flow_run = TaskRunContext.get(), FlowRunContext.get()
    assert task_run is not None  # Prefect's engine calls a task's function within one
    values: dict[str, Any] = {
        "task_run_context": {
            "task": _shell(task),
            "task_run": task_run.task_run.model_dump(exclude=_TASK_RUN_UNTOLD),
            "log_prints": task_run.log_prints,
            "start_time": task_run.start_time,
            "persist_result": False,
        },
        "tags_context": {"current_tags": sorted(TagsContext.get().current_tags)},
    }
    if flow_run is not None and flow_run.flow is not None and flow_run.flow_run is not None:
        values["flow_run_context"] = {
            "flow": _with_threads(_shell(flow_run.flow)),
            "flow_run": flow_run.flow_run.model_dump(exclude=_FLOW_RUN_UNTOLD),
            "log_prints": flow_run.log_prints,
            "start_time": flow_run.start_time,
            "persist_result": False,
        }
    return values


def _with_threads(flow: Flow[..., Any]) -> Flow[..., Any]:
    flow.task_runner = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any]())
    return flow


def _shell(task_or_flow: T) -> T:
    """Without what it was given to call: hooks, policies, storage and its function. A task's travels apart."""
    shell = copy.copy(task_or_flow)
    for name, value in list(vars(shell).items()):
        if name.startswith("__"):
            delattr(shell, name)
        elif isinstance(value, list | tuple | set | frozenset):
            items = cast("list[object]", value)
            setattr(shell, name, type(items)(item for item in items if isinstance(item, _PLAIN)))
        elif not isinstance(value, _PLAIN):
            setattr(shell, name, None)
    return shell
