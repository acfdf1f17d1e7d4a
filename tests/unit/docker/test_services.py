from __future__ import annotations

from typing import Any

import pytest

from crankshaft_core.backends.base import Phase
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.service_spec import refuse_what_fits_nowhere, service_spec
from crankshaft_core.backends.docker.swarm import by_attempt, exit_code, from_task, is_stuck, phase_of
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Output, Resources, Task
from tests.unit.docker.plans import plan, task

MANAGER = Facts(name="vm", swarm="manager", node="n1")
FAR = Facts(name="far", swarm="manager", node="n1", binds=False)


def spec(wanted: Task, number: int = 0, facts: Facts = MANAGER, **fields: object) -> dict[str, Any]:
    return service_spec(plan(wanted, facts, **fields), number, stop_grace=10)


def swarm_task(state: str, *, err: str = "", code: int | None = None, created: str = "2026-01-01") -> dict[str, Any]:
    labels = {"crankshaft.attempt": "a-1", "crankshaft.execution": "0", "crankshaft.executions": "1"}
    return {
        "ID": "t1",
        "NodeID": "n1",
        "CreatedAt": created,
        "Spec": {"ContainerSpec": {"Labels": labels, "Mounts": [{"Type": "bind", "Source": "/s", "Target": "/t"}]}},
        "Status": {
            "State": state,
            "Err": err,
            "ContainerStatus": {"ContainerID": "c1", "ExitCode": code},
            "Timestamp": "2026-11-22T15:25:02Z",
        },
    }


def test_a_service_never_restarts() -> None:
    assert spec(task())["TaskTemplate"]["RestartPolicy"] == {"Condition": "none"}


def test_only_the_first_execution_has_a_copy_at_once() -> None:
    wanted = task("true", "true")
    copies = [spec(wanted, number)["Mode"]["Replicated"]["Replicas"] for number in range(2)]
    assert copies == [1, 0]


def test_requests_are_reserved_and_limits_are_hard() -> None:
    found = spec(task(resources=Resources(cpu=2, cpu_limit=3, ram=1, ram_limit=2, gpu=1)))["TaskTemplate"]["Resources"]
    assert found["Limits"] == {"NanoCPUs": 3 * 10**9, "MemoryBytes": 2**31}
    assert found["Reservations"] == {
        "NanoCPUs": 2 * 10**9,
        "MemoryBytes": 2**30,
        "GenericResources": [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 1}}],
    }


def constraints(*arguments: Any, **fields: Any) -> list[str]:
    found: list[str] = spec(*arguments, **fields)["TaskTemplate"]["Placement"]["Constraints"]
    return found


def test_constraints_of_backend_and_task_both_hold() -> None:
    wanted = task(attributes={"constraint": "node.role==worker, node.labels.a==b"})
    found = constraints(wanted, constraints=["node.labels.disk==ssd"])
    assert found == ["node.labels.disk==ssd", "node.role==worker", "node.labels.a==b"]


def test_files_pin_a_task_to_the_node_that_has_them() -> None:
    assert constraints(task(outputs=[Output(path="/out/x")])) == ["node.id==n1"]


def test_several_executions_are_pinned_to_one_node() -> None:
    assert constraints(task("true", "true")) == ["node.id==n1"]


def test_a_task_without_files_may_run_anywhere() -> None:
    assert constraints(task()) == []


def test_files_for_a_swarm_elsewhere_are_refused() -> None:
    with pytest.raises(SubmitError, match="cannot be brought files"):
        spec(task(outputs=[Output(path="/out/x")]), facts=FAR)


NODE = {
    "Description": {"Resources": {"NanoCPUs": 4 * 10**9, "MemoryBytes": 8 * 2**30}},
    "Spec": {"Availability": "active"},
    "Status": {"State": "ready"},
}


def test_what_fits_on_a_node_is_let_through() -> None:
    refuse_what_fits_nowhere(Resources(cpu=4, ram=8), [NODE], "t")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Resources(cpu=5), "asks for 5 cpu; the largest node of the Swarm has 4"),
        (Resources(ram=9), "asks for 9 GiB of ram; the largest node of the Swarm has 8"),
    ],
)
def test_what_fits_nowhere_is_refused_at_once(wanted: Resources, words: str) -> None:
    with pytest.raises(SubmitError, match=words):
        refuse_what_fits_nowhere(wanted, [NODE], "t")


def test_a_swarm_without_a_usable_node_is_an_error() -> None:
    with pytest.raises(SubmitError, match="no node that is ready"):
        refuse_what_fits_nowhere(Resources(), [{**NODE, "Spec": {"Availability": "drain"}}], "t")


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("new", Phase.QUEUED),
        ("preparing", Phase.QUEUED),
        ("running", Phase.RUNNING),
        ("complete", Phase.ENDED),
        ("failed", Phase.ENDED),
        ("rejected", Phase.ENDED),
        ("orphaned", Phase.ENDED),
        ("something new", Phase.QUEUED),
    ],
)
def test_states_of_a_task(state: str, phase: Phase) -> None:
    assert phase_of(swarm_task(state), "vm").phase is phase


def test_a_pending_task_says_why() -> None:
    words = "no suitable node (insufficient resources on 1 node)"
    found = phase_of(swarm_task("pending", err=words), None)
    assert (found.phase, found.reason) == (Phase.QUEUED, words)


def test_constraints_that_no_node_satisfies_are_stuck() -> None:
    task = swarm_task("pending", err="no suitable node (scheduling constraints not satisfied on 1 node)")
    assert is_stuck(task)
    assert from_task(task, "a-1-0", node=None, here=False).stuck


@pytest.mark.parametrize(
    ("task", "code"),
    [
        (swarm_task("complete", code=0), 0),
        (swarm_task("failed", err="task: non-zero exit (3)", code=3), 3),
        (swarm_task("failed", err='starting container failed: exec: "x": executable file not found in $PATH'), 127),
        (swarm_task("rejected", err="No such image: nosuch:1"), None),
    ],
)
def test_exit_codes_of_tasks(task: dict[str, Any], code: int | None) -> None:
    assert exit_code(task) == code


def test_that_a_command_failed_is_not_said_twice() -> None:
    found = from_task(swarm_task("failed", err="task: non-zero exit (3)", code=3), "a-1-0", node="vm", here=True)
    assert found.words == ""


def test_a_container_on_another_node_cannot_be_asked() -> None:
    assert from_task(swarm_task("complete", code=0), "a-1-0", node="far", here=False).container is None


def test_the_newest_task_of_a_service_counts() -> None:
    old, new = swarm_task("shutdown", created="2026-01-01"), swarm_task("running", created="2026-01-02")
    assert by_attempt([new, old]) == {"a-1": {0: new}}
