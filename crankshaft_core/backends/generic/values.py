"""What the placeholders of a template stand for, from what a task asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.generic.template import Value
from crankshaft_core.config import GenericConfig, Queue
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Resources, Task

__all__ = ["OPTIONAL", "task_values"]

OPTIONAL = ("queue", "account", "qos", "constraint", "reservation", "clusters", "gres", "nodes", "pe")
"""Attributes that templates may ask for although nobody has set them."""

_LEAST_VMEM_MB = 2048
"""Address space that any job may have, in MiB: an interpreter reserves several times what it uses. Snakemake inside a
job uses 150 and reserves 500, numpy adds a stack for each core."""


def task_values(attempt: Attempt, config: GenericConfig) -> dict[str, Value]:
    """The values that follow from the task and the configuration alone. Raises SubmitError if no queue fits."""
    task = attempt.task
    given = {**config.attributes, **task.attributes}
    values: dict[str, Value] = dict.fromkeys(OPTIONAL)
    values |= {name: text or None for name, text in given.items()}
    values["queue"] = given.get("queue") or config.queue or _queue(task, config)
    values["account"] = given.get("account") or config.account
    values |= _resources(task.resources)
    values["job_name"] = attempt.id
    values["comment"] = f"crankshaft {attempt.run} {_one_line(task.name)}"
    values["image"] = next((step.image for step in task.executions if step.image), None)
    values["extra_args"] = " ".join(filter(None, (config.extra_args, given.get("extra_args")))) or None
    return values


def _resources(resources: Resources) -> Mapping[str, Value]:
    cpu = math.ceil(resources.cpu or 1)
    ram_mb = _mib(resources.ram)
    seconds = None if resources.time is None else math.ceil(resources.time)
    return {
        "cpu": str(cpu),
        "ram": _plain(resources.ram),
        "ram_mb": _whole(ram_mb),
        "ram_mb_per_cpu": _whole(None if ram_mb is None else math.ceil(ram_mb / cpu)),
        "vmem_mb_per_cpu": _whole(None if ram_mb is None else math.ceil(max(ram_mb, _LEAST_VMEM_MB) / cpu)),
        "disk": _plain(resources.disk),
        "disk_mb": _whole(_mib(resources.disk)),
        "gpu": _whole(resources.gpu or None),
        "time_s": _whole(seconds),
        "time_s_minus_60": _whole(None if seconds is None else max(1, seconds - 60)),
        "time_min": _whole(None if seconds is None else math.ceil(seconds / 60)),
        "preemptible": "true" if resources.preemptible else None,
    }


def _mib(gib: float | None) -> int | None:
    # 0.1 GiB * 1024 is 102.4; but 1/1024 GiB, read from "1MiB", must stay 1 and not become 2 by a rounding error
    return None if gib is None else max(1, math.ceil(round(gib * 1024, 6)))


def _whole(number: int | None) -> str | None:
    return None if number is None else str(number)


def _plain(number: float | None) -> str | None:
    return None if number is None else f"{number:.6f}".rstrip("0").rstrip(".")


def _one_line(name: str) -> str:
    return " ".join(name.split())


def _queue(task: Task, config: GenericConfig) -> str | None:
    """The first of the configured queues that the task fits; None when none is configured."""
    if not config.queues:
        return None
    for queue in config.queues:
        if _fits(task.resources, queue):
            return queue.name
    names = ", ".join(queue.name for queue in config.queues)
    raise SubmitError(f"{config.name}: {task.name} fits none of the queues ({names}); ask for less, or name a queue")


def _fits(resources: Resources, queue: Queue) -> bool:
    limits = ((resources.time, queue.max_time), (resources.ram, queue.max_ram), (resources.cpu, queue.max_cpu))
    small = all(asked is None or limit is None or asked <= limit for asked, limit in limits)
    return small and queue.gpu in {None, bool(resources.gpu)}
