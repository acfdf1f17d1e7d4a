"""From an execution to a Swarm service. Pure.

Source of the fields: https://docs.docker.com/engine/api/v1.41/#tag/Service/operation/ServiceCreate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crankshaft_core.backends.docker.container_spec import GIB, argv, environment, work_dir
from crankshaft_core.backends.docker.labels import container_name
from crankshaft_core.backends.docker.plan import Plan, image_of
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Resources

__all__ = ["refuse_what_fits_nowhere", "service_spec"]


def service_spec(plan: Plan, execution: int, *, stop_grace: float) -> dict[str, Any]:
    """The body of the request that creates the service of one execution. Only the first runs at once.

    `stop_grace`: seconds between the signals TERM and KILL when the service is removed. Raises SubmitError when files
    would have to reach a node that cannot see them.
    """
    labels = plan.labels(execution)
    return {
        "Name": container_name(plan.attempt.id, execution),
        "Labels": labels,
        "Mode": {"Replicated": {"Replicas": 1 if execution == 0 else 0}},
        "TaskTemplate": {
            "ContainerSpec": _container(plan, execution, labels, stop_grace),
            "Resources": _resources(plan.attempt.task.resources),
            "RestartPolicy": {"Condition": "none"},
            "Placement": {"Constraints": _constraints(plan)},
            "LogDriver": {"Name": plan.facts.log_config["Type"], "Options": plan.facts.log_config["Config"]},
            "Networks": _networks(plan),
        },
    }


def refuse_what_fits_nowhere(wanted: Resources, nodes: Sequence[Mapping[str, Any]], name: str) -> None:
    """Raises SubmitError for a reservation larger than every node, which Swarm would keep pending for ever."""
    usable = [
        node["Description"]["Resources"]
        for node in nodes
        if node["Spec"].get("Availability") == "active" and node["Status"].get("State") == "ready"
    ]
    if not usable:
        raise SubmitError(f"{name}: the Swarm has no node that is ready and active (`docker node ls`)")
    cpu = max(int(item.get("NanoCPUs", 0)) for item in usable) / 1e9
    ram = max(int(item.get("MemoryBytes", 0)) for item in usable) / GIB
    if (wanted.cpu or 0) > cpu:
        raise SubmitError(f"{name}: asks for {wanted.cpu:g} cpu; the largest node of the Swarm has {cpu:g}")
    if (wanted.ram or 0) > ram:
        raise SubmitError(f"{name}: asks for {wanted.ram:g} GiB of ram; the largest node of the Swarm has {ram:.3g}")


def _container(plan: Plan, execution: int, labels: Mapping[str, str], stop_grace: float) -> dict[str, Any]:
    command = argv(plan.attempt.task.executions[execution], plan.layout.home)
    spec = {
        "Image": image_of(plan.attempt, execution, plan.config),
        "Command": command[:1],
        "Args": command[1:],
        "Env": [f"{name}={value}" for name, value in environment(plan, execution).items()],
        "User": plan.user,
        "Dir": work_dir(plan, execution),
        "Labels": dict(labels),
        "Mounts": [dict(mount) for mount in plan.mounts],
        "Init": plan.facts.init or None,
        "StopGracePeriod": round(stop_grace * 1e9),
    }
    return {name: value for name, value in spec.items() if value not in (None, [])}


def _resources(wanted: Resources) -> dict[str, Any]:
    """`cpu` and `ram` are reserved, the limits are hard; GPUs are generic resources that nodes advertise as `gpu`."""
    reserved: dict[str, Any] = _amounts(wanted.cpu, wanted.ram)
    if wanted.gpu:
        reserved["GenericResources"] = [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": wanted.gpu}}]
    limits = _amounts(wanted.cpu_limit, wanted.ram_limit)
    return {name: value for name, value in (("Reservations", reserved), ("Limits", limits)) if value}


def _amounts(cpu: float | None, ram: float | None) -> dict[str, Any]:
    amounts = {"NanoCPUs": cpu and round(cpu * 1e9), "MemoryBytes": ram and round(ram * GIB)}
    return {name: value for name, value in amounts.items() if value}


def _constraints(plan: Plan) -> list[str]:
    """Those given, and this node for what needs its files or takes several executions on one machine."""
    given = [*plan.config.constraints, *plan.attempt.task.attributes.get("constraint", "").split(",")]
    constraints = [text.strip() for text in given if text.strip()]
    if plan.layout.roots or plan.placements:
        if not plan.facts.binds:
            raise SubmitError(
                f"{plan.attempt.task.name}: a Swarm that is not on this machine cannot be brought files; use `mounts` "
                "that its nodes have, or run this on one of its managers"
            )
        return [*constraints, f"node.id=={plan.facts.node}"]
    return [*constraints, f"node.id=={plan.facts.node}"] if plan.executions > 1 else constraints


def _networks(plan: Plan) -> list[dict[str, str]]:
    network = plan.attribute("network", plan.config.network)
    return [{"Target": network}] if network else []
