"""Whatever happens to a container, its task comes to a clear end."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest

from crankshaft_core.backends.base import Attempt, Job, Phase
from crankshaft_core.backends.docker import DockerBackend
from crankshaft_core.backends.docker.client import DockerClient
from crankshaft_core.errors import (
    CancelledElsewhereError,
    NodeFailureError,
    OutOfMemoryError,
    SubmitError,
    TimeLimitError,
)
from crankshaft_core.events import TaskRetried
from crankshaft_core.task import Execution, Resources, Task, Verdict
from tests.integration.docker.box import Box, sh, until


async def test_a_task_that_needs_too_much_memory_is_told_so(box: Box) -> None:
    task = sh("head -c 200000000 /dev/zero | tail", resources=Resources(ram_limit=0.02))
    async with box.run() as engine:
        with pytest.raises(OutOfMemoryError, match=r"out of memory, limit 0\.02 GiB"):
            await engine.run("box", task)


async def test_a_task_sees_its_share_of_the_cpu(box: Box) -> None:
    quota = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; true"
    async with box.run() as engine:
        result = await engine.run("box", sh(quota, resources=Resources(cpu_limit=0.5)))
    assert result.stdout_tail.split()[0] == "50000"


async def test_docker_kill_is_a_cancellation_by_somebody_else(box: Box) -> None:
    async with box.run() as engine:
        handle = engine.spawn("box", sh("sleep 100"))
        box.client.api.kill(await box.running(handle))
        with pytest.raises(CancelledElsewhereError, match="ended from outside"):
            await handle


async def test_docker_rm_is_a_cancellation_by_somebody_else(box: Box) -> None:
    async with box.run() as engine:
        handle = engine.spawn("box", sh("sleep 100"))
        box.client.api.remove_container(await box.running(handle), force=True)
        with pytest.raises(CancelledElsewhereError, match="removed by somebody else"):
            await handle


async def test_an_exit_code_that_looks_like_a_kill_is_the_commands_own(box: Box) -> None:
    async with box.run() as engine:
        result = await engine.run("box", sh("exit 137"))
    assert (result.verdict, result.exit_code) == (Verdict.FAILED, 137)


async def test_a_time_limit_keeps_what_was_written(box: Box) -> None:
    async with box.run() as engine:
        with pytest.raises(TimeLimitError) as caught:
            await engine.run("box", sh("echo begun; sleep 100", resources=Resources.model_validate({"time": "1s"})))
    assert caught.value.result is not None
    assert caught.value.result.stdout_tail == "begun\n"


async def test_a_paused_container_can_be_cancelled(box: Box) -> None:
    async with box.run() as engine:
        handle = engine.spawn("box", sh("sleep 100"))
        box.client.api.pause(await box.running(handle))
        handle.cancel()
        await handle.wait()
    assert box.left() == []


async def test_a_cancelled_task_starts_no_further_execution(box: Box) -> None:
    shared = box.directory / "shared"
    shared.mkdir()
    async with box.run(f"mounts = ['{shared}:/shared']") as engine:
        handle = engine.spawn("box", sh("trap 'exit 0' TERM; sleep 100 & wait", "touch /shared/second"))
        await box.running(handle)
        handle.cancel()
        await handle.wait()
    assert list(shared.iterdir()) == []
    assert box.left() == []


@pytest.mark.parametrize("cleanup", ["true", "false"])
@pytest.mark.parametrize("command", ["true", "exit 1"])
async def test_nothing_is_left_unless_it_is_wanted(
    box: Box, command: str, cleanup: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        async with box.run(f"cleanup = {cleanup}") as engine:
            result = await engine.run("box", sh(command, volumes=["/v"]))
    if cleanup == "true":
        assert box.left() == []
        directory = box.work_dir / result.attempt.split("-")[0] / result.attempt
        assert sorted(item.name for item in directory.iterdir()) == ["stderr", "stdout"]
    else:
        assert box.left() == [f"/{result.attempt}-0"]
        assert f"kept, since cleanup = false: {result.attempt}-0" in caplog.text


async def test_an_image_that_does_not_exist_is_refused_once_and_clearly(box: Box) -> None:
    async with box.run() as engine:
        task = Task(executions=(Execution(image="nosuch:1", command="true"),))
        handles = [engine.spawn("box", task) for _ in range(5)]
        for handle in handles:
            with pytest.raises(SubmitError, match=r"image 'nosuch:1' is not on the Docker engine .*docker load"):
                await handle
    assert box.left() == []


async def test_an_image_that_may_not_be_pulled_is_named(box: Box) -> None:
    async with box.run("pull = 'never'") as engine:
        task = Task(executions=(Execution(image="nosuch:1", command="true"),))
        with pytest.raises(SubmitError, match=r'pull = "never"; run `docker pull nosuch:1`'):
            await engine.run("box", task)


@pytest.mark.parametrize("first", [(), ("true",)], ids=["at once", "after another"])
async def test_a_command_that_is_not_in_the_image(box: Box, first: tuple[str, ...]) -> None:
    executions = (*(Execution(program=program) for program in first), Execution(program="nosuch"))
    async with box.run() as engine:
        result = await engine.run("box", Task(executions=executions))
    assert result.exit_codes == (*(0 for _ in first), 127)
    assert result.detail == "exec nosuch failed: No such file or directory"


async def test_a_request_the_engine_cannot_meet_is_refused_with_its_words(box: Box) -> None:
    async with box.run() as engine:
        with pytest.raises(SubmitError, match="Range of CPUs is from"):
            await engine.run("box", sh("true", resources=Resources(cpu_limit=10_000)))
    assert box.left() == []


async def test_a_removal_that_somebody_else_has_begun_is_waited_for(box: Box) -> None:
    box.client.api.create_container("busybox:local", ["sleep", "1000"], name="kgone-1-1-0", labels=["crankshaft.run"])
    box.client.api.start("kgone-1-1-0")
    client = DockerClient(box.engine.url)

    async def gone() -> bool:
        await client.remove("kgone-1-1-0")
        return await client.inspect("kgone-1-1-0") is None

    assert all(await asyncio.gather(*(gone() for _ in range(6))))
    await client.aclose()


async def test_a_name_that_somebody_else_has_is_refused_and_left_alone(box: Box) -> None:
    box.client.api.create_container("busybox:local", ["true"], name="kmine-1-1-0")
    try:
        backend = DockerBackend(box.run()._config.backends["box"], run_id="kmine")  # type: ignore[arg-type]
        with pytest.raises(SubmitError, match=r"kmine-1-1-0 cannot be created: Conflict"):
            await backend.submit(Attempt(id="kmine-1-1", run="kmine", number=1, task=sh("true")))
        await backend.aclose()
        assert box.state("kmine-1-1-0") == "created"
    finally:
        box.client.api.remove_container("kmine-1-1-0")


async def test_an_engine_that_is_not_there_is_told_at_once(box: Box) -> None:
    begun = time.monotonic()
    gone = f"[[backends]]\nname='gone'\nkind='Docker'\nimage='x'\nhost='unix://{box.directory}/no'"
    async with box.run(gone) as engine:
        with pytest.raises(SubmitError, match=r"gone: no Docker engine answers at unix://.*/no: .*Is it running\?"):
            await engine.run("gone", sh("true"))
        health = await engine.check("gone")
    assert not health.ok
    assert "no Docker engine answers" in health.summary
    assert time.monotonic() - begun < 10


async def test_a_container_that_goes_before_its_result_is_read(box: Box) -> None:
    backend = DockerBackend(box.run()._config.backends["box"], run_id="kgone")  # type: ignore[arg-type]
    attempt = Attempt(id="kgone-1-1", run="kgone", number=1, task=sh("true"))
    job = Job(attempt.id, attempt.run, await backend.submit(attempt))

    async def ended() -> bool:
        return (await backend.poll([job], sweep=False))[job.attempt].phase is Phase.ENDED

    while not await ended():
        await asyncio.sleep(0.05)
    box.client.api.remove_container("kgone-1-1-0", force=True)
    outcome = await backend.result(job)
    await backend.aclose()
    assert outcome.verdict is Verdict.CANCELLED
    assert "removed by somebody else" in outcome.detail


async def test_a_client_that_comes_later_starts_what_is_still_to_run(box: Box) -> None:
    config = box.run()._config.backends["box"]
    first = DockerBackend(config, run_id="klate")  # type: ignore[arg-type]
    attempt = Attempt(id="klate-1-1", run="klate", number=1, task=sh("sleep 1", "exit 4"))
    job = Job(attempt.id, attempt.run, await first.submit(attempt))
    await first.aclose()
    second = DockerBackend(config, run_id="klate")  # type: ignore[arg-type]
    while (state := (await second.poll([job], sweep=False))[job.attempt]).phase is not Phase.ENDED:
        assert state.started is not None
        await asyncio.sleep(0.05)
    assert (await second.result(job)).exit_codes == (0, 4)
    await second.aclose()


@pytest.mark.slow
async def test_a_restart_of_the_engine_is_told_and_loses_no_task(box: Box) -> None:
    retried: list[TaskRetried] = []
    async with box.run("retry = { attempts = 2, on = ['node_failure'] }") as engine:
        engine.subscribe(lambda event: retried.append(event) if isinstance(event, TaskRetried) else None)
        handles = [engine.spawn("box", sh("sleep 8; echo done")) for _ in range(3)]
        for handle in handles:
            await box.running(handle)
        await asyncio.to_thread(_restart, box)
        results = await asyncio.gather(*handles)
    assert [result.stdout_tail for result in results] == ["done\n"] * 3
    assert {event.verdict for event in retried} == {Verdict.NODE_FAILURE}


@pytest.mark.slow
async def test_a_restart_of_the_engine_fails_what_is_not_to_be_repeated(box: Box) -> None:
    async with box.run() as engine:
        handle = engine.spawn("box", sh("sleep 100"))
        await box.running(handle)
        await asyncio.to_thread(_restart, box)
        with pytest.raises(NodeFailureError, match="ended when its engine was stopped, exit code 1"):
            await handle


@pytest.mark.slow
async def test_an_outage_of_the_engine_fails_no_task(box: Box) -> None:
    """A hung engine: stopped by a signal, it answers nothing until it goes on."""
    pid = box.engine.daemons.pid("dockerd")
    async with box.run() as engine:
        handle = engine.spawn("box", sh("sleep 2; echo done"))
        await box.running(handle)
        subprocess.run(["kill", "-STOP", str(pid)], check=True)
        await asyncio.sleep(4)
        subprocess.run(["kill", "-CONT", str(pid)], check=True)
        assert (await handle).stdout_tail == "done\n"


def _restart(box: Box) -> None:
    box.engine.daemons.stop("dockerd")
    box.engine.daemons.up()


async def test_a_submit_that_was_lost_on_the_way_is_found(box: Box) -> None:
    """The client was killed after the containers were created, and before the first was started."""
    config = box.run()._config.backends["box"]
    backend = DockerBackend(config, run_id="klost")  # type: ignore[arg-type]
    attempt = Attempt(id="klost-1-1", run="klost", number=1, task=sh("echo ran"))
    job = Job(attempt.id, attempt.run, await backend.submit(attempt))
    await until(lambda: box.state("klost-1-1-0") == "exited")
    lost = Job(attempt.id, attempt.run, None)
    assert (await backend.poll([lost], sweep=False))[job.attempt].id == "klost-1-1"
    await backend.aclose()
