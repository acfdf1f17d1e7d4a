from __future__ import annotations

import os
from typing import Any

import pytest

from crankshaft_core.backends.docker.container_spec import argv, container_config
from crankshaft_core.backends.docker.facts import Facts
from crankshaft_core.backends.docker.script import as_script
from crankshaft_core.errors import SubmitError
from crankshaft_core.task import Execution, Input, Output, Resources, Task
from tests.unit.docker.plans import WORK, plan, task


def host_config(wanted: Task, **fields: object) -> dict[str, Any]:
    found: dict[str, Any] = container_config(plan(wanted, **fields), 0, init=True)["HostConfig"]
    return found


def test_a_program_reaches_its_arguments_without_a_shell() -> None:
    assert argv(Execution(program="echo", args=("$HOME", "a b")), None) == ["echo", "$HOME", "a b"]


def test_a_command_is_a_shells() -> None:
    assert argv(Execution(command="a | b"), None) == ["/bin/sh", "-c", "a | b"]


def test_redirections_are_quoted_and_resolved() -> None:
    found = argv(Execution(program="sort", args=("-n",), stdin="in file", stdout="/out", stderr="e"), "/w")
    assert found == ["/bin/sh", "-c", "exec \"$@\" <'/w/in file' >/out 2>/w/e", "/bin/sh", "sort", "-n"]


def test_the_program_replaces_the_images_entrypoint() -> None:
    config = container_config(plan(Task(executions=(Execution(program="echo", args=("x",)),))), 0, init=True)
    assert (config["Entrypoint"], config["Cmd"]) == (["echo"], ["x"])


def test_labels_find_everything_again() -> None:
    labels = container_config(plan(task("true", "false")), 1, init=True)["Labels"]
    assert labels == {
        "crankshaft.run": "kaaa",
        "crankshaft.attempt": "kaaa-1-1",
        "crankshaft.task": "t",
        "crankshaft.execution": "1",
        "crankshaft.executions": "2",
        "crankshaft.directory": str(WORK / "kaaa" / "kaaa-1-1"),
    }


def test_limits_are_hard_and_requests_are_not() -> None:
    found = host_config(task(resources=Resources(cpu=2, cpu_limit=1.5, ram=1, ram_limit=2)))
    assert (found["CpuShares"], found["NanoCpus"]) == (2048, 1_500_000_000)
    assert (found["MemoryReservation"], found["Memory"], found["MemorySwap"]) == (2**30, 2**31, 2**31)


def test_nothing_asked_for_limits_nothing() -> None:
    assert not {"CpuShares", "NanoCpus", "Memory", "MemoryReservation"} & host_config(task()).keys()


def test_gpus_are_a_device_request() -> None:
    requests = host_config(task(resources=Resources(gpu=2)))["DeviceRequests"]
    assert requests == [{"Driver": "", "Count": 2, "Capabilities": [["gpu"]]}]


def test_inputs_are_read_only_unless_they_say_otherwise() -> None:
    inputs = [Input(path="/in/a", content="x"), Input(path="/in/b", content="x", read_only=False)]
    mounts = host_config(task(inputs=inputs))["Mounts"]
    assert [(mount["Target"], mount["ReadOnly"]) for mount in mounts] == [("/in/a", True), ("/in/b", False)]


def test_the_parent_of_an_output_is_in_the_attempts_directory() -> None:
    mounts = host_config(task(outputs=[Output(path="/out/x")]))["Mounts"]
    source = str(WORK / "kaaa" / "kaaa-1-1" / "files" / "0")
    assert mounts == [{"Type": "bind", "Source": source, "Target": "/out", "ReadOnly": False}]


def test_a_configured_mount_holds_the_outputs_beneath_it() -> None:
    mounts = host_config(task(outputs=[Output(path="/data/sub/x")]), mounts=["/srv:/data", "vol:/v:ro"])["Mounts"]
    assert mounts == [
        {"Type": "bind", "Source": "/srv", "Target": "/data", "ReadOnly": False},
        {"Type": "volume", "Source": "vol", "Target": "/v", "ReadOnly": True},
    ]


def test_where_nothing_can_be_mounted_volumes_stand_in() -> None:
    wanted = task(outputs=[Output(path="/out/x")], inputs=[Input(path="/in/a", content="x")])
    mounts = container_config(plan(wanted, Facts(name="far", binds=False)), 0, init=True)["HostConfig"]["Mounts"]
    assert mounts == [{"Type": "volume", "Source": "kaaa-1-1-v0", "Target": "/out", "ReadOnly": False}]


def test_a_directory_the_task_also_writes_to_is_copied_and_not_mounted() -> None:
    wanted = task(inputs=[Input(path="/data", url="/srv/data", type="DIRECTORY")], outputs=[Output(path="/data/out/x")])
    mounts = host_config(wanted)["Mounts"]
    assert [mount["Target"] for mount in mounts] == ["/data"]
    assert mounts[0]["Source"].endswith("/files/0")


@pytest.mark.parametrize(
    ("facts", "configured", "user"),
    [
        (Facts(name="x"), None, f"{os.getuid()}:{os.getgid()}"),
        (Facts(name="x", rootless=True), None, "0:0"),
        (Facts(name="x", rootless=True, podman=True), None, f"{os.getuid()}:{os.getgid()}"),
        (Facts(name="x"), "image", None),
        (Facts(name="x"), "nobody", "nobody"),
    ],
)
def test_files_are_the_callers(facts: Facts, configured: str | None, user: str | None) -> None:
    assert container_config(plan(task(), facts, user=configured), 0, init=True).get("User") == user


def test_rootless_podman_keeps_the_callers_ids() -> None:
    found = container_config(plan(task(), Facts(name="x", rootless=True, podman=True)), 0, init=True)
    assert found["HostConfig"]["UsernsMode"] == "keep-id"


def test_a_tasks_network_is_over_the_configured_one() -> None:
    assert host_config(task(), network="host")["NetworkMode"] == "host"
    assert host_config(task(attributes={"network": "none"}), network="host")["NetworkMode"] == "none"


def test_variables_of_the_configuration_are_under_the_tasks() -> None:
    wanted = Task(executions=(Execution(command="true", env={"A": "mine"}),))
    config = container_config(plan(wanted, env={"A": "theirs", "B": "b"}, user="image"), 0, init=True)
    assert config["Env"] == ["A=mine", "B=b"]


def test_a_user_whom_no_image_knows_has_a_home_and_a_name() -> None:
    config = container_config(plan(task(), user="4321:1", env={"USER": "me"}), 0, init=True)
    assert config["Env"] == ["HOME=/tmp", "USER=me"]


@pytest.mark.parametrize("user", ["0", "0:0", "nobody", "image"])
def test_a_user_whom_the_image_knows_has_what_it_says(user: str) -> None:
    assert "Env" not in container_config(plan(task(), user=user), 0, init=True)


def test_a_task_without_an_image_is_refused_with_the_ways_out() -> None:
    with pytest.raises(SubmitError, match="no image is given; give the task one, or set `image` in the backend"):
        plan(task(), image=None)


def test_the_dry_run_is_a_docker_run_without_values_of_variables() -> None:
    wanted = Task(
        executions=(Execution(command="echo hi", env={"TOKEN": "s3cret"}),), resources=Resources(cpu_limit=0.5)
    )
    text = as_script(plan(wanted, platform="linux/amd64"))
    assert "s3cret" not in text
    assert "--env=TOKEN" in text
    assert "--cpus=0.5" in text
    assert "--platform=linux/amd64" in text
    assert text.endswith("--entrypoint /bin/sh busybox -c 'echo hi'\n")
