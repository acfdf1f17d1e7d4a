"""An attempt as the JSON document that creates a TES task: only what the task really says. Pure."""

from __future__ import annotations

import math
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.tes.discovery import Service
from crankshaft_core.backends.tes.places import (
    TASK_DIR,
    Copy,
    absolute,
    is_pattern,
    log_path,
    pattern_root,
    work_dir,
)
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Output, Resources, Task

__all__ = ["ATTEMPT_TAG", "RUN_TAG", "Document", "Source", "Terms", "create_document", "name_prefix"]

RUN_TAG = "crankshaft-run"
ATTEMPT_TAG = "crankshaft-attempt"
_GIB_IN_GB = 1024**3 / 1000**3
_GPU_PARAMETERS = ("gpu", "gpus", "gpu_count", "gpucount", "num_gpus", "nvidia.com/gpu", "accelerator_count")

Document = dict[str, object]
"""A JSON object."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an input's bytes are for the worker: at a URL, or in the document itself."""

    url: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the server and the configuration have to say in it."""

    service: Service
    memory_unit: Literal["GB", "GiB"] = "GB"
    worker_url: Callable[[str], str] | None = None
    """From a key under the storage to the URL the worker uses; None without storage."""
    reachable: Callable[[str], str | None] | None = None
    """From a URL to the address at which the worker itself can write there; None if it cannot."""


def create_document(attempt: Attempt, sources: Sequence[Source], *, copy: Copy, terms: Terms) -> Document:
    """The body of CreateTask. `sources` are those of `attempt.inputs`, in order.

    Raises SubmitError for what this server cannot be asked for.
    """
    task = attempt.task
    parts: Document = {
        "name": f"{name_prefix(attempt.run, attempt.id)}{_slug(task.name)}",
        "description": task.description,
        "inputs": _inputs(attempt, sources),
        "outputs": [*_outputs(task, copy, terms), *_log_outputs(task, copy, terms)],
        "resources": _resources(task, terms),
        "executors": [_executor(number, item, task, terms) for number, item in enumerate(task.executions)],
        "volumes": _volumes(task),
        "tags": {RUN_TAG: attempt.run, ATTEMPT_TAG: attempt.id},
    }
    return _given(parts)


def name_prefix(run: str, attempt: str | None = None) -> str:
    """How the names of a run's tasks begin, or those of one attempt: TES 1.0 filters by nothing else."""
    return f"{run}_" if attempt is None else f"{run}_{attempt}_"


def _inputs(attempt: Attempt, sources: Sequence[Source]) -> list[Document]:
    return [
        _given(
            {
                "path": absolute(staged.input.path, attempt.task),
                "type": staged.input.type,  # TES 1.0 requires it
                "url": source.url,
            }
        )
        | ({} if source.content is None else {"content": source.content})
        for staged, source in zip(attempt.inputs, sources, strict=True)
    ]


def _outputs(task: Task, copy: Copy, terms: Terms) -> list[Document]:
    """First what a task that fails leaves as well: many servers stop at the first one that is not there."""
    ordered = sorted(enumerate(task.outputs), key=lambda item: not item[1].always)
    return [_output(number, output, task, copy, terms) for number, output in ordered]


def _output(number: int, output: Output, task: Task, copy: Copy, terms: Terms) -> Document:
    path = absolute(output.path, task)
    document: Document = {"path": path, "url": _output_url(number, output, copy, terms), "type": output.type}
    if is_pattern(path):
        if terms.service.is_1_0:
            raise SubmitError(
                f"output {output.path!r}: {terms.service.name} speaks TES 1.0, which has no wildcards; "
                "name the files, or a directory (type = 'DIRECTORY')"
            )
        document["path_prefix"] = pattern_root(path)
        if terms.service.is_planetary:
            document["type"] = "DIRECTORY"
    return document


def _output_url(number: int, output: Output, copy: Copy, terms: Terms) -> str:
    own = terms.reachable(output.url) if output.url is not None and terms.reachable is not None else None
    if own is not None:
        return own
    if terms.worker_url is None:
        raise SubmitError(
            f"output {output.path!r}: without `storage`, a TES server can only write it to a URL of its own reach; "
            f"{'it has no url' if output.url is None else output.url + ' is none'}. Configure `storage`"
        )
    return terms.worker_url(copy.output_key(number, output))


def _log_outputs(task: Task, copy: Copy, terms: Terms) -> list[Document]:
    """With storage, stdout and stderr are kept whole: TES itself promises nothing but some of their text."""
    if terms.worker_url is None:
        return []
    declared = {absolute(output.path, task) for output in task.outputs}
    paths = {
        (number, stream): _stream_path(number, stream, execution)
        for number, execution in enumerate(task.executions)
        for stream in ("stdout", "stderr")
    }
    return [
        {"path": path, "url": terms.worker_url(copy.log_key(number, stream)), "type": "FILE"}
        for (number, stream), path in paths.items()
        if path not in declared
    ]


