"""An attempt as a TES task: what is sent, what is not, and what is refused before it is sent."""

from __future__ import annotations

import json

import pytest

from crankshaft_core.backends.base import Attempt
from crankshaft_core.backends.tes.discovery import Service
from crankshaft_core.backends.tes.document import Document, Source, Terms, create_document
from crankshaft_core.backends.tes.places import Copy
from crankshaft_core.errors import SubmitError
from crankshaft_core.staging import StagedInput
from crankshaft_core.task import Execution, Input, Output, Resources, Task
from tests.services.tes_server.contract import BASE, Contract
from tests.services.tes_server.wire import Request

SERVICE = Service(base="http://server" + BASE, api=(1, 1))
SERVICE_1_0 = Service(base="http://server" + BASE, name="old", api=(1, 0))
FUNNEL = Service(base="http://server" + BASE, id="org.ga4gh.funnel")
COPY = Copy("crun1", "crun1-1-1", "n0")


def execution(command: str = "true", **given: object) -> Execution:
    return Execution.model_validate({"image": "busybox", "command": command, **given})


def task(*executions: Execution, **given: object) -> Task:
    return Task.model_validate({"name": "t", "executions": executions or (execution(),), **given})


def document(
    work: Task, *, sources: tuple[Source, ...] = (), service: Service = SERVICE, storage: bool = False, unit: str = "GB"
) -> Document:
    """The document, which the OpenAPI document of the service's version has nothing against."""
    terms = Terms(
        service=service,
        memory_unit="GiB" if unit == "GiB" else "GB",
        worker_url=(lambda key: f"s3://bucket/{key}") if storage else None,
        reachable=lambda url: url if url.startswith("s3://") else None,
    )
    attempt = Attempt("crun1-1-1", "crun1", 1, work, inputs=tuple(StagedInput(item) for item in work.inputs))
    made = create_document(attempt, sources, copy=COPY, terms=terms)
    request = Request("POST", BASE + "/tasks", (), {"content-type": "application/json"}, json.dumps(made).encode())
    version = "1.0" if service.is_1_0 else "1.1"
    assert Contract(version).request_problems(request, "/tasks") == []
    return made


def executor(made: Document, number: int = 0) -> dict[str, object]:
    executors = made["executors"]
    assert isinstance(executors, list)
    found: dict[str, object] = executors[number]
    return found


def test_a_bare_task_is_name_executors_and_tags() -> None:
    assert document(task()) == {
        "name": "crun1_crun1-1-1_t",
        "executors": [{"image": "busybox", "command": ["/bin/sh", "-c", "true"]}],
        "tags": {"crankshaft-run": "crun1", "crankshaft-attempt": "crun1-1-1"},
    }


def test_a_program_reaches_the_server_word_by_word() -> None:
    made = document(task(Execution(image="i", program="a b", args=("", "$HOME", "'"))))
    assert executor(made)["command"] == ["a b", "", "$HOME", "'"]


def test_funnel_would_give_one_word_to_a_shell_so_it_is_quoted() -> None:
    made = document(task(Execution(image="i", program="/opt/my tool")), service=FUNNEL)
    assert executor(made)["command"] == ["'/opt/my tool'"]


def test_funnel_would_empty_the_file_of_stdin_so_a_shell_opens_it() -> None:
    made = document(task(execution("cat", stdin="/d/in")), service=FUNNEL)
    assert executor(made)["command"] == ["/bin/sh", "-c", 'exec "$@" <"$0"', "/d/in", "/bin/sh", "-c", "cat"]
    assert "stdin" not in executor(made)


def test_the_names_of_a_task_are_made_safe() -> None:
    assert document(task(name="align: sample 1/2"))["name"] == "crun1_crun1-1-1_align-sample-1-2"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"cpu": 1.5}, {"cpu_cores": 2}),
        ({"cpu_limit": 3}, {"cpu_cores": 3}),
        ({"ram": 8}, {"ram_gb": 8.590}),
        ({"ram": "4GB"}, {"ram_gb": 4.0}),
        ({"ram_limit": "500MB"}, {"ram_gb": 0.5}),
        ({"disk": "1TB"}, {"disk_gb": 1000.0}),
        ({"preemptible": False}, {"preemptible": False}),
        ({"zones": ("eu", "us")}, {"zones": ["eu", "us"]}),
        ({"gpu": 0}, None),
        ({"time": "2h"}, None),
    ],
)
def test_resources(given: dict[str, object], sent: dict[str, object] | None) -> None:
    assert document(task(resources=Resources.model_validate(given))).get("resources") == sent


def test_a_server_that_means_gib_gets_gib() -> None:
    made = document(task(resources=Resources(ram=8, disk=10)), unit="GiB")
    assert made["resources"] == {"ram_gb": 8.0, "disk_gb": 10.0}


def test_attributes_travel_as_backend_parameters() -> None:
    made = document(task(attributes={"vm_size": "Standard_D4"}))
    assert made["resources"] == {"backend_parameters": {"vm_size": "Standard_D4"}}


def test_tes_1_0_has_no_backend_parameters() -> None:
    assert "resources" not in document(task(attributes={"queue": "q"}), service=SERVICE_1_0)


def test_gpus_go_by_the_parameter_the_server_offers() -> None:
    service = Service(base=SERVICE.base, api=(1, 1), parameters=("VmSize", "GPU_count"))
    made = document(task(resources=Resources(gpu=2)), service=service)
    assert made["resources"] == {"backend_parameters": {"GPU_count": "2"}}


