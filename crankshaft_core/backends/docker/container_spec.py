"""From an execution to the arguments of "create a container". Pure.

Source of the fields: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerCreate.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from crankshaft_core.backends.docker.environment import account_env
from crankshaft_core.backends.docker.layout import TASK_DIR, resolve
from crankshaft_core.backends.docker.plan import Plan, image_of
from crankshaft_core.task import Execution, Resources

__all__ = ["GIB", "argv", "container_config", "environment", "work_dir"]

GIB = 2**30
_SHELL = "/bin/sh"


def container_config(plan: Plan, execution: int, *, init: bool) -> dict[str, Any]:
    """The body of the request that creates the container of one execution, with the engine's `init` before it."""
    wanted = plan.attempt.task.executions[execution]
    command = argv(wanted, plan.layout.home)
    config = {
        "Image": image_of(plan.attempt, execution, plan.config),
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "Env": [f"{name}={value}" for name, value in environment(plan, execution).items()],
        "User": plan.user,
        "WorkingDir": work_dir(plan, execution),
        "Labels": plan.labels(execution),
        "HostConfig": _host_config(plan, init=init),
    }
    return {name: value for name, value in config.items() if value not in (None, [])}


def argv(execution: Execution, base: str | None) -> list[str]:
    """What the container runs. Redirections are a shell's work, so they need one in the image."""
    words = [execution.program, *execution.args] if execution.program is not None else None
    command = words or [_SHELL, "-c", str(execution.command)]
    redirections = [
        f"{sign}{shlex.quote(resolve(path, base))}"
        for sign, path in (("<", execution.stdin), (">", execution.stdout), ("2>", execution.stderr))
        if path is not None
    ]
    if not redirections:
        return command
    return [_SHELL, "-c", f'exec "$@" {" ".join(redirections)}', _SHELL, *command]


def environment(plan: Plan, execution: int) -> Mapping[str, str]:
    """The variables of one execution."""
    return {**account_env(plan.user), **plan.env, **plan.attempt.task.executions[execution].env}


def work_dir(plan: Plan, execution: int) -> str | None:
    """The working directory; None: the image's own."""
    given = plan.attempt.task.executions[execution].work_dir
    return given or (TASK_DIR if plan.layout.home == TASK_DIR else None)


def _host_config(plan: Plan, *, init: bool) -> dict[str, Any]:
    config = {
        "Mounts": [dict(mount) for mount in plan.mounts],
        "LogConfig": plan.facts.log_config,
        "RestartPolicy": {"Name": "no"},
        "Init": init or None,
        "NetworkMode": plan.attribute("network", plan.config.network),
        "UsernsMode": plan.facts.userns(plan.config.userns),
        **_limits(plan.attempt.task.resources),
    }
    return {name: value for name, value in config.items() if value not in (None, [])}


def _limits(wanted: Resources) -> dict[str, Any]:
    """`cpu` and `ram` weigh and reserve; only the limits are hard. Swap beyond the memory limit is none."""
    limits: dict[str, Any] = {}
    if wanted.cpu is not None:
        limits["CpuShares"] = max(2, round(1024 * wanted.cpu))
    if wanted.cpu_limit is not None:
        limits["NanoCpus"] = round(wanted.cpu_limit * 1e9)
    if wanted.ram is not None:
        limits["MemoryReservation"] = _bytes(min(wanted.ram, wanted.ram_limit or wanted.ram))
    if wanted.ram_limit is not None:
        limits["Memory"] = limits["MemorySwap"] = _bytes(wanted.ram_limit)
    if wanted.gpu:
        limits["DeviceRequests"] = [{"Driver": "", "Count": wanted.gpu, "Capabilities": [["gpu"]]}]
    return limits


def _bytes(gib: float) -> int:
    return round(gib * GIB)