def _executor(number: int, execution: Execution, task: Task, terms: Terms) -> Document:
    if execution.image is None:
        which = f"execution {number + 1}" if len(task.executions) > 1 else "the task"
        raise SubmitError(f"{task.name}: {which} names no image, and a TES server runs nothing without one")
    keep = terms.worker_url is not None
    return _given(
        {
            "image": execution.image,
            "command": _funnel_command(execution) if terms.service.is_funnel else _command(execution),
            "workdir": work_dir(execution) if execution.work_dir or _is_relative(task) else None,
            "stdin": None if terms.service.is_funnel else _within(execution, execution.stdin),
            "stdout": _stream_path(number, "stdout", execution) if keep or execution.stdout else None,
            "stderr": _stream_path(number, "stderr", execution) if keep or execution.stderr else None,
            "env": dict(execution.env),
        }
    )


def _command(execution: Execution) -> list[str]:
    if execution.command is not None:
        return ["/bin/sh", "-c", execution.command]
    return [execution.program or "", *execution.args]


def _funnel_command(execution: Execution) -> list[str]:
    """The same, where `stdin` must be opened by a shell and a single word is given to one."""
    stdin = _within(execution, execution.stdin)
    command = _command(execution)
    if stdin is not None:
        return ["/bin/sh", "-c", 'exec "$@" <"$0"', stdin, *command]
    return command if len(command) > 1 else [shlex.quote(command[0])]


def _stream_path(number: int, stream: str, execution: Execution) -> str:
    named = execution.stdout if stream == "stdout" else execution.stderr
    return _within(execution, named) or log_path(number, stream)


def _within(execution: Execution, path: str | None) -> str | None:
    return None if path is None else posixpath.normpath(posixpath.join(work_dir(execution), path))


def _volumes(task: Task) -> list[str]:
    """The task's own, and the directory of relative paths, so that all executions see the same one."""
    own = [absolute(volume, task) for volume in task.volumes]
    uses_task_dir = _is_relative(task) and any(not execution.work_dir for execution in task.executions)
    return [*own, TASK_DIR] if uses_task_dir and TASK_DIR not in own else own


def _is_relative(task: Task) -> bool:
    """Some path of the task resolves against a working directory, so it must have a known one."""
    streams = [path for item in task.executions for path in (item.stdin, item.stdout, item.stderr) if path]
    paths = [*(item.path for item in task.inputs), *(item.path for item in task.outputs), *streams]
    return any(not path.startswith("/") for path in paths)


def _resources(task: Task, terms: Terms) -> Document:
    wanted = task.resources
    ram = wanted.ram if wanted.ram is not None else wanted.ram_limit
    cpu = wanted.cpu if wanted.cpu is not None else wanted.cpu_limit
    return _given(
        {
            "cpu_cores": None if cpu is None else math.ceil(cpu),
            "ram_gb": _size(ram, terms.memory_unit),
            "disk_gb": _size(wanted.disk, terms.memory_unit),
            "preemptible": wanted.preemptible,
            "zones": list(wanted.zones or ()),
            "backend_parameters": _parameters(task, terms.service),
        }
    )


def _size(gib: float | None, unit: str) -> float | None:
    """In the server's unit, rounded up to the third decimal; binary noise is not worth rounding up for."""
    if gib is None:
        return None
    size = gib * (_GIB_IN_GB if unit == "GB" else 1)
    return math.ceil(round(size * 1000, 6)) / 1000


def _parameters(task: Task, service: Service) -> dict[str, str]:
    """Attributes travel as backend parameters, which TES 1.0 does not have and some 1.0 servers refuse."""
    gpu = _gpu_parameter(task.attributes, task.resources, service)
    return {} if service.is_1_0 else {**task.attributes, **gpu}


def _gpu_parameter(attributes: Mapping[str, str], wanted: Resources, service: Service) -> dict[str, str]:
    if not wanted.gpu or any(name.lower() in _GPU_PARAMETERS for name in attributes):
        return {}
    for name in service.parameters:
        if name.lower() in _GPU_PARAMETERS:
            return {name: str(wanted.gpu)}
    offered = ", ".join(service.parameters) or "none"
    raise SubmitError(
        f"gpu = {wanted.gpu}: {service.name} offers no backend parameter for GPUs (it offers: {offered}). "
        "Name it in `attributes`, or ask for a machine type there and leave gpu out"
    )


def _given(parts: Document) -> Document:
    """Without what is empty: some servers refuse nulls."""
    return {name: value for name, value in parts.items() if value is not None and value not in ([], {}, "")}


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:100] or "task"
