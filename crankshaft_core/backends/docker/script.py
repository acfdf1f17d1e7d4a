"""What a submit would do, as the `docker run` a person would type."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from crankshaft_core.backends.docker.container_spec import container_config
from crankshaft_core.backends.docker.labels import container_name
from crankshaft_core.backends.docker.plan import Plan

__all__ = ["as_script"]

_GIB = 2**30


def as_script(plan: Plan) -> str:
    """One command for each execution. Variables are named, their values are not shown."""
    return "\n".join(_command(plan, number) for number in range(plan.executions)) + "\n"


def _command(plan: Plan, number: int) -> str:
    config = container_config(plan, number, init=plan.facts.init)
    words = ["docker", "run", "--name", container_name(plan.attempt.id, number)]
    words += [f"--label={name}={value}" for name, value in config["Labels"].items()]
    words += [f"--env={text.partition('=')[0]}" for text in config.get("Env", ())]
    words += _option("--user", config.get("User")) + _option("--workdir", config.get("WorkingDir"))
    words += _host_options(config["HostConfig"])
    words += _option("--platform", plan.attribute("platform", plan.config.platform))
    words += ["--entrypoint", *config["Entrypoint"], config["Image"], *config.get("Cmd", ())]
    return shlex.join(words)


def _host_options(host: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for mount in host.get("Mounts", ()):
        suffix = ",readonly" if mount["ReadOnly"] else ""
        words.append(f"--mount=type={mount['Type']},source={mount['Source']},target={mount['Target']}{suffix}")
    words += ["--init"] if host.get("Init") else []
    words += _option("--network", host.get("NetworkMode")) + _option("--userns", host.get("UsernsMode"))
    words += _option("--cpu-shares", host.get("CpuShares"))
    words += _option("--cpus", host.get("NanoCpus"), scale=10**9)
    words += _option("--memory", host.get("Memory")) + _option("--memory-reservation", host.get("MemoryReservation"))
    for request in host.get("DeviceRequests", ()):
        words.append(f"--gpus={request['Count']}")
    return words


def _option(name: str, value: object, *, scale: int = 1) -> list[str]:
    if value is None:
        return []
    return [f"{name}={value / scale:g}" if scale > 1 and isinstance(value, int) else f"{name}={value}"]
