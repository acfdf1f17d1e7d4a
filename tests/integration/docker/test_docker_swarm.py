"""Services of a real Swarm of one node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from crankshaft_core.engine import TaskHandle
from crankshaft_core.errors import (
    CancelledElsewhereError,
    OutOfMemoryError,
    StuckError,
    SubmitError,
    TimeLimitError,
)
from crankshaft_core.task import Execution, Output, Resources, Task
from tests.integration.docker.box import Box, sh, until


def container_of(box: Box, service: str) -> str | None:
    """The id of the running container of a service."""
    found = box.client.api.containers(filters={"label": f"com.docker.swarm.service.name={service}"})
    return str(found[0]["Id"]) if found else None


async def in_service(box: Box, handle: TaskHandle) -> str:
    await until(lambda: handle.job_id is not None)
    await until(lambda: container_of(box, f"{handle.job_id}-0"))
    return str(container_of(box, f"{handle.job_id}-0"))


async def test_a_manager_is_found_by_itself_and_tasks_become_services(swarm_box: Box) -> None:
    async with swarm_box.run() as engine:
        handle = engine.spawn("box", sh("sleep 1"))
        await in_service(swarm_box, handle)
        assert [item.name for item in swarm_box.client.services.list()] == [f"{handle.job_id}-0"]
        assert (await handle).ok
        assert "services of a Swarm" in (await engine.check("box")).summary
    await swarm_box.soon_empty()


async def test_containers_are_used_where_that_is_wanted(swarm_box: Box) -> None:
    async with swarm_box.run("swarm = false") as engine:
        handle = engine.spawn("box", sh("sleep 1"))
        await swarm_box.running(handle)
        assert swarm_box.client.services.list() == []
        assert (await handle).ok


async def test_reservations_and_limits_reach_the_service(swarm_box: Box) -> None:
    wanted = Resources(cpu=0.5, cpu_limit=1, ram=0.1, ram_limit=0.2)
    async with swarm_box.run() as engine:
        handle = engine.spawn("box", sh("sleep 100", resources=wanted))
        await in_service(swarm_box, handle)
        spec = swarm_box.client.services.list()[0].attrs["Spec"]["TaskTemplate"]["Resources"]
        handle.cancel()
        await handle.wait()
    assert spec["Limits"] == {"NanoCPUs": 10**9, "MemoryBytes": round(0.2 * 2**30)}
    assert spec["Reservations"] == {"NanoCPUs": 5 * 10**8, "MemoryBytes": round(0.1 * 2**30)}


async def test_executions_run_one_after_the_other_and_share_what_they_wrote(swarm_box: Box) -> None:
    task = sh(
        "echo one > /v/a; echo first", "cat /v/a > /out/b; exit 0", volumes=["/v"], outputs=[Output(path="/out/b")]
    )
    async with swarm_box.run() as engine:
        result = await engine.run("box", task)
    assert (result.exit_codes, result.stdout_tail) == ((0, 0), "first\n")
    await swarm_box.soon_empty()


async def test_the_exit_code_and_both_streams_are_told(swarm_box: Box) -> None:
    async with swarm_box.run() as engine:
        result = await engine.run("box", sh("echo out; echo err >&2; exit 3"))
    assert (result.exit_code, result.stdout_tail, result.stderr_tail, result.detail) == (3, "out\n", "err\n", "")


async def test_too_much_memory_is_told(swarm_box: Box) -> None:
    task = sh("head -c 200000000 /dev/zero | tail", resources=Resources(ram_limit=0.02))
    async with swarm_box.run() as engine:
        with pytest.raises(OutOfMemoryError, match=r"limit 0\.02 GiB"):
            await engine.run("box", task)


async def test_what_no_node_can_give_is_refused_before_it_waits_for_ever(swarm_box: Box) -> None:
    async with swarm_box.run() as engine:
        with pytest.raises(SubmitError, match="asks for 1000 cpu; the largest node of the Swarm has"):
            await engine.run("box", sh("true", resources=Resources(cpu=1000)))
    assert swarm_box.left() == []


async def test_a_constraint_that_no_node_satisfies_is_told(swarm_box: Box) -> None:
    async with swarm_box.run("constraints = ['node.labels.disk == ssd']") as engine:
        with pytest.raises(StuckError, match="scheduling constraints not satisfied"):
            await engine.run("box", sh("true"))
    await swarm_box.soon_empty()


async def test_a_task_goes_to_the_node_that_a_constraint_names(swarm_box: Box) -> None:
    async with swarm_box.run() as engine:
        result = await engine.run("box", sh("true", attributes={"constraint": "node.role == manager"}))
    assert result.ok
    assert result.node is not None


async def test_an_image_that_no_node_has_is_told(swarm_box: Box) -> None:
    async with swarm_box.run() as engine:
        with pytest.raises(SubmitError, match="No such image: nosuch:1"):
            await engine.run("box", Task(executions=(Execution(image="nosuch:1", command="true"),)))
    await swarm_box.soon_empty()


async def test_cancelling_ends_and_removes_the_service(swarm_box: Box) -> None:
    async with swarm_box.run() as engine:
        handles = [engine.spawn("box", sh("sleep 100", "true")) for _ in range(2)]
        for handle in handles:
            await in_service(swarm_box, handle)
        await engine.cancel()
    await swarm_box.soon_empty()


async def test_a_service_that_never_ran_can_be_cancelled(swarm_box: Box) -> None:
    node = swarm_box.client.nodes.list()[0]
    everything = node.attrs["Description"]["Resources"]["NanoCPUs"] / 1e9
    async with swarm_box.run() as engine:
        first = engine.spawn("box", sh("sleep 100", resources=Resources(cpu=everything)))
        await in_service(swarm_box, first)
        second = engine.spawn("box", sh("true", resources=Resources(cpu=everything)))
        await until(lambda: "insufficient resources" in second.reason)
        second.cancel()
        await second.wait()
        assert not first.done()
        first.cancel()
        await first.wait()
    await swarm_box.soon_empty()


async def test_a_time_limit_keeps_what_was_written(swarm_box: Box) -> None:
    task = sh("echo begun; sleep 100", resources=Resources.model_validate({"time": "1s"}))
    async with swarm_box.run() as engine:
        with pytest.raises(TimeLimitError) as caught:
            await engine.run("box", task)
    assert caught.value.result is not None
    assert caught.value.result.stdout_tail == "begun\n"


def _kill(box: Box, service: str, container: str) -> None:
    del service
    box.client.api.kill(container)


def _remove_service(box: Box, service: str, container: str) -> None:
    del container
    box.client.api.remove_service(service)


@pytest.mark.parametrize("end", [_kill, _remove_service], ids=["docker kill", "docker service rm"])
async def test_what_somebody_else_ends_is_told(swarm_box: Box, end: Callable[[Box, str, str], None]) -> None:
    async with swarm_box.run() as engine:
        handle = engine.spawn("box", sh("sleep 100"))
        container = await in_service(swarm_box, handle)
        await asyncio.to_thread(end, swarm_box, f"{handle.job_id}-0", container)
        with pytest.raises(CancelledElsewhereError, match=r"ended from outside|removed by somebody else"):
            await handle
    await swarm_box.soon_empty()