def test_gpus_that_the_server_does_not_offer_are_refused() -> None:
    service = Service(base=SERVICE.base, name="azure", parameters=("vm_size",))
    with pytest.raises(SubmitError, match=r"gpu = 1: azure offers no backend parameter for GPUs.*vm_size"):
        document(task(resources=Resources(gpu=1)), service=service)


def test_a_task_without_image_is_refused() -> None:
    with pytest.raises(SubmitError, match="t: execution 2 names no image"):
        document(task(execution(), Execution(command="true")))


def test_relative_paths_share_one_directory() -> None:
    item = Input(path="in/a.txt", content="x")
    made = document(task(execution("cat in/a.txt"), inputs=(item,)), sources=(Source(content="x"),))
    assert made["inputs"] == [{"path": "/crankshaft/task/in/a.txt", "type": "FILE", "content": "x"}]
    assert executor(made)["workdir"] == "/crankshaft/task"
    assert made["volumes"] == ["/crankshaft/task"]


def test_relative_paths_resolve_against_the_work_dir() -> None:
    item = Input(path="a.txt", content="x")
    made = document(task(execution(work_dir="/w", stdout="out"), inputs=(item,)), sources=(Source(content="x"),))
    assert made["inputs"] == [{"path": "/w/a.txt", "type": "FILE", "content": "x"}]
    assert (executor(made)["workdir"], executor(made)["stdout"]) == ("/w", "/w/out")
    assert "volumes" not in made


def test_url_and_content_are_never_sent_together() -> None:
    item = Input(path="/a", content="")
    made = document(task(inputs=(item,)), sources=(Source(content=""),))
    assert made["inputs"] == [{"path": "/a", "type": "FILE", "content": ""}]


def test_an_output_that_the_worker_can_write_itself_keeps_its_url() -> None:
    made = document(task(outputs=(Output(path="/o", url="s3://mine/o"),)))
    assert made["outputs"] == [{"path": "/o", "url": "s3://mine/o", "type": "FILE"}]


@pytest.mark.parametrize("url", [None, "file:///home/me/o"])
def test_an_output_that_nothing_can_bring_back_is_refused(url: str | None) -> None:
    with pytest.raises(SubmitError, match=r"output '/o'.*Configure `storage`"):
        document(task(outputs=(Output(path="/o", url=url),)))


def test_outputs_go_to_the_storage_under_run_attempt_and_copy() -> None:
    made = document(task(outputs=(Output(path="/d/o.txt"), Output(path="/r", type="DIRECTORY"))), storage=True)
    outputs = made["outputs"]
    assert isinstance(outputs, list)
    assert outputs[:2] == [
        {"path": "/d/o.txt", "url": "s3://bucket/crun1/crun1-1-1/out-n0/0/o.txt", "type": "FILE"},
        {"path": "/r", "url": "s3://bucket/crun1/crun1-1-1/out-n0/1/r", "type": "DIRECTORY"},
    ]


def test_wildcards_have_a_prefix_and_a_directory() -> None:
    made = document(task(outputs=(Output(path="/d/x/*.txt"),)), storage=True)
    outputs = made["outputs"]
    assert isinstance(outputs, list)
    assert outputs[0] == {
        "path": "/d/x/*.txt",
        "url": "s3://bucket/crun1/crun1-1-1/out-n0/0",
        "type": "FILE",
        "path_prefix": "/d/x",
    }


def test_tes_1_0_has_no_wildcards() -> None:
    with pytest.raises(SubmitError, match=r"old speaks TES 1\.0, which has no wildcards"):
        document(task(outputs=(Output(path="/d/*.txt"),)), storage=True, service=SERVICE_1_0)


def test_with_storage_stdout_and_stderr_are_kept_whole() -> None:
    made = document(task(execution(), execution(stdout="/my/out")), storage=True)
    assert executor(made, 0)["stdout"] == "/crankshaft/log/0.stdout"
    assert executor(made, 1)["stdout"] == "/my/out"
    outputs = made["outputs"]
    assert isinstance(outputs, list)
    assert {(item["path"], item["url"].rsplit("/", 1)[1]) for item in outputs} == {
        ("/crankshaft/log/0.stdout", "0.stdout"),
        ("/crankshaft/log/0.stderr", "0.stderr"),
        ("/my/out", "1.stdout"),
        ("/crankshaft/log/1.stderr", "1.stderr"),
    }


def test_a_stdout_that_is_an_output_is_sent_once() -> None:
    made = document(task(execution(stdout="o.log"), outputs=(Output(path="o.log"),)), storage=True)
    outputs = made["outputs"]
    assert isinstance(outputs, list)
    assert [item["path"] for item in outputs].count("/crankshaft/task/o.log") == 1


def test_every_field_at_once_is_a_legal_document() -> None:
    work = task(
        execution("a", stdin="in", stdout="o", stderr="e", env={"A": "1", "B": ""}, work_dir="/w"),
        execution("b"),
        description="all of it",
        inputs=(Input(path="in", content="x"), Input(path="/d", url="s3://b/d", type="DIRECTORY")),
        outputs=(Output(path="o"), Output(path="/r", type="DIRECTORY", url="s3://b/r"), Output(path="/g/[ab]?.txt")),
        resources=Resources(cpu=2, ram=1, disk=1, preemptible=True, zones=("a",)),
        volumes=("/v",),
        attributes={"queue": "q"},
    )
    made = document(work, sources=(Source(content="x"), Source(url="s3://b/d")), storage=True)
    assert made["volumes"] == ["/v", "/crankshaft/task"]
